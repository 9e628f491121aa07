"""The platform at the job, by its Python face: receive a delivery, bring silver up, build gold.

The delivery of the day before comes first, in a process that has done nothing yet; the day's own replaces it, in a
process that is warm by then.

    python -m bench.subscriptions.platform_run BEFORE DELIVERY HOME
"""

import os
import sys
from datetime import date
from pathlib import Path

import duckdb

from bench.phases import phase, report, started
from bench.subscriptions import figures
from bench.subscriptions.generate import BEFORE, DAY
from bench.subscriptions.twice import AGAIN, WORK
from clearer_platform import gold, silver, sources
from clearer_platform.platform import Platform
from clearer_platform.settings import Settings
from clearer_platform.storage import local

REGION, TABLE = "bench", "stores"
LAYERS = ("bronze", "silver", "gold")
REGISTRY = f"""
reporting_currency = "EUR"
[regions.bench]
timezone = "UTC"
currency = "EUR"
root = "bench"
start = {BEFORE}
[regions.bench.csv]
datetime = "%Y-%m-%d %H:%M:%S.%f"
[regions.bench.tables.stores.columns]
install_history = "installHistory"
subscription_history = "subscriptionHistory"
[regions.bench.tables.stores.nested.install_intervals]
to_now = "toNow"
start_type = "startType"
from_date = "fromDate"
end_type = "endType"
to_date = "toDate"
[regions.bench.tables.stores.nested.subscription_periods]
plan_name = "planName"
from_date = "fromDate"
to_date = "toDate"
billing_on_date = "billingOnDate"
"""


def opened(home: Path) -> Platform:
    """The platform in a home, which is made if it is not there."""
    home.mkdir(parents=True, exist_ok=True)
    registry = home / "regions.toml"
    registry.write_text(REGISTRY)
    return Platform.open(Settings(home=home, regions_file=registry, _env_file=None))  # type: ignore[call-arg]


def prepared(home: Path, work: Path) -> Platform:
    """The same for a home whose dbt project is prepared, which happens once an installation."""
    (work / "dbt").mkdir(parents=True, exist_ok=True)
    home.mkdir(parents=True)
    (home / "dbt").symlink_to((work / "dbt").resolve())
    platform = opened(home)
    gold.prepare(platform)
    return platform


def land(platform: Platform, delivery: Path) -> None:
    """Put a delivery into the region's landing folder."""
    landing = local(platform.layout(REGION).landing(TABLE))
    landing.mkdir(parents=True)
    os.link(delivery, landing / delivery.name)


def deliver(platform: Platform, delivery: Path, day: date) -> None:
    """From a delivered file to served tables."""
    with phase(f"bronze {day}"):
        sources.deliver_file(platform, delivery, table=TABLE, region=REGION, day=day)
    with phase(f"silver {day}"):
        states = silver.bring_up(platform, REGION, TABLE)
    if refused := [outcome for state in states for outcome in state.refused]:
        raise SystemExit(f"refused as a whole: {refused[0].problems[0].message}")
    with phase(f"gold {day}"):
        gold.build(platform, REGION)


def of_home(home: Path) -> dict[str, str]:
    """What the home holds of the day's delivery: its silver files, and what is served."""
    platform = opened(home)
    layout = platform.layout(REGION)
    names = ("stores", *figures.ELEMENTS)
    files = {name: f"read_parquet('{local(layout.silver(name))}/day={DAY}/*.parquet')" for name in names}
    with gold.connect(platform, REGION) as served, duckdb.connect() as database:
        served.execute("SET search_path = 'gold'")
        return figures.of_metrics(served, {name: name for name in figures.METRICS}) | figures.of_silver(database, files)


def main(before: Path, delivery: Path, home: Path) -> None:
    """The measured job, twice."""
    platform = opened(home)
    started()
    with phase(WORK):
        deliver(platform, before, BEFORE)
    with phase(AGAIN):
        deliver(platform, delivery, DAY)
    report({})


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
