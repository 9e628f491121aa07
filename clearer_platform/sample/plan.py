"""The sample as a plan: every version of every file, by wave, before a byte is written. A function of its size."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from random import Random

from clearer_platform.errors import ClearerError
from clearer_platform.platform import Platform
from clearer_platform.regions import Region
from clearer_platform.sample import dirt, hires, people, sales, stores
from clearer_platform.sample.elements import with_spoiled_elements
from clearer_platform.sample.incidents import INCIDENTS
from clearer_platform.sample.rows import File, Row
from clearer_platform.sample.times import business_days
from clearer_platform.sample.world import World, load_rates, load_world

RATES = "fx_rates"
STEP = Decimal("0.0025")  # what a rate moves in a day at most


@dataclass(frozen=True)
class Size:
    """How much there is of it, and by which seed."""

    days: int = 14
    seed: int = 7
    per_day: int = 400
    """Transactions of a region on an ordinary day, about."""

    def __post_init__(self) -> None:
        if self.days < 1 or self.per_day < 1:
            raise ClearerError("a sample needs at least one day and one transaction a day")


def plan(platform: Platform, size: Size) -> list[File]:
    """Every version of every file, sorted by wave, region, table and day."""
    found = [file for region in platform.registry.regions.values() for file in _region(region, size)]
    return sorted(found, key=lambda file: (file.wave, *file.slot))


def _region(region: Region, size: Size) -> Iterator[File]:
    world = load_world(region.name)
    days = business_days(region.start, size.days)
    for table, by_day in _rows(region, world, days, size).items():
        for index, day in enumerate(days):
            if day in by_day:
                yield from _versions(_file(region, world, table, day, by_day[day], size), index)


def _rows(region: Region, world: World, days: list[date], size: Size) -> dict[str, dict[date, list[Row]]]:
    """What each delivery of a region should hold, by table and day, before anything goes wrong."""

    def rng(what: str) -> Random:
        return Random(f"{size.seed} {region.name} {what}")

    def is_delivered(day: date) -> bool:
        return day == days[0] or region.is_due("products", day)

    catalogue = sales.products(world, region.zone, days, is_delivered, rng("products"))
    persons = people.customers(world, days, rng("customers"))
    sold = _sold(region, world, days, catalogue, persons, size, rng("sales"))
    rows = {
        "customers": persons,
        "products": catalogue,
        "transactions": dirt.delivered(sold, days, rng("delays")),
        "conversations": people.conversations(world, region.zone, days, persons, size.per_day, rng("conversations")),
    }
    if world.subscriptions:
        seen = stores.pictures(world.subscriptions, region.zone, days, rng("stores"))
        rows["stores"] = {day: found for day, found in seen.items() if region.is_due("stores", day)}
    if world.hiring:
        rows |= hires.deliveries(world.hiring, world, region.zone, days, rng("hires"))
    if RATES in region.tables:
        rows[RATES] = {day: found for day, found in _rates(days, rng(RATES)).items() if region.is_due(RATES, day)}
    return {table: found for table, found in rows.items() if table in region.tables}


def _sold(
    region: Region,
    world: World,
    days: list[date],
    catalogue: dict[date, list[Row]],
    persons: dict[date, list[Row]],
    size: Size,
    rng: Random,
) -> dict[date, list[Row]]:
    """The orders of each local day, among the customers and at the prices known by then."""
    market = sales.Market(world, region.zone, [], {})
    sold: dict[date, list[Row]] = {}
    for index, day in enumerate(days):
        known = set(market.customers)
        keys = dict.fromkeys(str(row.values["customer_id"]) for row in persons[day])
        market.customers.extend(key for key in keys if key not in known)
        for row in catalogue.get(day, ()):
            price = row.values["base_price"]
            assert isinstance(price, Decimal)
            market.products[str(row.values["product_id"])] = price
        sold[day] = market.day(region.name, day, index, size.per_day, rng)
    return sold


def _rates(days: list[date], rng: Random) -> dict[date, list[Row]]:
    rates = load_rates()
    found = {}
    for day in days:
        for currency, rate in rates.items():
            rates[currency] = (rate * (1 + STEP * Decimal(str(round(rng.uniform(-1, 1), 3))))).quantize(Decimal("1e-8"))
        found[day] = [Row({"currency": currency, "day": day, "rate": rate}) for currency, rate in rates.items()]
    return found


def _file(region: Region, world: World, table: str, day: date, rows: list[Row], size: Size) -> File:
    """The file of a table and day, with its everyday dirt."""
    rng = Random(f"{size.seed} {region.name} {table} {day} dirt")
    if table == "transactions":
        rows = dirt.repeated(rows, world.money, rng)
    csv = region.source(table).csv
    rows = with_spoiled_elements(table, dirt.spoiled(table, rows, csv, rng), rng)
    return File(region.name, table, day, world.file_name(table, day), tuple(rows), has_header=csv.header)


def _versions(file: File, index: int) -> list[File]:
    happening = [i for i in INCIDENTS if (i.region, i.table, i.day) == (file.region, file.table, index)]
    return happening[0].befall(file) if happening else [file]
