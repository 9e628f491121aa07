"""Thousands of files dropped while the daemon is killed again and again: each must be received and served once."""

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
from clearer_platform.sources.files import pending

DAYS, ROWS = 14, 3


def run(folder: Path, files: int, seconds: float, seed: int = 7) -> tuple[Table, bool]:
    """Drop `files` over `seconds`, killing the daemon every 10 to 40 s; what came of them."""
    chance = random.Random(seed)
    platform = home.made(folder, DAYS, ROWS)
    dropping = threading.Thread(target=_drop, args=(platform, files, seconds, random.Random(seed + 1)))
    kills = 0
    running = home.Up(platform)
    try:
        running.wait()
        dropping.start()
        while dropping.is_alive():
            time.sleep(chance.uniform(10, 40))
            daemon = running.daemon()
            if daemon is None:
                continue
            with suppress(psutil.NoSuchProcess):
                daemon.kill()
                kills += 1
            running.process.wait(timeout=60)  # it says so and ends, with all that it started
            running = home.Up(platform)
            running.wait()
        _wait(platform)
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


def _wait(platform: Platform) -> None:
    """Until everything that landed is in gold and no run is left."""
    until = time.monotonic() + home.PATIENCE
    while time.monotonic() < until:
        waiting = sum(len(pending(platform, region, "transactions")) for region in home.REGIONS)
        if not waiting and home.idle(platform):
            time.sleep(8)  # a whole tick, in which nothing must be asked for
            if home.idle(platform):
                return
        time.sleep(2)


def _verdict(platform: Platform, files: int, kills: int) -> tuple[Table, bool]:
    deliveries: Counter[tuple[str, str]] = Counter()
    published = 0
    for region in home.REGIONS:
        for slot in bronze.slots(platform.layout(region), "transactions"):
            deliveries[region, slot.name] += len(slot.deliveries)
        published += sum(one.published is not None for one in silver.states(platform, region, "transactions"))
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
        "silver files published": (published, landed),
        "sales served": (sales, landed * ROWS),
        "sales served twice": (twice, 0),
    }
    table = Table(title=f"{files:,} files dropped, the daemon killed {kills} times")
    for heading in ("", "found", "expected"):
        table.add_column(heading, justify="right" if heading else "left")
    for name, (found, expected) in checks.items():
        table.add_row(name, f"{found:,}", f"{expected:,}")
    return table, kills > 0 and all(found == expected for found, expected in checks.values())
