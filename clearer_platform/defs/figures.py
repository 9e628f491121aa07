"""Figures of published gold for Dagster: rows and a version of the content, of a day or of a whole table."""

from collections.abc import Collection
from contextlib import closing
from dataclasses import dataclass
from datetime import date

from clearer_platform import gold
from clearer_platform.gold import Model
from clearer_platform.platform import Platform


@dataclass(frozen=True)
class Figures:
    """What a partition of a model holds."""

    rows: int
    version: str
    """Changes with the content, whatever order its rows stand in."""
    as_of: date | None = None
    """The date as of which it stands, where that matters."""


NOTHING = Figures(0, "empty")


def by_day(
    platform: Platform, region: str, models: Collection[Model], days: Collection[date]
) -> dict[tuple[str, date], Figures]:
    """The figures of each model's days; a day without rows is not in it."""
    found: dict[tuple[str, date], Figures] = {}
    with closing(gold.connect(platform, region)) as connection:
        for model in models:
            day_of = f'"{model.day_column}"'
            sql = f"SELECT {day_of}, {_content(model)} FROM {_table(model)} t WHERE {day_of} IN $days GROUP BY 1"
            for day, rows, content, as_of in connection.execute(sql, {"days": sorted(days)}).fetchall():
                found[model.name, day] = Figures(rows, f"{content:x}", as_of)
    return found


def whole(platform: Platform, region: str | None, models: Collection[Model]) -> dict[str, Figures]:
    """The figures of whole models, by name."""
    found: dict[str, Figures] = {}
    with closing(gold.connect(platform, region)) as connection:
        for model in models:
            sql = f"SELECT {_content(model)} FROM {_table(model)} t"
            rows, content, as_of = connection.execute(sql).fetchall()[0]
            found[model.name] = Figures(rows, f"{content:x}", as_of)
    return found


def _content(model: Model) -> str:
    return f"count(*), coalesce(sum(hash(t)), 0), {'max(as_of)' if model.as_of else 'null'}"


def _table(model: Model) -> str:
    return f'"{model.layer}"."{model.alias}"'
