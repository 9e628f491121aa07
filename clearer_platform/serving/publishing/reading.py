"""What is published: gold as it was served at one moment, table by table, as CSV or in batches."""

import hashlib
import json
import os
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from clearer_platform.errors import NotBuilt
from clearer_platform.gold import warehouse, withdrawn
from clearer_platform.platform import Platform
from clearer_platform.regions import GLOBAL
from clearer_platform.serving.publishing import buckets
from clearer_platform.serving.publishing.buckets import Buckets, Division
from clearer_platform.serving.publishing.tables import Column, Table
from clearer_platform.silver.sql import identifier, literal

BLOCK = 1 << 20
PLAIN = "HEADER false, NULLSTR ''"
FORM = 1
"""Raised when what is published of the same gold changes: then everything is published anew."""


@dataclass(frozen=True)
class Figures:
    """What is compared between gold and a target: rows, and the sum of each column of exact numbers."""

    rows: int
    sums: tuple[tuple[str, Decimal], ...]


class Gold:
    """The gold of one region, or that across regions, as it was served when it was opened."""

    def __init__(self, region: str | None, connection: duckdb.DuckDBPyConnection, work: Path, fingerprint: str) -> None:
        self.region = region
        """Whose it is; None: built across regions."""
        self.scope = region or GLOBAL
        """The same as a name, for targets and files: no region can have that of all."""
        self.work = work
        """A folder in the same jurisdiction."""
        self.fingerprint = fingerprint
        """Of all that this gold was built from and by."""
        self._connection = connection

    def has(self, table: Table) -> bool:
        """Whether the table has been built."""
        sql = (
            "SELECT count(*) FROM duckdb_tables()"
            " WHERE database_name = current_database() AND schema_name = ? AND table_name = ?"
        )
        return bool(self._connection.execute(sql, table.relation).fetchall()[0][0])

    def figures(self, table: Table) -> Figures:
        """Its rows and sums."""
        sums = [f"sum({identifier(column.name)})" for column in table.exact]
        sql = f"SELECT {', '.join(['count(*)', *sums])} FROM ({self._select(table)})"
        rows, *found = self._execute_one(sql)
        return figures_of(table, rows, found)

    def figures_of_csv(self, table: Table, path: Path, null: str) -> Figures:
        """The figures of a CSV file with a header and all of the table's columns, read back."""
        sums = [f"sum({identifier(column.name)}::{_exact_type(column)})" for column in table.exact]
        with duckdb.connect() as connection:
            rows, *found = connection.execute(
                f"SELECT {', '.join(['count(*)', *sums])} FROM read_csv({literal(str(path))}, header = true,"
                f" all_varchar = true, nullstr = {literal(null)}, allow_quoted_nulls = false,"
                f" quote = '\"', escape = '\"', delim = ',', names = [{', '.join(map(literal, table.names))}])"
            ).fetchall()[0]
        return figures_of(table, rows, found)

    def content(self, table: Table, mode: str) -> str:
        """Hex digest that changes with the table's rows, whatever their order, with its form and `mode`."""
        sql = f"SELECT count(*), sum(hash(t)), bit_xor(hash(t)) FROM ({self._select(table)}) t"
        said = [FORM, mode, self._execute_one(sql), repr(table)]
        return hashlib.sha256(json.dumps(said, default=str).encode()).hexdigest()

    def buckets(self, table: Table) -> Buckets | None:
        """Its rows in buckets of keys; None where nothing in its key divides them."""
        column = buckets.column_of(table)
        if column is None:
            return None
        rows, least, most = self._execute_one(
            f"SELECT count(*), min({_number(column)}), max({_number(column)}) FROM ({self._select(table)})"
        )
        by = buckets.division(column, rows, least or 0, most or 0)
        sql = f"SELECT {_bucket(by)}, count(*), sum(hash(t)) FROM ({self._select(table)}) t GROUP BY 1"
        digests = {name: f"{count}-{total:x}" for name, count, total in self._connection.execute(sql).fetchall()}
        return Buckets(by, digests)

    def csv(
        self,
        table: Table,
        *,
        select: str = "*",
        options: str = PLAIN,
        only: tuple[Division, Sequence[str]] | None = None,
    ) -> Generator[bytes, None, None]:
        """Its rows as blocks of CSV (RFC 4180, UTF-8, instants in UTC): no text is null, "" is empty text.

        Or as `select` and DuckDB's `options` have it; `only` those of some buckets, if any are named. DuckDB writes
        them into a pipe while they are read; nothing else may be read meanwhile.
        """
        read, write = os.pipe()
        where = f" WHERE {_is_in(*only)}" if only else ""
        sql = (
            f"COPY (SELECT {select} FROM ({self._select(table)}){where}) TO '/dev/fd/{write}'"
            f" (FORMAT csv, {options}, USE_TMP_FILE false)"
        )
        with ThreadPoolExecutor(1) as other:
            writing = other.submit(self._write, sql, write)
            # Closed first: where nobody reads on, the other thread is told so and ends.
            with os.fdopen(read, "rb", buffering=0) as blocks:
                while block := blocks.read(BLOCK):
                    yield block
            writing.result()

    def _write(self, sql: str, pipe: int) -> None:
        try:
            self._connection.execute(sql)
        finally:
            os.close(pipe)

    def batches(self, table: Table, size: int = 20_000) -> pa.RecordBatchReader:
        """Its rows in batches. Only one table is read at a time."""
        return self._connection.execute(self._select(table)).to_arrow_reader(size)

    def _execute_one(self, sql: str) -> tuple[Any, ...]:
        """The one row that a query answers."""
        return tuple(self._connection.execute(sql).fetchall()[0])

    def _select(self, table: Table) -> str:
        return table.select(self.scope)


