"""MySQL and MariaDB: a consistent snapshot of InnoDB, in UTC, streamed; each row comes as the line that it becomes."""

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property
from itertools import groupby
from typing import Any

import pymysql
from pymysql.cursors import SSCursor
from sqlalchemy import Connection, types
from sqlalchemy.dialects import mysql

from clearer_platform.errors import DeliveryError
from clearer_platform.sources.sql.columns import Column, Kind
from clearer_platform.sources.sql.table import BATCH, Table, as_it_is

CHARACTERS = "utf8mb4"
BINARY = (types.LargeBinary, types.BINARY, types.VARBINARY, mysql.TINYBLOB, mysql.MEDIUMBLOB, mysql.LONGBLOB)
"""SQLAlchemy's classes of what is no text; its blobs of MySQL have none in common."""
SPATIAL = (
    *("geometry", "point", "linestring", "polygon", "multipoint", "multilinestring", "multipolygon"),
    *("geometrycollection", "geomcollection"),
)
"""Types of MySQL that SQLAlchemy does not know, whose values are bytes; what else it does not know shows as text."""
LONG_TEXT = (types.Text, types.JSON, mysql.TINYTEXT, mysql.MEDIUMTEXT, mysql.LONGTEXT)
QUOTE, _COMMA = '"', ", ',', "
TIME = "'%Y-%m-%d %H:%i:%s.%f'"


