"""Random histories of deliveries of many synthetic regions, as silver files, and what they must come to.

The expectation is computed in plain Python from the files' rows, row by row, with nothing of gold's SQL.
"""

import random
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from clearer_platform.platform import Platform
from clearer_platform_tests.gold.silver_files import open_platform, put, silver_path

FIRST = date(2024, 10, 24)
ZONES = ("Europe/Berlin", "America/New_York", "Asia/Tokyo", "UTC", "America/St_Johns")
SALES = {"customers": 1, "products": 1, "transactions": 4, "conversations": 2}
HIRING = {"departments": 2, "jobs": 2, "hired_employees": 3}
"""Tables, and how often one of them is delivered beside the others."""
CENT = Decimal("0.01")

# What a row of each table is made of: ids out of a few, so that keys collide; amounts; other values; its instant.
IDS = {
    "customers": {"customer_id": ("c", 5)},
    "products": {"product_id": ("p", 3), "category_name": ("k", 2), "base_price": ("", 3)},
    "transactions": {
        "transaction_id": ("t", 9),
        "branch_id": ("", 3),
        "branch_name": ("B", 2),
        "customer_id": ("c", 5),
        "product_id": ("p", 3),
    },
    "conversations": {"conversation_id": ("v", 6), "from_id": ("f", 3), "customer_id": ("c", 5)},
    "departments": {"id": ("", 3), "department": ("D", 2)},
    "jobs": {"id": ("", 2), "job": ("J", 2)},
    "hired_employees": {"id": ("", 6), "department_id": ("", 3), "job_id": ("", 2)},
}
MONEY = {"transactions": ("total_amount", "price")}
CHOICES: dict[str, dict[str, list[Any]]] = {
    "customers": {"customer_name": ["N"], "area": ["North", "East"]},
    "products": {"name": ["P"], "category_id": ["1"]},
    "transactions": {"status_value": ["Pending", "Completed", "Failed"], "quantity": [None, 2, 3]},
    "conversations": {"message_id": ["m"], "type": ["COMMENT"], "page_id": ["1"]},
    "hired_employees": {"name": ["N"]},
}
INSTANTS = {
    "products": "created_at",
    "transactions": "ordered_at",
    "conversations": "inserted_at",
    "hired_employees": "datetime",
}

Slot = tuple[str, str, date, str]
"""Region, table, business day, name."""


@dataclass(frozen=True)
class File:
    """One version of a slot: its rows in file order, and when it was received."""

    rows: tuple[dict[str, Any], ...]
    rejected: tuple[dict[str, Any], ...]
    received: datetime
    replaces: bool = False
    """Whether it restores a backup."""


