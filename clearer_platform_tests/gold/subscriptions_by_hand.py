"""The subscription metrics in plain Python: loops over stores and days, nothing of gold's SQL.

Every function takes a picture's stores and gives the rows of one mart in the order of its columns, without those that a
region's rows share (region, as_of).
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cached_property
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from clearer_platform_tests.gold.store_pictures import Interval, Period, Store

Row = tuple[Any, ...]
DAY = timedelta(1)
CANCELLED, CLOSED = "CUSTOMER_CANCELLED", "CUSTOMER_CLOSED"
REACTIVATED, REOPENED = "CUSTOMER_REACTIVATED", "CUSTOMER_REOPENED"


@dataclass(frozen=True)
class Picture:
    """The stores of a region, its clock, and the day as of which it is looked at."""

    stores: tuple[Store, ...]
    zone: ZoneInfo
    as_of: date

    def day(self, instant: datetime) -> date:
        """The local day of an instant."""
        return instant.astimezone(self.zone).date()

    def ended(self, end: datetime | None) -> bool:
        """Whether something with this end is over by the end of the as-of day."""
        return end is not None and self.day(end) <= self.as_of

    def begun(self, store: Store) -> list[Interval]:
        """The store's intervals that begin by the as-of day."""
        return [i for i in store.intervals if self.day(i.start) <= self.as_of]

    @cached_property
    def active(self) -> dict[str, set[date]]:
        """The days up to the as-of day on which each store has the app; stores without any are left out."""
        found: dict[str, set[date]] = defaultdict(set)
        for store in self.stores:
            for interval in self.begun(store):
                last = self.day(interval.end) if interval.end else self.as_of
                found[store.id] |= set(_days(self.day(interval.start), min(last, self.as_of)))
        return dict(found)

    def leaves(self, store: Store, day: date) -> bool:
        """Whether an active day is the last one before a day without the app."""
        if day == self.as_of:
            return all(self.ended(interval.end) for interval in self.begun(store))
        return day + DAY not in self.active[store.id]


def store_lifespan(picture: Picture) -> list[Row]:
    """First and last day, union of days, the original's figure, breaks in the days, whether it goes on."""
    original = dict(store_lifespan_original(picture))
    rows = []
    for store in picture.stores:
        if days := sorted(picture.active.get(store.id, ())):
            gaps = sum(after - before > DAY for before, after in pairwise(days))
            goes_on = not all(picture.ended(interval.end) for interval in picture.begun(store))
            rows.append((store.id, days[0], days[-1], len(days), original[store.id], gaps, goes_on))
    return rows


def store_lifespan_original(picture: Picture) -> list[Row]:
    """date(max(end)) - date(min(start)), where an open interval ends on the as-of date."""
    rows = []
    for store in picture.stores:
        if store.intervals:
            last = max(picture.day(i.end) if i.end else picture.as_of for i in store.intervals)
            rows.append((store.id, (last - min(picture.day(i.start) for i in store.intervals)).days))
    return rows


def activity_by_day(picture: Picture) -> list[Row]:
    """Per day: active, new, returned, churned, net; then stores by what their intervals say on that day."""
    active, new, returned, churned = (Counter[date]() for _ in range(4))
    for store in picture.stores:
        days = picture.active.get(store.id, set())
        active.update(days)
        new.update(sorted(days)[:1])
        returned.update([day for day in sorted(days)[1:] if day - DAY not in days])
        churned.update([day for day in days if picture.leaves(store, day)])
    said = _said(picture, lambda day: day)
    rows = []
    for day in _days(min(active), picture.as_of) if active else ():
        net = new[day] + returned[day] - churned[day]
        reasons = [len(said[day, reason]) for reason in (REACTIVATED, REOPENED, CANCELLED, CLOSED)]
        rows.append((day, active[day], new[day], returned[day], churned[day], net, *reasons))
    return rows


def activity_by_day_original(picture: Picture) -> list[Row]:
    """By the start date of the interval, distinct stores: toNow, not toNow, endType CUSTOMER_CANCELLED."""
    stores: dict[date, tuple[set[str], set[str], set[str]]] = defaultdict(lambda: (set(), set(), set()))
    for store in picture.stores:
        for interval in store.intervals:
            active, new, uninstalls = stores[picture.day(interval.start)]
            (active if interval.end is None else new).add(store.id)
            if interval.end_type == CANCELLED:
                uninstalls.add(store.id)
    return [(day, *map(len, counts)) for day, counts in stores.items()]


def revenue_by_day(picture: Picture) -> list[Row]:
    """Per day: periods that start and their prices; periods that run at its end and their prices."""
    started = [(picture.day(p.start), p) for p in _periods(picture)]
    started = [(day, period) for day, period in started if day <= picture.as_of]
    rows = []
    for day in _days(min(day for day, _ in started), picture.as_of) if started else ():
        prices = [period.price for first, period in started if first == day]
        running = [p.price for p in _periods(picture) if _runs(picture, p, day)]
        rows.append((day, len(prices), sum(prices, Decimal(0)), len(running), sum(running, Decimal(0))))
    return rows


def revenue_by_day_original(picture: Picture) -> list[Row]:
    """Distinct (store, start date, price) of the first element of the store's subscriptions in order of time."""
    found = set()
    for store in picture.stores:
        if store.periods:
            first = min(store.periods, key=lambda period: period.start)
            found.add((store.id, picture.day(first.start), first.price))
    revenue: dict[date, Decimal] = defaultdict(Decimal)
    for _, day, price in found:
        revenue[day] += price
    return list(revenue.items())


