"""What this source has delivered of a table: all that it remembers of it stands in these manifests."""

from collections.abc import Iterator
from pathlib import Path
from typing import IO

from clearer_platform import bronze
from clearer_platform.bronze import Delivery, Extract
from clearer_platform.platform import Platform


def known(platform: Platform, region: str, table: str) -> list[Delivery]:
    """What this source has delivered of a table and counts, the oldest first: nothing from before a restored backup."""
    found = _current(platform, region, table)
    replaced = max((d.manifest.received_at for d in found if d.manifest.replaces), default=None)
    ours = [d for d in found if d.manifest.extract and (replaced is None or d.manifest.received_at >= replaced)]
    return sorted(ours, key=lambda d: (d.manifest.day, d.manifest.received_at))


def is_restored(platform: Platform, region: str, table: str) -> bool:
    """Whether rows of a backup are among what was delivered of a table."""
    return any(delivery.manifest.restores for delivery in _current(platform, region, table))


def extract_of(delivery: Delivery) -> Extract:
    """What was read for a delivery of this source."""
    assert delivery.manifest.extract is not None
    return delivery.manifest.extract


def ends_with(delivery: Delivery, rows: Path, header: int) -> bool:
    """Whether the last rows of a delivery are those of the file `rows`, under a header of the same bytes (so many)."""
    at = delivery.manifest.size - (rows.stat().st_size - header)
    if at < header:
        return False
    with delivery.content.open("rb") as then, rows.open("rb") as now:
        # From the line end before the first row on.
        then.seek(at - 1)
        now.seek(header - 1)
        return all(a == b for a, b in zip(_blocks(then), _blocks(now), strict=True))


def _current(platform: Platform, region: str, table: str) -> list[Delivery]:
    return [slot.current for slot in bronze.slots(platform.layout(region), table)]


def _blocks(file: IO[bytes]) -> Iterator[bytes]:
    return iter(lambda: file.read(1 << 20), b"")