@dataclass
class Histories:
    """Regions with a currency each, and what stands in their silver folders at any time."""

    platform: Platform
    random: random.Random
    tables: dict[str, int] = field(default_factory=lambda: SALES)
    """What is delivered, and how often."""
    files: dict[Slot, File] = field(default_factory=dict)
    versions: dict[Slot, list[File]] = field(default_factory=lambda: defaultdict(list))
    clock: datetime = datetime(2024, 11, 1, tzinfo=UTC)

    @property
    def regions(self) -> tuple[str, ...]:
        """Names of all regions."""
        return tuple(self.platform.registry.regions)

    def step(self, deliveries: int) -> None:
        """Let every region deliver, correct, withdraw, repeat or lose something so often; rates change too."""
        for region in self.regions:
            for _ in range(deliveries):
                self._deliver(region, self.random.choices([*self.tables], [*self.tables.values()])[0])
            if self.random.random() < 0.5:
                self._rate(region)

    def place(self, slot: Slot, file: File | None) -> None:
        """Make `file` the slot's published version; None takes it away."""
        region, table, day, name = slot
        if file is None:
            self.files.pop(slot, None)
            silver_path(self.platform, region, table, day, name).unlink(missing_ok=True)
            return
        self.files[slot] = file
        put(
            self.platform,
            region,
            table,
            day,
            file.rows,
            slot=name,
            received=file.received,
            rejected=file.rejected,
            replaces=file.replaces,
        )

    def _restore(self, slot: Slot) -> None:
        """Bring the rows of some version of a slot back: what came before counts no more."""
        rows = self.random.choice(self.versions[slot]).rows if self.versions[slot] else ()
        self.clock += timedelta(minutes=1)
        file = File(rows, (), self.clock, replaces=True)
        own = (*slot[:3], f"restored {self.clock}")
        self.versions[own].append(file)
        self.place(own, file)

    def _deliver(self, region: str, table: str) -> None:
        slot = (region, table, FIRST + timedelta(self.random.randrange(6)), self.random.choice("ab"))
        before = self.versions[slot]
        kind = self.random.random()
        if kind > 0.96:
            return self._restore(slot)
        if before and kind < 0.1:
            self.place(slot, None)  # every delivery is refused by now
        elif before and kind < 0.25:
            self.place(slot, self.random.choice(before))  # the newest is refused, an older version returns
        elif before and kind < 0.4:
            self._place_new(slot, ())  # withdrawn: the slot delivered again without its rows
        elif kind < 0.5 and (others := [f for s, f in self.files.items() if s[:2] == slot[:2]]):
            self._place_new(slot, self.random.choice(others).rows)  # repeated under another name or day
        else:
            self._place_new(slot, tuple(self._row(table) for _ in range(self.random.randint(1, 5))))
        return None

    def _place_new(self, slot: Slot, rows: tuple[dict[str, Any], ...]) -> None:
        self.clock += timedelta(minutes=1)
        rejected = tuple(self._row(slot[1]) for _ in range(self.random.randint(0, 1)) if slot[1] in IDS)
        file = File(rows, rejected, self.clock)
        self.versions[slot].append(file)
        self.place(slot, file)

    def _row(self, table: str) -> dict[str, Any]:
        instant = datetime(2024, 10, 24, tzinfo=UTC) + timedelta(minutes=30 * self.random.randrange(48 * 6))
        row = {name: f"{kind}{self.random.randrange(number)}" for name, (kind, number) in IDS[table].items()}
        row |= {name: f"{self.random.randrange(100_000) / 100:.2f}" for name in MONEY.get(table, ())}
        row |= {name: self.random.choice(values) for name, values in CHOICES.get(table, {}).items()}
        row |= {INSTANTS[table]: instant} if table in INSTANTS else {}
        return {**row, "is_deleted": bool(self.platform.contract(table).tombstone) and self.random.random() < 0.12}

    def _rate(self, region: str) -> None:
        currency = self.platform.region(region).currency
        day = FIRST + timedelta(self.random.randrange(6))
        slot = (self.regions[0], "fx_rates", day, f"{currency}{self.random.randrange(2)}")
        if slot in self.files and self.random.random() < 0.3:
            return self.place(slot, None)
        self._place_new(slot, ({"currency": currency, "day": day, "rate": f"0.{self.random.randrange(1, 9999)}"},))
        return None


