"""Running the graph from Python: the instance of a home, and runs in this process for whatever days are asked for."""

import glob
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from functools import partial
from importlib.resources import files
from pathlib import Path

import dagster as dg
from alembic.util import CommandError
from sqlalchemy.exc import DBAPIError

from clearer_platform.definitions import build_defs
from clearer_platform.defs.internals import are_known, fitting, without
from clearer_platform.defs.jobs import REGION_DAYS
from clearer_platform.defs.names import (
    GOLD,
    LOADED_FROM,
    RANGE_END,
    RANGE_START,
    is_partition,
    partition_key,
    ranges,
    split,
)
from clearer_platform.defs.reporting import Progress, Trouble, causes, is_interrupted, told
from clearer_platform.defs.resources import silent
from clearer_platform.defs.steps import REGION_DAYS_STEP
from clearer_platform.errors import StorageError
from clearer_platform.platform import Platform
from clearer_platform.storage import locked, publish_bytes, reported

FOR_THE_UI = 2
"""Runs that may go on beside one of each region."""
FOR_SERVERS, FOR_COMMANDS = "dagster.yaml", "commands.yaml"
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
NO_CAPTURE = """
# A command draws on its terminal; what it prints is not captured.
compute_logs:
  module: dagster._core.storage.noop_compute_log_manager
  class: NoOpComputeLogManager
"""


@dataclass(frozen=True)
class RunOutcome:
    """What one run over a region's days came to."""

    region: str
    days: tuple[date, ...]
    run_id: str
    success: bool
    published: tuple[date, ...]
    """Days of which everything that was due is published."""
    restated: tuple[date, ...]
    """Other days of gold that were re-stated."""
    troubles: tuple[Trouble, ...]
    """What was not published, by asset, table and day, and why; no day where it is gold as a whole."""
    seconds: float

    @property
    def failed(self) -> dict[date | None, str]:
        """Why each day is not published in full."""
        reasons: dict[date | None, dict[str, None]] = {}
        for trouble in causes(self.troubles):
            reasons.setdefault(trouble.day, {})[f"{trouble.table}: {trouble.reason}"] = None
        return {day: "; ".join(found) for day, found in reasons.items()}


def instance(platform: Platform) -> dg.DagsterInstance:
    """The Dagster instance of the platform's home, for commands; its folder and dagster.yaml are made if missing.

    The UI and the daemon use the same folder as DAGSTER_HOME. Close it, or use it in a `with` block. Raises
    StorageError where its records cannot be used, or its folder's name cannot.
    """
    home = platform.settings.dagster_home.resolve()
    if glob.escape(str(home)) != str(home):
        raise StorageError(
            f"Dagster takes {home} for a pattern, and would go without its settings",
            hint="choose a home in whose path there is none of * ? [",
        )
    with reported("write", home):
        home.mkdir(parents=True, exist_ok=True)
    template = files("clearer_platform.defs").joinpath(FOR_SERVERS).read_text("utf-8")
    shipped = template.replace("{home}", str(home).replace("\\", "\\\\").replace('"', '\\"'))
    shipped = fitting(shipped.replace("{runs}", str(len(platform.registry.regions) + FOR_THE_UI)))
    mine = _written(home / FOR_SERVERS, shipped)
    own = without(mine, "compute_logs") + NO_CAPTURE if are_known() else mine
    _written(home / FOR_COMMANDS, shipped.splitlines()[0] + "\n" + own)
    # Two processes that make the records at once leave what neither can use.
    with _recording(home), locked(home / "making.lock", platform.settings.lock_timeout, "Dagster's records"):
        made = dg.DagsterInstance.from_config(str(home), FOR_COMMANDS)
        made.has_asset_key(dg.AssetKey("any"))  # The index of events is opened by the first who asks it.
        return made


@contextmanager
def _recording(home: Path) -> Iterator[None]:
    """Raise StorageError for what keeps Dagster from its records: a full disk, no permission, damage."""
    try:
        yield
    except (DBAPIError, CommandError) as e:
        raise StorageError(
            f"Dagster's records in {home} cannot be used: {getattr(e, 'orig', e)}",
            hint="free disk space and run again; if they are damaged, move that folder away: it is the history of runs"
            " and nothing of the data",
        ) from e


