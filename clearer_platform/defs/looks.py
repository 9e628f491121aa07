"""What people look at in the UI beside figures: previews of gold, and samples of what was rejected.

Dagster keeps it outside every region's root, so that previews are of what a region lets leave, and samples of rejected
records name lines, columns and rules, never a value.
"""

from collections.abc import Collection, Iterable
from contextlib import closing
from datetime import date
from typing import Any

import dagster as dg

from clearer_platform import gold
from clearer_platform.defs import markdown
from clearer_platform.gold import Model
from clearer_platform.platform import Platform
from clearer_platform.serving.formats import in_full
from clearer_platform.silver import Outcome

ROWS = 5
"""Rows of a preview."""
SAMPLE = 12
"""Rejected records of a sample."""
CELL = 40
"""Characters of a value that a preview shows."""


def previews(
    platform: Platform, region: str | None, models: Iterable[Model], days: Collection[date] | None = None
) -> dict[tuple[str, date | None], dg.MetadataValue[Any]]:
    """The first rows of each model as markdown, by name and day; whole models' where no days are asked for."""
    may_leave = {m.name for m in gold.leaving(platform, region)} if region else None
    found: dict[tuple[str, date | None], dg.MetadataValue[Any]] = {}
    with closing(gold.connect(platform, region)) as connection:
        for model in models:
            if may_leave is not None and model.name not in may_leave:
                continue
            names = [name for name, _, _ in model.columns]
            picked = ", ".join(f'"{name}"' for name in names)
            sql = f'SELECT {picked} FROM "{model.layer}"."{model.alias}"'
            if days is None:
                found[model.name, None] = _markdown(names, connection.execute(f"{sql} LIMIT {ROWS}").fetchall())
                continue
            for day in days:
                rows = connection.execute(f'{sql} WHERE "{model.day_column}" = ? LIMIT {ROWS}', [day]).fetchall()
                found[model.name, day] = _markdown(names, rows)
    return found


def rejected_sample(outcomes: Iterable[Outcome]) -> dg.MetadataValue[Any]:
    """Where the first rejected records stand and which rules they broke."""
    problems = [(outcome.slot, problem) for outcome in outcomes for problem in outcome.problems if problem.line]
    if not problems:
        return dg.MetadataValue.md("nothing was rejected")
    return markdown.table(
        ["file", "line", "column", "rule", "what is wrong"],
        [(slot, p.place.removeprefix("line "), p.column, p.rule, p.message) for slot, p in problems[:SAMPLE]],
    )


def _markdown(names: list[str], rows: list[tuple[Any, ...]]) -> dg.MetadataValue[Any]:
    if not rows:
        return dg.MetadataValue.md("no rows")
    return markdown.table(names, [[_shortened(in_full(value)) for value in row] for row in rows])


def _shortened(value: object) -> object:
    text = f"{value}"
    return value if value is None or len(text) <= CELL else f"{text[: CELL - 1]}…"
