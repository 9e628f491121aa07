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

from clearer_platform.gold import inputs, motherduck, stage, views, warehouse
from clearer_platform.gold.attempt import Attempt, clear
from clearer_platform.gold.change import Change
from clearer_platform.gold.dbt import Progress
from clearer_platform.gold.extent import EVERYTHING, Extent
from clearer_platform.gold.inputs import SilverFile
from clearer_platform.gold.project import prepare, project_version
from clearer_platform.gold.results import Build, GoldFailed
from clearer_platform.gold.warehouse import State
from clearer_platform.governance.pseudonyms import Pseudonyms
from clearer_platform.platform import Platform
from clearer_platform.storage import publish_file, reported


def build(
    platform: Platform,
    region: str,
    *,
    as_of: date | None = None,
    full_refresh: bool = False,
    progress: Progress | None = None,
) -> Build:
    """Bring the gold of `region` up to date with its published silver files, and serve it if it passes its tests.

    What depends on an as-of date says how things stand on `as_of`, else on the newest delivery's business day. Raises
    GoldFailed (a BuildError) naming what failed, or Damaged naming a silver file, with what is served as it was, and
    Busy where another build of the region goes on for longer than the lock's time-out.
    """
    layout = platform.layout(region)
    with layout.lock("gold"):
        done = build_warehouse(
            platform,
            (region,),
            layout.warehouse,
            layout.work / "gold",
            current=warehouse.serving_copy(layout),
            extent=Extent(as_of=as_of),
            full_refresh=full_refresh,
            progress=progress,
        )
        if platform.settings.warehouse == "motherduck":
            motherduck.publish(platform, region)
    if done.replaced:
        views.drop(layout)
    return done


def build_view(platform: Platform, region: str, extent: Extent, *, progress: Progress | None = None) -> Build:
    """Bring the view of this extent up to date, beside what is served. Raises what `build` raises."""
    layout = platform.layout(region)
    path = views.place(layout, extent)
    with layout.lock("views"):
        done = build_warehouse(platform, (region,), path, path.parent, current=path, extent=extent, progress=progress)
        views.looked_at(path)
        views.tidy(layout)
    return done


def build_warehouse(
    platform: Platform,
    regions: Sequence[str],
    target: UPath | Path,
    work: Path,
    *,
    current: Path | None = None,
    extent: Extent = EVERYTHING,
    full_refresh: bool = False,
    progress: Progress | None = None,
) -> Build:
    """Bring one warehouse of any number of regions up to date. For the holder of the lock over `target` and `work`.

    `current` is a local copy of what stands at `target` (which may be itself), or None where nothing does. Only those
    parts are built that a changed silver file or as-of date has to do with; the others stay as they are. Raises
    GoldFailed, and Damaged where the reason is a silver file that is no longer what was written.
    """
    started = time.perf_counter()
    name = regions[0] if len(regions) == 1 else None
    clear(work, target)
    silver, after = expected(platform, regions, extent)
    before = warehouse.state(current)
    replaced = bool(before and before.contents.items() - after.contents.items())
    if before and (full_refresh or before.version != after.version):
        before = None  # what stands there is of no use for this build
    if before == after:
        return Build(name, changed=False, seconds=time.perf_counter() - started)
    prepared = prepare(platform)
    change = Change.of(prepared, regions, silver, before, after, extent)
    what = f"gold of {', '.join(regions[:4])}" + (f" and {len(regions) - 4} more" if len(regions) > 4 else "")
    with Attempt.begin(platform, prepared, what, work) as attempt:
        if before and current:
            with reported("write", attempt.database):
                shutil.copyfile(current, attempt.database)
        try:
            tests = change.make(attempt, work / "mirror", progress)
        except (duckdb.Error, GoldFailed) as e:
            if not (isinstance(e, GoldFailed) and e.is_of_rows):
                change.check_silver()
            raise
        restated, rows = change.finish(attempt)
        publish_file(attempt.database, target)
    return Build(name, True, restated, rows, tests, time.perf_counter() - started, published=True, replaced=replaced)


def expected(platform: Platform, regions: Sequence[str], extent: Extent) -> tuple[list[SilverFile], State]:
    """The silver files that count within `extent`, and the state of a warehouse that is up to date with them."""
    silver = inputs.that_count(platform, extent.of(inputs.published(platform, regions)))
    return silver, State(state_version(platform, regions), inputs.contents(silver), extent.as_of)


def state_version(platform: Platform, regions: Sequence[str]) -> str:
    """Hex digest of all but silver that decides what gold is: dbt project, contracts, registry, pseudonym keys."""
    registry = platform.registry
    entries = [
        [r.name, r.title, r.timezone, r.currency, Pseudonyms.of(platform.layout(r.name)).key_id, r.own_calendar]
        for r in map(platform.region, regions)
    ]
    common = [registry.reporting_currency, registry.calendar.model_dump(mode="json")]
    decisive = [project_version(platform), entries, common, stage.clocks(platform, regions)]
    return hashlib.sha256(json.dumps(decisive).encode()).hexdigest()
