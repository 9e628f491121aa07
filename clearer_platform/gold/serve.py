"""Reading gold: a connection to what is served, and what it was built from."""

from datetime import date
from typing import cast

import duckdb

from clearer_platform.gold import motherduck, warehouse
from clearer_platform.gold.region import state_version
from clearer_platform.platform import Platform


def connect(platform: Platform, region: str | None) -> duckdb.DuckDBPyConnection:
    """A read-only connection to what is served of `region` (None: across regions), in UTC; the caller closes it.

    It stays at the version that was served when it was made. Raises StorageError where nothing is served yet.
    """
    if platform.settings.warehouse == "motherduck":
        return cast(duckdb.DuckDBPyConnection, motherduck.attach(platform, region))
    return warehouse.read(platform.layout(region) if region else platform.global_layout)


def contained(platform: Platform, region: str) -> dict[tuple[str, date, str], str]:
    """(table, day, slot) -> fingerprint of the silver files that the region's served gold was built from.

    Empty where the dbt project, a contract or the registry has changed since: all of it is then to be built anew.
    """
    state = warehouse.state(warehouse.serving_copy(platform.layout(region)))
    if state is None or state.version != state_version(platform, (region,)):
        return {}
    return {(table, day, slot): f for (_, table, day, slot), f in state.contents.items()}
