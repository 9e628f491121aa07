"""Publishing in the graph: an asset for each table of each target, one partition a region, with a check.

A region's tables of one target are published as one. A sensor asks for a run when gold that is served is newer than
what was published; the schedule of the settings is the fallback, and goes to targets that failed as well.
"""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg

from clearer_platform.defs.marts import Marts, has_days, key_of
from clearer_platform.defs.names import GOLD, group, regions
from clearer_platform.defs.reporting import Events, Run, Trouble
from clearer_platform.errors import ClearerError
from clearer_platform.gold import warehouse
from clearer_platform.platform import Platform
from clearer_platform.serving import publishing
from clearer_platform.serving.publishing import Published
from clearer_platform.storage import publish_bytes

PUBLISHED = "published"
PUBLISH = "publish"
EQUAL = "equals_gold"
OWNERS = ["team:data-platform"]
FORMAT_VERSION = "1"
FIRST_WAIT, LONGEST_WAIT = 60.0, 3600.0
"""Seconds after which gold that was not published is asked for again; twice as many each time."""


def publish_key(target: str, table: str) -> dg.AssetKey:
    """The asset of a table in a target."""
    return dg.AssetKey([PUBLISHED, target, table])


def publish_keys(platform: Platform) -> list[dg.AssetKey]:
    """The keys of the assets."""
    return [publish_key(name, table) for name, tables in _tables(platform).items() for table in tables]


def publish_specs(platform: Platform, marts: Marts) -> list[dg.AssetSpec]:
    """The assets. Raises PublishError or UnknownName for a table that cannot be published."""
    return [_spec(platform, marts, name, table) for name, tables in _tables(platform).items() for table in tables]


def publish_checks(platform: Platform) -> list[dg.AssetCheckSpec]:
    """One check a table: counts and sums in the target are gold's."""
    description = "Rows, and the sum of each column of exact numbers, are those of gold; compared before they are seen."
    by_region = regions(platform.registry)
    return [
        dg.AssetCheckSpec(EQUAL, asset=key, description=description, partitions_def=by_region)
        for key in publish_keys(platform)
    ]


def publish_tables(context: dg.AssetExecutionContext, run: Run) -> Events:
    """Publish each region's tables to each target; a target that fails stops no other."""
    for region in context.partition_keys:
        for name, target in run.platform.registry.targets.items():
            tables = [t for t in _tables(run.platform)[name] if run.reporter.selected(publish_key(name, t))]
            if tables and region in run.platform.registry.regions_of(target):
                yield from _publish(run, region, name, tables)


def due(platform: Platform, now: float) -> list[str]:
    """The regions whose served gold is newer than what was published; each is told of, then left alone for a while."""
    return [region for region in platform.registry.regions if _is_due(platform, region, now)]


def _publish(run: Run, region: str, name: str, tables: list[str]) -> Events:
    run.progress(region, f"publish to {name}", 0, len(tables))
    result = publishing.publish(run.platform, name, [region], tables=tables)
    if result.error:
        error = result.error
        trouble = Trouble(f"{PUBLISHED}/{name}", region, None, name, error.message, error.hint, may_pass=error.may_pass)
        run.reporter.troubles.append(trouble)
        for table in tables:
            yield _checked(run, name, table, region, passed=False, metadata={"reason": error.message})
        return
    for one in result.published:
        key = publish_key(name, one.table)
        yield run.reporter.published(key, region, _facts(one), f"{region} {one.fingerprint}"[:64])
        yield _checked(run, name, one.table, region, passed=True, metadata={"rows": one.rows})


def _checked(
    run: Run, target: str, table: str, region: str, *, passed: bool, metadata: dict[str, Any]
) -> dg.AssetCheckEvaluation:
    return dg.AssetCheckEvaluation(
        asset_key=publish_key(target, table), check_name=EQUAL, passed=passed, partition=region, metadata=metadata
    )


def _tables(platform: Platform) -> dict[str, list[str]]:
    """Target -> the tables that are published to it."""
    return {name: list(publishing.possible(platform, target)) for name, target in platform.registry.targets.items()}


def _spec(platform: Platform, marts: Marts, target: str, table: str) -> dg.AssetSpec:
    model = next(m for m in marts.models.values() if m.layer == GOLD and m.alias == table)
    by_day = dg.MultiToSingleDimensionPartitionMapping(partition_dimension_name="region")
    mapping = by_day if has_days(model) else dg.IdentityPartitionMapping()
    kind = platform.registry.target(target).kind
    return dg.AssetSpec(
        publish_key(target, table),
        deps=[dg.AssetDep(key_of(model), partition_mapping=mapping)],
        description=f"{table} as published to {target}. {model.description}",
        group_name=group(PUBLISHED, target),
        kinds={kind},
        owners=OWNERS,
        code_version=FORMAT_VERSION,
        partitions_def=regions(platform.registry),
        skippable=True,
    )


def _facts(one: Published) -> dict[str, object]:
    return {
        "dagster/partition_row_count": one.rows,
        "target": one.target,
        "added": one.added,
        "changed": one.changed,
        "removed": one.removed,
        "was_there_already": not one.is_new,
        "seconds": round(one.seconds, 3),
    }


def _is_due(platform: Platform, region: str, now: float) -> bool:
    """Whether to ask for the region now. What was asked for last is noted, so that no target is hammered.

    The same gold is asked for once more only while a target lacks it, after a wait that doubles each time.
    """
    of_region = [t.name for t in platform.registry.targets.values() if region in platform.registry.regions_of(t)]
    if not of_region:
        return False
    layout = platform.layout(region)
    try:
        state = warehouse.state(warehouse.serving_copy(layout))
    except ClearerError:
        return False  # Its root does not answer: the next look tells.
    if state is None:
        return False
    note = layout.work / "publishing" / "asked.json"
    before = _noted(note)
    wanted = {"gold": state.fingerprint, "targets": _said(platform, of_region)}
    if {name: before.get(name) for name in wanted} != wanted:
        publish_bytes(json.dumps({**wanted, "at": now, "wait": FIRST_WAIT}).encode(), note)
        return True
    if _is_published(layout.work, state.fingerprint, of_region) or now < before["at"] + before["wait"]:
        return False
    wait = min(before["wait"] * 2, LONGEST_WAIT)
    publish_bytes(json.dumps({**wanted, "at": now, "wait": wait}).encode(), note)
    return True


def _said(platform: Platform, names: list[str]) -> dict[str, object]:
    """What the registry says of targets: what changes there is published at once."""
    return {name: platform.registry.target(name).model_dump(mode="json") for name in names}


def _is_published(work: Path, fingerprint: str, names: list[str]) -> bool:
    return all(_noted(work / "publishing" / f"{name}.json").get("gold") == fingerprint for name in names)


def _noted(path: Path) -> dict[str, Any]:
    """What a note says; a damaged one is as good as none."""
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def requested(platform: Platform, now: float | None = None) -> Iterator[dg.RunRequest]:
    """A run for each region that is due."""
    for region in due(platform, time.time() if now is None else now):
        yield dg.RunRequest(run_key=None, partition_key=region)
