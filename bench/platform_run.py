"""The platform at the benchmark's job, without an orchestrator: receive, bring silver up, build gold, in a fresh home.

python -m bench.platform_run DELIVERIES OUTPUT
"""

import os
import sys
from pathlib import Path

from bench.figures import TABLES, of_marts, of_silver
from bench.phases import phase, report, started
from clearer_platform import gold, silver, sources
from clearer_platform.platform import Platform
from clearer_platform.settings import Settings
from clearer_platform.storage import local

REGION = "bench"
REGISTRY = """
reporting_currency = "USD"
[regions.bench]
timezone = "Europe/Berlin"
currency = "EUR"
root = "bench"
leaves = "pseudonyms"
start = 2024-03-10
[regions.bench.tables.customers]
[regions.bench.tables.products]
[regions.bench.tables.transactions]
[regions.bench.tables.conversations]
[regions.bench.tables.fx_rates]
"""


def opened(deliveries: Path, home: Path) -> Platform:
    """The platform in a fresh home, with links to the deliveries in the region's landing folders."""
    home.mkdir(parents=True)
    (home / "regions.toml").write_text(REGISTRY)
    platform = Platform.open(Settings(home=home))
    for table in TABLES:
        landing = local(platform.layout(REGION).landing(table))
        landing.mkdir(parents=True)
        for path in (deliveries / table).glob("*.csv"):
            os.link(path, landing / path.name)
    return platform


def run(platform: Platform) -> None:
    """CSV to bronze, silver and gold."""
    with phase("prepare"):
        gold.prepare(platform)  # dbt reads its project once an installation
    with phase("bronze"):
        for table in TABLES:
            sources.collect(platform, REGION, table)
    with phase("silver"):
        for table in TABLES:
            silver.bring_up(platform, REGION, table)
    with phase("gold"):
        gold.build(platform, REGION)


def figures(platform: Platform) -> dict[str, str]:
    """What came of it, from the silver files and the serving copy."""
    layout = platform.layout(REGION)
    with gold.connect(platform, REGION) as served:
        return of_silver(local(layout.silver("transactions")).parent) | of_marts(served, "gold")


def main(deliveries: Path, output: Path) -> None:
    """The measured job, and the figures that prove it."""
    platform = opened(deliveries, output)
    run(platform)
    with phase("figures"):
        found = figures(platform)
    report(found)


if __name__ == "__main__":
    started()
    main(Path(sys.argv[1]), Path(sys.argv[2]))
