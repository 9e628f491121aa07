"""A region's world as `data/sample/<region>.toml` describes it: people, places, branches, products, habits, files."""

import tomllib
from datetime import date
from decimal import Decimal
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from clearer_platform.settings import PROJECT

DATA = PROJECT / "data"
REGISTRY = DATA / "regions.toml"


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Branch(_Entry):
    """A branch and its habits; `data/sample/eu.toml` says what each figure means."""

    ids: tuple[str, ...]
    name: str
    weight: float
    basket: float
    regulars: float
    weekend: float
    trend: float


class Category(_Entry):
    """A category and its products: name, price, unit, kilograms."""

    id: str
    name: str
    products: tuple[tuple[str, Decimal, str, Decimal], ...]


class StoreWorld(_Entry):
    """The stores that install an app, where a region has them."""

    stores: int
    subscribing: float
    """Share of them that ever subscribes."""
    plans: dict[str, Decimal]


class HiringWorld(_Entry):
    """Whom a region hires into what, where it delivers that."""

    departments: tuple[str, ...] = Field(min_length=3)
    jobs: tuple[str, ...]
    hires: int
    """People of the first delivery."""


class World(_Entry):
    """Everything that a region's sample rows are made from."""

    volume: float
    line_ending: str
    money: Decimal
    genders: dict[str, str]
    name_order: str
    phone: str
    mail: str
    address: str
    weekdays: tuple[float, ...] = Field(min_length=7, max_length=7)
    hours: tuple[float, ...] = Field(min_length=24, max_length=24)
    female: tuple[str, ...]
    male: tuple[str, ...]
    family: tuple[str, ...]
    streets: tuple[str, ...]
    cities: tuple[tuple[str, str], ...]
    files: dict[str, str]
    optional: dict[str, tuple[str, ...]]
    events: dict[date, float]
    branches: tuple[Branch, ...]
    categories: tuple[Category, ...]
    messages: dict[str, tuple[str, ...]]
    subscriptions: StoreWorld | None = None
    hiring: HiringWorld | None = None

    def rounded(self, amount: Decimal | float) -> Decimal:
        """An amount in this region's smallest customary unit."""
        steps = round(Decimal(amount) / self.money)
        return steps * self.money

    def file_name(self, table: str, day: date) -> str:
        """What the file of a table and day is called."""
        return self.files[table].format(day=day)


def load_world(region: str) -> World:
    """The world of one of the sample's regions."""
    return World.model_validate(_toml(DATA / "sample" / f"{region}.toml"))


def load_rates() -> dict[str, Decimal]:
    """What one unit of each currency is worth to begin with."""
    return {currency: Decimal(rate) for currency, rate in _toml(DATA / "sample" / "fx.toml").items()}


def _toml(path: Path) -> dict[str, str]:
    return tomllib.loads(path.read_text("utf-8"))
