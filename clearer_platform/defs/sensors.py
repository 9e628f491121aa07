"""Sensors: what lands is run, and what somebody has to know is told. They are on from the start."""

import time

import dagster as dg

from clearer_platform import alerts
from clearer_platform.defs import alerting
from clearer_platform.defs.jobs import REGION_DAYS
from clearer_platform.defs.landing import Landing
from clearer_platform.defs.publishing import PUBLISH, PUBLISH_GLOBAL, Targets, requested
from clearer_platform.defs.requests import regions_of
from clearer_platform.platform import Platform
from clearer_platform.sources.aside import set_asides

LOOKING, BEAT = 4.5, 0.25
"""Seconds that a tick looks at the most, and that it waits between looks.

The daemon goes round every 5 s, and leaves out a sensor that is still at its last tick: one that took longer would look
half of the time only.
"""


def sensors(platform: Platform, targets: Targets) -> list[dg.SensorDefinition]:
    """Every sensor."""
    publishing = [_publishing(targets, across) for across in (False, True) if targets.tables(across=across)]
    return [_landing(platform), _alerts(platform), _failures(platform), *publishing]


def ticked(landing: Landing, instance: dg.DagsterInstance, looking: float = LOOKING) -> list[dg.RunRequest]:
    """One tick: looks until there is something to ask for, or the time is up; a slow disk is looked at less often."""
    until = time.monotonic() + looking
    found = landing.begin(instance)
    while True:
        began = time.monotonic()
        found += landing.look(instance, leave=regions_of(found))
        now = time.monotonic()
        wait = max(BEAT, 2 * (now - began))
        if found or now + wait >= until:
            return found
        time.sleep(wait)


def _landing(platform: Platform) -> dg.SensorDefinition:
    landing = Landing(platform)

    @dg.sensor(
        name="landing",
        job_name=REGION_DAYS,
        minimum_interval_seconds=1,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Asks for runs of what has landed, of API windows that are due, and of runs that got lost.",
    )
    def sensor(context: dg.SensorEvaluationContext) -> list[dg.RunRequest]:
        return ticked(landing, context.instance)

    return sensor


def _publishing(targets: Targets, across: bool) -> dg.SensorDefinition:
    whose = "the gold across regions" if across else "a region's gold"

    @dg.sensor(
        name="newer_global_gold" if across else "newer_gold",
        job_name=PUBLISH_GLOBAL if across else PUBLISH,
        minimum_interval_seconds=10,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Asks for publishing where {whose} is newer than what was published of it.",
    )
    def sensor(context: dg.SensorEvaluationContext) -> list[dg.RunRequest]:
        return list(requested(targets, across=across))

    return sensor


def _alerts(platform: Platform) -> dg.SensorDefinition:
    @dg.sensor(
        name="alerts",
        job_name=REGION_DAYS,
        minimum_interval_seconds=5,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Tells of files that were set aside, and whatever else waits to be told. It asks for no run.",
    )
    def sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        asides = set_asides(platform)
        new = alerts.post(platform, map(alerting.of_aside, asides))
        if left := alerts.send(platform):
            context.log.warning(f"{left} alerts wait to be told again")
        return dg.SensorResult(asset_events=[alerting.observation(asides)] if new else [])

    return sensor


def _failures(platform: Platform) -> dg.SensorDefinition:
    @dg.run_failure_sensor(
        name="failures",
        minimum_interval_seconds=5,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Tells of runs that failed, and of the deliveries that they refused.",
    )
    def sensor(context: dg.RunFailureSensorContext) -> None:
        message = context.failure_event.message or "no reason was given"
        found = alerting.of_failed_run(platform, context.instance, context.dagster_run, message)
        alerts.post(platform, found)
        alerts.send(platform)

    return sensor
