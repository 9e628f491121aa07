"""Stores that install an app and subscribe to plans: whole lives, and the picture of them that each day's file gives.

A life is made once, up to the sample's last day. A day's picture is what had happened by its end: what was still going
on then is open, so that the pictures of successive days agree.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from zoneinfo import ZoneInfo

from clearer_platform.sample.rows import Cell, Element, Elements, Row
from clearer_platform.sample.world import StoreWorld

HISTORY = 700
"""Days before the sample's first one in which its stores may have installed the app."""
LAST_MOMENT = time(23, 59, 59, 999000)
ENDS = (("CUSTOMER_CANCELLED", 5), ("CUSTOMER_CLOSED", 1), (None, 6))
STARTS = ("CUSTOMER_REACTIVATED", "CUSTOMER_REOPENED", None)
STAYING = 0.35  # of the times in which a store has the app, those that never end


@dataclass(frozen=True)
class Span:
    """Something that went on from `first` to `last`, or still does."""

    first: datetime
    last: datetime | None
    values: dict[str, Cell]


@dataclass(frozen=True)
class Life:
    """All that happens to one store."""

    store_id: str
    installed: tuple[Span, ...]
    subscribed: tuple[Span, ...]


def pictures(world: StoreWorld, zone: ZoneInfo, days: Sequence[date], rng: Random) -> dict[date, list[Row]]:
    """What each day's delivery holds: every store that had installed the app by the end of the day."""
    lives = [_life(world, number, zone, days, rng) for number in range(world.stores)]
    return {day: [row for life in lives if (row := _seen(life, _end_of(day, zone)))] for day in days}


def _life(world: StoreWorld, number: int, zone: ZoneInfo, days: Sequence[date], rng: Random) -> Life:
    # Some stores are new within the sample; those who began long ago are the many.
    day = days[0] + timedelta(days=rng.choice((rng.randint(-HISTORY, -1), rng.randint(-HISTORY, len(days) - 1))))
    installed: list[Span] = []
    start: str | None = None
    while day <= days[-1]:
        lasts = int(rng.expovariate(1 / 200))
        end = day + timedelta(days=lasts)
        how = rng.choices([name for name, _ in ENDS], [weight for _, weight in ENDS])[0]
        is_open = end > days[-1] or rng.random() < STAYING
        first = datetime.combine(day, time(), zone).astimezone(UTC)
        last = None if is_open else datetime.combine(end, LAST_MOMENT, zone).astimezone(UTC)
        installed.append(Span(first, last, {"start_type": start, "end_type": None if is_open else how}))
        if is_open or (how is not None and rng.random() < 0.7):
            break
        # The next one touches this one (begins on the day on which it ended), or leaves a gap.
        day = end + timedelta(days=0 if how is None and rng.random() < 0.6 else rng.randint(1, 90))
        start = rng.choice(STARTS) if how else None
    return Life(f"Shop_{1000 + number}", tuple(installed), _plans(world, installed, days[-1], zone, rng))


def _plans(
    world: StoreWorld, installed: Sequence[Span], last_day: date, zone: ZoneInfo, rng: Random
) -> tuple[Span, ...]:
    """The plans of a store: none for most, and now and then another one after the first."""
    found: list[Span] = []
    if rng.random() > world.subscribing:
        return ()
    at = installed[0].first.astimezone(zone).date() + timedelta(days=rng.randint(0, 30))
    level = rng.randrange(len(world.plans))
    while at <= last_day and len(found) < 4:
        name, price = sorted(world.plans.items(), key=lambda plan: plan[1])[level]
        end = at + timedelta(days=rng.randint(1, 420))
        is_open = end > last_day
        values: dict[str, Cell] = {"plan_name": name, "price": price}
        found.append(Span(_moment(at, zone, rng), None if is_open else _moment(end, zone, rng), values))
        if is_open or rng.random() < 0.6:
            break
        at = end + timedelta(days=rng.choice((1, 1, 40)))
        level = min(len(world.plans) - 1, max(0, level + rng.choice((-1, 1, 1))))
    return tuple(found)


def _moment(day: date, zone: ZoneInfo, rng: Random) -> datetime:
    """A moment in the working hours of a day, which exist once in any zone."""
    return datetime.combine(day, time(rng.randint(8, 19), rng.randint(0, 59), rng.randint(0, 59)), zone).astimezone(UTC)


def _end_of(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day + timedelta(days=1), time(), zone).astimezone(UTC)


def _seen(life: Life, until: datetime) -> Row | None:
    """The store as it stands just before `until`; none where it has not begun."""
    installed = [_interval(span, until) for span in life.installed if span.first < until]
    if not installed:
        return None
    plans = [_period(span, until) for span in life.subscribed if span.first < until]
    arrays = [Elements(tuple(map(Element, found))) for found in (installed, plans)]
    return Row({"store_id": life.store_id, "install_history": arrays[0], "subscription_history": arrays[1]})


def _interval(span: Span, until: datetime) -> dict[str, Cell]:
    last = _by(span.last, until)
    return {
        "to_now": last is None,
        "start_type": span.values["start_type"],
        "from_date": span.first,
        "end_type": span.values["end_type"] if last else None,
        "to_date": last,
    }


def _period(span: Span, until: datetime) -> dict[str, Cell]:
    return {**span.values, "from_date": span.first, "to_date": _by(span.last, until), "billing_on_date": None}


def _by(moment: datetime | None, until: datetime) -> datetime | None:
    return moment if moment and moment < until else None
