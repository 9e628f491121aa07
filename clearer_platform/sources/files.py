"""Files: `<region root>/landing/<table>/<name with YYYY-MM-DD>.csv[.gz|.zst]`, and single files handed over by name.

A landing file stays where it is; the manifests decide whether it is new, by its size and time and then by its bytes.
"""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from upath import UPath

from clearer_platform.bronze import Delivery, Receipt, current, receive, slots
from clearer_platform.bronze.slots import has_bytes
from clearer_platform.errors import DeliveryError
from clearer_platform.platform import Platform
from clearer_platform.storage import files, is_local, reported

NAME = re.compile(r"(?<!\d)(\d{4}-\d{2}-\d{2})(?!\d).*\.csv(?:\.gz|\.zst)?$", re.IGNORECASE)
IN_PROGRESS = (".tmp", ".part", ".partial", ".crdownload")


@dataclass(frozen=True)
class Arrival:
    """A file in a landing folder that can be received."""

    region: str
    table: str
    day: date
    path: UPath | Path
    version: str
    """Size and modification time, or the store's etag."""

    @property
    def slot(self) -> str:
        """The file's name."""
        return self.path.name


@dataclass(frozen=True)
class Stray:
    """A file in a landing folder that is no delivery, and why."""

    region: str
    path: UPath | Path
    reason: str


def landed(platform: Platform, region: str, tables: Iterable[str] | None = None) -> tuple[list[Arrival], list[Stray]]:
    """What lies in a region's landing folders: what can be received, and what cannot, with the reason."""
    layout, entry = platform.layout(region), platform.region(region)
    arrivals: list[Arrival] = []
    strays: list[Stray] = []
    landing = layout.root / "landing"
    for path in files(landing):
        if path.name.startswith(".") or path.name.lower().endswith(IN_PROGRESS):
            continue
        table = path.parent.name
        if table not in entry.tables:
            strays.append(Stray(region, path, f"region {region} delivers no table called {table!r}"))
        elif tables is not None and table not in tables:
            continue
        elif (day := business_day(path.name)) is None:
            strays.append(
                Stray(region, path, "its name has no possible day (YYYY-MM-DD) or does not end in .csv[.gz|.zst]")
            )
        else:
            arrivals.append(Arrival(region, table, day, path, _version(path)))
    return arrivals, strays


def pending(platform: Platform, region: str, table: str, days: Collection[date] | None = None) -> list[Arrival]:
    """The landing files of a table (for `days`, or all) that bronze does not have yet."""
    arrivals = [a for a in landed(platform, region, [table])[0] if days is None or a.day in days]
    known = _seen(delivery for slot in slots(platform.layout(region), table, days) for delivery in slot.deliveries)
    return [arrival for arrival in arrivals if known.get(str(arrival.path)) != arrival.version]


def changed(platform: Platform, region: str, table: str) -> list[Arrival]:
    """The pending files that would change something; one that was only moved or touched is no news."""
    found = []
    for arrival in pending(platform, region, table):
        newest = current(platform.layout(region), table, arrival.day, arrival.slot)
        if newest is None or not has_bytes(newest, arrival.path):
            found.append(arrival)
    return found


def collect(platform: Platform, region: str, table: str, days: Collection[date] | None = None) -> list[Receipt]:
    """Receive every landing file of a table (for `days`, or all) that bronze does not have yet."""
    layout = platform.layout(region)
    return [
        receive(
            layout,
            table,
            arrival.day,
            arrival.slot,
            arrival.path,
            origin=str(arrival.path),
            origin_version=arrival.version,
        )
        for arrival in pending(platform, region, table, days)
    ]


def deliver_file(
    platform: Platform,
    path: Path | UPath,
    *,
    table: str,
    region: str,
    day: date,
    slot: str | None = None,
    received_at: datetime | None = None,
) -> Receipt:
    """Receive one file as a delivery. Raises UnknownName for a region or table, DeliveryError for what is no file."""
    platform.region(region).source(table)
    platform.contract(table)
    if not path.is_file():
        raise DeliveryError(f"{path} is not a file", hint="name an existing file, local or by URL")
    return receive(
        platform.layout(region), table, day, slot or path.name, path, origin=str(path), received_at=received_at
    )


def business_day(name: str) -> date | None:
    """The day in a file's name, if it has one and the name is that of a delivery."""
    found = NAME.search(name)
    try:
        return date.fromisoformat(found[1]) if found else None
    except ValueError:
        return None


def _seen(deliveries: Iterable[Delivery]) -> dict[str, str | None]:
    """The version of each origin that was received last."""
    ordered = sorted(deliveries, key=lambda d: d.manifest.received_at)
    return {d.manifest.origin: d.manifest.origin_version for d in ordered}


def _version(path: UPath | Path) -> str:
    with reported("read", path):
        if is_local(path):
            status = path.stat()
            return f"{status.st_size}-{status.st_mtime_ns}"
        assert isinstance(path, UPath)
        info = path.fs.info(path.path)
        return str(info.get("ETag") or f"{info.get('size')}-{info.get('LastModified') or info.get('mtime')}")
