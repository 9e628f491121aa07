"""Publishing in the graph: an asset for each table of each target, with a check.

It has one partition a region; a table that is built across regions has none, like what it is made from, and a step, a
job, a sensor and a schedule of its own kind (`across`). What a target gets of a region, or across regions, is published
as one. A sensor asks for a run when gold that is served is newer than what was published; the schedule of the settings
is the fallback, and goes to targets that failed as well.
"""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg

from clearer_platform.defs.marts import Marts, has_days, key_of
from clearer_platform.defs.names import GLOBAL, group, regions
from clearer_platform.defs.reporting import Events, Run, Trouble
from clearer_platform.errors import ClearerError
from clearer_platform.gold import Model, warehouse
from clearer_platform.platform import Platform
from clearer_platform.serving import publishing
from clearer_platform.serving.publishing import Published, Table
from clearer_platform.storage import publish_bytes

PUBLISHED = "published"
PUBLISH, PUBLISH_GLOBAL = "publish", "publish_global"
"""The jobs: what is each region's own, and what is built across regions."""
EQUAL = "equals_gold"
OWNERS = ["team:data-platform"]
FORMAT_VERSION = "1"
FIRST_WAIT, LONGEST_WAIT = 60.0, 3600.0
"""Seconds after which gold that was not published is asked for again; twice as many each time."""


def publish_key(target: str, table: str) -> dg.AssetKey:
    """The asset of a table in a target."""
    return dg.AssetKey([PUBLISHED, target, table])


class Targets:
    """What is published to the registry's targets; looked up once.

    Raises PublishError or UnknownName for a table that cannot be published.
    """

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        registry = platform.registry
        self._tables = {name: publishing.possible(platform, target) for name, target in registry.targets.items()}

    def tables(self, *, across: bool) -> list[tuple[str, Table]]:
        """Targets and their tables: those that are built across regions, or those that are published by region."""
        return [
            (name, table)
            for name, tables in self._tables.items()
            for table in tables.values()
            if table.is_whole == across
        ]

    def of(self, region: str | None) -> dict[str, list[str]]:
        """The targets that anything of the region (None: across regions) is published to, and its tables by name."""
        registry, found = self.platform.registry, dict[str, list[str]]()
        for name, table in self.tables(across=region is None):
            if region is None or region in registry.regions_of(registry.target(name)):
                found.setdefault(name, []).append(table.name)
        return found

    def keys(self, *, across: bool) -> list[dg.AssetKey]:
        """The keys of the assets."""
        return [publish_key(name, table.name) for name, table in self.tables(across=across)]

    def specs(self, marts: Marts, *, across: bool) -> list[dg.AssetSpec]:
        """The assets."""
        return [_spec(self.platform, marts, name, table) for name, table in self.tables(across=across)]

    def checks(self, *, across: bool) -> list[dg.AssetCheckSpec]:
        """One check a table: counts and sums in the target are gold's."""
        description = (
            "Rows, and the sum of each column of exact numbers, are those of gold; compared before they are seen."
        )
        return [
            dg.AssetCheckSpec(
                EQUAL, asset=key, description=description, partitions_def=publish_partitions(self.platform, across)
            )
            for key in self.keys(across=across)
        ]


def publish_partitions(platform: Platform, across: bool) -> dg.PartitionsDefinition | None:
    """One partition a region; none of what is built across them."""
    return None if across else regions(platform.registry)


def publish_regions(context: dg.AssetExecutionContext, run: Run) -> Events:
    """Publish each region's own tables to each target; a target that fails stops no other."""
    for region in context.partition_keys:
        yield from _publish_all(run, region)


def publish_global(context: dg.AssetExecutionContext, run: Run) -> Events:
    """Publish what is built across regions to each target; a target that fails stops no other."""
    yield from _publish_all(run, None)


def due(targets: Targets, now: float, *, across: bool) -> list[str | None]:
    """The regions whose served gold is newer than what was published, or None for that across regions.

    Each is told of, then left alone for a while.
    """
    named: list[str | None] = [None] if across else [*targets.platform.registry.regions]
    return [region for region in named if _is_due(targets, region, now)]


