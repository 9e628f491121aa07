"""What steps and notebooks are handed: a read connection to each warehouse, and an I/O manager that only reads."""

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import date
from typing import Any

import dagster as dg
import duckdb
import pandas as pd
from dagster_duckdb import DuckDBResource

from clearer_platform import gold
from clearer_platform.defs.marts import Marts, has_days, key_of
from clearer_platform.defs.names import GLOBAL, by_region
from clearer_platform.errors import ClearerError
from clearer_platform.gold import Model
from clearer_platform.platform import Platform
from clearer_platform.settings import Settings


class Warehouse(DuckDBResource):
    """The serving copy of a region's gold (or of what spans regions), read-only and in UTC; it blocks no writer."""

    database: str = ":memory:"
    region: str | None = None
    settings: dict[str, Any]
    """The platform's settings."""

    @contextmanager
    def get_connection(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection. Raises ClearerError where nothing has been built yet."""
        with closing(gold.connect(Platform.open(Settings(**self.settings)), self.region)) as connection:
            yield connection


class GoldReader(dg.IOManager):
    """Loads gold and global assets as pandas data frames: of the partitions asked for, or whole."""

    def __init__(self, marts: Marts, warehouses: Mapping[str, DuckDBResource]) -> None:
        self._models = {key_of(model): model for model in marts.models.values()}
        self._warehouses = warehouses

    def load_input(self, context: dg.InputContext) -> pd.DataFrame:
        """The rows of an asset's partitions."""
        model = self._models.get(context.asset_key)
        if model is None:
            raise ClearerError(
                f"{'/'.join(context.asset_key.path)} is not in a warehouse",
                hint="clearer_platform.load() reads the accepted records of delivered tables",
            )
        if model.layer == GLOBAL:
            return self._read(model, GLOBAL, None)
        if not context.has_asset_partitions:
            example = "2024-10-27|eu" if has_days(model) else "eu"
            raise ClearerError(f"{model.alias} is partitioned", hint=f"name a partition, such as {example}")
        keys = context.asset_partition_keys
        wanted: dict[str, list[date] | None] = {**by_region(keys)} if has_days(model) else dict.fromkeys(keys)
        return pd.concat([self._read(model, region, days) for region, days in wanted.items()], ignore_index=True)

    def handle_output(self, context: dg.OutputContext, obj: object) -> None:
        """Nothing is written this way. Raises ClearerError."""
        raise ClearerError(
            f"{context.step_key} returned a value to be stored: this I/O manager only reads",
            hint="gold is built by dbt and published as a whole; return nothing, or set an io_manager_key of your own",
        )

    def _read(self, model: Model, name: str, days: list[date] | None) -> pd.DataFrame:
        sql = f'SELECT * FROM "{model.layer}"."{model.alias}"'
        if days is not None:
            sql += f' WHERE "{model.day_column}" IN $days'
        with self._warehouses[name].get_connection() as connection:
            # By way of Arrow: decimals stay exact, and instants need no further package.
            found: pd.DataFrame = (
                connection.execute(sql, {} if days is None else {"days": days}).to_arrow_table().to_pandas()
            )
            return found


def silent(region: str, stage: str, done: int, total: int) -> None:
    """Progress where nobody looks."""


def resources(platform: Platform, marts: Marts) -> dict[str, Any]:
    """The resources of a platform: `warehouse_<region>`, `warehouse_global`, `io_manager` and `progress`."""
    settings = platform.settings.model_dump(mode="json")
    places = {name: Warehouse(region=name, settings=settings) for name in platform.registry.regions}
    places[GLOBAL] = Warehouse(settings=settings)
    return {
        **{f"warehouse_{name}": warehouse for name, warehouse in places.items()},
        "io_manager": GoldReader(marts, places),
        "progress": dg.ResourceDefinition.hardcoded_resource(silent),
    }
