"""Receiving: the one way by which bytes become a delivery, whatever source they come from."""

import hashlib
import uuid
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import BinaryIO

from upath import UPath

from clearer_platform.bronze.delivery import Delivery, Manifest, delivery_id
from clearer_platform.bronze.extract import Extract
from clearer_platform.bronze.series import Series
from clearer_platform.bronze.slots import current, is_intact, slots, suffixes
from clearer_platform.errors import DeliveryError
from clearer_platform.regions import Layout
from clearer_platform.regions.layout import quoted
from clearer_platform.storage import clear_leftovers, is_local, local, publish_bytes, publish_file, reported

BLOCK = 1 << 20
LONGEST_SLOT = 150
"""Characters of a slot's name."""
LONGEST_QUOTED = 240
"""Bytes of its name as a path has it: file systems take 255, and endings are added to it."""


@dataclass(frozen=True)
class Receipt:
    """What receiving came to."""

    delivery: Delivery
    is_new: bool
    """False where the slot's current delivery already had these bytes: nothing was changed."""


def receive(
    layout: Layout,
    table: str,
    day: date,
    slot: str,
    source: Path | UPath | BinaryIO,
    *,
    origin: str,
    origin_version: str | None = None,
    received_at: datetime | None = None,
    record_count: int | None = None,
    series: Series | None = None,
    extract: Extract | None = None,
    restores: str | None = None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Receipt:
    """Take the bytes of `source` in as a delivery of a slot.

    The same bytes as the slot's current delivery change nothing, but mend what is damaged of it. `received_at` is now,
    or just after the slot's current delivery where the clock was set back; it is given only when deliveries are
    replayed. `restores` names the backup whose rows these are: they replace all that the table has so far, unless
    nothing came since they last did. Raises DeliveryError for an impossible slot name and StorageError where a disk or
    server fails; nothing is half received: the manifest comes last, and bytes without a manifest are no delivery.
    """
    if not slot or slot in (".", "..") or objection(slot):
        hint = objection(slot) or f"use a file name of 1 to {LONGEST_SLOT} characters"
        raise DeliveryError(f"{slot!r} cannot name a slot", hint=hint)
    with layout.lock("bronze"):
        spool = _empty_folder(layout.work / "spool") / uuid.uuid4().hex
        try:
            size, sha256 = _copy(source, origin, spool)
            newest = current(layout, table, day, slot)
            before = _newest(layout, table) if restores else newest
            if newest and newest == before and newest.manifest.sha256 == sha256:
                if not is_intact(newest):
                    publish_file(spool, newest.content)
                return Receipt(newest, is_new=False)
            manifest = Manifest(
                region=layout.name,
                table=table,
                day=day,
                slot=slot,
                file_name=slot,
                origin=origin,
                origin_version=origin_version,
                received_at=received_at or _after(before, clock()),
                size=size,
                sha256=sha256,
                record_count=record_count,
                series=series,
                extract=extract,
                restores=restores,
            )
            return Receipt(_publish(layout, manifest, spool), is_new=True)
        finally:
            spool.unlink(missing_ok=True)


def objection(name: str) -> str | None:
    """Why a file of this name can be no delivery, if it cannot: the name is that of a slot, and stands in paths."""
    if len(name) > LONGEST_SLOT:
        return f"its name is longer than {LONGEST_SLOT} characters"
    try:
        length = len(quoted(name))
    except UnicodeEncodeError:
        return "its name is not UTF-8"
    if length > LONGEST_QUOTED:
        return f"its name is longer than {LONGEST_QUOTED} bytes when written as in a URL (%E5%BA%97 for one character)"
    return None


def _publish(layout: Layout, manifest: Manifest, spool: Path) -> Delivery:
    """The bytes first, the manifest last: bytes without a manifest are no delivery."""
    folder = layout.bronze(manifest.table, manifest.day, manifest.slot)
    name = delivery_id(manifest.received_at, manifest.sha256)
    content = folder / f"{name}{suffixes(manifest.slot)}"
    if is_local(folder):
        clear_leftovers(local(folder))
    publish_file(spool, content)
    publish_bytes(manifest.model_dump_json(indent=1).encode(), folder / f"{name}.json")
    return Delivery(manifest, content)


def _empty_folder(folder: Path) -> Path:
    """`folder`, without what killed processes left in it."""
    with reported("write", folder):
        folder.mkdir(parents=True, exist_ok=True)
        for left in folder.iterdir():
            left.unlink()
    return folder


def _newest(layout: Layout, table: str) -> Delivery | None:
    """The delivery of a table that was received last."""
    received = [slot.current for slot in slots(layout, table)]
    return max(received, key=lambda delivery: delivery.manifest.received_at, default=None)


def _after(newest: Delivery | None, now: datetime) -> datetime:
    if newest is None:
        return now
    return max(now, newest.manifest.received_at + timedelta(microseconds=1))


def _copy(source: Path | UPath | BinaryIO, origin: str, spool: Path) -> tuple[int, str]:
    """Copy `source` to `spool`; the number of bytes and their SHA-256."""
    digest, size = hashlib.sha256(), 0
    with reported("write", spool), spool.open("wb") as copy:
        for block in _blocks(source, origin):
            digest.update(block)
            size += len(block)
            copy.write(block)
    return size, digest.hexdigest()


def _blocks(source: Path | UPath | BinaryIO, origin: str) -> Iterator[bytes]:
    with reported("read", origin), source.open("rb") if isinstance(source, Path | UPath) else nullcontext(source) as f:
        yield from iter(lambda: f.read(BLOCK), b"")
