"""`clearer materialize`: bring regions and days up to date, from landing folder to gold."""

from collections.abc import Collection, Sequence
from dataclasses import asdict, replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clearer_platform.cli.failures import FAILED_DAYS, of_each, say_missed
from clearer_platform.cli.options import AsOf, From, Json, Regions, To, in_order
from clearer_platform.cli.output import days, note, print_json, progress, say, steps
from clearer_platform.cli.sample import sample_service

if TYPE_CHECKING:
    from clearer_platform.defs.runs import RunOutcome
    from clearer_platform.platform import Platform
    from clearer_platform.serving.facts import TableDay
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
    published; the exit code is then 3. A region that cannot be looked at is
    left out, and named; the exit code is then 1. What is right already is not
    done again.

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
    wanted = planned(platform, regions, reasons, start, end, as_of)
    if not json:
        _say_strays(platform, [name for name in regions if name not in wanted.missed])
        _say_absent(wanted)
        _say_early(wanted, platform.registry.start)
    with sample_service(platform.settings.home):
        outcomes = run(platform, wanted, as_of)
    if json:
        missed = {name: error.message for name, error in wanted.missed.items()}
        runs = [_as_json(outcome) for outcome in outcomes]
        print_json({"runs": runs, "absent": wanted.absent, "silent": wanted.silent, "missed": missed})
    else:
        print_outcomes(outcomes)
    if any(outcome.troubles for outcome in outcomes):
        raise typer.Exit(FAILED_DAYS)
    if wanted.missed:
        raise typer.Exit(1)


def planned(
    platform: "Platform",
    regions: list[str],
    only: "tuple[Only, ...]" = (),
    start: date | None = None,
    end: date | None = None,
    as_of: date | None = None,
) -> "Plan":
    """The plan for these regions; those that deliver for all come first, so that the others find it.

    What spans regions is behind where an earlier run was broken off before it came to that: running any day mends it.
    """
    from clearer_platform.serving.plan import plan

    now = datetime.now(UTC)
    shared = {table for table, contract in platform.contracts.items() if contract.shared}
    regions = sorted(regions, key=lambda name: shared.isdisjoint(platform.region(name).tables))
    with progress("reading the manifests"):
        seen, missed = of_each(regions, lambda name: _seen(platform, name, now, start, end, as_of))
        facts = [fact for some, _ in seen.values() for fact in some]
        behind = {name: lacking for name, (_, lacking) in seen.items()}
        some = _with_deliveries(facts)
        if some and not any(behind.values()) and _global_is_behind(platform):
            behind[some.region].append(some.day)
    return replace(plan(facts, now, only, behind), missed=missed)


def _seen(
    platform: "Platform", region: str, now: datetime, start: date | None, end: date | None, as_of: date | None
) -> "tuple[list[TableDay], list[date]]":
    """The facts of a region, and days that its gold is behind in.

    So it is where it stands as of another date than asked for, and where it holds a table that is delivered no more:
    running any day mends that.
    """
    from clearer_platform import gold
    from clearer_platform.serving.facts import gather, holds_what_has_ended

    facts = gather(platform, [region], now, start=start, end=end)
    behind, some = _behind_shared(platform, region), _with_deliveries(facts)
    if some and (gold.served_as_of(platform, region) != as_of or holds_what_has_ended(platform, region)):
        behind.append(some.day)
    return facts, behind


def _with_deliveries(facts: "list[TableDay]") -> "TableDay | None":
    return next((fact for fact in reversed(facts) if fact.slots), None)


def _global_is_behind(platform: "Platform") -> bool:
    """Whether what spans regions is; not where a region cannot be looked at: its build says so, and no plan fails."""
    from clearer_platform import gold
    from clearer_platform.errors import StorageError

    try:
        return gold.global_is_behind(platform)
    except StorageError:
        return False


def _behind_shared(platform: "Platform", region: str) -> list[date]:
    """Days of what another region delivers for all; none where that one cannot be looked at: it blocks nobody."""
    from clearer_platform.errors import StorageError
    from clearer_platform.serving.facts import behind_shared

    try:
        return behind_shared(platform, region)
    except StorageError:
        return []


def run(platform: "Platform", wanted: "Plan", as_of: date | None = None) -> "list[RunOutcome]":
    """Run a plan through Dagster in this process; then whatever region of it lacks what came for all meanwhile."""
    say_missed(wanted.missed)
    if not wanted.size:
        note("nothing to do")
        return []
    from clearer_platform.gold import standby

    with standby.ahead(platform):
        return _run(platform, wanted, as_of)


def _run(platform: "Platform", wanted: "Plan", as_of: date | None) -> "list[RunOutcome]":
    from clearer_platform.defs import runs

    with runs.instance(platform) as instance, steps(f"materializing {days(wanted.size)}") as advance:
        outcomes = runs.materialize(platform, instance, wanted.days, advance, as_of)
        late = {region: _behind_shared(platform, region) for region in wanted.days}
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
