"""Subscription metrics of random pictures of many regions, against plain Python; and what a picture is made of."""

import json
import os
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from clearer_platform import gold
from clearer_platform.gold import warehouse
from clearer_platform.gold.extent import Extent
from clearer_platform.platform import Platform
from clearer_platform_tests.gold.silver_files import open_platform
from clearer_platform_tests.gold.store_pictures import (
    TABLES,
    Interval,
    Period,
    Store,
    changed,
    put_picture,
    random_store,
    remove_picture,
)
from clearer_platform_tests.gold.subscriptions_by_hand import METRICS, Picture, changes

REGIONS = int(os.environ.get("CLEARER_TEST_PICTURES", "50"))
SEED = int(os.environ.get("CLEARER_TEST_SEED", "20250101"))
STEPS = 3
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Tokyo", "America/St_Johns")
DAY = date(2024, 4, 5)

Slot = tuple[str, date, str]
Played = tuple["Pictures", Path, list[bool]]


@dataclass
class Pictures:
    """Regions, and what stands in their silver folders of stores."""

    platform: Platform
    random: Random
    files: dict[Slot, tuple[datetime, list[Store]]] = field(default_factory=dict)
    clock: datetime = datetime(2024, 5, 1, tzinfo=UTC)

    @property
    def regions(self) -> tuple[str, ...]:
        return tuple(self.platform.registry.regions)

    def step(self) -> None:
        """Let every region but the first deliver a later picture, correct or add to one, empty or lose one."""
        for region in self.regions[1:]:
            days = sorted(day for name, day, _ in self.files if name == region)
            kind = self.random.random()
            if days and kind < 0.1:
                self.place(self.random.choice([slot for slot in self.files if slot[0] == region]), None)
            elif kind < 0.2:
                self._deliver((region, self._day(), "a.csv"), [])
            elif days and kind < 0.4:
                slot = self.random.choice("ab") + ".csv"
                self._deliver((region, days[-1], slot), changed(self.random, self.of_day(region, days[-1])))
            else:
                known = self.of_day(region, days[-1]) if days else self._new()
                day = days[-1] + timedelta(self.random.randint(1, 3)) if days else self._day()
                self._deliver((region, day, "a.csv"), changed(self.random, known))

    def place(self, slot: Slot, file: tuple[datetime, list[Store]] | None) -> None:
        """Make `file` what is published of a slot; None takes it away."""
        region, day, name = slot
        if file is None:
            self.files.pop(slot)
            remove_picture(self.platform, region, day, name)
            return
        self.files[slot] = file
        put_picture(self.platform, region, day, file[1], slot=name, received=file[0])

    def of_day(self, region: str, day: date | None) -> tuple[Store, ...]:
        """The stores of a business day: the record that came last counts."""
        files = [
            (received, slot, records) for slot, (received, records) in self.files.items() if slot[:2] == (region, day)
        ]
        return tuple({store.id: store for *_, records in sorted(files) for store in records}.values())

    def days(self, region: str) -> list[date]:
        """The business days that delivered, the last one first."""
        return sorted({day for name, day, _ in self.files if name == region}, reverse=True)

    def picture(self, region: str, as_of: date | None) -> Picture:
        """What the region's metrics are made from."""
        day = next(iter(self.days(region)), None)
        zone = ZoneInfo(self.platform.region(region).timezone)
        return Picture(self.of_day(region, day), zone, as_of or day or date.max)

    def _deliver(self, slot: Slot, records: list[Store]) -> None:
        self.clock += timedelta(minutes=1)
        self.place(slot, (self.clock, records))

    def _new(self) -> tuple[Store, ...]:
        return tuple(random_store(self.random, f"s{n}") for n in range(self.random.randint(2, 6)))

    def _day(self) -> date:
        return DAY + timedelta(self.random.randrange(15))


def bring_up(pictures: Pictures, target: Path, *, as_of: date | None = None, full_refresh: bool = False) -> None:
    """Build one warehouse of all regions at `target`."""
    gold.build_warehouse(
        pictures.platform,
        pictures.regions,
        target,
        target.parent / f"work-{target.stem}",
        current=target if target.exists() else None,
        extent=Extent(as_of=as_of, tables=frozenset(TABLES)),
        full_refresh=full_refresh,
    )


