"""Deliveries of stores to measure with: the sample's shape, made up, the same bytes for the same seed.

As in the sample: 1 to 37 install intervals a store, 1.47 on average, touching or with gaps between, a third of the last
ones open; 67 % of the stores without a subscription, 0.53 on average; its plans and prices. Besides, a little dirt.
"""

import json
from bisect import bisect
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from datetime import date, timedelta
from itertools import accumulate, cycle
from pathlib import Path
from random import Random
from typing import TypeVar

from bench.subscriptions.dirt import ARRAYS, INTERVALS, PERIODS, Element, Spoiler

VERSION = 1
"""Raise it when the same size would now give other bytes."""
DAY = date(2025, 1, 1)
"""The delivery's business day, and the day as of which the metrics are told."""
BEFORE = DAY - timedelta(days=1)
FIRST = date(2022, 4, 29)
LAST = 850
"""Days after the first on which an element may still begin; the last ones are pressed together behind it."""
DAYS = [f"{FIRST + timedelta(days=n)}" for n in range(LAST + 50)]
HEADER = "store_id,installHistory,subscriptionHistory\n"
BROKEN = 0.2
"""Arrays malformed as a whole, for every element with something wrong."""

Record = tuple[str, str, str]
T = TypeVar("T")


def weighted(values: dict[T, int]) -> Callable[[Random], T]:
    """One of these values, each as often as its weight says."""
    chosen, bounds = list(values), list(accumulate(values.values()))
    return lambda random: chosen[bisect(bounds, random.random() * bounds[-1])]


def spread(deciles: Sequence[int]) -> Callable[[Random], int]:
    """A number of days, spread like these deciles."""

    def days(random: Random) -> int:
        place, rest = divmod(random.random() * 10, 1)
        low, high = deciles[int(place)], deciles[int(place) + 1]
        return low + int(rest * (high - low + 1)) if high > low else low

    return days


# Of a thousand stores, how many have so many elements.
INTERVALS_A_STORE = weighted({1: 728, 2: 189, 3: 54, 4: 16, 5: 8, 8: 1, 13: 1, 19: 1, 21: 1, 37: 1})
PERIODS_A_STORE = weighted({0: 672, 1: 226, 2: 68, 3: 21, 4: 5, 5: 2, 6: 1, 9: 1, 11: 1, 13: 1, 15: 1, 19: 1})
# Days by deciles.
LENGTHS = spread([0, 0, 0, 1, 4, 12, 24, 71, 170, 412, 829])
GAPS = spread([0, 0, 0, 0, 0, 1, 3, 9, 35, 135, 792])
PERIOD_LENGTHS = spread([0, 5, 32, 82, 140, 233, 378, 543, 753, 812, 848])
PERIOD_GAPS = spread([0, 0, 0, 0, 0, 0, 0, 0, 2, 11, 337])
FIRST_PERIODS = spread([5, 19, 25, 30, 36, 40, 46, 54, 75, 119, 724])
START_TYPES = weighted({"null": 94, '"CUSTOMER_REACTIVATED"': 4, '"CUSTOMER_REOPENED"': 2})
END_TYPES = weighted({"null": 84, '"CUSTOMER_CANCELLED"': 14, '"CUSTOMER_CLOSED"': 2})
PLANS = weighted({
    ("regular_1", "19.0"): 249, ("regular_2_5", "29.0"): 74, ("plus_1", "69.0"): 33, ("regular_5", "49.0"): 27,
    ("basic_regular_2_5", "29.0"): 13, ("basic_regular_1", "19.0"): 12, ("basic_regular_10", "89.0"): 11,
    ("plus_5", "99.0"): 10, ("regular_7_5", "69.0"): 7, ("regular_10", "89.0"): 7, ("plus_2_5", "79.0"): 7,
    ("regular_15", "119.0"): 5, ("regular_1_discount", "15.2"): 4, ("regular_25", "179.0"): 4, ("plus_10", "139.0"): 4,
    ("plus_1_discount", "55.2"): 3, ("plus_1_discount", "51.75"): 1, ("plus_75_discount", "423.2"): 1,
    ("basic_plus_45", "349.0"): 2, ("essential_plus_20", "279.0"): 1, ("professional_plus_2_5", "209.0"): 1,
})  # fmt: skip


@dataclass(frozen=True)
class Size:
    """How much to make, and how dirty."""

    stores: int
    dirt: float = 0.005
    """Share of the elements with something wrong."""
    seed: int = 7


@dataclass(frozen=True)
class Deliveries:
    """What a size comes to."""

    stores: int
    before: Path
    """The delivery of the day before, which the other one replaces: of a hundred stores one is new, one subscribed."""
    delivered: Path
    clean: Path
    """The same size without dirt, for whoever does not validate."""


