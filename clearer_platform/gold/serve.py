"""Reading gold: a connection to what is served, or to a view beside it, and what it was built from."""

from collections.abc import Iterable
from datetime import date
from typing import cast

import duckdb

from clearer_platform.errors import NothingYet, StorageError
from clearer_platform.gold import motherduck, views, warehouse, warm
from clearer_platform.gold.catalog import Model
from clearer_platform.gold.dbt import Progress
from clearer_platform.gold.extent import Extent
from clearer_platform.gold.inputs import published
from clearer_platform.gold.region import expected, state_version
from clearer_platform.platform import Platform


def connect(platform: Platform, region: str | None) -> duckdb.DuckDBPyConnection:
    """A read-only connection to what is served of `region` (None: across regions), in UTC; the caller closes it.

    It stays at the version that was served when it was made. Raises StorageError where nothing is served yet.
    """
    if platform.settings.warehouse == "motherduck":
        return cast(duckdb.DuckDBPyConnection, motherduck.attach(platform, region))
    return warehouse.read(platform.layout(region) if region else platform.global_layout)


def view(
    platform: Platform,
    region: str,
    model: Model,
    *,
    as_of: date | None = None,
    as_of_delivery: date | None = None,
    progress: Progress | None = None,
) -> duckdb.DuckDBPyConnection:
    """A connection as `connect` makes it, to the part of gold that `model` belongs to as it is on another date.

    `as_of` may be any day, also one to come. With `as_of_delivery`, what came for later business days does not count.
    Where gold is served from MotherDuck, views are local all the same: they are built in the region's own work folder.
    Raises NothingYet where nothing had been delivered by then, and what `build` raises.
    """
    extent = Extent(as_of, as_of_delivery, model.part)
    path = views.place(platform.layout(region), extent)
    first = _first_day(platform, region, model.part)
    if first is None or (as_of_delivery and as_of_delivery < first):
        raise NothingYet(region, model.alias, as_of_delivery, first)
    if warehouse.state(path) == expected(platform, (region,), extent)[1]:
        views.looked_at(path)
    else:
        warm.build(platform, region, progress, extent)
    try:
        return warehouse.connect(path)
    except duckdb.Error as e:
        raise StorageError(f"{region}: the view of {model.alias} was removed meanwhile", hint="read it again") from e


def contained(platform: Platform, region: str) -> dict[tuple[str, date, str], str]:
    """(table, day, slot) -> fingerprint of the silver files that the region's served gold was built from.

    Empty where the dbt project, a contract or the registry has changed since: all of it is then to be built anew.
    """
    state = warehouse.state(warehouse.serving_copy(platform.layout(region)))
    if state is None or state.version != state_version(platform, (region,)):
        return {}
    return {(table, day, slot): f for (_, table, day, slot), f in state.contents.items()}


def pending(platform: Platform, region: str) -> dict[tuple[str, str], int]:
    """(table, reference) -> number of accepted rows that the region's served gold holds back for want of it."""
    if warehouse.state(warehouse.serving_copy(platform.layout(region))) is None:
        return {}
    with warehouse.read(platform.layout(region)) as connection:
        if not connection.execute("from duckdb_tables() where table_name = 'pending_rows'").fetchall():
            return {}  # built by an earlier version, or by a project of one's own
        rows = connection.execute(
            "select table_name, reference, count(*) from gold.pending_rows group by all order by all"
        ).fetchall()
    return {(table, reference): number for table, reference, number in rows}


def served_as_of(platform: Platform, region: str) -> date | None:
    """The as-of date that the region's served gold was asked for, if it was for one."""
    state = warehouse.state(warehouse.serving_copy(platform.layout(region)))
    return state.as_of if state else None


def _first_day(platform: Platform, region: str, tables: Iterable[str]) -> date | None:
    """The first business day for which the region delivered any of these tables, if it did."""
    own = {table for table in tables if not platform.contract(table).shared}
    return min((file.day for file in published(platform, (region,)) if file.table in own), default=None)
