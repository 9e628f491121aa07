"""What is told, as alerts: failed runs, refused deliveries, files set aside, late days. No values of persons in it."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import date, datetime, timedelta

import dagster as dg

from clearer_platform import silver
from clearer_platform.alerts import Alert, Kind
from clearer_platform.defs import markdown
from clearer_platform.defs.reporting import causes, told
from clearer_platform.defs.requests import covered
from clearer_platform.platform import Platform
from clearer_platform.regions import Region
from clearer_platform.serving.facts import TableDay
from clearer_platform.silver import Outcome, Problem
from clearer_platform.sources.aside import Aside

SET_ASIDE = dg.AssetKey(["landing", "set_aside"])
SHOWN = 20
"""Lines of an alert's text."""
LOOK_BACK = timedelta(days=7)
"""Late days that are told of: what has been late for longer was told of when it began."""


def set_aside_asset() -> dg.AssetsDefinition:
    """What stands in the graph for the files that were set aside: it is observed, not made."""
    spec = dg.AssetSpec(
        SET_ASIDE,
        description="Files that lay in landing folders and could be no delivery: `clearer aside` lists them.",
        group_name="landing_files",
        kinds={"file"},
        owners=["team:data-platform"],
        code_version="1",
    )
    return dg.AssetsDefinition(specs=[spec])


def observation(asides: Collection[Aside]) -> dg.AssetObservation:
    """What has been set aside, for the UI."""
    rows = [(aside.name, aside.reason.reason, f"{aside.reason.at:%Y-%m-%d %H:%M}") for aside in asides]
    why = markdown.table(["file", "reason", "set aside (UTC)"], rows[:SHOWN])
    return dg.AssetObservation(SET_ASIDE, metadata={"files": len(asides), "why": why})


def of_aside(aside: Aside) -> Alert:
    """The alert of one file that was set aside."""
    reason = aside.reason
    return Alert(
        kind=Kind.FILE_SET_ASIDE,
        cause=f"{aside.path} {reason.at.isoformat()}",
        title=f"{aside.name} was set aside",
        text=f"{reason.reason}\n{reason.what_to_do}",
        region=reason.region,
        table=aside.table or None,
    )


def of_failed_run(platform: Platform, instance: dg.DagsterInstance, run: dg.DagsterRun, message: str) -> list[Alert]:
    """The alert of a failed run, and one of each delivery that its days were refused for.

    The cause of a run's failure is what went wrong, not the run: what is tried again and fails alike is told of once.
    """
    troubles = [
        trouble
        for entry in instance.all_logs(run.run_id, of_type=dg.DagsterEventType.STEP_FAILURE)
        if entry.dagster_event
        for trouble in causes(told(entry.dagster_event.step_failure_data))
    ]
    days = covered(run.tags, platform.registry)
    said = list(dict.fromkeys(map(str, troubles))) or _met(instance, run)
    regions = ", ".join(days) or "all regions"
    failed = Alert(
        kind=Kind.RUN_FAILED,
        cause="\n".join(sorted(said)) or run.run_id,
        title=f"a run of {run.job_name} for {regions} failed",
        text="\n".join(_shortened(said)) or message.split("\n", 1)[0],
        region=next(iter(days)) if len(days) == 1 else None,
        link=_link(platform, f"runs/{run.run_id}"),
    )
    return [failed, *_refused(platform, days, run)]


def late(region: Region, facts: Iterable[TableDay], now: datetime) -> list[Alert]:
    """One alert a day of the region that is late: past its cut-off, and not there."""
    missing: dict[date, list[str]] = defaultdict(list)
    for fact in facts:
        if fact.is_due and not fact.is_there and fact.deadline <= now < fact.deadline + LOOK_BACK:
            missing[fact.day].append(fact.table)
    return [
        Alert(
            kind=Kind.DELIVERY_LATE,
            cause=f"{region.name} {day}",
            title=f"{region.name} is late for {day}",
            text=f"nothing has come for {', '.join(tables)}; it was due by {region.cutoff:%H:%M} ({region.timezone})",
            region=region.name,
            table=tables[0] if len(tables) == 1 else None,
            day=day,
        )
        for day, tables in sorted(missing.items())
    ]


def _met(instance: dg.DagsterInstance, run: dg.DagsterRun) -> list[str]:
    """The errors that Dagster met around the run's steps: a registry that cannot be used, say."""
    entries = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ENGINE_EVENT)
    errors = [entry.dagster_event.engine_event_data.error for entry in entries if entry.dagster_event]
    return list(dict.fromkeys(error.message.strip() for error in errors if error))


def _refused(platform: Platform, days: Mapping[str, set[date]], run: dg.DagsterRun) -> list[Alert]:
    """The alerts of the deliveries of these days that were refused and not replaced since."""
    link = _link(platform, f"runs/{run.run_id}")
    return [
        _of_refusal(state.refused[0], link)
        for region, of_region in days.items()
        for table in platform.region(region).tables
        for state in silver.states(platform, region, table, of_region)
        if state.refused
    ]


def _of_refusal(outcome: Outcome, link: str | None) -> Alert:
    reasons = list(map(_said, outcome.problems)) or ["it breaks its contract"]
    shown = f"clearer quarantine --region {outcome.region} --table {outcome.table}"
    return Alert(
        kind=Kind.DELIVERY_REFUSED,
        cause=f"{outcome.region} {outcome.table} {outcome.day} {outcome.slot} {outcome.delivery}",
        title=f"{outcome.region} {outcome.day}: {outcome.slot} was refused",
        text="\n".join([*_shortened(reasons), f"the last good version stays; `{shown}` shows more"]),
        region=outcome.region,
        table=outcome.table,
        day=outcome.day,
        link=link,
    )


def _said(problem: Problem) -> str:
    """A problem with its place; never the value."""
    return ": ".join(filter(None, (" ".join(filter(None, (problem.place, problem.column))), problem.message)))


def _shortened(lines: list[str]) -> list[str]:
    more = [f"... and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
    return lines[:SHOWN] + more


def _link(platform: Platform, path: str) -> str | None:
    url = platform.settings.ui_url
    return f"{url.rstrip('/')}/{path}" if url else None
