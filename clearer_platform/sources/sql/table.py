"""A table as a server shows it in one snapshot: its columns, how many rows there are, and the rows as lines of CSV.

Each kind of server writes its own lines where it can (`mysql.py`, `postgresql.py`), in SQL: the values come as the
server itself writes them, exactly, and nothing is converted on the way. Any other is asked for values, and `other.py`
writes the lines.
"""

from abc import ABC, abstractmethod
from collections.abc import Generator, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, inspect, types
from sqlalchemy.exc import NoSuchTableError

from clearer_platform.errors import DeliveryError
from clearer_platform.sources.sql.columns import Column, Kind

BATCH = 10_000
"""Rows that are taken from the server at a time."""


class Table(ABC):
    """A table or view in the snapshot of an open connection."""

    def __init__(self, connection: Connection, name: str, null: str) -> None:
        self.connection, self.null = connection, null
        schema, _, table = name.rpartition(".")
        self.schema, self.name = schema or None, table
        self.columns = self._columns()
        self._kinds = {column.name: column.kind for column in self.columns}

    @classmethod
    @abstractmethod
    def snapshot(cls, connection: Connection) -> AbstractContextManager[datetime]:
        """Within it every statement sees the same rows; the instant that it is of."""

    @abstractmethod
    def count(self, watermark: str | None, lower: str | None) -> tuple[int, str | None]:
        """Of the rows from the watermark `lower` on: how many there are, and the highest watermark."""

    @abstractmethod
    def lines(
        self, order: Sequence[str], watermark: str | None, lower: str | None
    ) -> Generator[list[bytes], None, None]:
        """These rows in the `order` of columns, some at a time, each as CSV with its line end."""

    @abstractmethod
    def kind(self, sql_type: types.TypeEngine[Any]) -> Kind:
        """How values of a type are written."""

    @property
    def quoted_name(self) -> str:
        """The table's name in SQL."""
        prepare = self.connection.dialect.identifier_preparer
        return ".".join(prepare.quote_identifier(part) for part in (self.schema, self.name) if part)

    def quoted(self, column: str) -> str:
        """A column's name in SQL."""
        return self.connection.dialect.identifier_preparer.quote_identifier(column)

    def _columns(self) -> tuple[Column, ...]:
        try:
            found = inspect(self.connection).get_columns(self.name, self.schema)
        except NoSuchTableError as e:
            raise DeliveryError(
                f"there is no table {self.schema + '.' if self.schema else ''}{self.name} that this user may read",
                hint="check table in the registry, and what the user has been granted",
            ) from e
        return tuple(Column(c["name"], self.kind(c["type"]), c["type"]) for c in found)
