"""What a region lets leave, and the only code that carries it out of the region's warehouse."""

from collections.abc import Collection
from pathlib import Path

import duckdb

from clearer_platform.gold.blank import create_tables
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
    """The models that the global build is made from: what may leave and is read by nothing there is not carried."""
    known = models(platform)
    read = {name for model in known if model.layer == "global" for name in model.depends_on_models}
    return [model for model in known if model.layer == "gold" and model.leaves and model.name in read]


def copy_what_leaves(
    connection: duckdb.DuckDBPyConnection,
    platform: Platform,
    region: str,
    warehouse: Path | None,
    wanted: Collection[Model],
) -> None:
    """Replace what `connection` holds of `region` by what its `warehouse` has that may leave, if there is one.

    Only of the models `wanted`. What has no column `region` is replaced as a whole.
    """
    create_tables(connection, wanted)
    for model in wanted:
        connection.execute(f"delete from gold.{identifier(model.alias)}{_of_region(model, region)}")
    if warehouse is None:
        return
    allowed = forms(platform, region)
    connection.execute(f"attach {literal(str(warehouse))} as leaving (read_only)")
    try:
        for model in wanted:
            if model.leaves not in allowed:
                continue
            columns = ", ".join(identifier(name) for name, _, _ in model.columns)
            table = identifier(model.alias)
            connection.execute(
                f"insert into gold.{table} ({columns})"
                f" select {columns} from leaving.gold.{table}{_of_region(model, region)}"
            )
    finally:
        connection.execute("detach leaving")


def _of_region(model: Model, region: str) -> str:
    return f" where region = {literal(region)}" if any(name == "region" for name, _, _ in model.columns) else ""
