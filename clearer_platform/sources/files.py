"""Files: `<region root>/landing/<table>/<name with YYYY-MM-DD>.csv[.gz|.zst]`, and single files handed over by name.

Instead of delimited text (`.csv`) a file may hold JSON lines (`.jsonl`).

A landing file stays where it is; the manifests decide whether it is new, by its size and time and then by its bytes.
Beside it may lie `<name>.done`, by which its sender says that it is complete. Where the registry says that a table's
landing files are sent through in batches (`dropped.py`), their names need no day: it is that of their receipt.
"""

import re
from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from upath import UPath

from clearer_platform.bronze import Delivery, Receipt, Slot, receive, slots
from clearer_platform.bronze.receive import objection
from clearer_platform.bronze.slots import has_bytes
from clearer_platform.errors import DeliveryError, StorageError
from clearer_platform.platform import Platform
from clearer_platform.sources.failure import Failure
from clearer_platform.storage import listing

ENDING = r"\.(?:csv|jsonl)(?:\.gz|\.zst)?$"
NAME = re.compile(rf"(?<!\d)(\d{{4}}-\d{{2}}-\d{{2}})(?!\d).*{ENDING}", re.IGNORECASE)
DROPPED = re.compile(rf".{ENDING}", re.IGNORECASE)
IN_PROGRESS = (".tmp", ".part", ".partial", ".crdownload")
DONE = ".done"
LOGS, SUMMARY = ".batches", ".summary.json"
"""What is called so beside a file is what we wrote about it: the folder of its batches' logs, and their summary."""


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
    """The region; where there is none of that name, the folder that stands where a region's would."""
    path: UPath | Path
    reason: str
    version: str
    root: UPath | Path
    """The root whose landing folder it lies in."""


def landed(platform: Platform, region: str, tables: Iterable[str] | None = None) -> tuple[list[Arrival], list[Stray]]:
    """What lies in a region's landing folders: what can be received, and what cannot, with the reason.

    With `tables`, only their arrivals; strays are told in any case.
    """
    arrivals: list[Arrival] = []
    strays: list[Stray] = []
    tell = Teller(platform, region, datetime.now(UTC))
    for text, found in sorted(listing(tell.landing).items()):
        item = tell(text, found)
        if isinstance(item, Stray):
            strays.append(item)
        elif item is not None and (tables is None or item.table in tables):
            arrivals.append(item)
    return arrivals, strays


class Teller:
    """Tells what files in a region's landing folders are, at one instant. Whatever all of them share is read once."""

    def __init__(self, platform: Platform, region: str, now: datetime) -> None:
        self._region, self._registry, self._today = region, platform.registry, platform.region(region).today(now)
        self._newest = platform.registry.newest_day(now)
        self._root = platform.layout(region).root
        self.landing = self._root / "landing"
        entries = platform.region(region).tables
        self._tables = {str(platform.layout(region).landing(table)): table for table in entries}
        self._dropped = {table for table, entry in entries.items() if entry.batches}

    def __call__(self, text: str, version: str) -> Arrival | Stray | None:
        """What the file at `text` is; None where it is hidden, in progress, or beside another."""
        folder, _, name = text.rpartition("/")
        if name.startswith(".") or name.lower().endswith((*IN_PROGRESS, DONE, SUMMARY)) or folder.endswith(LOGS):
            return None
        path = UPath(text, **self._root.storage_options) if isinstance(self._root, UPath) else Path(text)
        table = self._tables.get(folder)
        day = self._day_of_receipt(name) if table in self._dropped else business_day(name)
        if table is not None and day is not None and (reason := self._objection(name, day)) is None:
            return Arrival(self._region, table, day, path, version)
        if folder == str(self.landing):
            reason = "it lies in no table's folder"
        elif table is None:
            reason = f"region {self._region} delivers no table called {folder.rpartition('/')[2]!r}"
        elif day is None:
            lacks = "" if table in self._dropped else "has no possible day (YYYY-MM-DD) or "
            reason = f"its name {lacks}does not end in .csv[.gz|.zst]"
        return Stray(self._region, path, reason or "", version, self._root)

    def _day_of_receipt(self, name: str) -> date | None:
        return self._today if DROPPED.search(name) else None

    def _objection(self, name: str, day: date) -> str | None:
        """Why a file of this name and day cannot be received, if it cannot."""
        if day < self._registry.start:
            return f"its day, {day}, is before the first of any region ({self._registry.start})"
        if day > self._newest:
            return f"its day, {day}, has not begun anywhere yet"
        return objection(name)


def pending(platform: Platform, region: str, table: str, days: Collection[date] | None = None) -> list[Arrival]:
    """The landing files of a table (for `days`, or all) that are deliveries, and that bronze does not have yet."""
    if platform.region(region).batches(table):
        return []
    arrivals = [a for a in landed(platform, region, [table])[0] if days is None or a.day in days]
    return _unreceived(_slots_of(platform, region, table, arrivals), arrivals)


def news(platform: Platform, region: str, table: str, arrivals: Collection[Arrival]) -> list[Arrival]:
    """Those of a table's arrivals that would change something. One that cannot be read would: receiving it says why."""
    found = _slots_of(platform, region, table, arrivals)
    newest = {(slot.day, slot.name): slot.current for slot in found}
    return [a for a in _unreceived(found, arrivals) if not _is_same(newest.get((a.day, a.slot)), a)]


def _is_same(newest: Delivery | None, arrival: Arrival) -> bool:
    with suppress(StorageError):
        return newest is not None and has_bytes(newest, arrival.path)
    return False


def _slots_of(platform: Platform, region: str, table: str, arrivals: Collection[Arrival]) -> list[Slot]:
    return slots(platform.layout(region), table, {arrival.day for arrival in arrivals})


def _unreceived(found: Collection[Slot], arrivals: Iterable[Arrival]) -> list[Arrival]:
    """The arrivals whose version is not the one that was received last from their path."""
    known = _seen(delivery for slot in found for delivery in slot.deliveries)
    return [arrival for arrival in arrivals if known.get(str(arrival.path)) != arrival.version]


def collect(
    platform: Platform, region: str, table: str, days: Collection[date] | None = None
) -> list[Receipt | Failure]:
    """Receive every landing file of a table (for `days`, or all) that bronze does not have yet.

    One that cannot be received keeps no other waiting.
    """
    return [_received(platform, arrival) for arrival in pending(platform, region, table, days)]


def _received(platform: Platform, arrival: Arrival) -> Receipt | Failure:
    layout, path = platform.layout(arrival.region), arrival.path
    try:
        return receive(
            layout, arrival.table, arrival.day, arrival.slot, path, origin=str(path), origin_version=arrival.version
        )
    except StorageError as e:
        return Failure(arrival.region, arrival.table, arrival.day, e)


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
