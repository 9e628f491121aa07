"""The picture of a delivered table: its current rows, straight from silver, whether or not gold has been built.

What `latest_versions` in dbt/macros/versions.sql says to models, said here to whoever wants the rows themselves.
"""

import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from clearer_platform.contracts import Contract, LoadMode
from clearer_platform.gold import inputs, stage, warehouse
from clearer_platform.platform import Platform
from clearer_platform.silver.sql import identifier

PLACE = ("not _replaces", "_day", "_received_at", "_delivery", "_line")
"""How versions arrived, the first one first: what a backup brought back came before all others."""


@contextmanager
def picture(platform: Platform, region: str, table: str, work: Path) -> Iterator[tuple[duckdb.DuckDBPyConnection, str]]:
    """A connection, and the query for the current rows of `table` in `region`, with the contract's columns.

    It stays what it was when it was opened, whatever is published meanwhile. What it needs lies in a folder of its own
    below `work`, which is gone afterwards. Raises UnknownName for a table without a contract.
    """
    contract = platform.contract(table)
    folder = work / f"picture-{uuid.uuid4().hex}"
    try:
        files = inputs.that_count(platform, inputs.published_of(platform, region, table))
        if contract.load_mode is LoadMode.FULL:
            newest = max((file.day for file in files), default=None)
            files = [file for file in files if file.day == newest]
        taken = inputs.snapshot(platform, files, folder / "snapshot", folder / "mirror")
        folder.mkdir(parents=True, exist_ok=True)
        with warehouse.opened(folder / f"{warehouse.NAME}.duckdb", platform.settings) as connection:
            connection.execute("create schema clearer")
            stage.show_silver(connection, [contract], taken, {}, folder / "empty")
            yield connection, _query(contract)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _query(contract: Contract) -> str:
    columns = ", ".join(identifier(column.name) for column in contract.columns)
    key = ", ".join(identifier(name) for name in contract.key)
    deleted = f"coalesce({identifier(contract.tombstone)}, false)" if contract.tombstone else "false"
    return (
        f"select {columns} from (select * from silver.{identifier(contract.name)}"
        f" qualify row_number() over (partition by {key} order by {_winner_first(contract)}) = 1)"
        f" where not {deleted}"
    )


def _winner_first(contract: Contract) -> str:
    """The order in which the versions of one key win: the first one counts."""
    if contract.load_mode is LoadMode.APPEND:
        return ", ".join(PLACE)
    ordering = [identifier(name) for name in contract.ordering]
    return ", ".join(f"{column} desc nulls last" for column in (*ordering, *PLACE))