def generate(work: Path, size: Size) -> Deliveries:
    """The deliveries of a size, made below `work` unless they are there already."""
    folder = work / f"stores-{size.stores}-{size.dirt:g}-{size.seed}"
    made = Deliveries(size.stores, folder / f"stores-{BEFORE}.csv", folder / f"stores-{DAY}.csv", folder / "clean.csv")
    stamp, marker = json.dumps({**asdict(size), "version": VERSION}), folder / "made.json"
    if not marker.exists() or marker.read_text() != stamp:
        folder.mkdir(parents=True, exist_ok=True)
        marker.unlink(missing_ok=True)
        _write(
            (made.before, made.delivered), ((_earlier(n, record), record) for n, record in enumerate(_records(size)))
        )
        _write((made.clean,), ((record,) for record in _records(replace(size, dirt=0.0))))
        marker.write_text(stamp)
    return made


def _write(paths: Sequence[Path], versions: Iterable[Sequence[Record | None]]) -> None:
    """Write files side by side, each with its version of every record."""
    with ExitStack() as stack:
        files = [stack.enter_context(path.open("w", newline="")) for path in paths]
        for file in files:
            file.write(HEADER)
        for records in versions:
            for file, record in zip(files, records, strict=True):
                if record:
                    store, intervals, periods = record
                    file.write(f"{store},{_quoted(intervals)},{_quoted(periods)}\n")


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if '"' in text or "," in text else text


def _earlier(number: int, record: Record) -> Record | None:
    """The record as it was the day before: some stores had not installed yet, some had not subscribed yet."""
    if number % 100 == 7:
        return None
    return (*record[:2], "[]") if number % 100 == 57 else record


def _records(size: Size) -> Iterator[Record]:
    """The stores, one after the other; what is wrong with elements and arrays takes turns."""
    random = Random(size.seed)
    intervals = _Array(random, size.dirt, cycle(INTERVALS))
    periods = _Array(random, size.dirt, cycle(PERIODS))
    for number in range(size.stores):
        # An id is as likely to be missing as an array to be malformed.
        store = "" if random.random() < size.dirt * BROKEN else f"Store_{number}"
        yield store, intervals.text(_intervals(random)), periods.text(_periods(random))


def _intervals(random: Random) -> Iterator[Element]:
    """A store's install intervals, in order; only the last one may be open."""
    number, day = INTERVALS_A_STORE(random), random.randrange(32)
    is_open = random.random() < 0.324
    for left in range(number - 1, -1, -1):
        begin, spare = day, max(0, LAST - day) // (left + 1)
        end = begin + min(LENGTHS(random), spare)
        day = end + min(GAPS(random), begin + spare - end)
        opens = is_open and not left
        yield Element({
            "toNow": "true" if opens else "false",
            "startType": START_TYPES(random) if left < number - 1 else "null",
            "fromDate": f'"{DAYS[begin]} 00:00:00.000000"',
            "endType": "null" if opens else END_TYPES(random),
            "toDate": "null" if opens else f'"{DAYS[end]} 23:59:59.999000"',
        })  # fmt: skip


def _periods(random: Random) -> Iterator[Element]:
    """A store's subscription periods, in order; half of the later ones begin when the one before ended."""
    number = PERIODS_A_STORE(random)
    day, time = FIRST_PERIODS(random) if number else 0, _time(random)
    for left in range(number - 1, -1, -1):
        begin, start, spare = day, time, max(0, LAST - day) // (left + 1)
        end, time = begin + 1 + min(PERIOD_LENGTHS(random), spare), _time(random)
        day = end + min(PERIOD_GAPS(random), max(0, begin + spare - end))
        plan, price = PLANS(random)
        yield Element({
            "price": price,
            "planName": f'"{plan}"',
            "fromDate": f'"{DAYS[begin]} {start}"',
            "toDate": f'"{DAYS[end]} {time}"',
            "billingOnDate": "null",
        })  # fmt: skip


def _time(random: Random) -> str:
    second = int(random.random() * 86400)
    thousandths = int(random.random() * 1000) if random.random() < 0.3 else 0
    return f"{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}.{thousandths:03}000"


@dataclass(frozen=True)
class _Array:
    """Writes arrays of elements, some of them spoilt."""

    random: Random
    dirt: float
    spoilers: Iterator[Spoiler]
    breakers: Iterator[Callable[[str], str]] = field(default_factory=lambda: cycle(ARRAYS))

    def text(self, elements: Iterable[Element]) -> str:
        """The JSON of an array."""
        texts: list[str] = []
        for element in elements:
            texts += next(self.spoilers)(element) if self.random.random() < self.dirt else [element.text]
        text = f"[{','.join(texts)}]"
        return next(self.breakers)(text) if texts and self.random.random() < self.dirt * BROKEN else text
