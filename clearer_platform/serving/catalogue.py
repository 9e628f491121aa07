"""What there is to read: every table of every layer, with its description and columns."""

from dataclasses import dataclass
from typing import Literal

from clearer_platform import gold
from clearer_platform.contracts import Contract
from clearer_platform.platform import Platform

DELIVERY_DAY = "_day"
MACRO = "table_function"


@dataclass(frozen=True)
class ColumnInfo:
    """One column of a table."""

    name: str
    type: str
    description: str


@dataclass(frozen=True)
class TableInfo:
    """One table that can be read."""

    name: str
    layer: Literal["silver", "gold", "global"]
    description: str
    day_column: str | None
    """The column that a range of days selects by."""
    columns: tuple[ColumnInfo, ...]
    is_zoned: bool = False
    """Whether its days can be computed for any time zone."""
    has_as_of: bool = False
    """Whether what it says depends on an as-of date."""
    order: tuple[str, ...] = ()
    """What its rows are ordered by when they are read, as SQL says it (`hired desc`)."""

    @property
    def is_regional(self) -> bool:
        """Whether it is read from one region."""
        return self.layer != "global"


def tables(platform: Platform) -> list[TableInfo]:
    """Every table: what dbt builds for a region, what it builds across regions, and what contracts accept."""
    models = gold.models(platform)
    macros = {(model.layer, model.alias) for model in models if model.materialized == MACRO}
    built = [
        TableInfo(
            name=model.alias,
            layer=model.layer,
            description=model.description,
            day_column=_day(model),
            columns=tuple(ColumnInfo(*column) for column in model.columns),
            is_zoned=(model.layer, in_any_zone(model.alias)) in macros,
            has_as_of=model.as_of,
            order=tuple(model.meta.get("order", ())) or _by_day(model),
        )
        for model in models
        if model.materialized != MACRO
    ]
    order = ("gold", "global")
    return [
        *sorted(built, key=lambda table: (order.index(table.layer), table.name)),
        *(_accepted(contract) for contract in platform.contracts.values()),
    ]


def in_any_zone(table: str) -> str:
    """The name of the table macro that computes `table` for a zone."""
    return f"{table}_in"


def _day(model: gold.Model) -> str | None:
    """A column called day selects by days, where the model names no other."""
    return model.day_column or next((name for name, kind, _ in model.columns if name == "day" and kind == "date"), None)


def _by_day(model: gold.Model) -> tuple[str, ...]:
    day = _day(model)
    return (f'"{day}"', "1", "2") if day else ()


def _accepted(contract: Contract) -> TableInfo:
    where = (
        ColumnInfo(DELIVERY_DAY, "date", "Business day of the delivery."),
        ColumnInfo("_slot", "string", "Slot (file) of the delivery."),
        ColumnInfo("_line", "int64", "Line of the record in the delivered file."),
    )
    own = tuple(ColumnInfo(c.name, str(c.dtype), c.description) for c in contract.columns)
    return TableInfo(
        name=contract.name,
        layer="silver",
        description=f"{contract.description} Every accepted record of every delivery, as delivered.",
        day_column=DELIVERY_DAY,
        columns=(*where, *own),
    )
