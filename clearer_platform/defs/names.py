"""What Dagster sees is named here: asset keys, groups, partitions, and the way between partitions and days."""

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

import dagster as dg

from clearer_platform.regions import Registry
from clearer_platform.regions.registry import EARLIEST_ZONE

MODULE = "clearer_platform.definitions"
"""What the UI and the daemon load, and so the name of their code location."""
BRONZE, SILVER, GOLD, GLOBAL = "bronze", "silver", "gold", "global"
RANGE_START, RANGE_END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"
"""Tags of a run for a range of partitions."""
LOADED_FROM = {".dagster/repository": f"__repository__@{MODULE}"}
"""The tag by which the UI finds the runs of a job; Dagster puts it on those that it launches itself."""


def asset_key(layer: str, name: str) -> dg.AssetKey:
    """The key of a table or model in a layer."""
    return dg.AssetKey([layer, name])


def group(layer: str, domain: str) -> str:
    """The group of a layer's assets of one domain."""
    return f"{layer}_{domain}"


def check_name(text: str) -> str:
    """`text` as the name of an asset check."""
    return re.sub(r"\W+", "_", text).strip("_")


def regions(registry: Registry) -> dg.StaticPartitionsDefinition:
    """One partition a region."""
    return dg.StaticPartitionsDefinition(list(registry.regions))


def region_days(registry: Registry) -> dg.MultiPartitionsDefinition:
    """One partition a region and business day."""
    days = dg.DailyPartitionsDefinition(str(registry.start), end_offset=1, timezone=EARLIEST_ZONE)
    return dg.MultiPartitionsDefinition({"region": regions(registry), "day": days})


def partition_key(region: str, day: date) -> dg.MultiPartitionKey:
    """The partition of a region's day."""
    return dg.MultiPartitionKey({"region": region, "day": str(day)})


def split(key: str) -> tuple[str, date]:
    """The region and day of a key such as `2024-10-27|eu`; the dimensions stand in the order of their names."""
    day, region = key.split("|")
    return region, date.fromisoformat(day)


def is_partition(registry: Registry, day: date) -> bool:
    """Whether there are partitions for this day: not before any region's first, nor in the future."""
    return registry.start <= day <= registry.newest_day(datetime.now(UTC))


def by_region(keys: Iterable[str]) -> dict[str, list[date]]:
    """The days of each region that a run is for: one run may cross regions."""
    grouped: dict[str, list[date]] = {}
    for region, day in sorted(map(split, keys)):
        grouped.setdefault(region, []).append(day)
    return grouped


def ranges(days: Iterable[date]) -> list[tuple[date, ...]]:
    """Days in unbroken ranges: a run of Dagster is for one."""
    found: list[tuple[date, ...]] = []
    for day in sorted(set(days)):
        if found and found[-1][-1] + timedelta(days=1) == day:
            found[-1] = (*found[-1], day)
        else:
            found.append((day,))
    return found
