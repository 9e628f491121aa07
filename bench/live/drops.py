"""Thousands of files dropped while processes are killed again and again: each must be received and served once."""

import random
import threading
import time
from collections import Counter
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import psutil
from rich.table import Table

from bench.live import home
from clearer_platform import bronze, gold, silver
from clearer_platform.platform import Platform

DAYS, ROWS = 14, 3


def run(folder: Path, files: int, seconds: float, seed: int = 7) -> tuple[Table, bool]:
    """Drop `files` over `seconds`, killing something every 5 to 25 s; what came of them.

    What is killed: the daemon, with which all of `clearer up` ends; a run; or the process that runs are forked from.
    """
    chance = random.Random(seed)
    platform = home.made(folder, DAYS, ROWS)
    dropping = threading.Thread(target=_drop, args=(platform, files, seconds, random.Random(seed + 1)))
    kills: Counter[str] = Counter()
    running = home.Up(platform)
    try:
        running.wait()
        dropping.start()
        while dropping.is_alive():
            time.sleep(chance.uniform(5, 25))
            what = chance.choice(["daemon", "daemon", "run", "forking"])
            victim = {"daemon": running.daemon, "run": running.a_run, "forking": running.forking}[what]()
            if victim is None:
                continue
            with suppress(psutil.NoSuchProcess):
                victim.kill()
                kills[what] += 1
            if what == "daemon":
                running.process.wait(timeout=60)  # it says so and ends, with all that it started
                running = home.Up(platform)
                running.wait()
        _wait(platform, files + DAYS * len(home.REGIONS))
    finally:
        running.close()
    return _verdict(platform, files, kills)


def _drop(platform: Platform, files: int, seconds: float, chance: random.Random) -> None:
    """Land files of a few sales each, for any region and day, spread over the time."""
    began = time.monotonic()
    for number in range(files):
        region, day = chance.choice(home.REGIONS), home.FIRST + timedelta(days=chance.randrange(DAYS))
        ids = [f"f{number}-{n}" for n in range(ROWS)]
        home.land(platform, region, f"transactions-{day}-f{number}.csv", home.sales(region, day, ids))
        if (ahead := began + seconds * number / files - time.monotonic()) > 0:
            time.sleep(ahead)


def _wait(platform: Platform, landed: int) -> None:
    """Until all that landed is published, no run is left, and a whole tick has gone by that asked for nothing."""
    until = time.monotonic() + home.PATIENCE
    while time.monotonic() < until:
        if home.idle(platform) and _published(platform) == landed:
            time.sleep(8)
            if home.idle(platform):
                return
        time.sleep(2)


def _published(platform: Platform) -> int:
    """The silver files that stand."""
    states = [state for region in home.REGIONS for state in silver.states(platform, region, "transactions")]
    return sum(state.published is not None for state in states)


def _verdict(platform: Platform, files: int, kills: Counter[str]) -> tuple[Table, bool]:
    deliveries: Counter[tuple[str, str]] = Counter()
    for region in home.REGIONS:
        for slot in bronze.slots(platform.layout(region), "transactions"):
            deliveries[region, slot.name] += len(slot.deliveries)
    landed = files + DAYS * len(home.REGIONS)
    sales, twice = 0, 0
    for region in home.REGIONS:
        sales += home.totals(platform, region)[0]
        with gold.connect(platform, region) as connection:
            asked = "select count(*) - count(distinct transaction_id) from gold.fct_transactions"
            twice += connection.execute(asked).fetchall()[0][0]
    checks = {
        "files received": (len(deliveries), landed),
        "files received twice": (sum(n - 1 for n in deliveries.values()), 0),
        "silver files published": (_published(platform), landed),
        "sales served": (sales, landed * ROWS),
        "sales served twice": (twice, 0),
    }
    killed = ", ".join(f"{what} {times} times" for what, times in sorted(kills.items()))
    table = Table(title=f"{files:,} files dropped; killed: {killed}")
    for heading in ("", "found", "expected"):
        table.add_column(heading, justify="right" if heading else "left")
    for name, (found, expected) in checks.items():
        table.add_row(name, f"{found:,}", f"{expected:,}")
    return table, bool(kills) and all(found == expected for found, expected in checks.values())
