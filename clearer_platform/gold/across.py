"""Gold across regions: what each region lets leave, in one warehouse in the global root."""

import hashlib
import os
import shutil
import time
import uuid
from contextlib import ExitStack
from datetime import date
from pathlib import Path

import duckdb

from clearer_platform.gold import motherduck, warehouse
from clearer_platform.gold.attempt import Attempt, clear
from clearer_platform.gold.blank import create_tables
from clearer_platform.gold.catalog import Model
from clearer_platform.gold.change import row_counts
from clearer_platform.gold.dbt import Progress
from clearer_platform.gold.inputs import Contents
from clearer_platform.gold.leaving import carried, copy_what_leaves, forms
from clearer_platform.gold.project import prepare, project_version
from clearer_platform.gold.results import Build
from clearer_platform.gold.warehouse import State
from clearer_platform.platform import Platform
from clearer_platform.silver.sql import identifier
from clearer_platform.storage import publish_file, reported

MODELS = ("build", "--select", "tag:global", "--exclude", "test_type:unit")


def build_global(platform: Platform, *, full_refresh: bool = False, progress: Progress | None = None) -> Build:
    """Bring cross-region gold up to date with the published gold of the regions, and serve it if it passes its tests.

    Only regions whose gold changed are read, and only what they let leave. A region without gold yet is left out.
    Raises GoldFailed (a BuildError) naming what failed, with what is served as it was.
    """
    layout = platform.global_layout
    with layout.lock("gold"), ExitStack() as stack:
        clear(layout.work / "gold", layout.warehouse)
        copies = {name: _pinned(platform, name, stack) for name in platform.registry.regions}
        done = _build(platform, copies, full_refresh, progress)
        if platform.settings.warehouse == "motherduck":
            motherduck.publish(platform, None)
    return done


def global_is_behind(platform: Platform) -> bool:
    """Whether global gold was built of other gold than the regions serve now, as after a run that was broken off."""
    copies = {name: warehouse.serving_copy(platform.layout(name)) for name in platform.registry.regions}
    state = warehouse.state(warehouse.serving_copy(platform.global_layout))
    return _contents(platform, copies) != (state.contents if state else {})


def withdrawn(platform: Platform, state: State) -> list[str]:
    """The regions of which global gold in this state holds what they do not let leave any more."""
    known = platform.registry.regions
    return sorted(
        region
        for region, _, _, leaves in state.contents
        if region not in known or leaves not in forms(platform, region)
    )


def _build(platform: Platform, copies: dict[str, Path | None], full_refresh: bool, progress: Progress | None) -> Build:
    started = time.perf_counter()
    layout = platform.global_layout
    version = hashlib.sha256(f"global {project_version(platform)}".encode()).hexdigest()
    current = warehouse.serving_copy(layout)
    before = warehouse.state(current)
    if before and (full_refresh or before.version != version):
        before = None
    after = State(version, _contents(platform, copies))
    if before and before.contents == after.contents:
        return Build(None, changed=False, seconds=time.perf_counter() - started)
    with Attempt.begin(platform, prepare(platform), "global gold", layout.work / "gold") as attempt:
        if before and current:
            with reported("write", attempt.database):
                shutil.copyfile(current, attempt.database)
        restated = _carry(attempt, copies, before.contents if before else {}, after)
        tests = attempt.run(MODELS, {}, progress)
        with attempt.connection() as connection:
            rows = row_counts(connection, "global")
        publish_file(attempt.database, layout.warehouse)
    return Build(None, True, restated, rows, tests, time.perf_counter() - started, published=True)


def _pinned(platform: Platform, region: str, stack: ExitStack) -> Path | None:
    """The region's serving copy under a name of our own, so that a publication meanwhile does not change it.

    The name is in the region's own work folder: the file holds more than may leave.
    """
    layout = platform.layout(region)
    path = warehouse.serving_copy(layout)
    if path is None:
        return None
    folder = layout.work / "leaving"
    pinned = folder / f"{uuid.uuid4().hex}.duckdb"
    with reported("write", pinned):
        folder.mkdir(parents=True, exist_ok=True)
        for left in folder.glob("*.duckdb"):  # of killed builds: the holder of the global lock alone writes here
            left.unlink(missing_ok=True)
        try:
            os.link(path, pinned)
        except OSError:
            shutil.copyfile(path, pinned)
    stack.callback(pinned.unlink, missing_ok=True)
    return pinned


def _contents(platform: Platform, copies: dict[str, Path | None]) -> Contents:
    """What global gold consists of: each region's gold in the state that was found, under what the region permits."""
    found: Contents = {}
    for name, path in copies.items():
        if state := warehouse.state(path):
            region = platform.region(name)
            found[(name, "gold", region.start, region.leaves)] = state.fingerprint
    return found


def _carry(attempt: Attempt, copies: dict[str, Path | None], held: Contents, after: State) -> tuple[date, ...]:
    """Replace what the working copy has of regions that changed; the days that differ now, of what has a row a day."""
    changed = {key[0] for key, _ in held.items() ^ after.contents.items()}
    present = {key[0] for key in after.contents}
    with attempt.connection() as connection:
        warehouse.record(connection, after)
        wanted = carried(attempt.platform)
        create_tables(connection, wanted)
        by_day = [model for model in wanted if model.day_column]
        for model in by_day:
            connection.execute(f"create temp table {_before(model)} as from gold.{identifier(model.alias)}")
        for region in sorted(changed):
            path = copies.get(region) if region in present else None
            copy_what_leaves(connection, attempt.platform, region, path, wanted)
        days = {day for model in by_day for day in _differing(connection, model)}
        for model in by_day:
            connection.execute(f"drop table {_before(model)}")
    return tuple(sorted(days))


def _before(model: Model) -> str:
    return identifier(f"before {model.alias}")


def _differing(connection: duckdb.DuckDBPyConnection, model: Model) -> list[date]:
    """The days of a table that has not the rows that it had before."""
    before, now = _before(model), f"gold.{identifier(model.alias)}"
    day = identifier(str(model.day_column))
    query = (
        f"select distinct {day} from ((from {before} except from {now}) union all (from {now} except from {before}))"
    )
    return [day for (day,) in connection.execute(query).fetchall()]
