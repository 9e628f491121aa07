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

from sqlalchemy import Connection, CursorResult, inspect, types
from sqlalchemy.exc import NoSuchTableError

from clearer_platform.errors import DeliveryError
from clearer_platform.sources.sql.columns import Column, Kind

BATCH = 10_000
"""Rows that are taken from the server at a time."""


def as_it_is(connection: Connection, sql: str, **options: Any) -> CursorResult[*tuple[Any, ...]]:
    """Execute SQL without parameters just as it is written: a per cent sign or colon in it is one."""
    return connection.execution_options(no_parameters=True, **options).exec_driver_sql(sql)


def split(name: str) -> tuple[str | None, str]:
    """The schema, if there is one, and the table that the registry's name of a table means."""
    schema, _, table = name.rpartition(".")
    return schema or None, table


class Table(ABC):
    """A table or view in the snapshot of an open connection."""

    def __init__(self, connection: Connection, name: str, null: str) -> None:
        self.connection, self.null = connection, null
        self.schema, self.name = split(name)
        self.columns = self._columns()
        self._named = {column.name: column for column in self.columns}

    @classmethod
    @abstractmethod
    def snapshot(cls, connection: Connection, name: str) -> AbstractContextManager[datetime]:
        """Within it every statement sees the same rows of the table `name`; the instant that it is of."""

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

    def _columns(self) -> tuple[Column, ...]:
        try:
            found = inspect(self.connection).get_columns(self.name, self.schema)
        except NoSuchTableError as e:
            raise DeliveryError(
                f"there is no table {self.schema + '.' if self.schema else ''}{self.name} that this user may read",
                hint="check table in the registry, and what the user has been granted",
            ) from e
        return tuple(Column(c["name"], self.kind(c["type"]), c["type"]) for c in found)
