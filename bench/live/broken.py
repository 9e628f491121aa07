"""A tenth of the days broken: the others are published, the broken ones named, and once mended picked up alone."""

import gzip
import json
import random
from collections.abc import Callable, Collection
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from rich.table import Table

from bench.live import home
from clearer_platform import gold
from clearer_platform.platform import Platform
from clearer_platform.storage import local

Day = tuple[str, date]


def run(folder: Path, days: int = 60, rows: int = 20, seed: int = 7) -> tuple[Table, bool]:
    """Break, run, mend, run again: what was published and named, and whether it is what must be."""
    platform = home.made(folder, days, rows)
    every = [(region, home.FIRST + timedelta(days=n)) for region in home.REGIONS for n in range(days - 1)]
    broken = sorted(random.Random(seed).sample(every, len(every) // 10))
    every += [(region, home.FIRST + timedelta(days=days - 1)) for region in home.REGIONS]
    ways = {where: WAYS[n % len(WAYS)] for n, where in enumerate(broken)}
    for (region, day), way in ways.items():
        _land(platform, region, day, way(home.sales(region, day, [f"{day:%m%d}-{n}" for n in range(rows)])), way)
    first = json.loads(home.command(platform, "materialize", "--json").stdout)
    after_first = _published(platform)
    for (region, day), way in ways.items():
        good = home.sales(region, day, [f"{day:%m%d}-{n}" for n in range(rows)])
        _land(platform, region, day, gzip.compress(good) if way is truncated else good, way)
    second = json.loads(home.command(platform, "materialize", "--only", "missing,failed", "--json").stdout)
    after_second = _published(platform)
    checks: dict[str, tuple[Collection[Day], Collection[Day]]] = {
        "days served in full, of those not broken": (after_first, dict.fromkeys(set(every) - set(broken), rows)),
        "broken days that the run names": (_named(first), set(broken)),
        "days that --only missing,failed runs": (_ran(second), set(broken)),
        "days served in full once mended": (after_second, dict.fromkeys(every, rows)),
    }
    table = Table(title=f"{len(broken)} of {len(every)} region-days broken, {len(WAYS)} ways")
    for heading in ("", "found", "expected", "right"):
        table.add_column(heading, justify="right" if heading else "left")
    for name, (found, expected) in checks.items():
        table.add_row(name, f"{len(found)}", f"{len(expected)}", "yes" if found == expected else "NO")
    return table, all(found == expected for found, expected in checks.values())


def truncated(content: bytes) -> bytes:
    """A gzip that breaks off."""
    packed = gzip.compress(content)
    return packed[: len(packed) // 2]


def without_a_column(content: bytes) -> bytes:
    """A required column missing."""
    return content.replace(b"total_amount", b"amount")


def with_another_delimiter(content: bytes) -> bytes:
    """Semicolons where the region has commas."""
    return content.replace(b",", b";")


def missing(content: bytes) -> None:
    """No delivery at all."""


def full_of_rubbish(content: bytes) -> bytes:
    """More rejected records than the contract allows."""
    return content.replace(b",1.00,1,", b",much,1,")


Way = Callable[[bytes], bytes | None]
WAYS: list[Way] = [truncated, without_a_column, with_another_delimiter, missing, full_of_rubbish]


def _land(platform: Platform, region: str, day: date, content: bytes | None, way: Way) -> None:
    """Put what a way makes of a delivery in place of what is there, under the name that the way calls for."""
    for path in local(platform.layout(region).landing("transactions")).glob(f"*{day}*"):
        path.unlink()
    if content is not None:
        home.land(platform, region, f"transactions-{day}.csv" + (".gz" if way is truncated else ""), content)


def _named(told: dict[str, Any]) -> set[Day]:
    """The days that the command says are not published, or not there."""
    failed = {(run["region"], failed["day"]) for run in told["runs"] for failed in run["failed"]}
    absent = {(region, day) for region, days in told["absent"].items() for day, _ in days}
    return {(region, date.fromisoformat(day)) for region, day in failed | absent}


def _ran(told: dict[str, Any]) -> set[Day]:
    return {(run["region"], date.fromisoformat(day)) for run in told["runs"] for day in run["days"]}


def _published(platform: Platform) -> dict[Day, int]:
    """Sales that are served of each day."""
    found: dict[Day, int] = {}
    for region in home.REGIONS:
        with closing(gold.connect(platform, region)) as connection:
            rows = connection.execute("select day, count(*) from gold.fct_transactions group by day").fetchall()
        found |= {(region, day): number for day, number in rows}
    return found
