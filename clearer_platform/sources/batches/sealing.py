"""Sealing: the batches of a table and day that are in no delivery yet become deliveries, as few as keep their order.

A slot is named after its first batch. A process that is killed between receiving a delivery and noting it in the spool
leaves one whose batches are sealed again into the same slot, with those that have come since: the same bytes are a
no-op, more of them replace it.
"""

import time
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from io import BytesIO
from itertools import groupby
from pathlib import Path

from clearer_platform.bronze import Receipt, Series, receive
from clearer_platform.platform import Platform
from clearer_platform.sources.batches import logs
from clearer_platform.sources.batches.batch import Form
from clearer_platform.sources.batches.spool import Entry, Spool
from clearer_platform.storage import PARTIAL

ORIGIN = "batches"
MOST_LINES = 1_000_000
"""Lines of a delivery; what is more becomes another."""
LEFT_BEHIND = 3600.0
"""Seconds after which nobody can still be judging a batch."""


@dataclass(frozen=True)
class Waiting:
    """Batches of a table and day that are in no delivery yet."""

    batches: int
    first: str
    """Tells the first of them from every other batch: it changes once that is sealed."""


def pending(platform: Platform, region: str) -> dict[str, dict[date, Waiting]]:
    """By table and day, what a region has of batches that are in no delivery yet."""
    spool = Spool(platform, region)
    found: dict[str, dict[date, Waiting]] = {}
    for table, day, count, first in spool.waiting() if spool.is_there else ():
        found.setdefault(table, {})[day] = Waiting(count, first)
    return found


def collect(platform: Platform, region: str, table: str, days: Collection[date] | None = None) -> list[Receipt]:
    """Seal the batches of a table (of `days`, or all) into deliveries."""
    spool, layout = Spool(platform, region), platform.layout(region)
    if not spool.is_there or not spool.unsealed(table, days):
        return []
    with layout.lock("batches"):
        _clear(layout.spool.parent)
        return [_seal(platform, spool, entries) for entries in _series(spool.unsealed(table, days))]


def _clear(folder: Path) -> None:
    """Remove the texts that killed processes were judging: those of living ones are there for a moment only."""
    for left in folder.glob(f"{PARTIAL}*"):
        with suppress(FileNotFoundError):
            if time.time() - left.stat().st_mtime > LEFT_BEHIND:
                left.unlink()


def _series(entries: list[Entry]) -> Iterator[list[Entry]]:
    """Neighbours that fit into one delivery: of one day and kind, so that a later batch is never in an earlier one."""
    for _, same in groupby(entries, lambda entry: (entry.record.day, entry.kind)):
        series, lines = list[Entry](), 0
        for entry in same:
            if series and lines + entry.lines > MOST_LINES:
                yield series
                series, lines = [], 0
            series.append(entry)
            lines += entry.lines
        yield series


def _seal(platform: Platform, spool: Spool, entries: list[Entry]) -> Receipt:
    """Receive batches as one delivery. What is written before they are marked is written again after a kill."""
    first, last = entries[0].record, entries[-1].record
    logs.write(platform, spool, [entry.record for entry in entries])
    receipt = receive(
        platform.layout(first.region),
        first.table,
        first.day,
        f"batches-{first.id}.{'jsonl' if first.form is Form.JSON else 'csv'}",
        BytesIO(spool.contents(entries)),
        origin=ORIGIN,
        record_count=sum(entry.record.rows for entry in entries),
        series=Series(columns=entries[0].columns, batches=tuple(entry.sealed for entry in entries)),
        clock=lambda: last.received_at,
    )
    spool.mark(entries, receipt.delivery.slot)
    return receipt
