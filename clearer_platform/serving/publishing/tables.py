"""Tables as they are published: columns, types and key, from what dbt's contract says of a model of gold.

Each region's rows of a table are a part of it that is published by itself, so such a table always says which region a
row is of: a model without the column `region` gets it. The key, where it has one, begins with it. A table that is built
across regions has one part, which is all of it, and the columns and key of its model.
"""

import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from clearer_platform.errors import PublishError
from clearer_platform.gold import Model
from clearer_platform.silver.sql import identifier, literal

Kind = Literal[
    "text",
    "smallint",
    "integer",
    "bigint",
    "decimal",
    "real",
    "double",
    "boolean",
    "date",
    "time",
    "timestamp",
    "instant",
    "uuid",
    "json",
]
REGION = "region"
NAMES: dict[str, tuple[Kind, int, int]] = {
    "varchar": ("text", 0, 0),
    "text": ("text", 0, 0),
    "string": ("text", 0, 0),
    "boolean": ("boolean", 0, 0),
    "bool": ("boolean", 0, 0),
    "tinyint": ("smallint", 0, 0),
    "utinyint": ("smallint", 0, 0),
    "smallint": ("smallint", 0, 0),
    "usmallint": ("integer", 0, 0),
    "integer": ("integer", 0, 0),
    "int": ("integer", 0, 0),
    "uinteger": ("bigint", 0, 0),
    "bigint": ("bigint", 0, 0),
    "ubigint": ("decimal", 20, 0),
    "hugeint": ("decimal", 38, 0),
    "float": ("real", 0, 0),
    "real": ("real", 0, 0),
    "double": ("double", 0, 0),
    "date": ("date", 0, 0),
    "time": ("time", 0, 0),
    "timestamp": ("timestamp", 0, 0),
    "timestamptz": ("instant", 0, 0),
    "timestamp with time zone": ("instant", 0, 0),
    "uuid": ("uuid", 0, 0),
    "json": ("json", 0, 0),
}
"""What a contract calls a type -> what it is, digits, and decimal places."""
EXACT = ("smallint", "integer", "bigint", "decimal")
"""Kinds of numbers whose sums are the same everywhere."""


@dataclass(frozen=True)
class Column:
    """A column of a published table."""

    name: str
    kind: Kind
    precision: int
    """Digits of a decimal; 0 for other kinds."""
    scale: int
    nullable: bool
    description: str


@dataclass(frozen=True)
class Table:
    """A table as it is published."""

    name: str
    """The model's own, which no other has: what is built across regions is often called like what it is made from."""
    description: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    """The columns that tell its rows apart, first of all that of its parts; empty where nothing does, or where one of
    them may be null: then rows are told apart by all that they say."""
    adds_region: bool
    """Whether gold's own table lacks the column of the region."""
    part_column: str | None = field(repr=False)
    """The column that says of which part a row is: the region; None where the table is published as a whole."""
    relation: tuple[str, str] = field(repr=False)
    """Schema and name in the warehouse. How a table is read, and in how many parts, is not what is published of it: its
    `repr`, which counts into fingerprints, leaves both out."""

    @property
    def is_whole(self) -> bool:
        """Whether it is built across regions and published as a whole."""
        return self.part_column is None

    @property
    def names(self) -> tuple[str, ...]:
        """The names of its columns."""
        return tuple(column.name for column in self.columns)

    @property
    def values(self) -> tuple[str, ...]:
        """The columns that are not of the key."""
        return tuple(name for name in self.names if name not in self.key)

    @cached_property
    def exact(self) -> tuple[Column, ...]:
        """The columns whose sums are compared."""
        return tuple(column for column in self.columns if column.kind in EXACT)

    def select(self, region: str) -> str:
        """DuckDB's query of gold's table of `region`."""
        columns = (f"{self._expression(column, region)} AS {identifier(column.name)}" for column in self.columns)
        return f"SELECT {', '.join(columns)} FROM {'.'.join(map(identifier, self.relation))}"

    def _expression(self, column: Column, region: str) -> str:
        name = identifier(column.name)
        if column.name == REGION and self.adds_region:
            return literal(region)
        if column.kind == "json":
            return f"to_json({name})::VARCHAR"
        if column.kind == "decimal":
            return f"{name}::DECIMAL({column.precision},{column.scale})"
        return f"{name}::VARCHAR" if column.kind in ("text", "uuid") else name


def table_of(model: Model) -> Table:
    """How `model` is published. Raises PublishError for a type that no other database has."""
    part_column = REGION if model.layer == "gold" else None
    columns = [_column(model, *column, part_column) for column in model.columns]
    adds_region = part_column is not None and all(column.name != part_column for column in columns)
    if adds_region:
        columns.insert(0, Column(REGION, "text", 0, 0, nullable=False, description="Region whose gold it is."))
    never_null = {column.name for column in columns if not column.nullable}
    key = model.key
    if key and part_column:
        key = (part_column, *(name for name in key if name != part_column))
    return Table(
        name=model.name,
        description=model.description,
        columns=tuple(columns),
        key=key if never_null.issuperset(key) else (),
        adds_region=adds_region,
        part_column=part_column,
        relation=(model.layer, model.alias),
    )


def _column(model: Model, name: str, text: str, description: str, part_column: str | None) -> Column:
    nullable = name not in model.not_null and name != part_column
    kind, precision, scale = _kind(model, name, " ".join(text.lower().split()))
    return Column(name, kind, precision, scale, nullable, description)


def _kind(model: Model, column: str, text: str) -> tuple[Kind, int, int]:
    if text in NAMES:
        return NAMES[text]
    if found := re.fullmatch(r"(?:decimal|numeric) ?\( ?(\d+) ?(?:, ?(\d+) ?)?\)", text):
        return "decimal", int(found[1]), int(found[2] or 0)
    if text.endswith("]") or text.startswith(("struct", "map")):
        return "json", 0, 0
    raise PublishError(
        f"{model.name}: column {column} is {text or 'of no stated type'}, which other databases do not have",
        hint="give it another data_type in the model's contract, or take the table out of `tables`",
    )
