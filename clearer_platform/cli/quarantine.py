"""`clearer quarantine`: what was rejected, why, and the records themselves."""

from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from clearer_platform.cli.options import From, Json, Regions, To, in_order
from clearer_platform.cli.options import day as parse_day
from clearer_platform.cli.output import note, plural, print_json, print_table, say
from clearer_platform.cli.pending import say_pending
from clearer_platform.serving.formats import Format, format_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clearer_platform.platform import Platform
    from clearer_platform.serving.quarantine import Group
    from clearer_platform.serving.rules import Explanation


class ListFirst(TyperGroup):
    """A group whose `list` may be left out: `clearer quarantine --region eu`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put `list` where no command is named."""
        is_named = bool(args) and (args[0] in self.commands or args[0] in ctx.help_option_names)
        return super().parse_args(ctx, args if is_named else ["list", *args])


app = typer.Typer(cls=ListFirst, help="List, explain and export what was rejected.", rich_markup_mode="rich")

Tables = Annotated[
    list[str] | None, typer.Option("--table", "-t", help="Only this table (may be repeated).", show_default=False)
]
Day = Annotated[
    date | None,
    typer.Option("--day", "-d", parser=parse_day, metavar="DAY", help="Only this business day.", show_default=False),
]
Rule = Annotated[str | None, typer.Option("--rule", help="Only this rule.", show_default=False)]


@app.command("list")
def list_(
    region: Regions = None,
    table: Tables = None,
    start: From = None,
    end: To = None,
    rule: Rule = None,
    json: Json = False,
) -> None:
    """List what was rejected, by region, table, day and rule: how many records, and the lines of the first. No
    values.

    [bold]Example[/bold]

        clearer quarantine list --region eu --from 2024-10-24
    """
    platform = _opened()
    found = _groups(platform, region, table, start, end, rule)
    if json:
        print_json([asdict(group) for group in found])
        return
    print_groups(found)
    if found:
        note("why, and what to do: clearer quarantine explain --region R --table T --day D")
    say_pending(platform, region or list(platform.registry.regions), table)


@app.command()
def explain(
    region: Regions = None,
    table: Tables = None,
    day: Day = None,
    line: Annotated[
        int | None, typer.Option("--line", min=1, help="Only the record on this line.", show_default=False)
    ] = None,
    json: Json = False,
) -> None:
    """Explain in words which rules were broken, and what to do about each.

    [bold]Example[/bold]

        clearer quarantine explain --region eu --table transactions --day 2024-10-27
    """
    from clearer_platform.serving.quarantine import explained, on_line

    platform = _opened()
    found = _groups(platform, region, table, day, day, None)
    if line is not None:
        found = on_line(platform, found, line)
    words = explained(platform, found)
    if json:
        print_json({"groups": [asdict(group) for group in found], "rules": [asdict(each) for each in words]})
    elif not found:
        say("nothing was rejected here")
    else:
        _print_explained(found, words)


@app.command()
def export(
    region: Annotated[str, typer.Option("--region", "-r", help="Whose records.", show_default=False)],
    table: Tables = None,
    start: From = None,
    end: To = None,
    rule: Rule = None,
    form: Annotated[
        Format | None, typer.Option("--format", "-f", help="csv, json or parquet.", show_default=False)
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", metavar="FILE", help="By default a CSV file in the region's work folder.", show_default=False
        ),
    ] = None,
) -> None:
    """Export the rejected records with their original text and the rules they broke, to be mended and delivered
    again.

    [bold]This is personal data: keep it in its region.[/bold] Nothing in it
    is changed; a spreadsheet may take a text that begins with = for a
    formula.

    [bold]Example[/bold]

        clearer quarantine export --region eu --table transactions --out rejected.parquet
    """
    from clearer_platform.serving.exporting import write_file
    from clearer_platform.serving.quarantine import export_folder, records

    in_order(start, end)
    platform = _opened()
    platform.region(region)
    chosen = form or (format_of(out) if out else Format.CSV)
    rows = records(platform, [region], tables=_known(platform, table), start=start, end=end, rule=rule)
    target = out or export_folder(platform, region) / f"quarantine.{chosen}"
    write_file(rows, target, chosen, platform.layout(region).work)
    say(f"{plural(rows.num_rows, 'rejected record')} of {region} written to {target}")
    note(f"it holds personal data of {region}: keep it in that region and remove it when it is done with")


