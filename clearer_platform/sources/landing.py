"""What has landed and is news, whichever way the landing files of a table go: as deliveries, or through in batches."""

from collections.abc import Collection

from clearer_platform.platform import Platform
from clearer_platform.sources import dropped, files
from clearer_platform.sources.files import Arrival, landed


def changed(platform: Platform, region: str, table: str) -> list[Arrival]:
    """The landing files of a table that would change something; one that was only moved or touched is no news."""
    return news(platform, region, table, landed(platform, region, [table])[0])


def news(platform: Platform, region: str, table: str, arrivals: Collection[Arrival]) -> list[Arrival]:
    """Those of a table's arrivals that would change something."""
    if platform.region(region).batches(table):
        return dropped.news(platform, region, table, arrivals)
    return files.news(platform, region, table, arrivals)
