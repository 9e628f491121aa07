"""Local times to UTC as zoneinfo has it, by one CASE: the engine moves gaps and chooses in folds without a word.

The CASE covers certain years only (the whole history would be 100 kB of SQL); a time in another year yields NULL and is
asked for again with its year.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from clearer_platform.regions import TableSource

NORMAL, GAP, FOLD, OUTSIDE = 0, 1, 2, 3
STEP = timedelta(hours=3)
STATES = 4
EAST = 1_000_000
"""A code is (offset in seconds + EAST) * STATES + one of the states above: one integer, never negative."""


class Piece(NamedTuple):
    """From `start` (local) on, local times have this offset."""

    start: datetime
    offset: int
    state: int


class Transition(NamedTuple):
    """At the instant `at` (UTC, naive) the offset changes."""

    at: datetime
    before: int
    after: int


def code(local: str, source: TableSource, years: Iterable[int]) -> str:
    """SQL for the offset and state of the local time `local`, as one integer; NULL outside `years`."""
    branches = [
        (start, piece)
        for first, last in _runs(sorted(set(years)))
        for start, piece in _branches(source.timezone, source.fold, first, last)
    ]
    return _tree(local, branches)


def offset(code: str) -> str:
    """SQL for the seconds east of UTC in a code."""
    return f"({code} // {STATES} - {EAST})"


def state(code: str) -> str:
    """SQL for the state in a code."""
    return f"({code} % {STATES})"


def _branches(zone: str, fold: str, first: int, last: int) -> list[tuple[datetime, int | None]]:
    """Where the code changes within the years `first` to `last`, and NULL after them."""
    pieces = [piece for year in range(first, last + 1) for piece in pieces_of_year(zone, fold, year)]
    found: list[tuple[datetime, int | None]] = []
    for piece in pieces:
        value = (piece.offset + EAST) * STATES + piece.state
        if not found or found[-1][1] != value:
            found.append((piece.start, value))
    if last < datetime.max.year:
        found.append((datetime(last + 1, 1, 1), None))
    return found


@lru_cache(maxsize=10_000)
def pieces_of_year(zone: str, fold: str, year: int) -> tuple[Piece, ...]:
    """The pieces of one local year, the first at its start."""
    start = datetime(year, 1, 1)
    end = datetime(year + 1, 1, 1) if year < datetime.max.year else datetime.max
    pieces: list[Piece] = []
    for t in transitions(zone, year):
        before, after = t.at + timedelta(seconds=t.before), t.at + timedelta(seconds=t.after)
        if t.after > t.before:
            # A time in the gap goes forward by the gap: it is read with the offset from before.
            pieces += [Piece(before, t.before, GAP), Piece(after, t.after, NORMAL)]
        else:
            chosen = t.after if fold == "later" else t.before
            pieces += [Piece(after, chosen, FOLD), Piece(before, t.after, NORMAL)]
    earlier = [piece for piece in pieces if piece.start <= start]
    first = earlier[-1] if earlier else Piece(start, _offset_before(zone, year), NORMAL)
    return _within_calendar([first._replace(start=start), *(piece for piece in pieces if start < piece.start < end)])


def _within_calendar(pieces: list[Piece]) -> tuple[Piece, ...]:
    """The pieces, and which local times at either end of the calendar are in no year from 1 to 9999 in UTC."""
    first, last = pieces[0], pieces[-1]
    if first.start == datetime.min and first.offset > 0:
        begins = datetime.min + timedelta(seconds=first.offset)
        pieces = [first._replace(state=OUTSIDE), first._replace(start=begins), *pieces[1:]]
    if last.start.year == datetime.max.year and last.offset < 0:
        ends = datetime.max + timedelta(seconds=last.offset, microseconds=1)
        pieces = [*pieces, last._replace(start=ends, state=OUTSIDE)]
    return tuple(pieces)


@lru_cache(maxsize=10_000)
def transitions(zone: str, year: int) -> tuple[Transition, ...]:
    """The changes of offset in a year and two days around it, found by asking zoneinfo and halving."""
    at, end = _span(year)
    found: list[Transition] = []
    before = _offset(zone, at)
    while at < end:
        step = min(at + STEP, end)
        after = _offset(zone, step)
        if after != before:
            found.append(Transition(_halved(zone, at, step, before), before, after))
        at, before = step, after
    return tuple(found)


def _span(year: int) -> tuple[datetime, datetime]:
    margin = timedelta(days=2)
    start = datetime(year, 1, 1) - margin if year > 1 else datetime(1, 1, 2)
    end = datetime(year + 1, 1, 1) + margin if year < datetime.max.year else datetime(9999, 12, 30)
    return start, end


def _offset_before(zone: str, year: int) -> int:
    """The offset at the start of the span in which a year's transitions are looked for."""
    found = transitions(zone, year)
    return found[0].before if found else _offset(zone, _span(year)[0])


def _offset(zone: str, at: datetime) -> int:
    moved = at.replace(tzinfo=UTC).astimezone(ZoneInfo(zone)).utcoffset()
    assert moved is not None
    return round(moved.total_seconds())


def _halved(zone: str, low: datetime, high: datetime, before: int) -> datetime:
    while high - low > timedelta(seconds=1):
        middle = low + timedelta(seconds=(high - low) // timedelta(seconds=2))
        low, high = (middle, high) if _offset(zone, middle) == before else (low, middle)
    return high


def _runs(years: list[int]) -> list[tuple[int, int]]:
    runs: list[tuple[int, int]] = []
    for year in years:
        if runs and runs[-1][1] == year - 1:
            runs[-1] = (runs[-1][0], year)
        else:
            runs.append((year, year))
    return runs


def _tree(local: str, branches: list[tuple[datetime, int | None]]) -> str:
    """A balanced CASE: a value is compared as often as the logarithm of the number of branches."""
    if not branches:
        return "NULL::INTEGER"

    def build(low: int, high: int) -> str:
        """The code of times known to be at or after the start of branch `low`, before that of `high`."""
        if high - low == 1:
            value = branches[low][1] if low >= 0 else None
            return "NULL" if value is None else str(value)
        middle = (low + high) // 2
        at = branches[middle][0].isoformat(" ")
        return f"CASE WHEN {local} >= TIMESTAMP '{at}' THEN {build(middle, high)} ELSE {build(low, middle)} END"

    return f"CAST({build(-1, len(branches))} AS INTEGER)"


def gap_seconds(local: str, source: TableSource, years: Iterable[int]) -> str:
    """SQL for the length of the gap in which the local time `local` lies; NULL outside gaps."""
    gaps = {t for year in years for t in transitions(source.timezone, year) if t.after > t.before}
    whens = [
        f"WHEN {local} >= TIMESTAMP '{t.at + timedelta(seconds=t.before)}' "
        f"AND {local} < TIMESTAMP '{t.at + timedelta(seconds=t.after)}' THEN {t.after - t.before}"
        for t in sorted(gaps)
    ]
    return f"CASE {' '.join(whens)} END" if whens else "NULL::INTEGER"
