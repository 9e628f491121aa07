"""`clearer status`: where every region's days stand."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from clearer_platform.cli.aside import say_set_aside
from clearer_platform.cli.failures import of_each, say_missed
from clearer_platform.cli.options import From, Json, Regions, To, in_order
from clearer_platform.cli.output import console, note, print_json, progress, say
from clearer_platform.cli.pending import say_pending

if TYPE_CHECKING:
    from rich.text import Text

    from clearer_platform.platform import Platform
    from clearer_platform.serving.status import Cell

LAST = 14
SYMBOLS = {
    "refused": ("✗", "x", "bold red"),
    "missing": ("!", "!", "bold red"),
    "late": ("◷", "L", "bold yellow"),
    "landed": ("▽", "v", "cyan"),
    "delivered": ("○", "o", "cyan"),
    "validated": ("◐", "c", "blue"),
    "awaited": ("…", "~", "dim"),
    "rejected": ("◉", "R", "yellow"),
    "published": ("●", "P", "green"),
    "not due": ("·", ".", "dim"),
}
"""Each state's symbol, the same for terminals without Unicode, and its colour."""


def status(
    region: Regions = None,
    table: Annotated[list[str] | None, typer.Option("--table", "-t", help="Only this table (may be repeated).")] = None,
    start: From = None,
    end: To = None,
    json: Json = False,
) -> None:
    """Show where every region's days stand: one symbol a region and day.

    Without a range, the last 14 days up to the newest for which anything
    came. A region's symbol is the worst of its tables; name one region (or a
    table) to see the tables.

    [bold]Examples[/bold]

        clearer status
        clearer status --region eu --from 2024-10-24 --to 2024-11-06
        clearer status --json | jq '.[] | select(.state == "refused")'
    """
    from clearer_platform.serving import facts as known
    from clearer_platform.serving import status as states
    from clearer_platform.serving.opening import chosen_regions, open_platform

    in_order(start, end)
    platform = open_platform()
    regions = chosen_regions(platform, region)
    tables = [platform.contract(name).name for name in table] if table else None
    now = datetime.now(UTC)
    with progress("reading the manifests"):
        seen, missed = of_each(
            regions, lambda name: known.gather(platform, [name], now, tables=tables, start=start, end=end)
        )
    facts = [fact for some in seen.values() for fact in some]
    if start is None and end is None:
        facts = states.last_days(facts, LAST)
    found = states.cells(facts, now)
    if json:
        print_json([asdict(cell) for cell in found])
    elif not found:
        say("nothing to show: these regions deliver no such table")
    else:
        print_grid(found if len(regions) == 1 or tables else states.by_region(found))
        _say_silence(platform, found, now)
    if not json:
        say_pending(platform, seen, tables)
        say_set_aside(platform, list(seen) if region or missed else None)
    if missed:
        say_missed(missed)
        raise typer.Exit(1)


def print_grid(cells: "Sequence[Cell]") -> None:
    """Print one row a region (or table) and one column a day, in as many parts as the terminal's width asks for."""
    days = sorted({cell.day for cell in cells})
    rows = list(dict.fromkeys((cell.region, cell.table or "") for cell in cells))
    label = max(len(f"{region} {table}") for region, table in rows) + 2
    a_part = max(1, (console().width - label) // 3)
    at = {(cell.region, cell.table or "", cell.day): cell.state for cell in cells}
    for first in range(0, len(days), a_part):
        part = days[first : first + a_part]
        _print_header(part, label)
        for region, table in rows:
            line = _text(f"{region} {table}".ljust(label))
            for day in part:
                line.append_text(_symbol(at.get((region, table, day), "not due")))
            console().print(line)
        say()
    _print_legend({str(cell.state) for cell in cells})


def _print_header(days: Sequence[date], label: int) -> None:
    """The month where it begins, and below it the days."""
    months = ""
    for place, day in enumerate(days):
        if place == 0 or day.day == 1:
            months = months.ljust(3 * place) + f"{day:%Y-%m}"
    say(" " * label + months, style="dim")
    say(" " * label + "".join(f"{day.day:>2} " for day in days), style="dim")


def _print_legend(present: set[str]) -> None:
    from clearer_platform.serving.status import State

    for state in reversed(State):
        if state in present:
            line = _symbol(state)
            line.append(f" {state:<10} {state.meaning}", style="dim")
            console().print(line)


def _symbol(state: str) -> "Text":
    unicode, plain, style = SYMBOLS[state]
    can_show = (console().encoding or "").lower().startswith("utf")
    return _text(f"{unicode if can_show else plain:>2} ", style)


def _text(content: str, style: str = "") -> "Text":
    from rich.text import Text

    return Text(content, style=style)


def _say_silence(platform: "Platform", cells: "Sequence[Cell]", now: datetime) -> None:
    """Say where nothing has come since the last day shown, for the grid ends there."""
    newest = max(cell.day for cell in cells)
    for region in dict.fromkeys(cell.region for cell in cells):
        quiet = (platform.region(region).today(now) - newest).days - 1
        if quiet > 1:
            note(f"{region}: nothing has come for the {quiet:,} days since {newest} (see them with --from)")
