"""Building a region's gold: a working copy, brought up to date and tested by dbt, then put in place of the serving copy.

What is served changes in one step, at the end. A build that fails or is killed before leaves it as it was, and the next one
finds out for itself what is to do: the warehouse says what it contains.
"""

import hashlib
import json
import shutil
import time
import uuid
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import duckdb
from upath import UPath

from clearer_platform.errors import BuildError
from clearer_platform.gold import inputs, motherduck, stage, warehouse
from clearer_platform.gold.dbt import Progress, invoke
from clearer_platform.gold.project import Prepared, described, prepare, project_version
from clearer_platform.gold.results import Build, TestResult, explained, judged
from clearer_platform.gold.warehouse import State
from clearer_platform.governance.pseudonyms import Pseudonyms
from clearer_platform.platform import Platform
from clearer_platform.storage import PARTIAL, publish_file, reported

REGION_MODELS = ("build", "--exclude", "tag:global", "test_type:unit")


def build(
    platform: Platform, region: str, *, full_refresh: bool = False, progress: Progress | None = None
) -> Build:
    """Bring the gold of `region` up to date with its published silver files, and serve it if it passes its tests.

    Raises GoldFailed (a BuildError) naming what failed, with what is served as it was, and Busy where another build of the
    region goes on for longer than the lock's time-out.
    """
    layout = platform.layout(region)
    with layout.lock("gold"):
        current = warehouse.serving_copy(layout)
        done = build_warehouse(
            platform,
            (region,),
            layout.warehouse,
            layout.work / "gold",
            current=current,
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
    what = f"gold of {', '.join(regions)}" if len(regions) < 5 else f"gold of {len(regions)} regions"
    clear(work, target)
    version = state_version(platform, regions)
    before = warehouse.state(current)
    silver = inputs.published(platform, regions)
    is_same_version = before is not None and before.version == version
    if not full_refresh and is_same_version and before and before.contents == inputs.contents(silver):
        return Build(name, changed=False, seconds=time.perf_counter() - started)
    prepared = prepare(platform)
    run = work / f"build-{uuid.uuid4().hex}"
    working = run / f"{warehouse.NAME}.duckdb"
    try:
        with reported("write", run):
            run.mkdir(parents=True)
            if is_same_version and current and not full_refresh:
                shutil.copyfile(current, working)
        silver = inputs.snapshot(silver, run / "snapshot", work / "mirror")
        after = State(version, inputs.contents(silver))
        held = before.contents if before and working.exists() else {}
        is_first = not working.exists()
        known = names(platform, prepared)
        try:
            _fill(platform, regions, silver, held, after, working, run)
            tests = _run(platform, prepared, regions, working, run, is_first, what, progress)
            restated, rows = _finish(platform, working, prepared, is_first, bool(held.items() - after.contents.items()))
        except duckdb.Error as e:
            raise BuildError(
                f"{what} could not be built ({explained(e, known)})",
                hint="what is served is as it was; run again, with --full-refresh if it stays",
            ) from None
        publish_file(working, target)
        return Build(name, True, restated, rows, tests, time.perf_counter() - started, published=True)
    finally:
        shutil.rmtree(run, ignore_errors=True)


def state_version(platform: Platform, regions: Sequence[str]) -> str:
    """Hex digest of all but silver that decides what gold is: dbt project, contracts, registry, pseudonym keys."""
    entries = [
        [r.name, r.title, r.timezone, r.currency, Pseudonyms.of(platform.layout(r.name)).key_id]
        for r in map(platform.region, regions)
    ]
    reporting = platform.registry.reporting_currency
    decisive = [project_version(platform), entries, reporting, stage.clocks(platform, regions)]
    return hashlib.sha256(json.dumps(decisive).encode()).hexdigest()


def clear(work: Path, target: UPath | Path) -> None:
    """Remove what killed builds left behind. Only for the holder of the lock."""
    for left in work.glob("build-*"):
        shutil.rmtree(left, ignore_errors=True)
    if isinstance(target, Path) and target.parent.exists():
        for beside in target.parent.glob(f"{PARTIAL}*-{target.name}*"):
            beside.unlink(missing_ok=True)


def _fill(
    platform: Platform,
    regions: Sequence[str],
    silver: list[inputs.SilverFile],
    held: inputs.Contents,
    after: State,
    working: Path,
    run: Path,
) -> None:
    """Everything that dbt finds in the working copy."""
    with warehouse.opened(working, platform.settings) as connection:
        warehouse.record(connection, after)
        stage.describe_regions(connection, platform, regions)
        stage.show_silver(connection, platform, silver, held, run / "empty")
        stage.add_pseudonyms(connection, platform, regions)


def _run(
    platform: Platform,
    prepared: Prepared,
    regions: Sequence[str],
    working: Path,
    run: Path,
    is_first: bool,
    what: str,
    progress: Progress | None,
) -> tuple[TestResult, ...]:
    variables = {
        "contracts": described(platform.contracts),
        "clocks": stage.clocks(platform, regions),
        "first_build": is_first,
    }
    outcome = invoke(
        prepared,
        platform.settings,
        working,
        [*REGION_MODELS],
        variables,
        target=run / "target",
        progress=progress,
    )
    return judged(what, outcome, names(platform, prepared))


def _finish(
    platform: Platform, working: Path, prepared: Prepared, is_first: bool, is_withdrawn: bool
) -> tuple[tuple[date, ...], dict[str, int]]:
    """Leave nothing of this build behind in the working copy; which days it restated, and how many rows there are."""
    with warehouse.opened(working, platform.settings) as connection:
        if is_withdrawn:
            stage.forget_pseudonyms(connection, platform)
        stage.hide_silver(connection)
        days = " union ".join(f"select day from gold.{mart}" for mart in _by_day(prepared))
        source = days if is_first else "select day from intermediate.restated_days"
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
    nodes = prepared.manifest["nodes"].values()
    return [n["alias"] for n in nodes if n["schema"] == "gold" and n["config"].get("meta", {}).get("day_column") == "day"]


def names(platform: Platform, prepared: Prepared) -> set[str]:
    """What may be quoted in a message: names of tables, columns and models."""
    names = {column.name for contract in platform.contracts.values() for column in contract.columns}
    for node in prepared.manifest["nodes"].values():
        names |= {node["name"], *node.get("columns", {})}
    return names | set(platform.contracts)