def synthetic(
    home: Path,
    number: int,
    seed: int,
    prepared_dbt: Path | None = None,
    tables: dict[str, int] = SALES,
    further: tuple[str, ...] = (),
) -> Histories:
    """`number` regions without a delivery yet. Every seventh has a source that keeps another clock than its region.

    Of `tables` they deliver at random; they may deliver `further` ones too.
    """
    blocks = ['reporting_currency = "EUR"', "[calendar]", "first = 2024-01-01", "last = 2024-12-31"]
    for n in range(number):
        currency = "EUR" if n == 1 else "".join(chr(65 + n // base % 26) for base in (676, 26, 1))
        clock = 'timezone = "UTC"' if n % 7 == 0 else ""
        blocks.append(
            f'[regions.r{n}]\ntimezone = "{ZONES[n % len(ZONES)]}"\ncurrency = "{currency}"\nroot = "r{n}"\n'
            f"[regions.r{n}.tables.transactions]\n{clock}\n"
            + "".join(f"[regions.r{n}.tables.{table}]\n" for table in (*tables, *further) if table != "transactions")
        )
    blocks.append("[regions.r0.tables.fx_rates]")
    return Histories(open_platform(home, "\n".join(blocks), prepared_dbt), random.Random(seed), tables)


def winners(histories: Histories, table: str) -> dict[tuple[str, ...], dict[str, Any]]:
    """The current row of every key of `table`, with `region`."""
    contract = histories.platform.contract(table)
    best: dict[tuple[str, ...], tuple[Any, dict[str, Any]]] = {}
    restored: dict[str, datetime] = {}
    for (region, of, _, _), file in histories.files.items():
        if of == table and file.replaces:
            restored[region] = max(file.received, restored.get(region, file.received))
    for (region, of, day, slot), file in histories.files.items():
        if of != table or (region in restored and file.received < restored[region]):
            continue
        for line, row in enumerate(file.rows):
            key = (region, *(str(row[column]) for column in contract.key))
            rank = (not file.replaces, day, file.received, slot, line)
            if key not in best or rank > best[key][0]:
                best[key] = (rank, {**row, "region": region})
    return {key: row for key, (_, row) in best.items() if not row.get("is_deleted")}


def current(histories: Histories, table: str) -> dict[tuple[str, ...], dict[str, Any]]:
    """Those of the winners of `table` that wait for no parent."""
    held_back = waiting(histories, table)
    return {key: row for key, row in winners(histories, table).items() if key not in held_back}


def waiting(histories: Histories, table: str) -> dict[tuple[str, ...], list[str]]:
    """The winners of `table` that wait, and the names of the references by which they do."""
    found = defaultdict(list)
    for reference in histories.platform.contract(table).awaited:
        parents = current(histories, reference.table)
        for key, row in winners(histories, table).items():
            if (row["region"], *(str(row[column]) for column in reference.columns)) not in parents:
                found[key].append(reference.name)
    return dict(found)


def expected_pending(histories: Histories) -> Counter[tuple[str, str, str]]:
    """(region, table, reference) -> number of rows that wait."""
    return Counter(
        (key[0], table, name)
        for table in histories.tables
        for key, names in waiting(histories, table).items()
        for name in names
    )


def expected_hires_by_quarter(histories: Histories) -> Counter[tuple[str, int, str, str, int]]:
    """(region, year, department, job, quarter) -> number of people hired."""
    departments, jobs = current(histories, "departments"), current(histories, "jobs")
    found: Counter[tuple[str, int, str, str, int]] = Counter()
    for hire in current(histories, "hired_employees").values():
        region, day = hire["region"], _local(histories, hire["region"], hire["datetime"])
        names = departments[region, hire["department_id"]]["department"], jobs[region, hire["job_id"]]["job"]
        found[region, day.year, *names, (day.month + 2) // 3] += 1
    return found


def expected_sales(histories: Histories) -> list[dict[str, Any]]:
    """Every current transaction with its local day and rate, and whether its customer had conversed by then."""
    rates: dict[str, list[tuple[date, Decimal]]] = defaultdict(list)
    for rate in winners(histories, "fx_rates").values():
        rates[rate["currency"]].append((rate["day"], Decimal(rate["rate"])))
    talks: dict[tuple[str, str], list[date]] = defaultdict(list)
    for talk in current(histories, "conversations").values():
        talks[talk["region"], talk["customer_id"]].append(_local(histories, talk["region"], talk["inserted_at"]))
    sales = []
    for sale in current(histories, "transactions").values():
        region = histories.platform.region(sale["region"])
        day = _local(histories, sale["region"], sale["ordered_at"])
        known = max(((d, r) for d, r in rates[region.currency] if d <= day), default=None)
        if region.currency == "EUR":
            known = (day, Decimal(1))
        days = talks[sale["region"], sale["customer_id"]]
        sales.append(
            {**sale, "day": day, "rate": known, "talks": len(days), "conversed": bool(days) and min(days) <= day}
        )
    return sales


def expected_branch_performance_daily(histories: Histories) -> dict[tuple[str, str, date], tuple[Any, ...]]:
    """(region, branch, day) -> transactions by status, customers, products, units, conversing, amounts, carried."""
    groups: dict[tuple[str, str, date], list[dict[str, Any]]] = defaultdict(list)
    for sale in expected_sales(histories):
        groups[sale["region"], sale["branch_name"], sale["day"]].append(sale)
    return {key: _performance(key[2], sales) for key, sales in groups.items()}


def _performance(day: date, sales: list[dict[str, Any]]) -> tuple[Any, ...]:
    by = {status: [s for s in sales if s["status_value"] == status] for status in ("Completed", "Pending", "Failed")}
    amounts = [_amount(by["Completed"]), _amount(sales), _amount(by["Pending"]), _amount(by["Failed"])]
    known = sales[0]["rate"]
    return (
        len(sales),
        *(len(by[status]) for status in ("Completed", "Pending", "Failed")),
        len({s["customer_id"] for s in sales}),
        len({s["product_id"] for s in sales}),
        sum(s["quantity"] or 1 for s in by["Completed"]),
        len({s["customer_id"] for s in sales if s["conversed"]}),
        *amounts,
        *((amount * known[1] if known else None) for amount in amounts),
        known[0] < day if known else None,
    )


def expected_conversation_sales(histories: Histories) -> dict[tuple[str, str], tuple[Any, ...]]:
    """(region, transaction) -> what conversation_sales has of it."""
    found = {}
    for sale in expected_sales(histories):
        if sale["talks"]:
            amount, price = Decimal(sale["total_amount"]), Decimal(sale["price"])
            exact = (amount * price).quantize(CENT, ROUND_HALF_UP)
            original = Decimal(repr(float(amount) * float(price))).quantize(CENT, ROUND_HALF_UP)
            key = sale["region"], sale["transaction_id"]
            found[key] = (sale["branch_name"], sale["day"], sale["status_value"], exact, original, sale["talks"])
    return found


def _amount(sales: list[dict[str, Any]]) -> Decimal:
    return sum((Decimal(s["total_amount"]) for s in sales), Decimal(0))


def _local(histories: Histories, region: str, instant: datetime) -> date:
    return instant.astimezone(ZoneInfo(histories.platform.region(region).timezone)).date()