def rows_of(target: Path, table: str) -> dict[str, list[tuple[Any, ...]]]:
    """Region -> sorted rows of a mart, without region and as_of."""
    found: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
    with warehouse.connect(target) as connection:
        columns = [name for name, *_ in connection.execute(f"describe gold.{table}").fetchall()]
        kept = ", ".join(name for name in columns if name != "as_of")
        for region, *row in connection.execute(f"select {kept} from gold.{table}").fetchall():
            found[region].append(tuple(row))
    return {region: sorted(rows) for region, rows in found.items()}


def everything(target: Path) -> dict[str, list[str]]:
    """Table -> its rows, of all that a warehouse says of stores."""
    with warehouse.connect(target) as connection:
        tables = connection.execute(
            "select schema_name || '.' || table_name from duckdb_tables() where schema_name in ('gold', 'intermediate')"
        ).fetchall()
        assert len(tables) == 13
        return {t: sorted(map(str, connection.execute(f"from {t}").fetchall())) for (t,) in tables}


def check(pictures: Pictures, target: Path, as_of: date | None = None) -> Counter[str]:
    """Hold every metric of every region against plain Python; the number of rows that were compared."""
    compared: Counter[str] = Counter()
    by_hand = {region: pictures.picture(region, as_of) for region in pictures.regions}
    for metric in METRICS:
        found = rows_of(target, metric.__name__)
        for region, picture in by_hand.items():
            expected = sorted(metric(picture))
            assert found.get(region, []) == expected, (metric.__name__, region)
            compared[metric.__name__] += len(expected)
    return compared


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory, prepared_dbt: Path) -> Played:
    """Pictures after several steps, the warehouse that followed them, and whether it equalled a rebuild after each."""
    folder = tmp_path_factory.mktemp("pictures")
    blocks = [
        f'[regions.r{n}]\ntimezone = "{ZONES[n % len(ZONES)]}"\ncurrency = "EUR"\nroot = "r{n}"\n'
        f"[regions.r{n}.tables.stores]"
        for n in range(REGIONS)
    ]
    pictures = Pictures(open_platform(folder / "home", "\n".join(blocks), prepared_dbt), Random(SEED))
    followed, rebuilt = folder / "followed.duckdb", folder / "rebuilt.duckdb"
    found = []
    for _ in range(STEPS):
        pictures.step()
        bring_up(pictures, followed)
        bring_up(pictures, rebuilt, full_refresh=True)
        found.append(everything(followed) == everything(rebuilt))
    return pictures, followed, found


def test_every_metric_equals_plain_python(played: Played) -> None:
    """As of the business day of each region's last picture; one region has none."""
    pictures, followed, _ = played
    compared = check(pictures, followed)
    assert len(compared) == len(METRICS) and min(compared.values()) > REGIONS


@pytest.mark.parametrize("as_of", [date(2024, 3, 1), date(2024, 3, 31), date(2024, 4, 6), date(2025, 1, 1)])
def test_as_of_any_day(played: Played, as_of: date) -> None:
    """Before all of it, at the end of a month, in the middle, and long after."""
    pictures, followed, _ = played
    target = followed.with_name(f"as_of_{as_of}.duckdb")
    bring_up(pictures, target, as_of=as_of)
    check(pictures, target, as_of)
    with warehouse.connect(target) as connection:
        found = connection.execute("select distinct as_of from gold.store_lifespan_original").fetchall()
        assert found == [(as_of,)]


def test_changes_equal_plain_python(played: Played) -> None:
    """Between the last two business days that delivered, as far as there are two."""
    pictures, followed, _ = played
    with warehouse.connect(followed) as connection:
        found = connection.execute(
            "select region, picture_day, previous_picture_day, table_name, store_id, from_date, change"
            " from gold.subscription_changes"
        ).fetchall()
    kinds = Counter(row[3::3] for row in found)
    assert len(kinds) == 8 and min(kinds.values()) > 3
    for region in pictures.regions:
        days = pictures.days(region)
        expected: Counter[tuple[Any, ...]] = Counter()
        if len(days) > 1:
            expected = changes(pictures.of_day(region, days[1]), pictures.of_day(region, days[0]))
        assert Counter(row[3:] for row in found if row[0] == region) == expected
        assert {row[1:3] for row in found if row[0] == region} <= {tuple(days[:2])}


