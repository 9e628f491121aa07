"""What is unusual about a day beside the days before it: its volume, and parents that rows name but nobody delivered.

Nothing in here decides about a row; it is what the checks against history warn with.
"""

import statistics
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta

import duckdb
from upath import UPath

from clearer_platform.contracts import Contract, Reference
from clearer_platform.platform import Platform
from clearer_platform.silver import states
from clearer_platform.silver.replacing import that_count

LOOK_BACK = timedelta(days=35)
ENOUGH = 3
"""Days that must have come before something can be called usual."""
FEWEST, MOST = 0.5, 2.0
"""A day's records over the usual number, within which it is nothing to mention."""


@dataclass(frozen=True)
class DayHistory:
    """A day of a table beside its history."""

    records: int
    usual: float | None = None
    """Median of the days compared with; None where too few have come."""
    compared_with: str = "nothing: too few days before"
    orphans: Mapping[str, int] = field(default_factory=dict)
    """Accepted rows of the day that name no existing parent, by reference."""

    @property
    def is_usual(self) -> bool:
        """Whether the volume is nothing to mention."""
        return self.usual is None or FEWEST * self.usual <= self.records <= MOST * self.usual


def history(platform: Platform, region: str, table: str, days: Collection[date]) -> dict[date, DayHistory]:
    """Each of `days` that is published, beside its history."""
    if not days:
        return {}
    records = _records(platform, region, table, min(days) - LOOK_BACK, max(days))
    published = [day for day in days if day in records]
    orphans = _orphans(platform, region, platform.contract(table), published)
    return {
        day: DayHistory(records[day], *_usual(records, day), orphans={n: c.get(day, 0) for n, c in orphans.items()})
        for day in published
    }


def _records(platform: Platform, region: str, table: str, first: date, last: date) -> dict[date, int]:
    """Accepted records of each published day."""
    found: dict[date, int] = {}
    span = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    for state in states(platform, region, table, span):
        if state.published:
            found[state.slot.day] = found.get(state.slot.day, 0) + state.published.accepted
    return found


def _usual(records: Mapping[date, int], day: date) -> tuple[float | None, str]:
    """The usual number of records for a day: as on the same weekday, or else as lately."""
    before = sorted(d for d in records if day - LOOK_BACK <= d < day)
    same = [d for d in before if d.weekday() == day.weekday()]
    compared, what = (same, "same weekday") if len(same) >= ENOUGH else (before[-14:], "days before")
    if len(compared) < ENOUGH:
        return None, "nothing: too few days before"
    return float(statistics.median(records[d] for d in compared)), f"median of {len(compared)} ({what})"


def _orphans(platform: Platform, region: str, contract: Contract, days: Collection[date]) -> dict[str, dict[date, int]]:
    """Rows without a parent, by reference and day."""
    if not contract.references or not days:
        return {}
    with duckdb.connect(config={"threads": platform.settings.threads or 2}) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        children = published_files(connection, platform, region, contract, days)
        return {
            reference.name: _without_parent(connection, platform, region, contract, reference, children)
            for reference in contract.references
        }


def _without_parent(
    connection: duckdb.DuckDBPyConnection,
    platform: Platform,
    region: str,
    child: Contract,
    reference: Reference,
    children: list[str],
) -> dict[date, int]:
    parent = platform.contract(reference.table)
    parents = published_files(connection, platform, region, parent, None)
    columns = list(zip(reference.columns, parent.key, strict=True))
    joined = " AND ".join(f'p."{theirs}" = c."{ours}"' for ours, theirs in columns)
    stated = " AND ".join(f'c."{ours}" IS NOT NULL' for ours, _ in columns)
    deleted = f'NOT coalesce(c."{child.tombstone}", false)' if child.tombstone else "true"
    exists = f"EXISTS (SELECT 1 FROM ({living(parent)}) p WHERE {joined})" if parents else "false"
    rows = connection.execute(
        f"SELECT c._day, count(*) FROM read_parquet($children) c "
        f"WHERE len(c._rules) = 0 AND {stated} AND {deleted} AND NOT {exists} GROUP BY ALL",
        {"children": children, **({"parents": parents} if parents else {})},
    ).fetchall()
    return dict(rows)


def living(parent: Contract) -> str:
    """SQL for the keys of a parent whose latest row does not delete them."""
    key = ", ".join(f'"{column}"' for column in parent.key)
    if not parent.tombstone:
        return f"SELECT DISTINCT {key} FROM read_parquet($parents) WHERE len(_rules) = 0"
    ordering = ", ".join([*(f'"{c}"' for c in parent.ordering), "_day", "_received_at", "_delivery", "_line"])
    latest = f'arg_max(coalesce("{parent.tombstone}", false), row({ordering}))'
    return f"SELECT {key} FROM read_parquet($parents) WHERE len(_rules) = 0 GROUP BY {key} HAVING NOT {latest}"


def published_files(
    connection: duckdb.DuckDBPyConnection,
    platform: Platform,
    region: str,
    contract: Contract,
    days: Collection[date] | None,
) -> list[str]:
    """The published silver files of a table that count, where DuckDB can read them."""
    layout = platform.global_layout if contract.shared else platform.layout(region)
    deliverers = [name for name in platform.registry.regions if contract.name in platform.tables(name)]
    found: list[str] = []
    for name in deliverers if contract.shared else [region] if region in deliverers else []:
        published = [state.published for state in states(platform, name, contract.name, days) if state.published]
        for outcome in that_count(published, contract.load_mode):
            path = layout.silver_file(contract.name, outcome.day, outcome.slot)
            if isinstance(path, UPath) and not connection.filesystem_is_registered(path.protocol):
                connection.register_filesystem(path.fs)
            found.append(str(path))
    return found
