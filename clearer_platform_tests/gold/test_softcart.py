"""Sales of SoftCart in gold: what any history of deliveries comes to, against plain Python and against a rebuild."""

import os
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from clearer_platform import gold
from clearer_platform.gold import warehouse
from clearer_platform.governance import Pseudonyms
from clearer_platform.platform import Platform
from clearer_platform_tests.gold.silver_files import open_platform, put, silver_path
from clearer_platform_tests.gold.test_histories import differences

SEED = int(os.environ.get("CLEARER_TEST_SEED", "20200905"))
STEPS = int(os.environ.get("CLEARER_TEST_PARTS", "6"))
DAY = date(2024, 12, 30)
ZONES = {"eu": "Europe/Berlin", "us": "America/New_York"}
CALENDAR = "[calendar]\nfirst = 2020-01-01\nlast = 2029-12-31\n"
REGION = """
[regions.{name}]
timezone = "{zone}"
currency = "EUR"
root = "{name}"
tables = {{ sales = {{}} }}
"""
MARTS = ("product", "customer", "day")

Row = dict[str, Any]
Slot = tuple[str, date, str]
"""Region, business day, name."""


def sale(rowid: int, at: datetime | None = None, **other: object) -> Row:
    return {"rowid": rowid, "product_id": 1, "customer_id": 7, "price": "2.50", "quantity": 2, "timestamp": at, **other}


@dataclass
class Shop:
    """Deliveries of sales, and the warehouses made of them."""

    platform: Platform
    folder: Path
    files: dict[Slot, tuple[datetime, list[Row]]] = field(default_factory=dict)
    clock: datetime = datetime(2024, 12, 30, 8, tzinfo=UTC)

    def deliver(self, rows: list[Row], day: int = 0, slot: str = "a.csv", region: str = "eu") -> None:
        """Put the slot's rows in the place of those that it had."""
        self.clock += timedelta(hours=7)
        name = (region, DAY + timedelta(day), slot)
        self.files[name] = (self.clock, rows)
        put(self.platform, region, "sales", name[1], rows, slot=slot, received=self.clock)

    def withdraw(self, name: Slot) -> None:
        del self.files[name]
        silver_path(self.platform, name[0], "sales", *name[1:]).unlink()

    def bring_up(self, name: str = "followed", **how: Any) -> Path:
        """A warehouse of all regions' sales, and of nothing else."""
        target = self.folder / f"{name}.duckdb"
        current = target if target.exists() else None
        work, extent = self.folder / f"work-{name}", gold.Extent(tables=frozenset({"sales"}))
        gold.build_warehouse(self.platform, [*ZONES], target, work, current=current, extent=extent, **how)
        return target

    def check(self) -> None:
        """Bring both up to date: they are equal, and what plain Python says."""
        followed, rebuilt = self.bring_up(), self.bring_up("rebuilt", full_refresh=True)
        assert differences(followed, rebuilt, least=10) == {}
        facts = self.facts()
        with warehouse.connect(followed) as connection:
            found = connection.execute("from gold.fct_sales order by region, rowid").fetchall()
            assert found == facts
            for mart in MARTS:
                cube = connection.execute(f"from gold.sales_by_{mart}").fetchall()
                assert sorted(cube, key=str) == sorted(self.cube(facts, mart), key=str)

    def facts(self) -> list[tuple[Any, ...]]:
        """The rows of fct_sales, in order."""
        versions: dict[tuple[str, int], list[tuple[Any, Row]]] = defaultdict(list)
        for (region, day, slot), (received, rows) in self.files.items():
            for line, row in enumerate(rows):
                versions[region, row["rowid"]].append(((day, received, slot, line), row))
        return [fact for key in sorted(versions) if (fact := self.fact(key[0], versions[key]))]

    def fact(self, region: str, versions: list[tuple[Any, Row]]) -> tuple[Any, ...] | None:
        """The last version; its time is its own, or when the sale was first received without one."""
        row = max(versions, key=lambda version: version[0])[1]
        if row.get("is_deleted"):
            return None
        receipts = [place[1] for place, row in versions if not row["timestamp"] and not row.get("is_deleted")]
        at = row["timestamp"] or min(receipts)
        day, price = at.astimezone(ZoneInfo(ZONES[region])).date(), Decimal(row["price"])
        person = UUID(Pseudonyms.of(self.platform.layout(region))(str(row["customer_id"])))
        key = int(f"{day:%Y%m%d}")
        amounts = (price, row["quantity"], price * row["quantity"])
        return (region, row["rowid"], row["product_id"], person, key, day, at, *amounts)

    def cube(self, facts: list[tuple[Any, ...]], mart: str) -> list[tuple[Any, ...]]:
        """Every group of every level: count and sums of the facts in it."""
        groups: dict[tuple[Any, ...], list[tuple[Any, ...]]] = defaultdict(list)
        for fact in facts:
            for group in self.groups(fact, mart):
                groups[fact[0], *group].append(fact)
        return [(*group, len(of), sum(f[8] for f in of), sum(f[9] for f in of)) for group, of in groups.items()]

    def groups(self, fact: tuple[Any, ...], mart: str) -> Iterator[tuple[Any, ...]]:
        """The groups that a fact is in: the level and its columns."""
        if mart != "day":
            yield mart, fact[2 if mart == "product" else 3]
            yield "total", None
            return
        day = fact[5]
        quarter = (day.month + 2) // 3
        yield "day", day.year, quarter, day.month, day, fact[4]
        yield "month", day.year, quarter, day.month, None, None
        yield "quarter", day.year, quarter, None, None, None
        yield "year", day.year, None, None, None, None
        yield "total", None, None, None, None, None


