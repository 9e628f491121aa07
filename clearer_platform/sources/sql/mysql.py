"""MySQL and MariaDB: a consistent snapshot of InnoDB, in UTC, streamed; each row comes as the line that it becomes."""

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, text, types
from sqlalchemy.dialects import mysql

from clearer_platform.sources.sql.columns import Column, Kind
from clearer_platform.sources.sql.table import BATCH, Table

CHARACTERS = "utf8mb4"
BINARY = (types.LargeBinary, types.BINARY, types.VARBINARY)
TIME = "'%Y-%m-%d %H:%i:%s.%f'"


class MySqlTable(Table):
    """A table of MySQL or MariaDB."""

    @classmethod
    @contextmanager
    def snapshot(cls, connection: Connection) -> Iterator[datetime]:
        """A transaction that only reads, and sees what was committed when it began."""
        for statement in (
            "SET SESSION sql_mode = ''",
            "SET SESSION time_zone = '+00:00'",
            "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
            "COMMIT",
            "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
        ):
            connection.exec_driver_sql(statement)
        now: datetime = connection.exec_driver_sql("SELECT UTC_TIMESTAMP(6)").scalar_one()
        yield now.replace(tzinfo=UTC)

    def kind(self, sql_type: types.TypeEngine[Any]) -> Kind:
        """By the type's name; what is not known comes as text."""
        match sql_type:
            case mysql.TIMESTAMP():
                return Kind.INSTANT
            case mysql.DATETIME() | types.DateTime():
                return Kind.LOCAL
            case types.Integer() | types.Numeric() | types.Float() | mysql.BIT():
                return Kind.NUMBER
            case types.Date() | types.Time() | mysql.YEAR() | types.LargeBinary() | types.BINARY() | types.VARBINARY():
                return Kind.BARE
        return Kind.TEXT

    def count(self, watermark: str | None, lower: str | None) -> tuple[int, str | None]:
        """By the server."""
        highest = f"MAX({self.quoted(watermark)})" if watermark else "NULL"
        if watermark and self._kinds[watermark] is not Kind.NUMBER:
            highest = f"DATE_FORMAT({highest}, {TIME})"
        where, values = self._from(watermark, lower)
        sql = text(f"SELECT COUNT(*), CAST({highest} AS CHAR) FROM {self.quoted_name}{where}")
        row = self.connection.execute(sql, values).one()
        return row[0], row[1]

    def lines(
        self, order: Sequence[str], watermark: str | None, lower: str | None
    ) -> Generator[list[bytes], None, None]:
        """Written by the server."""
        where, values = self._from(watermark, lower)
        fields = ", ',', ".join(self._field(column) for column in self.columns)
        by = ", ".join(map(self.quoted, order))
        sql = text(f"SELECT CONCAT({fields}) FROM {self.quoted_name}{where} ORDER BY {by}")
        streaming = self.connection.execution_options(stream_results=True, max_row_buffer=BATCH)
        result = streaming.execute(sql, values)
        try:
            for rows in result.partitions(BATCH):
                yield [f"{line}\n".encode() for (line,) in rows]
        except BaseException:
            _abandon(result.cursor)
            self.connection.invalidate()
            raise

    def _from(self, watermark: str | None, lower: str | None) -> tuple[str, dict[str, str]]:
        if watermark is None or lower is None:
            return "", {}
        kind = "DECIMAL(65, 30)" if self._kinds[watermark] is Kind.NUMBER else "DATETIME(6)"
        return f" WHERE {self.quoted(watermark)} >= CAST(:lower AS {kind})", {"lower": lower}

    def _field(self, column: Column) -> str:
        """SQL for a value as it stands in the line."""
        name = self.quoted(column.name)
        value = f"CAST({name} AS CHAR)"
        if column.kind in (Kind.INSTANT, Kind.LOCAL):
            value = f"DATE_FORMAT({name}, {TIME})"
        elif column.kind is Kind.TEXT:
            value = f"""CONCAT('"', REPLACE(CONVERT({name} USING {CHARACTERS}), '"', '""'), '"')"""
        elif column.kind is Kind.NUMBER:
            value = f"CAST({self._number(name, column.sql_type)} AS CHAR)"
        elif isinstance(column.sql_type, BINARY):
            value = f"HEX({name})"
        return f"IFNULL({value}, {self._null})"

    @property
    def _null(self) -> str:
        """SQL for the text that means no value: what a backslash in a literal is depends on the server's sql_mode."""
        return f"X'{self.null.encode().hex()}'"

    def _number(self, name: str, sql_type: types.TypeEngine[Any]) -> str:
        """A number in all its digits: FLOAT is shown with six of them, ZEROFILL with zeros before it, BIT as bytes."""
        if isinstance(sql_type, mysql.FLOAT):
            return f"CAST({name} AS DOUBLE)"
        return f"({name} + 0)" if isinstance(sql_type, mysql.BIT) or getattr(sql_type, "zerofill", False) else name


def _abandon(cursor: Any) -> None:
    """Have PyMySQL forget the rows that are still to come.

    It would read them to their end when the cursor is collected, at any moment later, even where the connection is
    gone; there is no public way to tell it not to.
    """
    unread = getattr(cursor, "_result", None)
    if unread is not None:
        unread.unbuffered_active = False
