"""Any other server that SQLAlchemy has a dialect for: it is asked for values, and the lines are written here.

Slower than a server's own lines. A snapshot is what the server gives a reading transaction.
"""

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import cached_property
from typing import Any

from sqlalchemy import ColumnElement, Connection, MetaData, Select, cast, func, null, select, types
from sqlalchemy import Table as SqlTable
from sqlalchemy.exc import ArgumentError, DBAPIError

from clearer_platform.sources.sql.columns import Kind
from clearer_platform.sources.sql.table import BATCH, Table
from clearer_platform.sources.sql.watermarks import text_of, value_of

LEVELS = ("REPEATABLE READ", "SNAPSHOT", "SERIALIZABLE")
"""Isolation levels in which all statements of a transaction see the same, the mildest first."""


class OtherTable(Table):
    """A table of any other server."""

    @classmethod
    @contextmanager
    def snapshot(cls, connection: Connection, name: str) -> Iterator[datetime]:
        """A transaction in the mildest isolation level that shows one state."""
        for level in LEVELS:
            try:
                connection = connection.execution_options(isolation_level=level)
                break
            except (ArgumentError, DBAPIError, NotImplementedError):
                continue
        yield datetime.now(UTC)

    def kind(self, sql_type: types.TypeEngine[Any]) -> Kind:
        """By the type's family; what is not known comes as text."""
        match sql_type:
            case types.DateTime():
                return Kind.INSTANT if sql_type.timezone else Kind.LOCAL
            case types.Integer() | types.Numeric() | types.Float():
                return Kind.NUMBER
            case types.Date() | types.Time() | types.Boolean() | types.LargeBinary():
                return Kind.BARE
        return Kind.TEXT

    def count(self, watermark: str | None, lower: str | None) -> tuple[int, str | None]:
        """By the server."""
        highest: ColumnElement[Any] = func.max(self._table.c[watermark]) if watermark else null()
        counted: Select[Any] = select(func.count(), highest).select_from(self._table)
        row = self.connection.execute(self._from(counted, watermark, lower)).one()
        return row[0], None if row[1] is None else written(row[1])

    def lines(
        self, order: Sequence[str], watermark: str | None, lower: str | None
    ) -> Generator[list[bytes], None, None]:
        """Written here."""
        # A TypeDecorator may change what the server holds; numbers of a driver are taken as decimals.
        rows = select(*self._table.c).order_by(*(self._table.c[name] for name in order))
        streaming = self.connection.execution_options(stream_results=True, max_row_buffer=BATCH)
        is_text = [column.kind is Kind.TEXT for column in self.columns]
        for some in streaming.execute(self._from(rows, watermark, lower)).partitions(BATCH):
            yield [self._line(row, is_text).encode("utf-8", "surrogatepass") for row in some]

    @cached_property
    def _table(self) -> SqlTable:
        return SqlTable(self.name, MetaData(), schema=self.schema, autoload_with=self.connection)

    def _from(self, statement: Select[Any], watermark: str | None, lower: str | None) -> Select[Any]:
        if watermark is None or lower is None:
            return statement
        column: ColumnElement[Any] = self._table.c[watermark]
        value = value_of(lower, self._named[watermark].kind)
        if isinstance(value, datetime) and self._named[watermark].kind is Kind.INSTANT:
            value = value.replace(tzinfo=UTC)
        return statement.where(column >= cast(value, column.type))

    def _line(self, row: Sequence[Any], is_text: list[bool]) -> str:
        cells = [
            self.null if value is None else quoted(written(value)) if text else written(value)
            for value, text in zip(row, is_text, strict=True)
        ]
        return f"{','.join(cells)}\n"


def written(value: Any) -> str:
    """A driver's value as text: exact, times in UTC where they have a zone, binary data as hexadecimal digits."""
    match value:
        case bool():
            return "1" if value else "0"
        case Decimal():
            return text_of(value)
        case datetime():
            return text_of(value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value)
        case date() | time():
            return value.isoformat()
        case bytes() | memoryview():
            return bytes(value).hex()
    return str(value)


def quoted(text: str) -> str:
    """A text in quotes."""
    return f'"{text.replace(chr(34), chr(34) * 2)}"'
