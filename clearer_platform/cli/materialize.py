"""`clearer materialize`: bring regions and days up to date, from landing folder to gold."""

from collections.abc import Collection, Sequence
from dataclasses import asdict
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clearer_platform.cli.failures import FAILED_DAYS
from clearer_platform.cli.options import AsOf, From, Json, Regions, To, in_order
from clearer_platform.cli.output import days, note, print_json, progress, say, steps
from clearer_platform.cli.sample import sample_service

if TYPE_CHECKING:
    from clearer_platform.defs.runs import RunOutcome
    from clearer_platform.platform import Platform
    from clearer_platform.serving.plan import Only, Plan

SHOWN = 6


def only_option(text: str) -> "tuple[Only, ...]":
    """What `--only` names, separated by commas."""
    from clearer_platform.serving.plan import Only

    try:
        return tuple(Only(name.strip()) for name in text.split(","))
    except ValueError:
        raise typer.BadParameter(f"{text!r}: use one or more of {', '.join(Only)}, separated by commas") from None


def materialize(
    region: Regions = None,
    start: From = None,
    end: To = None,
    only: Annotated[
        str | None,
        typer.Option(
            "--only", metavar="WHAT", help="missing, failed, changed, or several with commas.", show_default=False
        ),
    ] = None,
    as_of: AsOf = None,
    json: Json = False,
) -> None:
    """Receive what has landed, validate it, and build gold: for every region and day for which anything has come.

    One run a region, all its days in it; then the tables across regions. A
    day that fails leaves its last good version in place and the others
    published; the exit code is then 3. What is right already is not done
    again.

    --only missing: days not in gold yet; failed: days with a refused
    delivery; changed: days with a new or changed file, contract, registry
    entry or code.

    --as-of builds what depends on a date (how long an open subscription has
    gone on) as of that day, and serves it so until gold is built again; by
    default it is the business day of the newest delivery that a table is made
    from. It is for all of a region's gold, whichever days are run.

    [bold]Examples[/bold]

        clearer materialize
        clearer materialize --region eu --from 2024-10-24 --to 2024-10-27
        clearer materialize --only missing,changed
        clearer materialize --region eu --as-of 2025-01-01
    """
    from clearer_platform.serving.opening import chosen_regions, open_platform

    in_order(start, end)
    reasons = only_option(only) if only else ()
    platform = open_platform()
    regions = chosen_regions(platform, region)
    if not json:
        _say_strays(platform, regions)
    wanted = planned(platform, regions, reasons, start, end, as_of)
    if not json:
        _say_absent(wanted)
        _say_early(wanted, platform.registry.start)
    with sample_service(platform.settings.home):
        outcomes = run(platform, wanted, as_of)
    if json:
        print_json(
            {"runs": [_as_json(outcome) for outcome in outcomes], "absent": wanted.absent, "silent": wanted.silent}
        )
    else:
        print_outcomes(outcomes)
    if any(outcome.troubles for outcome in outcomes):
        raise typer.Exit(FAILED_DAYS)


def planned(
    platform: "Platform",
    regions: list[str],
    only: "tuple[Only, ...]" = (),
    start: date | None = None,
    end: date | None = None,
    as_of: date | None = None,
) -> "Plan":
    """The plan for these regions; those that deliver for all come first, so that the others find it.

    Gold that stands as of another date than asked for is behind too, and so is what spans regions where an earlier run
    was broken off before it came to that: running any day mends either.
    """
    from clearer_platform import gold
    from clearer_platform.serving.facts import behind_shared, gather
    from clearer_platform.serving.plan import plan

    now = datetime.now(UTC)
    shared = {table for table, contract in platform.contracts.items() if contract.shared}
    regions = sorted(regions, key=lambda name: shared.isdisjoint(platform.region(name).tables))
    with progress("reading the manifests"):
        facts = gather(platform, regions, now, start=start, end=end)
        behind = {name: behind_shared(platform, name) for name in regions}
        some_day = {fact.region: fact.day for fact in facts if fact.slots}
        for name in some_day:
            if gold.served_as_of(platform, name) != as_of:
                behind[name].append(some_day[name])
        if some_day and not any(behind.values()) and gold.global_is_behind(platform):
            name, day = some_day.popitem()
            behind[name].append(day)
    return plan(facts, now, only, behind)


