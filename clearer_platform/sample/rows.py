"""What the sample is made of before it has a format: rows of canonical, typed values, and the files that carry them."""

from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any


@dataclass(frozen=True)
class WallTime:
    """A local time that is written as it stands, because no instant has it (or two have)."""

    local: datetime


@dataclass(frozen=True)
class Impossible:
    """A day that no calendar has: 31 February of `like`'s year, at its time of day."""

    like: date | datetime


@dataclass(frozen=True)
class Element:
    """One element of an array in a cell: canonical values by the nested contract's column, and the rules it breaks."""

    values: dict[str, "Cell"]
    broken: tuple[str, ...] = ()

    def breaking(self, rule: str, **values: "Cell") -> "Element":
        """This element with other values, by which it breaks `rule`."""
        return Element({**self.values, **values}, (rule,))


@dataclass(frozen=True)
class Elements:
    """An array in a cell."""

    items: tuple[Element, ...]
    is_cut: bool = False
    """Whether its text breaks off, so that it is no array at all."""


Cell = str | int | bool | Decimal | date | datetime | WallTime | Impossible | Elements | None


@dataclass(frozen=True)
class Row:
    """One record: canonical values by contract column, and what the generator did to it on purpose.

    Instants are aware and in UTC. A string in a column of another type is written as it is.
    """

    values: dict[str, Cell]
    broken: tuple[str, ...] = ()
    """The rules that it breaks."""
    surplus: int = 0
    """Fields more (or, below 0, fewer) than the header has."""

    def but(self, **values: Cell) -> "Row":
        """This row with other values."""
        return replace(self, values={**self.values, **values})

    def breaking(self, *rules: str, **values: Cell) -> "Row":
        """This row with other values, by which it breaks `rules`."""
        return replace(self.but(**values), broken=rules)


@dataclass(frozen=True)
class File:
    """One version of one file that a region delivers, as it lies in its landing folder, or what an API has of a day."""

    region: str
    table: str
    day: date
    name: str
    rows: tuple[Row, ...]
    wave: int = 1
    """When it arrives: 1 with the first deliveries, 2 afterwards."""
    extra: dict[str, str] = field(default_factory=dict)
    """Columns that no contract knows, with the text that stands in each row."""
    without: tuple[str, ...] = ()
    """Columns that this file lacks."""
    has_header: bool = True
    """Whether a delimited file's first line names the columns."""
    truncated: bool = False
    refused: bool = False
    """Whether it cannot be accepted at all."""

    @property
    def slot(self) -> tuple[str, str, date, str]:
        """Region, table, day and name: another version of the same slot replaces this one."""
        return self.region, self.table, self.day, self.name

    @property
    def is_json_lines(self) -> bool:
        """Whether its records are JSON objects, a line each, as a table's API gives them."""
        return self.name.endswith(".jsonl")

    def but(self, **changes: Any) -> "File":
        """This file with some of the above changed."""
        return replace(self, **changes)
