"""PostgreSQL: a repeatable read, in UTC, streamed by COPY."""

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import psycopg
from psycopg import sql as composed
from sqlalchemy import Connection, types
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import ProgrammingError

from clearer_platform.sources.sql.columns import Column, Kind
from clearer_platform.sources.sql.table import BATCH, Table, as_it_is, split

TIME = "'YYYY-MM-DD HH24:MI:SS.US'"
FIRST, LAST = "'0001-01-01'", "'9999-12-31 23:59:59.999999'"
"""Times before, after, and 'infinity' are not what this form can write: they come as the server shows them."""


class PostgreSqlTable(Table):
    """A table of PostgreSQL."""

    @classmethod
    @contextmanager
    def snapshot(cls, connection: Connection, name: str) -> Iterator[datetime]:
        """A transaction that only reads, and sees what was committed when it began."""
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        _lock(connection, name)
        for statement in (
            "SET LOCAL TIME ZONE 'UTC'",
            "SET LOCAL datestyle = 'ISO, YMD'",
            "SET LOCAL extra_float_digits = 1",
        ):
            connection.exec_driver_sql(statement)
        now: datetime = connection.exec_driver_sql("SELECT now() AT TIME ZONE 'UTC'").scalar_one()
        yield now.replace(tzinfo=UTC)

    def kind(self, sql_type: types.TypeEngine[Any]) -> Kind:
        """By the type's name; what is not known comes as text."""
        match sql_type:
            case postgresql.DOMAIN():
                return self.kind(sql_type.data_type)
            case types.DateTime():
                return Kind.INSTANT if sql_type.timezone else Kind.LOCAL
            case types.Integer() | types.Numeric() | types.Float():
                return Kind.NUMBER
            case types.Date() | types.Time() | types.Boolean() | postgresql.BYTEA():
                return Kind.BARE
        return Kind.TEXT

    def count(self, watermark: str | None, lower: str | None) -> tuple[int, str | None]:
        """By the server."""
        highest = self._highest(self._named[watermark]) if watermark else "NULL"
        sql = f"SELECT count(*), ({highest})::text FROM {_quoted(self.schema, self.name)}{self._from(watermark, lower)}"
        row = as_it_is(self.connection, sql).one()
        return row[0], row[1]

    def lines(
        self, order: Sequence[str], watermark: str | None, lower: str | None
    ) -> Generator[list[bytes], None, None]:
        """Written by the server."""
        fields = ", ".join(f"{self._field(c)} AS {_quoted(c.name)}" for c in self.columns)
        by = ", ".join(_quoted(self.schema, self.name, name) for name in order)
        quoted = ", ".join(_quoted(c.name) for c in self.columns if c.kind is Kind.TEXT)
        force = f", FORCE_QUOTE ({quoted})" if quoted else ""
        rows = f"SELECT {fields} FROM {_quoted(self.schema, self.name)}{self._from(watermark, lower)} ORDER BY {by}"
        statement = f"COPY ({rows}) TO STDOUT (FORMAT csv, NULL {_literal(self.null)}{force})"
        driver = self.connection.connection.driver_connection
        assert isinstance(driver, psycopg.Connection)
        with driver.cursor() as cursor, cursor.copy(statement.encode()) as copy:
            # The server sends a row at a time.
            sent = map(bytes, copy)
            while some := list(islice(sent, BATCH)):
                yield some

    def _from(self, watermark: str | None, lower: str | None) -> str:
        if watermark is None or lower is None:
            return ""
        column = self._named[watermark]
        # An overlap may leave fractions of a whole number; all else is compared as the column's own type.
        kind = "::numeric" if column.kind is Kind.NUMBER and not isinstance(_base(column), types.Float) else ""
        return f" WHERE {_quoted(watermark)} >= {_literal(lower)}{kind}"

    def _highest(self, column: Column) -> str:
        """SQL for the highest watermark: no NaN and no infinity, above which nothing could ever come."""
        name = _quoted(column.name)
        among = "" if isinstance(_base(column), types.Integer) else f" FILTER (WHERE {name} < 'NaN')"
        if column.kind is not Kind.NUMBER:
            among = f" FILTER (WHERE {name} BETWEEN {FIRST} AND {LAST})"
        return self._time(f"max({name}){among}", column.kind)

    def _field(self, column: Column) -> str:
        """SQL for a value as COPY is to write it."""
        name = _quoted(column.name)
        if column.kind in (Kind.INSTANT, Kind.LOCAL):
            return self._time(name, column.kind)
        if isinstance(_base(column), postgresql.BYTEA):
            return f"encode({name}, 'hex')"
        return f"{name}::text" if column.kind is Kind.TEXT else name

    def _time(self, name: str, kind: Kind) -> str:
        """SQL for a time in our form, where it can be written in it; anything else is its own text."""
        if kind not in (Kind.INSTANT, Kind.LOCAL):
            return name
        local = f"({name} AT TIME ZONE 'UTC')" if kind is Kind.INSTANT else name
        return f"CASE WHEN {local} BETWEEN {FIRST} AND {LAST} THEN to_char({local}, {TIME}) ELSE {name}::text END"


def _lock(connection: Connection, name: str) -> None:
    """Hold off changes of the table before the snapshot is taken.

    To a snapshot from before a change that writes the table anew (ALTER TABLE, TRUNCATE) the table is empty.
    """
    try:
        with connection.begin_nested():
            as_it_is(connection, f"LOCK TABLE {_quoted(*split(name))} IN ACCESS SHARE MODE")
    except ProgrammingError:
        # No table (what there is of another kind is not written anew), or no right: reading it will say so.
        pass


def _base(column: Column) -> types.TypeEngine[Any]:
    """The type below the domains."""
    sql_type = column.sql_type
    while isinstance(sql_type, postgresql.DOMAIN):
        sql_type = sql_type.data_type
    return sql_type


def _quoted(*names: str | None) -> str:
    """A name in SQL, of parts."""
    return composed.Identifier(*filter(None, names)).as_string()


def _literal(value: str) -> str:
    return composed.Literal(value).as_string()
