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

NORMAL, GAP, FOLD = 0, 1, 2
STEP = timedelta(hours=3)
STATES = 4
EAST = 1_000_000
"""A code is (offset in seconds + EAST) * STATES + one of the three above: one integer, never negative."""


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


def beyond(local: str, code: str, years: Iterable[int]) -> str | None:
    """SQL for whether the instant of a local time is in no year that Python has; None where `years` hold no such.

    The engine has such instants, and whoever reads a table into Python would stumble over a single one.
    """
    first, last = (_microseconds(moment) for moment in (datetime.min, datetime.max))
    if {datetime.min.year, datetime.max.year}.isdisjoint(years):
        return None
    return f"(epoch_us({local}) - {offset(code)}::BIGINT * 1000000) NOT BETWEEN {first} AND {last}"


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
    return (first._replace(start=start), *(piece for piece in pieces if start < piece.start < end))


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


def _microseconds(moment: datetime) -> int:
    """Since 1970, exactly."""
    return (moment - datetime(1970, 1, 1)) // timedelta(microseconds=1)


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
