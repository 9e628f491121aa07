"""Dropped files: what lands for a table whose registry entry has `batches` is cut and taken, batch after batch.

Each batch knows which part of the file it is, so that a process that was killed is followed by one that goes on with
the next record, whatever the size of a batch is by then; and its key follows from the file, that part and the batch
before it, so that two processes that are at the same file take each batch once. A file that cannot be cut is refused
before anything of it is taken; it stays where it is, and is tried again when it has changed, or after a while.
"""

import hashlib
import json
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

from clearer_platform import silver, sources
from clearer_platform.bronze import OnInvalid, Part, Receipt
from clearer_platform.bronze.slots import suffixes
from clearer_platform.errors import ClearerError, DeliveryError
from clearer_platform.platform import Platform
from clearer_platform.serving.batches import take
from clearer_platform.silver.cutting import Text, landed
from clearer_platform.sources import Arrival, Failure
from clearer_platform.sources.batches import Batch, BatchError, Form
from clearer_platform.sources.batches.reading import read
from clearer_platform.sources.batches.spool import Entry, Spool
from clearer_platform.sources.landing import changed
from clearer_platform.storage import PARTIAL, clear_leftovers, reported

CLIENT = "landing"
"""What the logs of batches call whoever dropped their file."""
BLOCK = 1 << 20


def now() -> datetime:
    """The present instant."""
    return datetime.now(UTC)


def collect(
    platform: Platform,
    region: str,
    table: str,
    days: Collection[date] | None = None,
    clock: Callable[[], datetime] = now,
) -> list[Receipt | Failure]:
    """Send through what was dropped for a table, if it is sent through; then take in what every source has.

    The day of a dropped file is that of its receipt. One that cannot be sent keeps no other waiting.
    """
    failures: list[Receipt | Failure] = []
    waiting = _waiting(platform, region, table, days)
    if waiting:
        _bring_up_parents(platform, region, table, days)
    for arrival in waiting:
        try:
            send(platform, arrival, clock)
        except ClearerError as e:
            failures.append(Failure(region, table, arrival.day, e))
    return [*failures, *sources.collect(platform, region, table, days)]


def send(platform: Platform, arrival: Arrival, clock: Callable[[], datetime] = now) -> None:
    """Take what is not taken yet of a dropped file, batch after batch.

    Raises DeliveryError, which names file and line, for one that cannot be cut into batches of its table: nothing of
    it was taken then. Raises StorageError where it cannot be read, and Busy where another process is at it.
    """
    layout = platform.layout(arrival.region)
    contract, source = platform.contract(arrival.table), platform.region(arrival.region).source(arrival.table)
    with (
        layout.lock("dropped"),
        closing(Spool(platform, arrival.region, stays_open=True)) as spool,  # A run may fork later on.
        _copied(arrival, layout.work / "dropped") as (copy, sha256),
    ):
        last = spool.last(arrival.table, str(arrival.path))
        done = _records_taken(last, sha256)
        if done is None:
            return
        name, limit = arrival.path.name, platform.settings.max_delivery_bytes
        with _about(f"{arrival.path}"), landed(copy, name, contract, source, limit) as text:
            if not len(text.records):
                raise DeliveryError("it has no record", hint="deliver a file that has one")
            for batch in _batches(platform, arrival, sha256, text, done):
                with _about(_place(batch)):
                    read(batch, contract, source)
            _take(platform, arrival, _batches(platform, arrival, sha256, text, done), last, clock)


def _waiting(platform: Platform, region: str, table: str, days: Collection[date] | None) -> list[Arrival]:
    if not platform.region(region).batches(table):
        return []
    return [a for a in changed(platform, region, table) if days is None or a.day in days]


def _bring_up_parents(platform: Platform, region: str, table: str, days: Collection[date] | None) -> None:
    """Validate the tables whose rows must be there before a batch may name them, with what has just come of them."""
    entry = platform.region(region).batches(table)
    if entry and OnInvalid(entry.on_invalid) is OnInvalid.REJECT_BATCH:
        for reference in platform.contract(table).awaited:
            if reference.table in platform.region(region).tables:
                silver.bring_up(platform, region, reference.table, days)


@contextmanager
def _copied(arrival: Arrival, folder: Path) -> Iterator[tuple[Path, str]]:
    """The file as it is at this moment, named as bronze would name it, and its SHA-256. For the holder of the lock."""
    place, digest = folder / f"{PARTIAL}{uuid.uuid4().hex}{suffixes(arrival.path.name)}", hashlib.sha256()
    with reported("write", place):
        folder.mkdir(parents=True, exist_ok=True)
        clear_leftovers(folder)
    try:
        with reported("read", arrival.path), arrival.path.open("rb") as f, place.open("wb") as copy:
            while block := f.read(BLOCK):
                digest.update(block)
                copy.write(block)
        yield place, digest.hexdigest()
    finally:
        place.unlink(missing_ok=True)


def _records_taken(last: Entry | None, sha256: str) -> int | None:
    """How many records of a file with this hash are taken, by the batch that came last from its place; None for all."""
    part = last.record.part if last else None
    if last is None or part is None or part.sha256 != sha256:
        return 0
    return None if part.is_last else part.first + last.record.rows


def _batches(platform: Platform, arrival: Arrival, sha256: str, text: Text, done: int) -> Iterator[Batch]:
    """What comes after the first `done` records, as batches without a key."""
    entry = platform.region(arrival.region).batches(arrival.table)
    assert entry is not None
    for piece in text.pieces(entry.size, done):
        first, done = done, done + len(piece.lines)
        yield Batch(
            piece.content,
            form=Form.JSON if text.is_json else Form.CSV,
            header=not text.is_json,
            on_invalid=entry.on_invalid,
            client=CLIENT,
            origin=str(arrival.path),
            part=Part(version=arrival.version, sha256=sha256, first=first, is_last=done == len(text.records)),
            lines=piece.lines,
        )


def _take(
    platform: Platform,
    arrival: Arrival,
    batches: Iterable[Batch],
    last: Entry | None,
    clock: Callable[[], datetime],
) -> None:
    """Take batches, each under a key that follows from what it is and from the one before it."""
    before = last.record.id if last else ""
    for batch in batches:
        assert batch.part is not None
        key = json.dumps([batch.origin, batch.part.sha256, batch.part.first, before])
        with _about(_place(batch)):
            taken = take(platform, arrival.region, arrival.table, replace(batch, idempotency_key=key), clock=clock)
        before = taken.record.id


def _place(batch: Batch) -> str:
    assert batch.lines is not None
    return f"the batch that begins on line {batch.lines[0]}"


@contextmanager
def _about(what: str) -> Iterator[None]:
    """Say what it is that cannot be sent."""
    try:
        yield
    except (DeliveryError, BatchError) as e:
        raise DeliveryError(f"{what}: {e.message}", hint=e.hint) from e