@pytest.fixture
def shop(tmp_path: Path, prepared_dbt: Path) -> Shop:
    registry = CALENDAR + "".join(REGION.format(name=name, zone=zone) for name, zone in ZONES.items())
    return Shop(open_platform(tmp_path / "home", registry, prepared_dbt), tmp_path)


def test_updates_deletes_late_rows_and_repeats_by_hand(shop: Shop) -> None:
    noon = datetime(2024, 12, 31, 12, tzinfo=UTC)
    late = datetime(2024, 12, 31, 23, 30, tzinfo=UTC)  # 2025 in Berlin
    shop.deliver([sale(1, noon), sale(2), sale(3, late), sale(4, noon, price="0.00")])
    received = shop.clock
    shop.check()
    assert {fact[1]: fact[5] for fact in shop.facts()} == {
        1: date(2024, 12, 31),
        2: DAY,
        3: date(2025, 1, 1),
        4: date(2024, 12, 31),
    }

    again = [sale(1, noon, quantity=5), sale(2), {"rowid": 3, "timestamp": None, "is_deleted": True}]
    shop.deliver(again, day=1)  # an update, a repeat, and a tombstone
    shop.check()
    facts = {fact[1]: fact for fact in shop.facts()}
    assert (facts.keys(), facts[1][9], facts[2][6]) == ({1, 2, 4}, Decimal("12.50"), received)

    shop.deliver([sale(9, noon - timedelta(days=400)), sale(3, late, customer_id=8)], day=-3)  # late: 3 stays deleted
    shop.check()
    assert {fact[1] for fact in shop.facts()} == {1, 2, 4, 9}

    shop.withdraw(("eu", DAY, "a.csv"))  # the first that was heard of sale 2, which did not win
    shop.check()
    facts = {fact[1]: fact for fact in shop.facts()}
    assert (facts.keys(), facts[2][6] > received) == ({1, 2, 9}, True)


@pytest.mark.slow
def test_any_history_equals_a_rebuild_and_plain_python(shop: Shop) -> None:
    random = Random(SEED)
    for _ in range(STEPS):
        for _ in range(random.randrange(1, 4)):
            if len(shop.files) > 3 and random.random() < 0.25:
                shop.withdraw(random.choice([*shop.files]))
            else:
                rows = [random_sale(random) for _ in range(random.randrange(5))]
                shop.deliver(rows, random.randrange(4), random.choice("ab"), random.choice([*ZONES]))
        shop.check()
    assert len(shop.facts()) > 3


def random_sale(random: Random) -> Row:
    rowid, gone = random.randrange(8), random.random() < 0.15
    if gone:
        return {"rowid": rowid, "timestamp": None, "is_deleted": True}
    at = datetime(2024, 12, 31, 21, tzinfo=UTC) + timedelta(minutes=20 * random.randrange(-300, 25))
    price = f"{random.randrange(1000) / 4:.2f}"
    return sale(
        rowid,
        random.choice([at, None]),
        product_id=random.randrange(3),
        customer_id=random.randrange(3),
        price=price,
        quantity=random.randrange(1, 9),
    )


def test_only_what_a_delivery_touches_is_written_anew(shop: Shop) -> None:
    """The places of the other rows in the table stay as they are."""
    noon = datetime(2024, 12, 31, 12, tzinfo=UTC)
    shop.deliver([sale(n, noon) for n in range(1000)])
    with warehouse.connect(shop.bring_up()) as connection:
        before = connection.execute("select rowid from gold.fct_sales").fetchall()
    shop.deliver([sale(500, noon, quantity=9), sale(2000, noon)], day=1)
    with warehouse.connect(shop.bring_up()) as connection:
        after = connection.execute("select rowid from gold.fct_sales").fetchall()
    kept = [row for row in before if row != (500,)]
    assert [row for row in after if row not in ((500,), (2000,))] == kept
    assert sorted(after[len(kept) :]) == [(500,), (2000,)]
