"""`clearer fetch`: read the regions' HTTP APIs now, and say what came."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clearer_platform.cli.failures import FAILED_DAYS
from clearer_platform.cli.options import From, Json, Regions, To, in_order
from clearer_platform.cli.output import note, plural, print_json, print_table, say, steps
from clearer_platform.cli.sample import sample_service

if TYPE_CHECKING:
    from clearer_platform.bronze import Receipt
    from clearer_platform.platform import Platform
    from clearer_platform.sources import Failure

Windows = list[tuple[str, str, list[date]]]
"""Region, table, and the days to read of it."""


def fetch(
    region: Regions = None,
    table: Annotated[list[str] | None, typer.Option("--table", "-t", help="Only this table (may be repeated).")] = None,
    start: From = None,
    end: To = None,
    json: Json = False,
) -> None:
    """Fetch what the regions' HTTP APIs have: each business day of a table becomes a delivery, if it is news.

    Without a range, the days that may have news: those never read, and those
    whose records may still change. With one, every day of it. What cannot be
    read whole changes nothing; the exit code is then 3.

    [bold]Examples[/bold]

        clearer fetch
        clearer fetch --region us --from 2024-10-24 --to 2024-10-27
    """
    from clearer_platform.serving.opening import chosen_regions, open_platform

    in_order(start, end)
    platform = open_platform()
    days = wanted(platform, chosen_regions(platform, region), table, start, end)
    with sample_service(platform.settings.home):
        found = fetched(platform, days)
    if json:
        print_json([_as_json(came) for came in found])
    else:
        print_fetched(found)
    if any(_failed(came) for came in found):
        raise typer.Exit(FAILED_DAYS)


def fetched(platform: "Platform", asked: Windows) -> "list[Receipt | Failure]":
    """What every window came to, with a progress bar."""
    from clearer_platform.sources import http

    total, done, found = sum(len(days) for _, _, days in asked), 0, []
    with steps(f"fetching {plural(total, 'window')}") as advance:
        for region, table, days in asked:
            for came in http.each(platform, region, table, days):
                found.append(came)
                done += 1
                advance(region, f"{table} {days[-1]}", done, total)
    return found


def wanted(
    platform: "Platform", regions: list[str], tables: list[str] | None, start: date | None, end: date | None
) -> Windows:
    """The windows to read. Raises UnknownName for a table that none of the regions delivers."""
    from clearer_platform.errors import UnknownName
    from clearer_platform.sources import http

    known = {table for region in regions for table in platform.region(region).tables}
    for name in tables or ():
        if name not in known:
            raise UnknownName("table", name, sorted(known))
    now = datetime.now(UTC)
    return [
        (region, table, days)
        for region in regions
        for table in platform.region(region).tables
        if (not tables or table in tables) and (days := http.windows(platform, region, table, now, start, end))
    ]


def print_fetched(found: "list[Receipt | Failure]") -> None:
    """Print a line for each window that brought something or failed, and the number of the others."""
    if not found:
        note("no window to read: no table that was asked for has an API with news to expect")
        return
    rows = list(_rows(found))
    header = ["region", "table", "day", "bytes", "what came"]
    if rows:
        print_table(None, header, rows, right=["bytes"])
    failed = sum(1 for came in found if _failed(came))
    counts = f"{len(rows) - failed} new, {len(found) - len(rows)} as before"
    say(
        f"{plural(len(found), 'window')} read: {counts}{f', {failed} failed' if failed else ''}",
        style="yellow" if failed else None,
    )


def _rows(found: "list[Receipt | Failure]") -> Iterator[tuple[object, ...]]:
    from clearer_platform.sources import Failure

    for came in found:
        if isinstance(came, Failure):
            yield came.region, came.table, came.day, None, f"FAILED: {came.error}"
        elif came.is_new:
            manifest = came.delivery.manifest
            records = "" if manifest.record_count is None else f" ({plural(manifest.record_count, 'record')})"
            yield manifest.region, manifest.table, manifest.day, manifest.size, f"a new delivery{records}"


def _failed(came: "Receipt | Failure") -> bool:
    from clearer_platform.sources import Failure

    return isinstance(came, Failure)


def _as_json(came: "Receipt | Failure") -> dict[str, Any]:
    from clearer_platform.sources import Failure

    if isinstance(came, Failure):
        return {"region": came.region, "table": came.table, "day": came.day, "error": came.error.message}
    manifest = came.delivery.manifest
    return {
        "region": manifest.region,
        "table": manifest.table,
        "day": manifest.day,
        "is_new": came.is_new,
        "delivery": came.delivery.id,
        "bytes": manifest.size,
        "records": manifest.record_count,
    }
