"""What Dagster sees is named here: asset keys, groups, partitions, and the way between partitions and days."""

import re
from collections.abc import Iterable
from datetime import date

import dagster as dg

from clearer_platform.regions import Registry

BRONZE, SILVER, GOLD, GLOBAL = "bronze", "silver", "gold", "global"
EARLIEST_ZONE = "Etc/GMT-14"
"""Where a day begins first: a day is a partition as soon as it has begun anywhere."""


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
    return region_days(registry).get_partitions_def_for_dimension("day").has_partition_key(str(day))


def by_region(keys: Iterable[str]) -> dict[str, list[date]]:
    """The days of each region that a run is for: one run may cross regions."""
    grouped: dict[str, list[date]] = {}
    for region, day in sorted(map(split, keys)):
        grouped.setdefault(region, []).append(day)
    return grouped
