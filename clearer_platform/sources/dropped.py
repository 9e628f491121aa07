"""Dropped files: landing files of tables whose registry entry has `batches`. They are sent through, not delivered.

Whether one is news the spool says: its batches know which part of which file they are, and the spool is made from the
manifests where it was lost. `serving/dropped.py` sends them, for their batches are judged when they are taken.
"""

from collections.abc import Collection
from contextlib import suppress

from clearer_platform.bronze import sha256_of
from clearer_platform.errors import StorageError
from clearer_platform.platform import Platform
from clearer_platform.sources.batches.spool import Entry, Spool
from clearer_platform.sources.files import Arrival


def news(platform: Platform, region: str, table: str, arrivals: Collection[Arrival]) -> list[Arrival]:
    """Those of a table's arrivals that were not sent through to their end as they are now.

    One that was only moved or touched since is none, and one that cannot be read is: sending it says why.
    """
    spool = Spool(platform, region)
    return [a for a in arrivals if not _is_sent(spool.last(table, str(a.path)), a)]


def _is_sent(last: Entry | None, arrival: Arrival) -> bool:
    part = last.record.part if last else None
    if part is None or not part.is_last:
        return False
    if part.version == arrival.version:
        return True
    with suppress(StorageError):
        return sha256_of(arrival.path) == part.sha256
    return False