def materialize(
    platform: Platform,
    instance: dg.DagsterInstance,
    plan: Mapping[str, Collection[date]],
    progress: Progress = silent,
    as_of: date | None = None,
) -> list[RunOutcome]:
    """Run the days of each region from what has landed to gold, in this process: one run a region and unbroken range.

    The last of them builds what spans regions. A day that fails leaves the others published. Days outside the graph's
    partitions are not run. Gold is built as of the date given, by default as of the newest delivery's business day.
    Raises StorageError where runs cannot be recorded.
    """
    defs = build_defs(platform, progress=dg.ResourceDefinition.hardcoded_resource(progress))
    run = partial(_run, defs.resolve_job_def(REGION_DAYS), instance)
    wanted = [
        (region, days)
        for region, asked in plan.items()
        for days in ranges(day for day in asked if is_partition(platform.registry, day))
    ]
    with _recording(platform.settings.dagster_home):
        return [
            run(_config(as_of, across=number == len(wanted)), region, days)
            for number, (region, days) in enumerate(wanted, 1)
        ]


def _config(as_of: date | None, *, across: bool) -> dict[str, object]:
    """A run's config: as of when gold is built, and whether what spans regions is built too."""
    asked: dict[str, object] = {"across": across}
    if as_of:
        asked["as_of"] = f"{as_of}"
    return {**QUIET, "ops": {REGION_DAYS_STEP: {"config": asked}}}


def loadable(platform: Platform) -> int:
    """The number of assets that the platform's definitions come to. Raises what Dagster finds wrong with them."""
    defs = build_defs(platform)
    dg.Definitions.validate_loadable(defs)
    return len(list(defs.resolve_all_asset_specs()))


def _run(
    job: dg.JobDefinition,
    instance: dg.DagsterInstance,
    config: Mapping[str, object],
    region: str,
    days: tuple[date, ...],
) -> RunOutcome:
    started = time.monotonic()
    result = job.execute_in_process(
        run_config=config,
        instance=instance,
        tags={
            **LOADED_FROM,
            RANGE_START: partition_key(region, days[0]),
            RANGE_END: partition_key(region, days[-1]),
        },
        raise_on_error=False,
    )
    troubles = _troubles(result, region)
    bad = {trouble.day for trouble in troubles if trouble.region == region}
    return RunOutcome(
        region=region,
        days=days,
        run_id=result.run_id,
        success=result.success,
        published=() if None in bad else tuple(day for day in days if day not in bad),
        restated=tuple(sorted(_gold_days(result, region) - set(days))),
        troubles=troubles,
        seconds=time.monotonic() - started,
    )


def _troubles(result: dg.ExecuteInProcessResult, region: str) -> tuple[Trouble, ...]:
    """What the failed step said; an error that it did not foresee is raised, for it is a bug and no outcome."""
    for event in result.filter_events(lambda e: e.is_step_failure):
        data = event.step_failure_data
        if found := told(data):
            return found
        if is_interrupted(data.error):
            raise KeyboardInterrupt
        raise RuntimeError(f"the run of {region} broke off: {data.error_display_string}")
    if not result.success:
        raise KeyboardInterrupt  # Nothing failed, and yet it did not come to its end.
    return ()


def _gold_days(result: dg.ExecuteInProcessResult, region: str) -> set[date]:
    """The days of the region for which a materialisation of gold was reported."""
    found = set()
    for event in result.filter_events(lambda e: e.is_step_materialization):
        if event.asset_key and event.asset_key.path[0] == GOLD and event.partition and "|" in event.partition:
            where, day = split(event.partition)
            if where == region:
                found.add(day)
    return found


def _written(path: Path, shipped: str) -> str:
    """Write what is shipped, unless someone has made the file their own; the file's text."""
    kept = path.read_text("utf-8") if path.exists() else None
    if kept is not None and (kept == shipped or kept.split("\n", 1)[0] != shipped.split("\n", 1)[0]):
        return kept
    publish_bytes(shipped.encode(), path)
    return shipped
