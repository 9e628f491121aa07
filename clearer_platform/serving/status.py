"""The state of every region, table and day, as data: what the grid of `clearer status` shows."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from clearer_platform.serving.facts import TableDay


class State(StrEnum):
    """Where a table's day stands; the first that applies to any table is the state of a region's day."""

    REFUSED = "refused"
    MISSING = "missing"
    LATE = "late"
    LANDED = "landed"
    DELIVERED = "delivered"
    VALIDATED = "validated"
    AWAITED = "awaited"
    REJECTED = "rejected"
    PUBLISHED = "published"
    NOT_DUE = "not due"

    @property
    def meaning(self) -> str:
        """What the state says, in words."""
        return _MEANINGS[self]


_MEANINGS = {
    State.REFUSED: "the newest delivery was refused as a whole; the last good version stays",
    State.MISSING: "nothing came, though later days have come",
    State.LATE: "nothing has come, and the cut-off has passed",
    State.LANDED: "a file in the landing folder, or a batch, is in no delivery yet",
    State.DELIVERED: "received, not yet validated under today's contract",
    State.VALIDATED: "validated, not yet in gold",
    State.AWAITED: "due, and the cut-off has not passed",
    State.REJECTED: "in gold, but for some rejected records",
    State.PUBLISHED: "in gold, every record",
    State.NOT_DUE: "nothing is due",
}


@dataclass(frozen=True)
class Cell:
    """The state of one table (or of all tables) of a region on a day."""

    region: str
    table: str | None
    """None: all tables of the region together."""
    day: date
    state: State
    delivered: int
    accepted: int
    rejected: int
    hours_late: float | None
    """How long after the cut-off the first delivery came; how long it has been awaited, where none came."""


def cells(facts: Iterable[TableDay], now: datetime) -> list[Cell]:
    """The state of every table's day at the instant `now`."""
    by_table: dict[tuple[str, str], list[TableDay]] = defaultdict(list)
    for fact in facts:
        by_table[fact.region, fact.table].append(fact)
    return [_cell(fact, now, newest) for days in by_table.values() for newest in [_newest(days)] for fact in days]


def by_region(table_cells: Iterable[Cell]) -> list[Cell]:
    """One cell a region and day: the worst state of its tables, and the sum of their records."""
    grouped: dict[tuple[str, date], list[Cell]] = defaultdict(list)
    for cell in table_cells:
        grouped[cell.region, cell.day].append(cell)
    order = list(State)
    return [
        Cell(
            region=region,
            table=None,
            day=day,
            state=min((cell.state for cell in group), key=order.index),
            delivered=sum(cell.delivered for cell in group),
            accepted=sum(cell.accepted for cell in group),
            rejected=sum(cell.rejected for cell in group),
            hours_late=max((cell.hours_late for cell in group if cell.hours_late is not None), default=None),
        )
        for (region, day), group in grouped.items()
    ]


def last_days(facts: Sequence[TableDay], number: int) -> list[TableDay]:
    """The facts of the last `number` days up to the newest day for which anything came (all, if nothing ever did)."""
    there = [fact.day for fact in facts if fact.is_there]
    newest = max(there, default=max((fact.day for fact in facts), default=date.max))
    return [fact for fact in facts if 0 <= (newest - fact.day).days < number]


def state_of(fact: TableDay, now: datetime, newest: date | None) -> State:
    """The state of a table's day at `now`, where `newest` is the last day for which the table has come."""
    if not fact.slots:
        return State.LANDED if fact.has_new_file else _absent(fact, now, newest)
    if fact.has_new_file or not all(slot.is_current for slot in fact.slots):
        return State.DELIVERED
    if any(slot.is_refused for slot in fact.slots):
        return State.REFUSED
    if not fact.in_gold:
        return State.VALIDATED
    return State.REJECTED if fact.rejected else State.PUBLISHED


def _absent(fact: TableDay, now: datetime, newest: date | None) -> State:
    if not fact.is_due:
        return State.NOT_DUE
    if now < fact.deadline:
        return State.AWAITED
    return State.MISSING if newest and newest > fact.day else State.LATE


def _newest(days: Iterable[TableDay]) -> date | None:
    return max((fact.day for fact in days if fact.is_there), default=None)


def _cell(fact: TableDay, now: datetime, newest: date | None) -> Cell:
    return Cell(
        region=fact.region,
        table=fact.table,
        day=fact.day,
        state=state_of(fact, now, newest),
        delivered=sum(slot.delivered for slot in fact.slots),
        accepted=sum(slot.accepted for slot in fact.slots),
        rejected=fact.rejected,
        hours_late=_hours_late(fact, now),
    )


def _hours_late(fact: TableDay, now: datetime) -> float | None:
    if not fact.is_due:
        return None
    came = min((slot.received_at for slot in fact.slots), default=now)
    return round((came - fact.deadline).total_seconds() / 3600, 1) if came > fact.deadline else None
