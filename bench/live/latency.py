"""From a file landing to its rows being served: drops one by one, at random moments, and where the seconds go."""

import random
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median, quantiles

import dagster as dg
from rich.table import Table

from bench.live import home
from clearer_platform import gold
from clearer_platform.defs.runs import instance
from clearer_platform.platform import Platform
from clearer_platform.storage import local

STAGES = ("seen and asked for", "queued", "process started", "validated", "gold built")
DAYS, ROWS, DROPPED = 14, 400, 5
TARGET = 8.0


def run(folder: Path, drops: int, seed: int = 7) -> tuple[Table, bool]:
    """Drop files; the table of seconds, and whether 95 of 100 were served within the target."""
    chance = random.Random(seed)
    platform = home.made(folder, DAYS, ROWS)
    home.command(platform, "materialize")
    taken: list[dict[str, float]] = []
    with home.up(platform), instance(platform) as found:
        time.sleep(20)  # the daemon's first ticks load what they need
        for number in range(-2, drops):  # two to warm up
            home.until_idle(platform)
            time.sleep(chance.uniform(0, 5))
            seconds = _drop(platform, found, home.REGIONS[number % 4], number)
            if number >= 0:
                taken.append(seconds)
    return _table(taken), _p95([one["all"] for one in taken]) < TARGET


def _drop(platform: Platform, found: dg.DagsterInstance, region: str, number: int) -> dict[str, float]:
    """Land one file and wait for its rows; seconds of each stage."""
    day = home.FIRST + timedelta(days=DAYS - 1)
    ids = [f"drop-{number}-{n}" for n in range(DROPPED)]
    landed = datetime.now(UTC).timestamp()
    home.land(platform, region, f"transactions-{day}-drop-{number}.csv", home.sales(region, day, ids))
    warehouse, seen = local(platform.layout(region).warehouse), 0
    # Another file is looked into only once it is there: looking takes from the processor what is being measured.
    while (now := warehouse.stat().st_ino) == seen or not _is_served(platform, region, f"{region}-{ids[-1]}"):
        seen = now
        if time.time() > landed + 120:
            raise RuntimeError(f"drop {number} in {region} was not served within two minutes")
        time.sleep(0.02)
    served = datetime.now(UTC).timestamp()
    return _stages(found, landed, served)


def _is_served(platform: Platform, region: str, transaction: str) -> bool:
    with closing(gold.connect(platform, region)) as connection:
        asked = "select count(*) from gold.fct_transactions where transaction_id = ?"
        return bool(connection.execute(asked, [transaction]).fetchall()[0][0])


def _stages(found: dg.DagsterInstance, landed: float, served: float) -> dict[str, float]:
    """When each stage was over, from what Dagster recorded of the run."""
    record = found.get_run_records(limit=1)[0]
    logs = found.all_logs(record.dagster_run.run_id)
    at = {entry.dagster_event.event_type: entry.timestamp for entry in reversed(logs) if entry.dagster_event}
    ends = [
        record.create_timestamp.timestamp(),
        at.get(dg.DagsterEventType.PIPELINE_STARTING, landed),
        at.get(dg.DagsterEventType.STEP_START, landed),
        max((e.timestamp for e in logs if _is_silver(e)), default=landed),
        served,
    ]
    begins = [landed, *ends]
    stages = {name: end - begin for name, begin, end in zip(STAGES, begins, ends, strict=False)}
    return {**stages, "all": served - landed}


def _is_silver(entry: dg.EventLogEntry) -> bool:
    event = entry.dagster_event
    return bool(event and event.is_step_materialization and event.asset_key and event.asset_key.path[0] == "silver")


def _p95(values: list[float]) -> float:
    return quantiles(values, n=20, method="inclusive")[-1]


def _table(taken: list[dict[str, float]]) -> Table:
    table = Table(title=f"Seconds from a file landing to its rows being served, {len(taken)} drops")
    for heading in ("", "median", "95th percentile", "longest"):
        table.add_column(heading, justify="right" if heading else "left")
    for name in (*STAGES, "all"):
        values = [one[name] for one in taken]
        table.add_row(name, *(f"{v:.2f}" for v in (median(values), _p95(values), max(values))))
    return table
