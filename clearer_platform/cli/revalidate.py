"""`clearer revalidate`: what a mended contract or mapping changes, and only that, is judged again."""

from dataclasses import asdict
from typing import Annotated

import typer

from clearer_platform.cli.options import From, Json, Regions, To, in_order
from clearer_platform.cli.output import plural, print_json, progress, say


def revalidate(
    region: Regions = None,
    table: Annotated[
        list[str] | None,
        typer.Option("--table", "-t", help="Only this table (may be repeated).", show_default=False),
    ] = None,
    start: From = None,
    end: To = None,
    json: Json = False,
) -> None:
    """Judge again what a mended contract, mapping or format changes, and only that; bronze is not touched.

    Says for each slot what was accepted and rejected before and after. Gold
    follows with `clearer materialize --only changed`.

    [bold]Example[/bold]

        clearer revalidate --region eu --table transactions
    """
    from clearer_platform.serving.opening import chosen_regions, open_platform
    from clearer_platform.serving.revalidation import revalidate as again

    in_order(start, end)
    platform = open_platform()
    regions = chosen_regions(platform, region)
    tables = [platform.contract(name).name for name in table] if table else None
    with progress("validating") as advance:
        changes = again(platform, regions, tables=tables, start=start, end=end, progress=advance)
    if json:
        print_json([asdict(change) for change in changes])
        return
    for change in changes:
        before, after = change.before, change.after
        say(f"{change.table} {change.region} {change.day} {change.slot}: {before} -> {after}")
    say(f"{plural(len(changes), 'slot')} judged again" if changes else "everything is judged under today's contracts")
    if any(change.before != change.after for change in changes):
        say("publish: clearer materialize --only changed", style="dim")
