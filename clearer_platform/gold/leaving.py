"""What a region lets leave, and the only code that carries it out of the region's warehouse."""

from pathlib import Path

import duckdb

from clearer_platform.gold.catalog import Model, models
from clearer_platform.platform import Platform
from clearer_platform.silver.sql import identifier, literal


def forms(platform: Platform, region: str) -> frozenset[str]:
    """In which forms people may occur in what is read outside the root of `region`."""
    return frozenset({"aggregates", platform.region(region).leaves})


def leaving(platform: Platform, region: str) -> list[Model]:
    """The models of `region` that may be read outside its root: aggregates, and pseudonyms if it lets them leave."""
    allowed = forms(platform, region)
    return [model for model in models(platform) if model.leaves in allowed]


def carried(platform: Platform) -> list[Model]:
    """The models that any region may let leave."""
    return [model for model in models(platform) if model.leaves]


def create_tables(connection: duckdb.DuckDBPyConnection, platform: Platform) -> None:
    """Empty tables of everything that may arrive from a region, where there are none yet."""
    connection.execute("create schema if not exists gold")
    for model in carried(platform):
        columns = ", ".join(f"{identifier(name)} {dtype}" for name, dtype, _ in model.columns)
        connection.execute(f"create table if not exists gold.{identifier(model.alias)} ({columns})")


def copy_what_leaves(
    connection: duckdb.DuckDBPyConnection, platform: Platform, region: str, warehouse: Path | None
) -> None:
    """Replace what `connection` holds of `region` by what its `warehouse` has that may leave, if there is one."""
    create_tables(connection, platform)
    for model in carried(platform):
        connection.execute(f"delete from gold.{identifier(model.alias)} where region = ?", [region])
    if warehouse is None:
        return
    connection.execute(f"attach {literal(str(warehouse))} as leaving (read_only)")
    try:
        for model in leaving(platform, region):
            columns = ", ".join(identifier(name) for name, _, _ in model.columns)
            table = identifier(model.alias)
            connection.execute(
                f"insert into gold.{table} ({columns}) select {columns} from leaving.gold.{table} where region = ?",
                [region],
            )
    finally:
        connection.execute("detach leaving")
