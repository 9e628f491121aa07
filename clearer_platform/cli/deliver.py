"""`clearer deliver`: hand one file over, and see at once what its contract says of it."""

from datetime import UTC, date, datetime, timedelta
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
    state = next(s for s in states if s.slot.name == receipt.delivery.slot)
    refusal = next((o for o in state.refused if o.delivery == receipt.delivery.id), None)
    if json:
        print_json(_as_json(receipt, state, refusal))
    elif refusal is None and state.published is not None:
        _print_accepted(receipt, state.published)
    if refusal is not None:
        raise _refused(file, refusal, state.published, quiet=json)


def _check_day(platform: "Platform", region: str, on: date) -> None:
    """Raise ClearerError for a day that no partition can hold."""
    entry = platform.region(region)
    today = entry.today(datetime.now(UTC))
    if on < entry.start:
        raise ClearerError(
            f"{on} is before the first day of {region} ({entry.start})",
            hint=f"set regions.{region}.start in the registry",
        )
    if on > today + timedelta(days=1):
        raise ClearerError(f"{on} is in the future (it is {today} in {region})", hint="check --day")


def _place(file: str) -> "Path | UPath":
    """The file as a local path, or as a URL that fsspec reads."""
    if "://" not in file:
        return Path(file)
    from upath import UPath

    try:
        return UPath(file)
    except (ValueError, ImportError) as e:
        raise DeliveryError(f"cannot open {file}: {e}", hint="name a local file or a URL such as s3://...") from e


def _print_accepted(receipt: "Receipt", outcome: "Outcome") -> None:
    o = outcome
    say(
        f"{o.table} {o.region} {o.day}: {o.delivered:,} records, {o.accepted:,} accepted, "
        f"{o.rejected:,} rejected ({share(o.rejected, o.delivered)})"
    )
    if not receipt.is_new:
        say("  the same bytes as the slot's current delivery: nothing has changed")
    print_problems(o.problems)
    for name in o.extra_columns:
        say(f"  note: column {name!r} is not in the contract; it is kept beside the row", style="yellow")
    for warning, count in o.warnings.items():
        say(f"  warning: {warning}, {plural(count, 'record')}", style="yellow")
    if o.rejected:
        say(f"explain: clearer quarantine explain --region {o.region} --table {o.table} --day {o.day}", style="dim")
    say(f"publish: clearer materialize --region {o.region} --from {o.day} --to {o.day}", style="dim")


def print_problems(problems: "list[Problem]", most: int = SHOWN) -> None:
    """Print one line a problem: where, and what it is."""
    lines = [(f"line {p.line}" if p.line is not None else "", p.column or "", p.message) for p in problems[:most]]
    widths = [max((len(line[place]) for line in lines), default=0) for place in (0, 1)]
    for where, column, message in lines:
        say(f"  {where:<{widths[0]}}  {column:<{widths[1]}}  {message}".rstrip())
    if len(problems) > most:
        say(f"  ... and {len(problems) - most} more")


def _refused(file: str, refusal: "Outcome", published: "Outcome | None", *, quiet: bool) -> ClearerError:
    """The error that says why a delivery was refused and what stands now; the records that led to it are printed."""
    reason = next(iter(refusal.problems), None)
    if not quiet:
        print_problems(refusal.problems[1:])
    where = f" (line {reason.line})" if reason and reason.line is not None else ""
    stands = "the last good version stays in place" if published else "nothing of this slot is published"
    return DeliveryError(
        f"{file}{where}: refused as a whole: {reason.message if reason else 'it does not fit its contract'}",
        hint=f"{stands}; mend the file and deliver it again",
    )


def _as_json(receipt: "Receipt", state: "SlotState", refusal: "Outcome | None") -> dict[str, Any]:
    outcome = refusal or state.published
    return {
        "is_new": receipt.is_new,
        "has_good_version": state.published is not None,
        **(outcome.model_dump(mode="json") if outcome else {}),
    }
