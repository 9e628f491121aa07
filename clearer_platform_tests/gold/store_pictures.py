"""Pictures of a region's stores: read from a delivered file, made up at random, put where silver would have them."""

import csv
import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

from clearer_platform.platform import Platform
from clearer_platform_tests.gold.silver_files import put, silver_path

TABLES = ("install_intervals", "subscription_periods", "stores")
"""The files of one delivery, in the order in which they are put in place."""
FIRST = datetime(2024, 3, 27, tzinfo=UTC)
"""Random pictures lie around the end of a month, in which clocks go forward in some zones."""


@dataclass(frozen=True)
class Interval:
    """A time in which the app is installed."""

    start: datetime
    end: datetime | None = None
    start_type: str | None = None
    end_type: str | None = None


@dataclass(frozen=True)
class Period:
    """A subscription."""

    plan: str
    price: Decimal
    start: datetime
    end: datetime | None = None


@dataclass(frozen=True)
class Store:
    """A record: a store with its arrays, in the order in which they stand."""

    id: str
    intervals: tuple[Interval, ...] = ()
    periods: tuple[Period, ...] = ()


def sample(path: Path) -> tuple[Store, ...]:
    """The stores of a delivered file."""
    csv.field_size_limit(10**9)
    with path.open(newline="", encoding="utf-8") as f:
        return tuple(_store(row) for row in csv.DictReader(f))


def put_picture(
    platform: Platform,
    region: str,
    day: date,
    records: Sequence[Store],
    *,
    slot: str = "a.csv",
    received: datetime | None = None,
) -> None:
    """Write the silver files of one delivery of stores, whose records stand in the lines from 2."""
    rows: dict[str, list[dict[str, Any]]] = {table: [] for table in TABLES}
    for line, store in enumerate(records, 2):
        rows["stores"].append({"_line": line, "store_id": store.id, "install_history": "[...]"})
        for position, interval in enumerate(store.intervals, 1):
            said = {"to_now": interval.end is None, "start_type": interval.start_type, "end_type": interval.end_type}
            dates = {"from_date": interval.start, "to_date": interval.end}
            rows["install_intervals"].append({**_place(line, store, position), **said, **dates})
        for position, period in enumerate(store.periods, 1):
            said = {"plan_name": period.plan, "price": period.price, "billing_on_date": None}
            dates = {"from_date": period.start, "to_date": period.end}
            rows["subscription_periods"].append({**_place(line, store, position), **said, **dates})
    fingerprint = hashlib.sha256(repr((day, slot, received, records)).encode()).hexdigest()
    for table in TABLES:
        put(platform, region, table, day, rows[table], slot=slot, received=received, fingerprint=fingerprint)


def remove_picture(platform: Platform, region: str, day: date, slot: str) -> None:
    """Take away what was published of a delivery of stores, as if it were refused by now."""
    for table in reversed(TABLES):
        silver_path(platform, region, table, day, slot).unlink()


def random_store(random: Random, name: str) -> Store:
    """A store whose intervals touch, overlap or leave gaps, and whose periods overlap or follow each other."""
    intervals: list[Interval] = []
    at = FIRST + _hours(random, 240)
    for _ in range(random.choice((0, 1, 1, 2, 3, 4))):
        end = at + _hours(random, 120)
        kinds = random.choice((None, None, "CUSTOMER_REACTIVATED", "CUSTOMER_REOPENED"))
        why = random.choice((None, "CUSTOMER_CANCELLED", "CUSTOMER_CLOSED"))
        intervals.append(Interval(at, end, kinds, why))
        at = end + random.choice((timedelta(0), timedelta(hours=-5), _hours(random, 30), _hours(random, 96)))
    if intervals and random.random() < 0.4:
        intervals[-1] = replace(intervals[-1], end=None, end_type=None)
    random.shuffle(intervals)
    periods = []
    for _ in range(random.choice((0, 0, 1, 2, 3, 4))):
        start = FIRST + _hours(random, 300)
        open_end = random.random() < 0.2
        price = random.choice((Decimal("0.00"), Decimal("19.00"), Decimal("19.00"), Decimal("51.75")))
        periods.append(Period(random.choice("ab"), price, start, None if open_end else start + _hours(random, 150)))
        if periods[:-1] and random.random() < 0.5:  # begins when, or on the day on which, another one ends
            periods[-1] = _following(random, periods[-1], periods[0])
        if random.random() < 0.1:  # the same element twice
            periods.append(periods[-1])
    return Store(name, tuple(intervals), tuple(periods))


def changed(random: Random, records: Iterable[Store]) -> list[Store]:
    """A later picture: some stores are gone, some new, some repeated; elements were ended, added, dropped or moved."""
    later = []
    for store in records:
        chance = random.random()
        if chance < 0.1:
            continue
        if chance < 0.2:
            store = random_store(random, store.id)
        elif chance < 0.5:
            ended = [replace(i, end=i.end or i.start + _hours(random, 200)) for i in store.intervals]
            store = replace(store, intervals=tuple(ended))
        elif chance < 0.8:
            moved = [*map(_dearer, store.periods[:1]), *store.periods[1:], *random_store(random, "").periods[:1]]
            random.shuffle(moved)
            store = replace(store, periods=tuple(moved))
        later.append(store)
        if random.random() < 0.1:
            later.append(random_store(random, store.id))
    return [*later, *(random_store(random, f"s{random.randrange(30)}") for _ in range(random.randrange(3)))]


def _dearer(period: Period) -> Period:
    return replace(period, price=period.price + 1)


def _following(random: Random, period: Period, before: Period) -> Period:
    if before.end is None:
        return period
    start = before.end + random.choice((timedelta(0), timedelta(hours=2)))
    return replace(period, start=start, end=period.end and start + _hours(random, 150))


def _hours(random: Random, most: int) -> timedelta:
    return timedelta(hours=random.randint(0, most), milliseconds=random.choice((0, 0, 999)))


def _place(line: int, store: Store, position: int) -> dict[str, Any]:
    return {"_line": line, "store_id": store.id, "position": position}


def _store(row: dict[str, str]) -> Store:
    intervals = [
        Interval(_instant(i["fromDate"]), _instant(i["toDate"]), i["startType"], i["endType"])
        for i in json.loads(row["installHistory"])
    ]
    periods = [
        Period(p["planName"], p["price"], _instant(p["fromDate"]), _instant(p["toDate"]))
        for p in json.loads(row["subscriptionHistory"], parse_float=Decimal)
    ]
    return Store(row["store_id"], tuple(intervals), tuple(periods))


def _instant(text: str | None) -> Any:
    return datetime.strptime(text, "%Y-%m-%d %H:%M:%S.%f").replace(tzinfo=UTC) if text else None
