"""The steps that materialise: a region's days up to gold, its whole models, what spans regions, backups, publishing.

The days are one step, because only a step that knows all its days can publish the good ones and leave the bad ones
as they were: in Dagster a failed output or check fails every partition of its run. A run may cross regions and may be
for a part of the assets. Who writes is decided by the file locks of the layers below; pools are for display.
"""

import random
from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

import dagster as dg

from clearer_platform.defs import alive
from clearer_platform.defs.backups import BACKUPS, back_up, backup_specs
from clearer_platform.defs.delivered import table_checks, table_specs
from clearer_platform.defs.marts import Marts
from clearer_platform.defs.models import build_days, build_globals, build_wholes
from clearer_platform.defs.names import BRONZE, GLOBAL, GOLD, SILVER, asset_key, by_region, region_days, regions
from clearer_platform.defs.publishing import (
    PUBLISH,
    Targets,
    publish_global,
    publish_partitions,
    publish_regions,
)
from clearer_platform.defs.reporting import Events, Reporter, Run
from clearer_platform.defs.tables import RegionTables
from clearer_platform.platform import Platform

POOL = "regions"
RETRIES, FIRST_WAIT = 2, 4.0
"""How often a step is tried again, where that can help, and the seconds before it is; four times as many the next."""
REGION_DAYS_STEP = "bring_region_days_up"
AS_OF = {
    "as_of": dg.Field(
        dg.Noneable(str),
        default_value=None,
        description="Build gold as of this day, such as 2025-01-01; by default of a table's newest delivery.",
    )
}
ACROSS = {
    "across": dg.Field(
        bool,
        default_value=True,
        description="Build what spans regions too. Of several runs one after the other, the last alone needs to.",
    )
}
Work = Callable[[dg.AssetExecutionContext, Run], Events]


def steps(platform: Platform, marts: Marts, targets: Targets) -> list[dg.AssetsDefinition]:
    """Every asset, in three steps, one for backups, and two for publishing."""
    registry = platform.registry
    return [
        _step(
            platform,
            marts,
            _region_days,
            name=REGION_DAYS_STEP,
            description="Receive, validate and build the days of each region; what is bad stays as it was.",
            specs=[*table_specs(platform), *marts.specs(marts.days)],
            check_specs=[*table_checks(platform), *marts.checks(marts.days)],
            config_schema={**AS_OF, **ACROSS},
            partitions_def=region_days(registry),
            backfill_policy=dg.BackfillPolicy.single_run(),
            pool=POOL,
        ),
        _step(
            platform,
            marts,
            _region_models,
            name="build_region_models",
            description="Bring each region's warehouse up to date and report its whole models.",
            specs=marts.specs(marts.wholes),
            check_specs=marts.checks(marts.wholes),
            config_schema=AS_OF,
            partitions_def=regions(registry),
            backfill_policy=dg.BackfillPolicy.single_run(),
            pool=POOL,
        ),
        _step(
            platform,
            marts,
            _global_models,
            name="build_global_models",
            description="Build what spans regions, from what each of them lets leave.",
            specs=marts.specs(marts.globals),
            check_specs=marts.checks(marts.globals),
            pool=GLOBAL,
        ),
        *_backups(platform, marts),
        *_publishing(platform, marts, targets),
    ]


def _backups(platform: Platform, marts: Marts) -> list[dg.AssetsDefinition]:
    """The step of backups, where the settings name tables."""
    if not platform.settings.backup_tables:
        return []
    step = _step(
        platform,
        marts,
        back_up,
        name="back_up_tables",
        description="Back up the tables that the settings name, and remove their oldest backups.",
        specs=backup_specs(platform, marts),
        check_specs=[],
        partitions_def=regions(platform.registry),
        backfill_policy=dg.BackfillPolicy.single_run(),
        pool=BACKUPS,
    )
    return [step]


def _publishing(platform: Platform, marts: Marts, targets: Targets) -> list[dg.AssetsDefinition]:
    """The steps of publishing, as far as the registry's targets name tables for them."""
    return [
        _step(
            platform,
            marts,
            publish_global if across else publish_regions,
            name="publish_global_tables" if across else "publish_tables",
            description=f"Publish {what} to the registry's targets, as one for each target.",
            specs=targets.specs(marts, across=across),
            check_specs=targets.checks(across=across),
            partitions_def=publish_partitions(platform, across),
            backfill_policy=None if across else dg.BackfillPolicy.single_run(),
            pool=PUBLISH,
        )
        for across, what in ((False, "each region's tables"), (True, "what spans regions"))
        if targets.tables(across=across)
    ]


def _step(
    platform: Platform, marts: Marts, work: Work, check_specs: list[dg.AssetCheckSpec], **how: Any
) -> dg.AssetsDefinition:
    """A step that does `work`, and ends failed where something could not be published."""

    upstream = {spec.key: [dep.asset_key for dep in spec.deps] for spec in how["specs"]}

    @dg.multi_asset(check_specs=check_specs, can_subset=True, required_resource_keys={"progress"}, **how)
    def step(context: dg.AssetExecutionContext) -> Iterator[Any]:
        alive.hold(alive.folder(context.instance), context.run_id)
        if how.get("partitions_def") and not (context.has_partition_key or context.has_partition_key_range):
            raise dg.Failure(
                "this run is for no partition; choose one in the launchpad, or materialise the job's assets",
                allow_retries=False,
            )
        reporter = Reporter(context, {**upstream, **marts.parents()})
        yield from work(context, Run(platform, marts, reporter, context.resources.progress, _as_of(context)))
        yield from reporter.check_outputs(check_specs)
        failure = reporter.failure()
        if failure and reporter.may_pass:
            wait = FIRST_WAIT * 4**context.retry_number * random.uniform(0.5, 1)
            raise dg.RetryRequested(max_retries=RETRIES, seconds_to_wait=wait) from failure
        if failure:
            raise failure

    return step


def _as_of(context: dg.AssetExecutionContext) -> date | None:
    """The as-of date in the run's config, if there is one. Raises Failure where it is no day."""
    text = (context.op_execution_context.op_config or {}).get("as_of")
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise dg.Failure(f"as_of: {text!r} is not a day; write it as 2025-01-01", allow_retries=False) from None


def _region_days(context: dg.AssetExecutionContext, run: Run) -> Events:
    builds = any(key.path[0] == GOLD for key in context.selected_asset_keys)
    for region, days in by_region(context.partition_keys).items():
        tables = RegionTables(run, region, days)
        yield from _deliveries(run, tables)
        if builds:
            yield from build_days(run, tables)
    if builds and context.op_execution_context.op_config["across"]:
        yield from build_globals(run)


def _region_models(context: dg.AssetExecutionContext, run: Run) -> Events:
    for region in context.partition_keys:
        yield from build_wholes(run, region)


def _global_models(context: dg.AssetExecutionContext, run: Run) -> Events:
    yield from build_globals(run)


def _deliveries(run: Run, tables: RegionTables) -> Events:
    """Bronze of every table, then silver, then what is unusual about it: parents are there before their children."""
    received = [table for table in run.platform.contracts if run.reporter.selected(asset_key(BRONZE, table))]
    validated = [table for table in run.platform.contracts if run.reporter.selected(asset_key(SILVER, table))]
    for table in received:
        yield from tables.receive(table)
    for table in validated:
        yield from tables.validate(table)
    for table in validated:
        yield from tables.judge(table)
