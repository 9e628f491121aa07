"""What the process does that runs are forked from, before it forks any: a whole run, in a home that is thrown away.

All that a first run in a process loads, compiles and makes is there for every child.
"""

import logging
import shutil
import tempfile
from datetime import date
from pathlib import Path

from clearer_platform.contracts import Contract
from clearer_platform.defs.alive import release
from clearer_platform.defs.forks import dagster
from clearer_platform.defs.runs import instance, materialize
from clearer_platform.errors import ClearerError
from clearer_platform.gold import Prepared, prepare
from clearer_platform.gold.dbt import read_ahead
from clearer_platform.platform import Platform
from clearer_platform.settings import Settings
from clearer_platform.storage import local

LOGGER = logging.getLogger("clearer_platform.forks")
REGION, DAY = "rehearsal", date(2024, 1, 1)


def rehearse(settings: Settings) -> None:
    """Run a day of every table once, to no end. Runs do without where it cannot be done, and tell what is wrong."""
    dagster()
    try:
        real = Platform.open(settings)
        prepared = prepare(real)
        with tempfile.TemporaryDirectory() as folder:
            _run(_apart(settings, Path(folder)), real, prepared)
        read_ahead(prepared)
    except ClearerError as e:
        LOGGER.warning("runs will take longer to begin: %s", e)
    except Exception as e:
        LOGGER.exception("runs will take longer to begin: %s", e)


def _run(settings: Settings, real: Platform, prepared: Prepared) -> None:
    shutil.copytree(prepared.folder, settings.home / "dbt" / prepared.folder.name)
    tables = [contract for contract in real.contracts.values() if not contract.nested]
    settings.registry_path.write_text(_registry(tables), "utf-8")
    platform = Platform.open(settings)
    for contract in tables:
        _land(platform, contract)
    with instance(platform) as apart:
        materialize(platform, apart, {REGION: [DAY]})
    release()


def _registry(tables: list[Contract]) -> str:
    region = f'[regions.{REGION}]\ntimezone = "UTC"\ncurrency = "EUR"\nroot = "{REGION}"\nstart = {DAY}\n'
    return region + "".join(f"[regions.{REGION}.tables.{contract.name}]\n" for contract in tables)


def _apart(settings: Settings, home: Path) -> Settings:
    """The settings with nothing that would be seen outside of `home`."""
    return settings.model_copy(
        update={"home": home, "regions_file": home / "regions.toml", "warehouse": "duckdb", "notifiers": ()}
    )


def _land(platform: Platform, contract: Contract) -> None:
    """A delivery with nothing but its header."""
    folder = local(platform.layout(REGION).landing(contract.name))
    folder.mkdir(parents=True)
    header = ",".join(column.name for column in contract.columns)
    (folder / f"{contract.name}-{DAY}.csv").write_text(header + "\n", "utf-8")
