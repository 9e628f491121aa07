"""Preparing a working copy for dbt: what silver says now, what of it is new, and a pseudonym for everyone in it."""

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import duckdb

from clearer_platform.contracts import Contract, Personal
from clearer_platform.gold import warehouse
from clearer_platform.gold.inputs import Contents, SilverFile
from clearer_platform.governance.pseudonyms import Pseudonyms, expression
from clearer_platform.platform import Platform
from clearer_platform.silver.sql import accepted_columns, identifier, literal
from clearer_platform.storage import local

UNREAD = {"_rules", "_warnings", "_raw", "_extra"}
"""Columns of a silver file that gold has no use for."""


def show_silver(
    connection: duckdb.DuckDBPyConnection,
    contracts: Iterable[Contract],
    silver: Iterable[SilverFile],
    held: Contents,
    folder: Path,
) -> None:
    """Views of these tables' accepted rows: all of them in schema `silver`, those of changed slots in schema `dirty`.

    `held` is what the warehouse contains of them so far; a slot is dirty when its file is another one now, or gone.
    """
    connection.execute("create schema silver; create schema dirty")
    connection.execute(
        "create or replace table clearer.dirty_slots (region varchar, table_name varchar, day date, slot varchar)"
    )
    everything: dict[str, list[SilverFile]] = defaultdict(list)
    changed: dict[str, list[SilverFile]] = defaultdict(list)
    dirty = dict(held)
    for file in silver:
        everything[file.table].append(file)
        key = (file.region, file.table, file.day, file.slot)
        if dirty.pop(key, None) != file.fingerprint:
            changed[file.table].append(file)
            dirty[key] = file.fingerprint
    warehouse.insert(connection, "clearer.dirty_slots", [list(key) for key in sorted(dirty)])
    for contract in contracts:
        empty = _empty_file(connection, contract, folder)
        for schema, files in (("silver", everything), ("dirty", changed)):
            connection.execute(_view(contract, schema, empty, files[contract.name]))


def hide_silver(connection: duckdb.DuckDBPyConnection) -> None:
    """Drop what points at the snapshot or matters to one build only."""
    connection.execute("drop schema silver cascade; drop schema dirty cascade")
    passing = connection.execute(
        "select table_name from duckdb_tables() where schema_name = 'clearer'"
        " and (table_name = 'dirty_slots' or regexp_matches(table_name, '^(touched|held|superseded)_'))"
    ).fetchall()
    for (table,) in passing:
        connection.execute(f"drop table clearer.{identifier(table)}")


def describe_regions(connection: duckdb.DuckDBPyConnection, platform: Platform, regions: Iterable[str]) -> None:
    """Table `clearer.regions`: what gold needs to know from the registry."""
    connection.execute(
        "create or replace table clearer.regions (region varchar not null, title varchar not null,"
        " timezone varchar not null, currency varchar not null, reporting_currency varchar not null,"
        " first_day date not null, last_day date not null, fiscal_month integer not null, fiscal_day integer not null)"
    )
    reporting, calendar = platform.registry.reporting_currency, platform.registry.calendar
    rows = [
        [r.name, r.title, r.timezone, r.currency, reporting, calendar.first, calendar.last, *r.first_of_fiscal_year]
        for r in map(platform.region, regions)
    ]
    warehouse.insert(connection, "clearer.regions", [list(row) for row in rows])


def describe_holidays(connection: duckdb.DuckDBPyConnection, platform: Platform, regions: Iterable[str]) -> None:
    """Table `clearer.holidays`: those of every region. Raises RegistryError for a country that is not known."""
    connection.execute(
        "create or replace table clearer.holidays (region varchar not null, day date not null, name varchar not null)"
    )
    rows = [[region, day, name] for region in regions for day, name in platform.registry.holidays(region).items()]
    warehouse.insert(connection, "clearer.holidays", [list(row) for row in rows])


def clocks(platform: Platform, regions: Iterable[str]) -> list[dict[str, str]]:
    """The tables whose source keeps another clock than its region: silver's `_event_day` is not the region's day."""
    found = []
    for region in map(platform.region, regions):
        for table in platform.tables(region.name):
            contract = platform.contract(table)
            is_instant = contract.event_time and contract.column(contract.event_time).dtype.is_timestamp()
            if is_instant and platform.source(region.name, table).timezone != region.timezone:
                found.append({"region": region.name, "table": table, "timezone": region.timezone})
    return found


