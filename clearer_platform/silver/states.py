"""What silver has of every slot, and whether it is what it should be. Reads metadata only."""

import hashlib
import json
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache
from pathlib import Path

from pydantic import TypeAdapter
from upath import UPath

from clearer_platform import bronze
from clearer_platform.bronze import Delivery, Slot
from clearer_platform.platform import Platform
from clearer_platform.regions import TableSource
from clearer_platform.silver.outcome import VALIDATION_VERSION, Outcome
from clearer_platform.silver.stored import Damaged, outcome_in
from clearer_platform.storage import is_local, reported

REFUSALS = TypeAdapter(list[Outcome])


@dataclass(frozen=True)
class SlotState:
    """What silver has of one slot in one table: that which it was delivered for, or one nested in it."""

    slot: Slot
    """Under the name of that table; its deliveries are those of the table that is delivered."""
    published: Outcome | None
    """Of the delivery whose rows stand in silver."""
    refused: tuple[Outcome, ...]
    """Of the deliveries since, the newest first."""
    is_current: bool
    """Whether all of it is what the deliveries, the contracts, the registry entry and the code come to now, in every
    table that the deliveries fill."""


def expected_fingerprint(platform: Platform, delivery: Delivery) -> str:
    """What a verdict on the delivery must carry to be valid now."""
    source = source_of(platform, delivery)
    contracts = [contract.fingerprint for contract in platform.family(delivery.table)]
    parts = [delivery.id, *contracts, source.fingerprint, VALIDATION_VERSION]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def source_of(platform: Platform, delivery: Delivery) -> TableSource:
    """How the delivery is read."""
    return read_as(platform.source(delivery.region, delivery.table), delivery)


def read_as(source: TableSource, delivery: Delivery) -> TableSource:
    """How the delivery is read whose region writes the table like `source`."""
    if delivery.manifest.restores:
        return source.own_form
    if extract := delivery.manifest.extract:
        return source.extracted(extract.null, extract.utc)
    return source.batch_form if delivery.manifest.series else source


def states(platform: Platform, region: str, table: str, days: Collection[date] | None = None) -> list[SlotState]:
    """The state of every slot of a table (of `days`, or all), by day and name."""
    found = bronze.slots(platform.layout(region), platform.delivered(table), days)
    return [state(platform, slot, table) for slot in found]


def state(platform: Platform, slot: Slot, table: str) -> SlotState:
    """The state of one slot in the table that it was delivered for, or in one nested in it."""
    due = [expected_fingerprint(platform, delivery) for delivery in slot.deliveries]
    found = {at.table: (at, outcome_at(at.silver), refusals_at(at.refusals)) for at in places(platform, slot)}
    _, published, refused = found[table]
    is_current = all(_is_current(due, *there) for there in found.values())
    return SlotState(replace(slot, table=table), published, refused, is_current)


def places(platform: Platform, slot: Slot) -> list["Place"]:
    """The files of a slot in each table that its deliveries fill, in the order in which they are put in place."""
    return [Place.of(platform, replace(slot, table=contract.name)) for contract in platform.family(slot.table)]


@dataclass(frozen=True)
class Place:
    """The files of one slot in one table."""

    table: str

    silver: UPath | Path
    refusals: UPath | Path
    records: UPath | Path
    """The judged records of the newest refused delivery."""
    shared: UPath | Path | None
    """The copy in the global root, of a contract that one region delivers for all."""

    @classmethod
    def of(cls, platform: Platform, slot: Slot) -> "Place":
        """The files of `slot` in the table that it goes by."""
        layout = platform.layout(slot.current.region)
        at = (slot.table, slot.day, slot.name)
        is_shared = platform.contract(slot.table).shared
        return cls(
            slot.table,
            layout.silver_file(*at),
            layout.refused_file(*at),
            layout.refused_file(*at, ".parquet"),
            platform.global_layout.silver_file(*at) if is_shared else None,
        )


def outcome_at(path: UPath | Path) -> Outcome | None:
    """The outcome that a silver file carries; None where there is no file."""
    with reported("read", path):
        try:
            if is_local(path):
                status = path.stat()
                return _outcome(path, status.st_size, status.st_mtime_ns, status.st_ino)
            return outcome_in(path)
        except (FileNotFoundError, Damaged):
            # A file that cannot be read is as good as none: its slot is validated again.
            return None


def refusals_at(path: UPath | Path) -> tuple[Outcome, ...]:
    """The refusals that stand in a file, the newest first; none where there is no file."""
    with reported("read", path):
        try:
            return tuple(REFUSALS.validate_json(path.read_bytes()))
        except (FileNotFoundError, ValueError):
            return ()


@lru_cache(maxsize=100_000)
def _outcome(path: Path, size: int, mtime: int, inode: int) -> Outcome:
    """Read once for every state of a file; size, time and inode tell one from another."""
    return outcome_in(path)


def _is_current(due: list[str], at: Place, published: Outcome | None, refused: tuple[Outcome, ...]) -> bool:
    """Whether the files at a place are what deliveries with these fingerprints, the newest first, come to."""
    since = [outcome.fingerprint for outcome in refused]
    if since != due[: len(since)]:
        return False
    if published is None and len(since) < len(due):
        return False
    if published is not None and (len(since) == len(due) or published.fingerprint != due[len(since)]):
        return False
    judged = outcome_at(at.records)
    newest = refused[0].fingerprint if refused and refused[0].judged else None
    if (judged.fingerprint if judged else None) != newest:
        return False
    return at.shared is None or outcome_at(at.shared) == published
