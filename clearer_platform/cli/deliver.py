"""`clearer deliver`: hand one file over, and see at once what its contract says of it."""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clearer_platform.cli.options import Json, day
from clearer_platform.cli.output import plural, print_json, progress, say, share
from clearer_platform.errors import ClearerError, DeliveryError

if TYPE_CHECKING:
    from upath import UPath

    from clearer_platform.bronze import Receipt
    from clearer_platform.platform import Platform
    from clearer_platform.silver import Outcome, Problem, SlotState

SHOWN = 20


def deliver(
    file: Annotated[
        str, typer.Argument(help="A local file, or a URL such as s3://bucket/sales.csv.", show_default=False)
    ],
    table: Annotated[str, typer.Option("--table", "-t", help="The table it is for.", show_default=False)],
    region: Annotated[str, typer.Option("--region", "-r", help="The region it is from.", show_default=False)],
    on: Annotated[
        date,
        typer.Option(
            "--day", "-d", parser=day, metavar="DAY", help="Its business day, e.g. 2024-10-27.", show_default=False
        ),
    ],
    slot: Annotated[
        str | None,
        typer.Option("--slot", help="The slot it fills, by default the file's name.", show_default=False),
    ] = None,
    json: Json = False,
) -> None:
    """Deliver a file: receive it, validate it, say what was accepted and what was rejected, and why.

    The same bytes again change nothing. Other bytes under the same name
    replace the delivery before; another name on the same day adds to it. A
    file that is refused as a whole changes nothing that is published, and
    exits with 1.

    [bold]Example[/bold]

        clearer deliver sales.csv --table transactions --region eu --day 2024-10-27
    """
    from clearer_platform import silver, sources
    from clearer_platform.serving.opening import open_platform

    platform = open_platform()
    _check_day(platform, region, on)
    receipt = sources.deliver_file(platform, _place(file), table=table, region=region, day=on, slot=slot)
    with progress(f"validating {table} {region} {on}") as advance:
        states = silver.bring_up(platform, region, table, [on], advance)
    state = _of_slot(states, receipt)
    nested = [
        _of_slot(silver.states(platform, region, child.name, [on]), receipt) for child in platform.children(table)
    ]
    refusal = _refusal(state, receipt)
    if json:
        print_json(_as_json(receipt, state, nested))
    elif refusal is None and state.published is not None:
        _print_accepted(receipt, state.published, [one.published for one in nested if one.published])
    if refusal is not None:
        refusals = [refusal, *(found for one in nested if (found := _refusal(one, receipt)))]
        raise _refused(file, refusals, state.published, quiet=json)


def _of_slot(states: "Iterable[SlotState]", receipt: "Receipt") -> "SlotState":
    return next(state for state in states if state.slot.name == receipt.delivery.slot)


def _refusal(state: "SlotState", receipt: "Receipt") -> "Outcome | None":
    """The outcome of the delivery that was received, if it was refused."""
    return next((o for o in state.refused if o.delivery == receipt.delivery.id), None)


def _check_day(platform: "Platform", region: str, on: date) -> None:
    """Raise ClearerError for a day that no partition can hold."""
    entry = platform.region(region)
    now = datetime.now(UTC)
    if on < entry.start:
        raise ClearerError(
            f"{on} is before the first day of {region} ({entry.start})",
            hint=f"set regions.{region}.start in the registry",
        )
    if on > platform.registry.newest_day(now):
        raise ClearerError(f"{on} is in the future (it is {entry.today(now)} in {region})", hint="check --day")


def _place(file: str) -> "Path | UPath":
    """The file as a local path, or as a URL that fsspec reads."""
    if "://" not in file:
        return Path(file)
    from upath import UPath

    try:
        return UPath(file)
    except (ValueError, ImportError) as e:
        raise DeliveryError(f"cannot open {file}: {e}", hint="name a local file or a URL such as s3://...") from e


def _print_accepted(receipt: "Receipt", outcome: "Outcome", nested: "Sequence[Outcome]") -> None:
    for number, o in enumerate((outcome, *nested)):
        say(
            f"{o.table} {o.region} {o.day}: {o.delivered:,} {'elements' if number else 'records'}, "
            f"{o.accepted:,} accepted, {o.rejected:,} rejected ({share(o.rejected, o.delivered)})"
        )
        if not receipt.is_new and not number:
            say("  the same bytes as the slot's current delivery: nothing has changed")
        print_problems(o.problems)
        for name in o.extra_columns:
            say(f"  note: column {name!r} is not in the contract; it is kept beside the row", style="yellow")
        for warning, count in o.warnings.items():
            say(f"  warning: {warning}, {plural(count, 'record')}", style="yellow")
    for o in (outcome, *nested):
        if o.rejected:
            say(f"explain: clearer quarantine explain --region {o.region} --table {o.table} --day {o.day}", style="dim")
    o = outcome
    say(f"publish: clearer materialize --region {o.region} --from {o.day} --to {o.day}", style="dim")


def print_problems(problems: "list[Problem]", most: int = SHOWN) -> None:
    """Print one line a problem: where, and what it is."""
    lines = [(p.place, p.column or "", p.message) for p in problems[:most]]
    widths = [max((len(line[place]) for line in lines), default=0) for place in (0, 1)]
    for where, column, message in lines:
        say(f"  {where:<{widths[0]}}  {column:<{widths[1]}}  {message}".rstrip())
    if len(problems) > most:
        say(f"  ... and {len(problems) - most} more")


def _refused(file: str, refusals: "Sequence[Outcome]", published: "Outcome | None", *, quiet: bool) -> ClearerError:
    """The error that says why a delivery was refused and what stands now; the records that led to it are printed."""
    reason = next(iter(refusals[0].problems), None)
    if not quiet:
        print_problems(refusals[0].problems[1:])
        for outcome in refusals[1:]:
            print_problems([problem for problem in outcome.problems if problem.rule in outcome.rules])
    where = f" (line {reason.line})" if reason and reason.line is not None else ""
    stands = "the last good version stays in place" if published else "nothing of this slot is published"
    return DeliveryError(
        f"{file}{where}: refused as a whole: {reason.message if reason else 'it does not fit its contract'}",
        hint=f"{stands}; mend the file and deliver it again",
    )


def _as_json(receipt: "Receipt", state: "SlotState", nested: "Sequence[SlotState]") -> dict[str, Any]:
    outcome, *others = [_refusal(one, receipt) or one.published for one in (state, *nested)]
    inner = {"nested": [o.model_dump(mode="json") for o in others if o]} if others else {}
    return {
        "is_new": receipt.is_new,
        "has_good_version": state.published is not None,
        **(outcome.model_dump(mode="json") if outcome else {}),
        **inner,
    }