def _bucket(by: Division) -> str:
    """The name of a row's bucket as text."""
    return f"CAST({by.bucket('{}')} AS VARCHAR)"


def _is_in(by: Division, names: Sequence[str]) -> str:
    """Whether a row is in one of these buckets: by a join, for a list of thousands is gone through for each row."""
    return f"{_bucket(by)} IN (SELECT unnest(CAST([{', '.join(map(literal, names))}] AS VARCHAR[])))"


def _number(column: Column) -> str:
    """What bounds the buckets of a day or number; nothing for a text."""
    if column.kind in ("text", "uuid"):
        return "NULL"
    return Division(column.name, "day" if column.kind == "date" else "number", 0).bucket("{}")


def _exact_type(column: Column) -> str:
    return f"DECIMAL({column.precision},{column.scale})" if column.kind == "decimal" else column.kind


def figures_of(table: Table, rows: int, sums: list[object]) -> Figures:
    """Figures out of what a database answers; the sum of nothing is nought."""
    found = (Decimal(str(value or 0)) for value in sums)
    return Figures(int(rows), tuple((c.name, value) for c, value in zip(table.exact, found, strict=True)))


@contextmanager
def opened(platform: Platform, region: str | None) -> Iterator[Gold]:
    """The gold that is served of `region`, or (None) across regions. Raises NotBuilt where there is none.

    And where what is served across regions holds what one of them does not let leave any more.
    """
    layout = platform.layout(region) if region else platform.global_layout
    with closing(warehouse.read(layout)) as connection:
        settings = platform.settings
        connection.execute(f"SET memory_limit = {literal(settings.memory_limit)}; SET preserve_insertion_order = false")
        if settings.threads:
            connection.execute(f"SET threads = {settings.threads}")
        state = warehouse.state_of(connection)
        if region is None and (gone := withdrawn(platform, state)):
            raise NotBuilt(
                f"what is built across regions holds what may not leave {' and '.join(gone)} any more,"
                " and is published once it has been built anew",
                hint="run `clearer materialize`",
            )
        yield Gold(region, connection, layout.work / "publishing", state.fingerprint)
