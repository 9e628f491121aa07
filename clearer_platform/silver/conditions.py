"""What breaks a rule: for every rule of a contract, as a registry entry reads it, SQL that is true where it is broken.

Names used in the SQL: `r<i>` the text of the contract's column i, `p<i>` the value it was read as (an instant's still
local), `z<i>` the zone's code for it, `_gone` whether the row is a tombstone, and the typed columns by their own names.
"""

from dataclasses import dataclass, replace

import ibis.expr.datatypes as dt

from clearer_platform.contracts import Column, Contract
from clearer_platform.regions import CsvFormat, TableSource
from clearer_platform.silver import zones
from clearer_platform.silver.header import Header
from clearer_platform.silver.parse import kind
from clearer_platform.silver.rules import compiled
from clearer_platform.silver.sql import literals

KINDS = ("integer", "decimal", "number", "timestamp", "date", "boolean")
UNREADABLE = (*(f".not_a_{kind}" for kind in KINDS), ".nonexistent_local_time", ".ambiguous_local_time")
"""How rules end that a text breaks which cannot be read as the column's type."""


@dataclass(frozen=True)
class Condition:
    """A rule and the SQL that is true where a row breaks it."""

    rule: str
    column: str | None
    breaks: str
    message: str


def is_zoned(column: Column) -> bool:
    """Whether the column holds instants, which a delivery writes as local times."""
    return isinstance(column.dtype, dt.Timestamp) and column.dtype.timezone is not None


def conditions(contract: Contract, source: TableSource, header: Header) -> tuple[list[Condition], list[Condition]]:
    """What rejects a row, and what is only noted of it, each in the order in which it is reported."""
    rejecting: list[Condition] = []
    noted: list[Condition] = []
    for i, column in enumerate(contract.columns):
        if column.name in header.columns:
            how = source.of_column(column.name)
            rejecting += [_missing(column, i), *_unreadable(how, column, i)]
            noted += _resolved(how, column, i)
    for rule in compiled(contract):
        # A column that was not delivered holds its default, which is the contract's own affair.
        if rule.column is None or rule.column in header.columns:
            condition = Condition(rule.name, rule.column, f"NOT ({rule.passes})", rule.message)
            (noted if rule.is_warning else rejecting).append(condition)
    if contract.tombstone in header.columns:
        rejecting, noted = ([_spared(contract, c) for c in some] for some in (rejecting, noted))
    return [c for c in rejecting if c.breaks], noted


def _missing(column: Column, i: int) -> Condition:
    is_filled = column.default is not None and not column.required
    breaks = "" if column.nullable or is_filled else f"r{i} IS NULL"
    return Condition(f"{column.name}.missing", column.name, breaks, "no value")


def _unreadable(source: TableSource, column: Column, i: int) -> list[Condition]:
    """Not of the type, and local times that the region's policy rejects."""
    name, zone = column.name, source.timezone
    found: list[Condition] = []
    if what := kind(column.dtype):
        breaks = f"r{i} IS NOT NULL AND p{i} IS NULL"
        if is_zoned(column):
            breaks += f" OR {zones.state(f'z{i}')} = {zones.OUTSIDE}"
        found.append(Condition(f"{name}.not_a_{what}", name, breaks, _not_a(column, source.csv)))
    if is_zoned(column):
        state = zones.state(f"z{i}")
        if source.gap == "reject":
            message = f"a local time that does not exist in {zone}"
            found.append(Condition(f"{name}.nonexistent_local_time", name, f"{state} = {zones.GAP}", message))
        if source.fold == "reject":
            message = f"a local time that exists twice in {zone}"
            found.append(Condition(f"{name}.ambiguous_local_time", name, f"{state} = {zones.FOLD}", message))
    return found


def _resolved(source: TableSource, column: Column, i: int) -> list[Condition]:
    """Local times that the region's policy resolved."""
    if not is_zoned(column):
        return []
    name, state, zone = column.name, zones.state(f"z{i}"), source.timezone
    found: list[Condition] = []
    if source.gap == "forward":
        message = f"a local time that does not exist in {zone}, moved forward"
        found.append(Condition(f"{name}.gap_forward", name, f"{state} = {zones.GAP}", message))
    if source.fold != "reject":
        message = f"a local time that exists twice in {zone}, read as the {source.fold}"
        found.append(Condition(f"{name}.fold_{source.fold}", name, f"{state} = {zones.FOLD}", message))
    return found


def _spared(contract: Contract, condition: Condition) -> Condition:
    """The same, but never true of a tombstone, which needs no more than its key and a readable time and place."""
    is_placing = condition.column in (*contract.ordering, contract.event_time) and condition.rule.endswith(UNREADABLE)
    if condition.column in contract.key or is_placing or not condition.breaks:
        return condition
    return replace(condition, breaks=f"NOT _gone AND ({condition.breaks})")


def _not_a(column: Column, csv: CsvFormat) -> str:
    what = kind(column.dtype)
    thousands = f" and {csv.thousands!r} between thousands" if csv.thousands else ""
    if isinstance(column.dtype, dt.Decimal):
        return f"not a decimal with {csv.decimal!r} as decimal sign{thousands} (at most {column.dtype.scale} decimals)"
    if what == "boolean":
        return f"not one of {literals([*csv.true, *csv.false])}"
    if what in ("date", "timestamp"):
        years = " in the years 1 to 9999 in UTC" if is_zoned(column) else ""
        return f"not a possible {what}{years} written as {csv.date if what == 'date' else csv.datetime}"
    return f"not {'an' if what == 'integer' else 'a'} {what}{thousands}"