class MySqlTable(Table):
    """A table of MySQL or MariaDB."""

    def __init__(self, connection: Connection, name: str, null: str) -> None:
        dialect: Any = connection.dialect
        dialect.ischema_names = {**dialect.ischema_names, **dict.fromkeys(SPATIAL, types.LargeBinary)}
        super().__init__(connection, name, null)

    @classmethod
    @contextmanager
    def snapshot(cls, connection: Connection, name: str) -> Iterator[datetime]:
        """A transaction that only reads, and sees what was committed when it began."""
        for statement in (
            "SET SESSION sql_mode = ''",
            "SET SESSION time_zone = '+00:00'",
            # A delivery is made while rows wait, and the server would not wait for longer than a minute.
            "SET SESSION net_write_timeout = 86400",
            "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
            "COMMIT",
            "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
        ):
            connection.exec_driver_sql(statement)
        now: datetime = connection.exec_driver_sql("SELECT UTC_TIMESTAMP(6)").scalar_one()
        yield now.replace(tzinfo=UTC)

    def kind(self, sql_type: types.TypeEngine[Any]) -> Kind:
        """By the type's name; what is not known comes as text."""
        if isinstance(sql_type, BINARY):
            return Kind.BARE
        match sql_type:
            case mysql.TIMESTAMP():
                return Kind.INSTANT
            case mysql.DATETIME() | types.DateTime():
                return Kind.LOCAL
            case types.Integer() | types.Numeric() | types.Float() | mysql.BIT():
                return Kind.NUMBER
            case types.Date() | types.Time() | mysql.YEAR():
                return Kind.BARE
        return Kind.TEXT

    def count(self, watermark: str | None, lower: str | None) -> tuple[int, str | None]:
        """By the server."""
        highest = "NULL"
        if watermark:
            column = self._named[watermark]
            highest = self._written(f"MAX({quoted(watermark)})", column)
        sql = f"SELECT COUNT(*), {highest} FROM {self._table}{self._from(watermark, lower)}"
        row = as_it_is(self.connection, sql).one()
        return row[0], row[1]

    def lines(
        self, order: Sequence[str], watermark: str | None, lower: str | None
    ) -> Generator[list[bytes], None, None]:
        """Written by the server."""
        by = ", ".join(map(quoted, order))
        sql = f"SELECT {', '.join(self._cells)} FROM {self._table}{self._from(watermark, lower)} ORDER BY {by}"
        # Rows are taken from the driver itself: what SQLAlchemy makes of each takes longer than reading it.
        driver = self.connection.connection.driver_connection
        assert isinstance(driver, pymysql.Connection)
        rows = driver.cursor(SSCursor)
        is_one = self._are_long == [False]
        try:
            rows.execute(sql)
            while some := rows.fetchmany(BATCH):
                yield _ended([row[0] for row in some] if is_one else [self._joined(row) for row in some])
        except BaseException:
            _abandon(rows)
            self.connection.invalidate()
            raise

    @cached_property
    def _runs(self) -> list[tuple[bool, list[Column]]]:
        """The columns one after the other: each long text by itself, the others as many as stand together."""
        return [
            (is_long, run)
            for is_long, found in groupby(self.columns, lambda column: isinstance(column.sql_type, LONG_TEXT))
            for run in ([[column] for column in found] if is_long else [list(found)])
        ]

    @cached_property
    def _cells(self) -> list[str]:
        """SQL for what a line is joined of: one piece, but for long texts. A piece comes as bytes, and stays so."""
        return [
            quoted(run[0].name) if is_long else f"CAST(CONCAT({_COMMA.join(map(self._field, run))}) AS BINARY)"
            for is_long, run in self._runs
        ]

    @cached_property
    def _are_long(self) -> list[bool]:
        return [is_long for is_long, _ in self._runs]

    def _joined(self, row: Sequence[Any]) -> bytes | None:
        """A line with long texts, whose quotes are doubled here: the server takes the square of their number for it."""
        cells = [self._long(cell) if is_long else cell for cell, is_long in zip(row, self._are_long, strict=True)]
        return None if None in cells else b",".join(cells)

    def _long(self, text: str | None) -> bytes:
        return (self.null if text is None else f'"{text.replace(QUOTE, QUOTE * 2)}"').encode()

    @property
    def _table(self) -> str:
        """The table's name in SQL."""
        return ".".join(quoted(part) for part in (self.schema, self.name) if part)

    def _from(self, watermark: str | None, lower: str | None) -> str:
        if watermark is None or lower is None:
            return ""
        column = self._named[watermark]
        value = f"CAST('{lower}' AS {'DECIMAL(65, 30)' if column.kind is Kind.NUMBER else 'DATETIME(6)'})"
        if isinstance(column.sql_type, types.Float):
            value = f"('{lower}' + 0e0)"
        return f" WHERE {quoted(watermark)} >= {value}"

    def _field(self, column: Column) -> str:
        """SQL for a value as it stands in the line."""
        name = quoted(column.name)
        # What is too long for the server's functions becomes NULL: it must not be taken for no value.
        return f"IF({name} IS NULL, {self._null}, {self._written(name, column)})"

    def _written(self, name: str, column: Column) -> str:
        """SQL for the text of the value `name`, which is one."""
        value = f"CAST({name} AS CHAR)"
        if column.kind in (Kind.INSTANT, Kind.LOCAL):
            value = f"DATE_FORMAT({name}, {TIME})"
        elif column.kind is Kind.TEXT:
            value = f"""CONCAT('"', REPLACE(CONVERT({name} USING {CHARACTERS}), '"', '""'), '"')"""
        elif column.kind is Kind.NUMBER:
            value = f"CAST({self._number(name, column.sql_type)} AS CHAR)"
        elif isinstance(column.sql_type, BINARY):
            value = f"HEX({name})"
        return value

    @property
    def _null(self) -> str:
        """SQL for the text that means no value: what a backslash in a literal is depends on the server's sql_mode."""
        return f"X'{self.null.encode().hex()}'"

    def _number(self, name: str, sql_type: types.TypeEngine[Any]) -> str:
        """A number in all its digits: FLOAT is shown with six of them, ZEROFILL with zeros before it, BIT as bytes."""
        if isinstance(sql_type, mysql.FLOAT):
            return f"CAST({name} AS DOUBLE)"
        return f"({name} + 0)" if isinstance(sql_type, mysql.BIT) or getattr(sql_type, "zerofill", False) else name


def quoted(name: str) -> str:
    """A name in SQL."""
    return f"`{name.replace('`', '``')}`"


def _ended(lines: list[bytes | None]) -> list[bytes]:
    """Lines with their ends. Raises DeliveryError where the server wrote none."""
    if None in lines:
        raise DeliveryError(
            "a row is longer than the server's functions may write",
            hint="have max_allowed_packet raised there (SET GLOBAL): twice the bytes of the longest row are enough",
        )
    return [line + b"\n" for line in lines if line is not None]


def _abandon(cursor: Any) -> None:
    """Have PyMySQL forget the rows that are still to come.

    It would read them to their end when the cursor is collected, at any moment later, even where the connection is
    gone; there is no public way to tell it not to.
    """
    unread = getattr(cursor, "_result", None)
    if unread is not None:
        unread.unbuffered_active = False