def print_groups(found: "Sequence[Group]", most: int = 60) -> None:
    """Print what was rejected as a table."""
    if not found:
        say("nothing was rejected")
        return
    header = ["region", "table", "day", "rule", "records", "lines"]
    rows = [(g.region, g.table, g.day, g.rule, g.count if _is_counted(g) else "file", _lines(g)) for g in found[:most]]
    print_table(None, header, rows, right=["records"])
    if len(found) > most:
        note(f"... and {len(found) - most} more; narrow it with --region, --table, --from, --to or --rule")


def print_by_rule(platform: "Platform", found: "Sequence[Group]") -> None:
    """Print why records and files were rejected, and how many in which regions; the same reason stands once a table."""
    from clearer_platform.serving.quarantine import explained

    reasons: dict[tuple[str, str], dict[str, int]] = {}
    for each in explained(platform, found):
        same = [g for g in found if (g.region, g.table, g.rule) == (each.region, each.table, each.rule)]
        if not _is_counted(same[0]) and not same[0].is_whole_file:
            continue  # A file that was published with a remark.
        why = each.meaning if _is_counted(same[0]) else f"{same[0].rule.removeprefix('delivery.')}: {same[0].message}"
        counts = reasons.setdefault((each.table, why), {})
        counts[each.region] = counts.get(each.region, 0) + sum(g.count for g in same)
    rows = [
        (table, ", ".join(f"{region} {count:,}" for region, count in counts.items()), why)
        for (table, why), counts in sorted(reasons.items())
    ]
    print_table(None, ["table", "region and number", "why"], rows)


def _print_explained(found: "Sequence[Group]", words: "Sequence[Explanation]") -> None:
    by_rule = {(each.region, each.table, each.rule): each for each in words}
    for group in found:
        each = by_rule[group.region, group.table, group.rule]
        say(f"{group.region} {group.table} {group.day} {group.slot}  {group.rule}", style="bold")
        say(f"  {_count(group)}{': ' if group.lines else ''}{_lines(group, 'line ')}")
        say(f"  {group.message if group.is_whole_file and group.message else each.meaning}")
        say(f"  -> {each.remedy}", style="green")


def _count(group: "Group") -> str:
    return plural(group.count, "record") if _is_counted(group) else "the whole file"


def _is_counted(group: "Group") -> bool:
    return not group.rule.startswith("delivery.")


def _lines(group: "Group", prefix: str = "") -> str:
    """Its lines; of elements `<line>/<position>`."""
    places = [f"{line}/{n}" for line, n in zip(group.lines, group.positions, strict=False)] or map(str, group.lines)
    listed = ", ".join(places)
    return f"{prefix if listed else ''}{listed}{', ...' if len(group.lines) < group.count and listed else ''}"


def _opened() -> "Platform":
    from clearer_platform.serving.opening import open_platform

    return open_platform()


def _known(platform: "Platform", tables: list[str] | None) -> list[str] | None:
    return [platform.contract(name).name for name in tables] if tables else None


def _groups(
    platform: "Platform",
    regions: list[str] | None,
    tables: list[str] | None,
    start: date | None,
    end: date | None,
    rule: str | None,
) -> "list[Group]":
    from clearer_platform.serving.opening import chosen_regions
    from clearer_platform.serving.quarantine import groups

    in_order(start, end)
    names = chosen_regions(platform, regions)
    return groups(platform, names, tables=_known(platform, tables), start=start, end=end, rule=rule)