def test_incremental_equals_rebuild_after_every_step(played: Played) -> None:
    assert played[2] == [True] * STEPS


def test_order_of_processing_does_not_matter(played: Played) -> None:
    """The same files, coming in an order of their own over two builds, make the same warehouse."""
    pictures, followed, _ = played
    slots = list(pictures.files.items())
    pictures.random.shuffle(slots)
    for slot, _ in slots:
        pictures.place(slot, None)
    shuffled = followed.with_name("shuffled.duckdb")
    for part in (slots[: len(slots) // 2], slots[len(slots) // 2 :]):
        for slot, file in part:
            pictures.place(slot, file)
        bring_up(pictures, shuffled)
    assert everything(followed) == everything(shuffled)


def at(day: int, hour: int = 0) -> datetime:
    return datetime(2024, 4, day, hour, tzinfo=UTC)


def of_one_region(tmp_path: Path, prepared_dbt: Path) -> Pictures:
    registry = '[regions.eu]\ntimezone = "UTC"\ncurrency = "EUR"\nroot = "eu"\n[regions.eu.tables.stores]'
    return Pictures(open_platform(tmp_path / "home", registry, prepared_dbt), Random(0))


def said(target: Path, columns: Iterable[str], table: str) -> list[tuple[Any, ...]]:
    with warehouse.connect(target) as connection:
        return sorted(connection.execute(f"select {', '.join(columns)} from gold.{table}").fetchall(), key=str)


def test_what_was_and_what_is(tmp_path: Path, prepared_dbt: Path) -> None:
    """An interval that was closed is one that changed; a period that moved within the array is none."""
    pictures, target = of_one_region(tmp_path, prepared_dbt), tmp_path / "w.duckdb"
    one, other = Period("a", Decimal("19.00"), at(1)), Period("b", Decimal("51.75"), at(2))
    put_picture(pictures.platform, "eu", DAY, [Store("s", (Interval(at(1)),), (one, other)), Store("gone")])
    bring_up(pictures, target)
    assert said(target, ["*"], "subscription_changes") == []
    closed = Interval(at(1), at(3), None, "CUSTOMER_CLOSED")
    put_picture(pictures.platform, "eu", DAY + timedelta(2), [Store("s", (closed,), (other, one)), Store("new")])
    bring_up(pictures, target)
    columns = ["table_name", "store_id", "change", "previous_picture_day", "picture_day"]
    days = (DAY, DAY + timedelta(2))
    assert said(target, columns, "subscription_changes") == [
        ("install_intervals", "s", "changed", *days),
        ("stores", "gone", "removed", *days),
        ("stores", "new", "added", *days),
    ]
    ((before, after),) = said(target, ["before", "after"], "subscription_changes where table_name != 'stores'")
    was, now = json.loads(before), json.loads(after)
    assert {name: (was[name], now[name]) for name in was if was[name] != now[name]} == {
        "to_now": (True, False),
        "end_type": (None, "CUSTOMER_CLOSED"),
        "to_date": (None, "2024-04-03 00:00:00+00"),
    }
    assert was.keys() == {"to_now", "start_type", "from_date", "end_type", "to_date"}


def test_a_later_line_takes_the_elements_of_the_earlier_one_along(tmp_path: Path, prepared_dbt: Path) -> None:
    """And an empty picture leaves nothing; nobody has read it before."""
    pictures, target = of_one_region(tmp_path, prepared_dbt), tmp_path / "w.duckdb"
    full = Store("s", (Interval(at(1)), Interval(at(3), at(4))), (Period("a", Decimal(19), at(1)),))
    put_picture(pictures.platform, "eu", DAY, [full, Store("s", (Interval(at(2), at(2)),))])
    bring_up(pictures, target)
    assert said(target, ["store_id", "active_days", "is_installed"], "store_lifespan") == [("s", 1, False)]
    assert said(target, ["*"], "revenue_by_day") == []
    put_picture(pictures.platform, "eu", DAY + timedelta(1), [])
    bring_up(pictures, target)
    for metric in METRICS:
        assert said(target, ["*"], metric.__name__) == []
    assert said(target, ["store_id", "change"], "subscription_changes where table_name = 'stores'") == [
        ("s", "removed")
    ]