def _publish_all(run: Run, region: str | None) -> Events:
    for name, tables in Targets(run.platform).of(region).items():
        if selected := [table for table in tables if run.reporter.selected(publish_key(name, table))]:
            yield from _publish(run, region, name, selected)


def _publish(run: Run, region: str | None, name: str, tables: list[str]) -> Events:
    scope = region or GLOBAL
    run.progress(scope, f"publish to {name}", 0, len(tables))
    result = publishing.publish(run.platform, name, [region], tables=tables)
    if result.error:
        error = result.error
        trouble = Trouble(f"{PUBLISHED}/{name}", scope, None, name, error.message, error.hint, may_pass=error.may_pass)
        run.reporter.troubles.append(trouble)
        for table in tables:
            yield _checked(run, name, table, region, passed=False, metadata={"reason": error.message})
        return
    for one in result.published:
        key = publish_key(name, one.table)
        yield run.reporter.published(key, region, _facts(one), f"{scope} {one.fingerprint}"[:64])
        yield _checked(run, name, one.table, region, passed=True, metadata={"rows": one.rows})


def _checked(
    run: Run, target: str, table: str, region: str | None, *, passed: bool, metadata: dict[str, Any]
) -> dg.AssetCheckEvaluation:
    return dg.AssetCheckEvaluation(
        asset_key=publish_key(target, table), check_name=EQUAL, passed=passed, partition=region, metadata=metadata
    )


def _spec(platform: Platform, marts: Marts, target: str, table: Table) -> dg.AssetSpec:
    model = marts.models[table.name]
    kind = platform.registry.target(target).kind
    return dg.AssetSpec(
        publish_key(target, table.name),
        deps=[dg.AssetDep(key_of(model), partition_mapping=_mapping(model))],
        description=f"{table.name} as published to {target}. {model.description}",
        group_name=group(PUBLISHED, target),
        kinds={kind},
        owners=OWNERS,
        code_version=FORMAT_VERSION,
        partitions_def=publish_partitions(platform, table.is_whole),
        skippable=True,
    )


def _mapping(model: Model) -> dg.PartitionMapping | None:
    """How a published partition is made from those of its model; None where neither has any."""
    if model.layer == GLOBAL:
        return None
    if has_days(model):
        return dg.MultiToSingleDimensionPartitionMapping(partition_dimension_name="region")
    return dg.IdentityPartitionMapping()


def _facts(one: Published) -> dict[str, object]:
    return {
        "dagster/partition_row_count" if one.region else "dagster/row_count": one.rows,
        "target": one.target,
        "added": one.added,
        "changed": one.changed,
        "removed": one.removed,
        "was_there_already": not one.is_new,
        "seconds": round(one.seconds, 3),
    }


def _is_due(targets: Targets, region: str | None, now: float) -> bool:
    """Whether to ask for the region now, or (None) for what is built across them.

    What was asked for last is noted, so that no target is hammered. The same gold is asked for once more only while a
    target lacks it, after a wait that doubles each time.
    """
    platform, names = targets.platform, list(targets.of(region))
    if not names:
        return False
    layout = platform.layout(region) if region else platform.global_layout
    try:
        state = warehouse.state(warehouse.serving_copy(layout))
    except ClearerError:
        return False  # Its root does not answer: the next look tells.
    if state is None:
        return False
    note = layout.work / "publishing" / "asked.json"
    before = _noted(note)
    wanted = {"gold": state.fingerprint, "targets": _said(platform, names)}
    if {name: before.get(name) for name in wanted} != wanted:
        publish_bytes(json.dumps({**wanted, "at": now, "wait": FIRST_WAIT}).encode(), note)
        return True
    if _is_published(layout.work, state.fingerprint, names) or now < before["at"] + before["wait"]:
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
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def requested(targets: Targets, now: float | None = None, *, across: bool) -> Iterator[dg.RunRequest]:
    """A run for each region that is due, or one for what is built across them."""
    for region in due(targets, time.time() if now is None else now, across=across):
        yield dg.RunRequest(run_key=None, partition_key=region)
