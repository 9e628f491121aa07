"""What was rejected: where, which rule, how often. Counts and lines, never a value; those only in an export."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from clearer_platform import silver
from clearer_platform.bronze import slots
from clearer_platform.contracts import POSITION, Contract
from clearer_platform.platform import Platform
from clearer_platform.serving.facts import is_refused
from clearer_platform.serving.rules import Explanation, explain
from clearer_platform.silver import Outcome, SlotState
from clearer_platform.storage import reported

EXPORTED = [
    *("_region", "_table", "_day", "_slot", "_delivery", "_line", "_parent", "_position"),
    *("_status", "_rules", "_raw"),
]
"""`_parent` and `_position` say in which record's array, and where in it, an element of a nested table stands."""


@dataclass(frozen=True)
class Group:
    """Records (or a whole file) of one slot that broke one rule."""

    region: str
    table: str
    day: date
    slot: str
    rule: str
    count: int
    lines: tuple[int, ...]
    """The first of them."""
    positions: tuple[int, ...]
    """Of elements of a nested table: the position of each in the array that stands on its line."""
    message: str
    is_whole_file: bool
    """The delivery was refused as a whole; the slot's last good version stays."""


def groups(
    platform: Platform,
    regions: Iterable[str],
    *,
    tables: Collection[str] | None = None,
    start: date | None = None,
    end: date | None = None,
    rule: str | None = None,
) -> list[Group]:
    """What was rejected, from the outcomes that silver keeps: one group a slot and rule."""
    return [
        group
        for region, table in _pairs(platform, regions, tables)
        for state in silver.states(platform, region, table)
        if (start is None or state.slot.day >= start) and (end is None or state.slot.day <= end)
        for group in _of_slot(platform, state)
        if rule in (None, group.rule)
    ]


def _pairs(platform: Platform, regions: Iterable[str], tables: Collection[str] | None) -> list[tuple[str, str]]:
    return [
        (region, table) for region in regions for table in platform.tables(region) if tables is None or table in tables
    ]


def _of_slot(platform: Platform, state: SlotState) -> list[Group]:
    # Of what was refused only the newest delivery counts: it has replaced those before it.
    found = _of_outcome(state.refused[0], refused=True) if is_refused(state) else []
    if platform.contract(state.slot.table).nested:
        # Why the file was refused is told once, of the table that was delivered.
        found = [group for group in found if not group.rule.startswith("delivery.")]
    return found + (_of_outcome(state.published, refused=False) if state.published else [])


def _of_outcome(outcome: Outcome, *, refused: bool) -> list[Group]:
    whole = [(p.rule, p.count, [p]) for p in outcome.problems if p.rule not in outcome.rules]
    by_rule = [(rule, n, [p for p in outcome.problems if p.rule == rule]) for rule, n in outcome.rules.items()]
    return [
        Group(
            region=outcome.region,
            table=outcome.table,
            day=outcome.day,
            slot=outcome.slot,
            rule=rule,
            count=count,
            lines=tuple(p.line for p in problems if p.line is not None),
            positions=tuple(p.position for p in problems if p.position is not None),
            message=problems[0].message if problems else "",
            is_whole_file=refused,
        )
        for rule, count, problems in [*whole, *by_rule]
    ]


def records(
    platform: Platform,
    regions: Iterable[str],
    *,
    tables: Collection[str] | None = None,
    start: date | None = None,
    end: date | None = None,
    rule: str | None = None,
) -> pa.Table:
    """The rejected records themselves, with where they stand, the rules they broke and their original text.

    This is personal data: it belongs into the region's own root.
    """
    parts: list[pa.Table] = []
    for region, table in _pairs(platform, regions, tables):
        rows = silver.quarantine(platform, region, table, _days(platform, region, table, start, end), rule)
        rows = rows.append_column("_table", pa.array([table] * rows.num_rows, pa.string()))
        parts.append(_placed(platform.contract(table), rows).select(EXPORTED))
    return pa.concat_tables(parts)


def _placed(contract: Contract, rows: pa.Table) -> pa.Table:
    """The rows with `_parent` and `_position`."""
    parents, positions = pa.nulls(rows.num_rows, pa.string()), pa.nulls(rows.num_rows, pa.int64())
    if contract.nested:
        keys = [pc.cast(rows[name], pa.string()) for name in contract.key if name != POSITION]
        parents, positions = pc.binary_join_element_wise(*keys, ", "), rows[POSITION]
    return rows.append_column("_parent", parents).append_column("_position", positions)


def _days(platform: Platform, region: str, table: str, start: date | None, end: date | None) -> list[date] | None:
    if start is None and end is None:
        return None
    days = {slot.day for slot in slots(platform.layout(region), platform.delivered(table))}
    return sorted(d for d in days if (start is None or d >= start) and (end is None or d <= end))


def on_line(platform: Platform, found: Iterable[Group], line: int) -> list[Group]:
    """The groups that the record on this line of its file, or an element in it, belongs to; with that line alone."""
    hit: list[Group] = []
    for group in found:
        rows = silver.quarantine(platform, group.region, group.table, [group.day], group.rule)
        same = pc.and_(pc.equal(rows["_line"], line), pc.equal(rows["_slot"], group.slot))
        here = _placed(platform.contract(group.table), rows.filter(same))
        if here.num_rows:
            positions = tuple(place for place in here["_position"].to_pylist() if place is not None)
            hit.append(replace(group, lines=(line,) * here.num_rows, positions=positions, count=here.num_rows))
    return hit


def explained(platform: Platform, found: Iterable[Group]) -> list[Explanation]:
    """The rules of `found` in words: one explanation a region, table and rule."""
    named = dict.fromkeys((g.region, g.table, g.rule) for g in found)
    return [explain(rule, platform.contract(table), platform.source(region, table)) for region, table, rule in named]


def export_folder(platform: Platform, region: str) -> Path:
    """Where an export of a region's rejected records goes unless told otherwise: the region's own work folder."""
    folder = platform.layout(region).work / "exports"
    with reported("write", folder):
        folder.mkdir(parents=True, exist_ok=True)
    return folder
