"""Sources: how deliveries arrive. Each source ends in `bronze.receive`, so that there is one way in."""

from collections.abc import Collection
from datetime import date

from clearer_platform.bronze import Receipt
from clearer_platform.platform import Platform
from clearer_platform.sources import batches, files, http, sql
from clearer_platform.sources.failure import Failure
from clearer_platform.sources.files import Arrival, Stray, deliver_file, landed, pending
from clearer_platform.sources.http import due
from clearer_platform.sources.landing import changed

__all__ = ["Arrival", "Failure", "Stray", "changed", "collect", "deliver_file", "due", "landed", "pending"]

SOURCES = (files, http, sql, batches)
"""Each takes in what there is for a table's days, and nothing where the region does not use it."""


def collect(
    platform: Platform, region: str, table: str, days: Collection[date] | None = None
) -> list[Receipt | Failure]:
    """Take in what every source has for a table: for `days`, or whatever is new."""
    return [received for source in SOURCES for received in source.collect(platform, region, table, days)]
