"""Building a region's gold: a working copy, brought up to date and tested by dbt, then put in the serving copy's place.

What is served changes in one step, at the end. A build that fails or is killed before leaves it as it was, and the next
one finds out for itself what is to do: the warehouse says what it contains.
"""

import hashlib
import json
import shutil
import time
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import duckdb
from upath import UPath

from clearer_platform.gold import inputs, motherduck, stage, warehouse
from clearer_platform.gold.attempt import Attempt, clear
from clearer_platform.gold.dbt import Progress
from clearer_platform.gold.inputs import Contents, SilverFile
from clearer_platform.gold.project import Prepared, prepare, project_version
from clearer_platform.gold.results import Build
from clearer_platform.gold.warehouse import State
from clearer_platform.governance.pseudonyms import Pseudonyms
from clearer_platform.platform import Platform
from clearer_platform.storage import publish_file, reported

MODELS = ("build", "--exclude", "tag:global", "test_type:unit")


def build(platform: Platform, region: str, *, full_refresh: bool = False, progress: Progress | None = None) -> Build:
    """Bring the gold of `region` up to date with its published silver files, and serve it if it passes its tests.

    Raises GoldFailed (a BuildError) naming what failed, with what is served as it was, and Busy where another build of
    the region goes on for longer than the lock's time-out.
    """
    layout = platform.layout(region)
    with layout.lock("gold"):
        done = build_warehouse(
            platform,
            (region,),
            layout.warehouse,
            layout.work / "gold",
            current=warehouse.serving_copy(layout),
            full_refresh=full_refresh,
            progress=progress,
        )
        if platform.settings.warehouse == "motherduck":
            motherduck.publish(platform, region)
    return done


def build_warehouse(
    platform: Platform,
    regions: Sequence[str],
    target: UPath | Path,
    work: Path,
    *,
    current: Path | None = None,
    full_refresh: bool = False,
    progress: Progress | None = None,
) -> Build:
    """Bring one warehouse of any number of regions up to date. For the holder of the lock over `target` and `work`.

    `current` is a local copy of what stands at `target` (which may be itself), or None where nothing does.
    """
    started = time.perf_counter()
    name = regions[0] if len(regions) == 1 else None
    clear(work, target)
    version = state_version(platform, regions)
    before = warehouse.state(current)
    if before and (full_refresh or before.version != version):
        before = None  # what stands there is of no use for this build
    silver = inputs.published(platform, regions)
    if before and before.contents == inputs.contents(silver):
        return Build(name, changed=False, seconds=time.perf_counter() - started)
    what = f"gold of {', '.join(regions[:4])}" + (f" and {len(regions) - 4} more" if len(regions) > 4 else "")
    with Attempt.begin(platform, prepare(platform), what, work) as attempt:
        if before and current:
            with reported("write", attempt.database):
                shutil.copyfile(current, attempt.database)
        silver = inputs.snapshot(silver, attempt.folder / "snapshot", work / "mirror")
        _fill(attempt, regions, silver, before, State(version, inputs.contents(silver)))
        variables = {"clocks": stage.clocks(platform, regions), "first_build": before is None}
        tests = attempt.run(MODELS, variables, progress)
        restated, rows = _finish(attempt, is_first=before is None)
        publish_file(attempt.database, target)
    return Build(name, True, restated, rows, tests, time.perf_counter() - started, published=True)


def state_version(platform: Platform, regions: Sequence[str]) -> str:
    """Hex digest of all but silver that decides what gold is: dbt project, contracts, registry, pseudonym keys."""
    entries = [
        [r.name, r.title, r.timezone, r.currency, Pseudonyms.of(platform.layout(r.name)).key_id]
        for r in map(platform.region, regions)
    ]
    reporting = platform.registry.reporting_currency
    decisive = [project_version(platform), entries, reporting, stage.clocks(platform, regions)]
    return hashlib.sha256(json.dumps(decisive).encode()).hexdigest()


def _fill(
    attempt: Attempt, regions: Sequence[str], silver: list[SilverFile], before: State | None, after: State
) -> None:
    """Everything that dbt finds in the working copy."""
    held: Contents = before.contents if before else {}
    with attempt.connection() as connection:
        warehouse.record(connection, after)
        stage.describe_regions(connection, attempt.platform, regions)
        stage.show_silver(connection, attempt.platform, silver, held, attempt.folder / "empty")
        stage.add_pseudonyms(connection, attempt.platform, regions)
        if held.items() - after.contents.items():
            stage.forget_pseudonyms(connection, attempt.platform)


def _finish(attempt: Attempt, *, is_first: bool) -> tuple[tuple[date, ...], dict[str, int]]:
    """Leave nothing of this build behind in the working copy; which days it restated, and how many rows there are."""
    with attempt.connection() as connection:
        stage.hide_silver(connection)
        everything = " union ".join(f"select day from gold.{mart}" for mart in _by_day(attempt.prepared))
        source = everything if is_first else "select day from intermediate.restated_days"
        restated = connection.execute(f"select distinct day from ({source}) order by day").fetchall()
        return tuple(day for (day,) in restated), row_counts(connection, "gold")


def row_counts(connection: duckdb.DuckDBPyConnection, schema: str) -> dict[str, int]:
    """Rows of every table of `schema`."""
    tables = connection.execute(
        "select table_name from duckdb_tables() where schema_name = ? and not temporary order by table_name", [schema]
    ).fetchall()
    return {t: connection.execute(f'select count(*) from "{schema}"."{t}"').fetchall()[0][0] for (t,) in tables}


def _by_day(prepared: Prepared) -> list[str]:
    """The marts of the grain region and day."""
    models = [node for node in prepared.manifest["nodes"].values() if node["schema"] == "gold"]
    return [node["alias"] for node in models if node["config"].get("meta", {}).get("day_column") == "day"]
