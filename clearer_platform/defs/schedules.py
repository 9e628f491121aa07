"""Schedules: once a region's cut-off has passed, what is late is told and what can be run is run; servers are read,
backups are made.

On from the start: backups are asked for by naming tables in the settings.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg

from clearer_platform import alerts
from clearer_platform.defs import alerting
from clearer_platform.defs.backups import BACKUPS, backed_up
from clearer_platform.defs.jobs import REGION_DAYS
from clearer_platform.defs.names import is_partition
from clearer_platform.defs.publishing import PUBLISH, PUBLISH_GLOBAL, Targets
from clearer_platform.defs.requests import requests, underway
from clearer_platform.platform import Platform
from clearer_platform.regions import Region
from clearer_platform.serving.facts import behind_shared, gather
from clearer_platform.serving.plan import Only, plan
from clearer_platform.sources import sql

WORTH_RUNNING = (Only.MISSING, Only.CHANGED)
"""A day whose delivery was refused is not: under the same contract it would be refused again. A mended contract or
mapping makes it changed."""


def schedules(platform: Platform, targets: Targets) -> list[dg.ScheduleDefinition]:
    """One schedule a region; one for each that reads database servers; one for the backups of each that has any of the
    tables in the settings."""
    regions = platform.registry.regions.values()
    return [
        *(_after_cutoff(platform, region) for region in regions),
        *(_of_servers(platform, region) for region in regions if sql.tables(platform, region.name)),
        *(_of_backups(platform, region) for region in regions if backed_up(platform, region.name)),
        *([_of_publishing(targets)] if targets.tables(across=False) else []),
        *([_of_publishing_global(platform)] if targets.tables(across=True) else []),
    ]


def _after_cutoff(platform: Platform, region: Region) -> dg.ScheduleDefinition:
    @dg.schedule(
        name=f"after_cutoff_{region.name}",
        job_name=REGION_DAYS,
        cron_schedule=f"{region.cutoff.minute} {region.cutoff.hour} * * *",
        execution_timezone=region.timezone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=f"After the cut-off of {region.name}: tells which days are late, runs whatever is not in gold.",
    )
    def schedule(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest]:
        now = max(context.scheduled_execution_time, datetime.now(UTC))
        yield from catch_up(platform, region, context.instance, now)

    return schedule


def _of_servers(platform: Platform, region: Region) -> dg.ScheduleDefinition:
    cron = platform.settings.schedule

    @dg.schedule(
        name=f"servers_{region.name}",
        job_name=REGION_DAYS,
        cron_schedule=cron,
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=f"At {cron} (CLEARER_SCHEDULE): reads the database servers of {region.name}, and builds its gold.",
    )
    def schedule(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest]:
        today = region.today(max(context.scheduled_execution_time, datetime.now(UTC)))
        if today not in underway(context.instance, platform.registry).get(region.name, set()):
            yield from requests({region.name: [today]})

    return schedule


def _of_backups(platform: Platform, region: Region) -> dg.ScheduleDefinition:
    hour = platform.settings.backup_hour

    @dg.schedule(
        name=f"backups_{region.name}",
        job_name=BACKUPS,
        cron_schedule=f"0 {hour} * * *",
        execution_timezone=region.timezone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=f"Each day at {hour}:00 of {region.name}: backs up the tables that the settings name.",
    )
    def schedule(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        return dg.RunRequest(run_key=None, partition_key=region.name)

    return schedule


def _of_publishing(targets: Targets) -> dg.ScheduleDefinition:
    @dg.schedule(
        name="publish_on_schedule",
        job_name=PUBLISH,
        cron_schedule=targets.platform.settings.schedule,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Publishes to the registry's targets, whatever else was asked for: what is there stays.",
    )
    def schedule(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest]:
        at = context.scheduled_execution_time
        for region in targets.platform.registry.regions:
            if targets.of(region):
                yield dg.RunRequest(run_key=f"{PUBLISH} {region} {at}", partition_key=region)

    return schedule


def _of_publishing_global(platform: Platform) -> dg.ScheduleDefinition:
    @dg.schedule(
        name="publish_global_on_schedule",
        job_name=PUBLISH_GLOBAL,
        cron_schedule=platform.settings.schedule,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Publishes what spans regions to the registry's targets, whatever else was asked for.",
    )
    def schedule(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        return dg.RunRequest(run_key=f"{PUBLISH_GLOBAL} {context.scheduled_execution_time}")

    return schedule


def catch_up(
    platform: Platform, region: Region, instance: dg.DagsterInstance, now: datetime
) -> Iterator[dg.RunRequest]:
    """Tell what of a region is late, and ask for what is missing and can be run, unless that is asked for already."""
    facts = gather(platform, [region.name], now, end=region.today(now) - timedelta(days=1))
    alerts.post(platform, alerting.late(region, facts, now))
    alerts.send(platform)
    behind = {region.name: behind_shared(platform, region.name)}
    days = plan(facts, now, WORTH_RUNNING, behind).days.get(region.name, ())
    asked = underway(instance, platform.registry).get(region.name, set())
    left = [day for day in days if day not in asked and is_partition(platform.registry, day)]
    yield from requests({region.name: left})