def recurring_revenue_by_day(picture: Picture) -> list[Row]:
    """Per plan and day on which somebody has it."""
    rows = []
    for plan in {period.plan for period in _periods(picture)}:
        periods = [period for period in _periods(picture) if period.plan == plan]
        for day in _days(min(picture.day(period.start) for period in periods), picture.as_of):
            if running := [p.price for p in periods if _runs(picture, p, day)]:
                rows.append((plan, day, len(running), sum(running, Decimal(0))))
    return rows


def plan_changes(picture: Picture) -> list[Row]:
    """Each period against the one of the store that began before it."""
    rows = []
    for store in picture.stores:
        numbered = sorted(enumerate(store.periods, 1), key=lambda place: place[1].start)
        numbered = [(n, period) for n, period in numbered if picture.day(period.start) <= picture.as_of]
        for place in range(1, len(numbered)):
            (_, before), (number, period) = numbered[place - 1 : place + 1]
            day = picture.day(period.start)
            ends = [picture.day(p.end) if p.end else day for _, p in numbered[:place]]
            gap = max((day - max(ends)).days, 0)
            if kind := _kind(before, period, gap):
                was, now = (before.plan, before.price), (period.plan, period.price)
                rows.append((store.id, number, day, kind, *was, *now, gap))
    return rows


def install_cohorts(picture: Picture) -> list[Row]:
    """Per month of the first active day and month since: stores there at its end, paid by then, left in it, why."""
    said = _said(picture, _month)
    cohorts: dict[date, list[Store]] = defaultdict(list)
    for store in picture.stores:
        if store.id in picture.active:
            cohorts[_month(min(picture.active[store.id]))].append(store)
    rows: list[Row] = []
    for cohort, stores in cohorts.items():
        left = {s.id: {_month(day) for day in picture.active[s.id] if picture.leaves(s, day)} for s in stores}
        paid = {s.id: [picture.day(p.start) for p in s.periods if p.price > 0] for s in stores}
        months = sorted({_month(day) for day in _days(cohort, picture.as_of)})
        for since, month in enumerate(months):
            end = min(_next(month) - DAY, picture.as_of)
            retained = sum(end in picture.active[s.id] and not picture.leaves(s, end) for s in stores)
            converted = sum(any(day <= end for day in days) for days in paid.values())
            shares = (retained, retained / len(stores), converted, converted / len(stores))
            why = [len(said[month, reason] & left.keys()) for reason in (CANCELLED, CLOSED)]
            rows.append((cohort, since, month, len(stores), *shares, sum(month in m for m in left.values()), *why))
    return rows


METRICS: tuple[Callable[[Picture], list[Row]], ...] = (
    store_lifespan,
    store_lifespan_original,
    activity_by_day,
    activity_by_day_original,
    revenue_by_day,
    revenue_by_day_original,
    recurring_revenue_by_day,
    plan_changes,
    install_cohorts,
)


def changes(before: Iterable[Store], after: Iterable[Store]) -> Counter[Row]:
    """(table, store, start, kind of change) of what one picture has otherwise than the other, and how often."""
    was, now = ({store.id: store for store in stores} for stores in (before, after))
    found: Counter[Row] = Counter()
    for name in was.keys() | now.keys():
        old, new = was.get(name, Store(name)), now.get(name, Store(name))
        if (name in was) != (name in now):
            found["stores", name, None, "added" if name in now else "removed"] += 1
        for table, one, other in (
            ("install_intervals", old.intervals, new.intervals),
            ("subscription_periods", old.periods, new.periods),
        ):
            gone, come = ([element.start for element in c.elements()] for c in _difference(one, other))
            for start in {*gone, *come}:
                changed = min(gone.count(start), come.count(start))
                found[table, name, start, "changed"] += changed
                found[table, name, start, "removed"] += gone.count(start) - changed
                found[table, name, start, "added"] += come.count(start) - changed
    return +found


def _difference(one: tuple[Any, ...], other: tuple[Any, ...]) -> tuple[Counter[Any], Counter[Any]]:
    return Counter(one) - Counter(other), Counter(other) - Counter(one)


def _kind(before: Period, after: Period, gap: int) -> str | None:
    if gap:
        return "restart"
    if before.plan == after.plan:
        return "price_change" if before.price != after.price else None
    if before.price == after.price:
        return "switch"
    return "upgrade" if after.price > before.price else "downgrade"


def _said(picture: Picture, when: Callable[[date], date]) -> dict[tuple[date, str], set[str]]:
    """(day or month, type) -> stores of which an interval begins or ends so."""
    found: dict[tuple[date, str], set[str]] = defaultdict(set)
    for store in picture.stores:
        for interval in picture.begun(store):
            if interval.start_type:
                found[when(picture.day(interval.start)), interval.start_type].add(store.id)
            if interval.end and interval.end_type and picture.ended(interval.end):
                found[when(picture.day(interval.end)), interval.end_type].add(store.id)
    return found


def _periods(picture: Picture) -> list[Period]:
    return [period for store in picture.stores for period in store.periods]


def _runs(picture: Picture, period: Period, day: date) -> bool:
    """Whether the period has begun by the end of `day` and not ended."""
    return picture.day(period.start) <= day and (period.end is None or picture.day(period.end) > day)


def _days(first: date, last: date) -> Iterator[date]:
    return (first + timedelta(n) for n in range((last - first).days + 1))


def _month(day: date) -> date:
    return day.replace(day=1)


def _next(month: date) -> date:
    return _month(month + timedelta(31))