def naming(platform: Platform) -> set[str]:
    """The tables whose rows name people."""
    return {contract.name for contract in platform.contracts.values() if contract.personal(Personal.IDENTIFIER)}


def add_pseudonyms(
    connection: duckdb.DuckDBPyConnection, platform: Platform, contracts: Iterable[Contract], regions: Iterable[str]
) -> None:
    """Give every identifier in a dirty slot of these tables a pseudonym, where it has none yet."""
    connection.execute(
        "create table if not exists clearer.pseudonyms"
        " (region varchar not null, identifier varchar not null, pseudonym uuid not null)"
    )
    connection.execute(
        f"create or replace temp table unknown as select * from ({_identifiers(contracts, 'dirty')})"
        " anti join clearer.pseudonyms using (region, identifier)"
    )
    present = {region for (region,) in connection.execute("select distinct region from unknown").fetchall()}
    for region in sorted(present & set(regions)):
        connection.execute(
            f"insert into clearer.pseudonyms select region, identifier, {expression('identifier')}"
            " from unknown where region = $region",
            {"region": region, **Pseudonyms.of(platform.layout(region)).parameters},
        )
    connection.execute("drop table unknown")


def forget_pseudonyms(connection: duckdb.DuckDBPyConnection, contracts: Iterable[Contract]) -> None:
    """Drop the pseudonyms of identifiers that stand in no accepted row of these tables (withdrawn or erased)."""
    connection.execute(f"create or replace temp table seen as {_identifiers(contracts, 'silver')}")
    connection.execute(
        "delete from clearer.pseudonyms as p where not exists"
        " (from seen where seen.region = p.region and seen.identifier = p.identifier)"
    )
    connection.execute("drop table seen")


def _identifiers(contracts: Iterable[Contract], schema: str) -> str:
    """A query for every identifier of a person in the rows that `schema` shows."""
    parts = ["select null::varchar as region, null::varchar as identifier where false"]
    for contract in contracts:
        for name in contract.personal(Personal.IDENTIFIER):
            column = identifier(name)
            parts.append(
                f"select _region, cast({column} as varchar) from {schema}.{identifier(contract.name)}"
                f" where {column} is not null"
            )
    return " union ".join(parts)


def _columns(contract: Contract) -> dict[str, str]:
    """Name and DuckDB type of what gold reads of a table."""
    return {name: dtype for name, dtype in accepted_columns(contract) if name not in UNREAD}


def _empty_file(connection: duckdb.DuckDBPyConnection, contract: Contract, folder: Path) -> Path:
    """A silver file without rows: it types the columns where no file, or only an older one, has them."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{contract.name}.parquet"
    nulls = ", ".join(f'cast(null as {dtype}) as "{name}"' for name, dtype in _columns(contract).items())
    connection.execute(
        f"copy (select {nulls}, cast(null as varchar[]) as _rules where false) to {_text(path)} (format parquet)"
    )
    return path


def _view(contract: Contract, schema: str, empty: Path, files: list[SilverFile]) -> str:
    """The rows of these files; column `_replaces` tells those that a backup brought back."""
    others = [empty, *(local(file.path) for file in files if not file.replaces)]
    restored = [empty, *(local(file.path) for file in files if file.replaces)]
    rows = _rows(contract, others, replaces=False)
    if len(restored) > 1:
        rows += f" union all {_rows(contract, restored, replaces=True)}"
    return f'create view {schema}."{contract.name}" as {rows}'


def _rows(contract: Contract, paths: list[Path], *, replaces: bool) -> str:
    columns = ", ".join(f'cast("{name}" as {dtype}) as "{name}"' for name, dtype in _columns(contract).items())
    listed = ", ".join(map(_text, paths))
    return (
        f"select {columns}, {str(replaces).lower()} as _replaces"
        f" from read_parquet([{listed}], union_by_name = true, hive_partitioning = false) where len(_rules) = 0"
    )


def _text(path: Path) -> str:
    return literal(str(path))