def run(platform: "Platform", wanted: "Plan", as_of: date | None = None) -> "list[RunOutcome]":
    """Run a plan through Dagster in this process; then whatever region of it lacks what came for all meanwhile."""
    if not wanted.size:
        note("nothing to do")
        return []
    from clearer_platform.gold import standby

    with standby.ahead(platform):
        return _run(platform, wanted, as_of)


def _run(platform: "Platform", wanted: "Plan", as_of: date | None) -> "list[RunOutcome]":
    from clearer_platform.defs import runs
    from clearer_platform.serving.facts import behind_shared

    with runs.instance(platform) as instance, steps(f"materializing {days(wanted.size)}") as advance:
        outcomes = runs.materialize(platform, instance, wanted.days, advance, as_of)
        late = {region: behind_shared(platform, region) for region in wanted.days}
        if any(late.values()):
            behind = {region: found for region, found in late.items() if found}
            outcomes += runs.materialize(platform, instance, behind, advance, as_of)
    return outcomes


def print_outcomes(outcomes: "Sequence[RunOutcome]") -> None:
    """Print what the runs came to, region by region."""
    for region in dict.fromkeys(outcome.region for outcome in outcomes):
        same = [outcome for outcome in outcomes if outcome.region == region]
        failed = {key: reason for outcome in same for key, reason in outcome.failed.items()}
        say(f"{region}: {_summary(same, len(failed))}", style="yellow" if failed else None)
        for day, reason in list(failed.items())[:SHOWN]:
            say(f"  {day or 'gold'}  {reason}")
        if len(failed) > SHOWN:
            say(f"  ... and {days(len(failed) - SHOWN)} more; see `clearer status` and `clearer quarantine`")


def _summary(same: "Sequence[RunOutcome]", failed: int) -> str:
    published = {day for outcome in same for day in outcome.published}
    restated = {day for outcome in same for day in outcome.restated}
    parts = [f"{days(len(published))} published"]
    if failed:
        parts.append(f"{days(failed)} failed")
    if restated:
        parts.append(f"{days(len(restated))} restated besides ({_range(restated)})")
    return f"{', '.join(parts)} in {sum(outcome.seconds for outcome in same):.1f} s"


def _range(some: "Collection[date]") -> str:
    first, last = min(some), max(some)
    return f"{first}" if first == last else f"{first} to {last}"


def _as_json(outcome: "RunOutcome") -> dict[str, Any]:
    failed = [{"day": day, "reason": reason} for day, reason in outcome.failed.items()]
    return {**asdict(outcome), "failed": failed}


def _say_absent(wanted: "Plan") -> None:
    for region, absent in wanted.absent.items():
        for day, tables in absent[:SHOWN]:
            note(f"{region} {day}: nothing has come for {', '.join(tables)}")
        if len(absent) > SHOWN:
            note(f"{region}: and so for {days(len(absent) - SHOWN)} more (clearer status --region {region})")
    for region, silent in wanted.silent.items():
        note(f"{region}: nothing has come for {_range(silent)}")


def _say_early(wanted: "Plan", start: date) -> None:
    """Deliveries of days that the registry has since put before its first are in gold, but no run is for them."""
    for region, chosen in wanted.days.items():
        if early := [day for day in chosen if day < start]:
            note(f"{region}: {days(len(early))} before {start}, the registry's first, cannot be run (regions.*.start)")


def _say_strays(platform: "Platform", regions: list[str]) -> None:
    from clearer_platform import sources

    for region in regions:
        for stray in sources.landed(platform, region)[1]:
            note(f"{region}: ignored {stray.path}: {stray.reason}")
