"""What is sold: the catalogue with its changing prices, and the transactions of each branch and day."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from itertools import accumulate
from random import Random
from zoneinfo import ZoneInfo

from clearer_platform.sample.rows import Row
from clearer_platform.sample.times import order_time
from clearer_platform.sample.world import Branch, World

OUTCOMES = ("Completed", "Pending", "Failed")
CIRCLE = 40  # regular customers of a branch,
SETTLED = 300  # all among the first of the region's customers, so that they stay the same from day to day
REPRICED = 0.12  # share of the products whose price a later delivery changes


def products(
    world: World, zone: ZoneInfo, days: Sequence[date], is_delivered: Callable[[date], bool], rng: Random
) -> dict[date, list[Row]]:
    """The rows of each delivery: the whole catalogue first, then what changed. The last three products join later."""
    catalogue = [_product(world, zone, *at, days[0], rng) for at in _entries(world)]
    joining = catalogue[len(catalogue) - 3 :]
    current = {str(row.values["product_id"]): row for row in catalogue[: len(catalogue) - 3]}
    found: dict[date, list[Row]] = {}
    for day in filter(is_delivered, days):
        changed = list(current.values())
        if found:
            chosen = [key for key in current if rng.random() < REPRICED] or [rng.choice(sorted(current))]
            changed = [_repriced(current[key], world, rng) for key in chosen]
            changed += [joining.pop().but(created_at=_morning(day, zone, rng))] if joining else []
        found[day] = changed
        current.update({str(row.values["product_id"]): row for row in changed})
    return found


def _entries(world: World) -> Iterable[tuple[int, int]]:
    """Category and place of every product, category by category."""
    return ((c, p) for c, category in enumerate(world.categories) for p in range(len(category.products)))


def _product(world: World, zone: ZoneInfo, category: int, place: int, first: date, rng: Random) -> Row:
    group = world.categories[category]
    name, price, unit, weight = group.products[place]
    created = first - timedelta(days=rng.randint(30, 900))
    return Row(
        {
            "product_id": f"P{1000 + 100 * category + place}",
            "name": name,
            "category_id": group.id,
            "category_name": group.name,
            "base_price": price,
            "unit": unit if rng.random() > 0.05 else None,
            "weight": weight,
            "created_at": _morning(created, zone, rng),
            "stock": rng.randint(0, 800),
            "is_deleted": False,
        }
    )


def _morning(day: date, zone: ZoneInfo, rng: Random) -> datetime:
    return datetime.combine(day, time(rng.randint(8, 11), rng.randrange(60)), zone).astimezone(UTC)


def _repriced(row: Row, world: World, rng: Random) -> Row:
    price = row.values["base_price"]
    assert isinstance(price, Decimal)
    return row.but(
        base_price=max(world.money, world.rounded(price * Decimal(rng.choice(("0.9", "0.95", "1.05", "1.1")))))
    )


@dataclass
class Market:
    """What a day's transactions are drawn from: who is known and what is offered by then."""

    world: World
    zone: ZoneInfo
    customers: list[str]
    products: dict[str, Decimal]

    def day(self, region: str, day: date, index: int, volume: float, rng: Random) -> list[Row]:
        """The transactions of a local day, by the time of the order."""
        tills = [Till(branch, self) for branch in self.world.branches]
        drawn = [
            (order_time(day, self.zone, self.world.hours, rng), till)
            for till in tills
            for _ in range(self._number(till.branch, day, index, volume, rng))
        ]
        drawn.sort(key=lambda order: order[0])
        prefix = f"{region.upper()}-{day:%y%m%d}-"
        return [till.sale(f"{prefix}{n:05d}", at, rng) for n, (at, till) in enumerate(drawn)]

    def _number(self, branch: Branch, day: date, index: int, volume: float, rng: Random) -> int:
        world = self.world
        share = branch.weight / sum(b.weight for b in world.branches)
        shape = world.weekdays[day.weekday()] * world.events.get(day, 1.0) * (1 + branch.trend) ** index
        weekend = branch.weekend if day.weekday() >= 5 else 1.0
        return max(0, round(volume * world.volume * share * shape * weekend * rng.gauss(1, 0.07)))


class Till:
    """A branch's till on one day: its circle of regulars, and how well each product sells there."""

    def __init__(self, branch: Branch, market: Market) -> None:
        self.branch, self.world = branch, market.world
        self.customers, self.prices = market.customers, market.products
        settled = range(min(SETTLED, len(self.customers)))
        self.circle = Random(f"{branch.name} circle").sample(settled, min(CIRCLE, len(settled)))
        self.products = sorted(self.prices)
        Random(f"{branch.name} range").shuffle(self.products)
        middle = sorted(self.prices.values())[len(self.products) // 2]
        dear = (branch.basket if self.prices[product] > middle else 1.0 for product in self.products)
        self.weights = list(accumulate(weight / (rank + 3) for rank, weight in enumerate(dear)))
        self.counts_units = "quantity" in self.world.optional["transactions"]

    def sale(self, key: str, at: datetime, rng: Random) -> Row:
        """One transaction."""
        product = rng.choices(self.products, cum_weights=self.weights)[0]
        price = self.prices[product]
        quantity = rng.choices((1, 2, 3, 4), (70, 19, 8, 3))[0] if self.counts_units else 1
        discount = rng.choices((Decimal(1), Decimal("0.95"), Decimal("0.9")), (80, 12, 8))[0]
        status = rng.choices(OUTCOMES, (86, 9, 5))[0]
        return Row(
            {
                "transaction_id": key,
                "ordered_at": at,
                "branch_id": rng.choice(self.branch.ids),
                "branch_name": self.branch.name,
                "customer_id": self._buyer(rng),
                "total_amount": max(self.world.money, self.world.rounded(price * quantity * discount)),
                "status": str(OUTCOMES.index(status)),
                "status_value": status,
                "product_id": product,
                "price": price,
                "quantity": quantity,
                "is_deleted": False,
            }
        )

    def _buyer(self, rng: Random) -> str:
        if rng.random() < self.branch.regulars:
            return self.customers[rng.choice(self.circle)]
        return rng.choice(self.customers)
