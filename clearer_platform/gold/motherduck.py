"""Serving from MotherDuck: a database a region, `<prefix>_<region>`, replaced as a whole after each local build.

MotherDuck is not the region's root, so what is uploaded is what the region lets leave: never an identifier, never the
table of pseudonyms. The local warehouse stays the one that is built and tested; what was uploaded is noted beside it,
and an upload that failed or was killed is made up for by the next build.

Not verified against a live MotherDuck: the statements follow its documentation (CREATE OR REPLACE DATABASE ... FROM a
local file, ATTACH 'md:...'), and tests look at them through a recording stand-in for the connection.
"""

import json
import shutil
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import duckdb

from clearer_platform.errors import StorageError
from clearer_platform.gold import warehouse
from clearer_platform.gold.leaving import copy_what_leaves, leaving
from clearer_platform.platform import Platform
from clearer_platform.regions import Layout
from clearer_platform.silver.sql import identifier, literal
from clearer_platform.storage import publish_bytes


class Connection(Protocol):
    """As much of a DuckDB connection as is used here."""

    def execute(self, query: str, /) -> object:
        """Run one statement."""

    def close(self) -> None:
        """End the session."""


Connect = Callable[[], Connection]


def database(platform: Platform, region: str | None) -> str:
    """Name of the database that serves `region`, or what is common to all."""
    return f"{platform.settings.motherduck_prefix}_{region or 'global'}"


def publish(platform: Platform, region: str | None, connect: Connect = duckdb.connect) -> bool:
    """Upload what may leave of the published warehouse, unless that very state was uploaded already.

    Raises StorageError where MotherDuck cannot be reached or refuses; what it served before stays.
    """
    layout = platform.layout(region) if region else platform.global_layout
    path = warehouse.serving_copy(layout)
    state = warehouse.state(path)
    leaves = platform.region(region).leaves if region else "everything"
    noted = layout.work / "gold" / "motherduck.json"
    if path is None or state is None:
        return False
    said = json.dumps([database(platform, region), state.fingerprint, leaves])
    if noted.exists() and noted.read_text() == said:
        return False
    folder = layout.work / "gold" / f"build-{uuid.uuid4().hex}"
    folder.mkdir(parents=True)
    try:
        file = _reduced(platform, region, layout, folder)
        _upload(file, database(platform, region), connect)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    publish_bytes(said.encode(), noted)
    return True


def attach(platform: Platform, region: str | None, connect: Connect = duckdb.connect) -> Connection:
    """A connection to the region's database on MotherDuck, in UTC."""
    name = database(platform, region)
    connection = connect()
    with _reported(f"open the MotherDuck database {name}"):
        connection.execute("set TimeZone = 'UTC'")
        connection.execute(f"attach {literal('md:' + name)}")
        connection.execute(f"use {identifier(name)}")
    return connection


def _reduced(platform: Platform, region: str | None, layout: Layout, folder: Path) -> Path:
    """A DuckDB file with those tables of the serving copy that may be read outside the region's root."""
    path = warehouse.serving_copy(layout)
    assert path is not None
    if region is None:
        return path
    file = folder / f"{warehouse.NAME}.duckdb"
    with warehouse.opened(file, platform.settings) as connection:
        copy_what_leaves(connection, platform, region, path, leaving(platform, region))
    return file


def _upload(file: Path, name: str, connect: Connect) -> None:
    connection = connect()
    try:
        with _reported(f"publish the MotherDuck database {name}"):
            connection.execute("attach 'md:'")
            connection.execute(f"create or replace database {identifier(name)} from {literal(str(file))}")
    finally:
        connection.close()


class _reported:
    """Turns what the engine answers into a StorageError that says what to do."""

    def __init__(self, action: str) -> None:
        self.action = action

    def __enter__(self) -> None:
        """Nothing to prepare."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Raise StorageError for an engine's error."""
        if isinstance(error, duckdb.Error):
            reason = str(error).splitlines()[0]
            raise StorageError(
                f"cannot {self.action}: {reason}", hint="check the network and the token in motherduck_token"
            ) from error
