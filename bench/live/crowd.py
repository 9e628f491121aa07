"""Sixteen runs asked for at once, on the same and on different days, while readers poll totals without a pause.

Every delivery's sales are of an amount of its own, each twice the one before: a total tells which deliveries are in it,
and whether each of them is in it whole.
"""

import multiprocessing
from datetime import date, timedelta
from io import BytesIO
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Any

import dagster as dg
from dagster_graphql import DagsterGraphQLClient
from rich.table import Table

from bench.live import home
from clearer_platform import bronze
from clearer_platform.defs.jobs import REGION_DAYS
from clearer_platform.defs.names import RANGE_END, RANGE_START, partition_key
from clearer_platform.defs.runs import instance
from clearer_platform.platform import Platform
from clearer_platform.settings import Settings

RUNS, SAME, DAYS, ROWS, SALES, READERS, REGION = 16, 8, 14, 20, 7, 2, "eu"


def run(folder: Path, reads: int) -> tuple[Table, bool]:
    """Ask for the runs, read all the while; what the runs and the reads came to."""
    platform = home.made(folder, DAYS, ROWS)
    home.command(platform, "materialize")
    before = home.totals(platform, REGION)
    days = [home.FIRST] * SAME + [home.FIRST + timedelta(days=n) for n in range(1, RUNS - SAME + 1)]
    for number, day in enumerate(days):
        _receive(platform, number, day)
    context = multiprocessing.get_context("spawn")
    odd, done = context.Queue(), context.Value("q", 0)
    readers = [
        context.Process(target=_read, args=(platform.settings.home, before, reads // READERS, done, odd))
        for _ in range(READERS)
    ]
    with home.up(platform) as running, instance(platform) as found:
        for reader in readers:
            reader.start()
        client = DagsterGraphQLClient("127.0.0.1", port_number=running.port)
        asked = [_ask(client, day) for day in days]
        home.until_idle(platform)
        ended = [found.get_run_by_id(run_id) for run_id in asked]
        for reader in readers:
            reader.join()
        failures = [_why(found, run_id) for one, run_id in zip(ended, asked, strict=True) if not _is_good(one)]
        log = running.log.read_text("utf-8", "replace")
    after = home.totals(platform, REGION)
    wrong = [odd.get() for _ in range(odd.qsize())]
    checks: dict[str, tuple[object, object]] = {
        "runs that succeeded": (
            sum(one is not None and one.status == dg.DagsterRunStatus.SUCCESS for one in ended),
            RUNS,
        ),
        "sales and cents served in the end": (
            after,
            (before[0] + RUNS * SALES, before[1] + SALES * (2**RUNS - 1) * 100),
        ),
        "reads": (done.value, reads // READERS * READERS),
        "reads of something that never was published": (len(wrong), 0),
        "lock errors shown": (sum(text in log for text in ("Could not set lock", "database is locked")), 0),
    }
    table = Table(title=f"{RUNS} runs at once, {SAME} of them on one day, {READERS} readers")
    for heading in ("", "found", "expected"):
        table.add_column(heading, justify="right" if heading else "left")
    for name, (seen, expected) in checks.items():
        table.add_row(name, f"{seen}", f"{expected}")
    for failure in [*failures, *wrong[:5]]:
        table.add_row("", failure, "")
    return table, all(seen == expected for seen, expected in checks.values())


def _is_good(one: dg.DagsterRun | None) -> bool:
    return one is not None and one.status == dg.DagsterRunStatus.SUCCESS


def _why(found: dg.DagsterInstance, run_id: str) -> str:
    """The last of what a failed run said."""
    said = [entry.dagster_event.message for entry in found.all_logs(run_id) if entry.dagster_event]
    return " / ".join(text or "" for text in said[-3:])


def _receive(platform: Platform, number: int, day: date) -> None:
    """A delivery that no sensor looks for, whose every sale is 2 ** number."""
    ids = [f"n{number}-{n}" for n in range(SALES)]
    content = BytesIO(home.sales(REGION, day, ids, f"{2**number}.00"))
    bronze.receive(platform.layout(REGION), "transactions", day, f"n{number}.csv", content, origin="the benchmark")


def _ask(client: DagsterGraphQLClient, day: date) -> str:
    key = partition_key(REGION, day)
    run_id: str = client.submit_job_execution(REGION_DAYS, tags={RANGE_START: key, RANGE_END: key})
    return run_id


def _read(folder: Path, before: tuple[int, int], reads: int, done: "Synchronized[int]", odd: Any) -> None:
    """Read totals again and again; what is not the sum of whole deliveries is told."""
    settings = Settings(home=folder, regions_file=folder / "regions.toml", _env_file=None)  # type: ignore[call-arg]
    platform = Platform.open(settings)
    for _ in range(reads):
        try:
            sales, cents = home.totals(platform, REGION)
        except Exception as e:
            odd.put(f"{type(e).__name__}: {e}")
            continue
        finally:
            with done.get_lock():
                done.value += 1
        if not is_whole(sales - before[0], cents - before[1]):
            odd.put(f"{sales} sales, {cents} cents")


def is_whole(sales: int, cents: int) -> bool:
    """Whether these sales and cents are those of some deliveries, each of them whole."""
    each, rest = divmod(cents, SALES * 100)
    return not rest and sales == SALES * each.bit_count() and 0 <= each < 2**RUNS
