"""A warehouse's own records, in its schema `clearer`, and reading its serving copy.

`clearer.contents` says which silver files a warehouse contains, `clearer.build` what built it. While a build runs,
schema `silver` shows the accepted rows of every table, `dirty` those in slots that changed; both are gone before
publication.
"""

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb
import pyarrow
from upath import UPath

from clearer_platform.errors import NotBuilt, StorageError
from clearer_platform.gold.inputs import Contents
from clearer_platform.regions import Layout
from clearer_platform.settings import Settings
from clearer_platform.silver.sql import literal
from clearer_platform.storage import is_local, local, reported

NAME = "warehouse"
"""Name of the database that a warehouse is attached as, as well as its file's stem."""


STORAGE = "v1.4.0"
"""The oldest DuckDB that can open a warehouse: its string compression takes a third less time than the one before."""


@dataclass(frozen=True)
class State:
    """What a warehouse says of itself."""

    version: str
    contents: Contents
    as_of: date | None = None
    """The as-of date that was asked for, if one was."""

    @property
    def tables(self) -> frozenset[str]:
        """The tables of silver that it contains files of."""
        return frozenset(table for _, table, _, _ in self.contents)

    @property
    def fingerprint(self) -> str:
        """Hex digest of what it was built from and by."""
        rows = [[region, table, f"{day}", slot, f] for (region, table, day, slot), f in sorted(self.contents.items())]
        return hashlib.sha256(json.dumps([self.version, f"{self.as_of}", rows]).encode()).hexdigest()


@contextmanager
def opened(path: Path, settings: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    """A writing connection to the working copy at `path`; closed, and all of it in the one file, afterwards."""
    connection = duckdb.connect(path, config={"storage_compatibility_version": STORAGE})
    try:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute("set preserve_insertion_order = false; set parquet_metadata_cache = true")
        connection.execute(f"set memory_limit = '{settings.memory_limit}'")
        if settings.threads:
            connection.execute(f"set threads = {settings.threads}")
        yield connection
        connection.execute("checkpoint")
    finally:
        connection.close()


def connect(path: Path) -> duckdb.DuckDBPyConnection:
    """A read-only connection to the published warehouse at `path`, in UTC.

    The file is attached to a database of the connection's own: DuckDB shares one instance among a process's connections
    to a path, and a reader that stays open would keep every later one at the version it saw.
    """
    connection = duckdb.connect(":memory:")
    try:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute(f"attach {literal(str(path))} as {NAME} (read_only)")
        connection.execute(f"use {NAME}")
    except duckdb.Error:
        connection.close()
        raise
    return connection


def state(path: Path | None) -> State | None:
    """What the warehouse at `path` says of itself; None where there is none, or none that can be read."""
    if path is None or not path.exists():
        return None
    try:
        with connect(path) as connection:
            return state_of(connection)
    except (duckdb.Error, IndexError):
        return None  # damaged: it is rebuilt from silver


def state_of(connection: duckdb.DuckDBPyConnection) -> State:
    """What the warehouse behind a connection says of itself."""
    version, as_of = connection.execute("select version, as_of from clearer.build").fetchall()[0]
    rows = connection.execute("select region, table_name, day, slot, fingerprint from clearer.contents").fetchall()
    return State(version, {(region, table, day, slot): f for region, table, day, slot, f in rows}, as_of)


def record(connection: duckdb.DuckDBPyConnection, current: State) -> None:
    """Write down what the warehouse contains."""
    connection.execute("create schema if not exists clearer")
    connection.execute(
        "create or replace table clearer.build (version varchar not null, as_of date, fingerprint varchar not null)"
    )
    connection.execute(
        "insert into clearer.build values (?, ?, ?)", [current.version, current.as_of, current.fingerprint]
    )
    connection.execute(
        "create or replace table clearer.contents"
        " (region varchar not null, table_name varchar not null, day date not null, slot varchar not null,"
        " fingerprint varchar not null)"
    )
    rows = [[*key, fingerprint] for key, fingerprint in sorted(current.contents.items())]
    insert(connection, "clearer.contents", rows)


def insert(connection: duckdb.DuckDBPyConnection, table: str, rows: list[list[object]]) -> None:
    """Insert `rows` into `table`, as one Arrow table: prepared values cost a hundred times as much."""
    if rows:
        names = [f"c{n}" for n in range(len(rows[0]))]
        given = pyarrow.table([pyarrow.array(values) for values in zip(*rows, strict=True)], names=names)
        connection.register("given", given)
        connection.execute(f"insert into {table} from given")
        connection.unregister("given")


def serving_copy(layout: Layout) -> Path | None:
    """A local file with the layout's published warehouse, or None; a bucket's is fetched when its etag changes."""
    place = layout.warehouse
    if is_local(place):
        path = local(place)
        return path if path.exists() else None
    assert isinstance(place, UPath)
    with reported("read", place):
        place.fs.invalidate_cache()
        try:
            info = place.fs.info(place.path)
        except FileNotFoundError:
            return None
        version = "-".join(str(info.get(name)) for name in ("ETag", "etag", "LastModified", "mtime", "size"))
        folder = layout.work / "gold" / "serving"
        path = folder / f"{hashlib.sha256(version.encode()).hexdigest()[:32]}.duckdb"
        if not path.exists():
            folder.mkdir(parents=True, exist_ok=True)
            beside = path.with_suffix(f".{os.getpid()}")
            place.fs.get_file(place.path, str(beside))
            os.replace(beside, path)
            for other in set(folder.iterdir()) - {path}:
                other.unlink(missing_ok=True)
        return path


def read(layout: Layout) -> duckdb.DuckDBPyConnection:
    """A read-only connection to the layout's serving copy. Raises NotBuilt where there is none."""
    path = serving_copy(layout)
    if path is None:
        raise NotBuilt(f"{layout.name} has no gold yet", hint="run `clearer materialize` first")
    try:
        return connect(path)
    except duckdb.Error as e:
        raise StorageError(
            f"{layout.name}: {layout.warehouse} cannot be opened", hint="run `clearer materialize`: it is rebuilt"
        ) from e
