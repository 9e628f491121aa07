"""`clearer fetch`: read the regions' HTTP APIs and database servers now, and say what came."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clearer_platform.cli.failures import FAILED_DAYS
from clearer_platform.cli.options import From, Json, Regions, To, in_order
from clearer_platform.cli.output import note, plural, print_json, print_table, say, steps
from clearer_platform.cli.sample import sample_service

if TYPE_CHECKING:
    from clearer_platform.bronze import Manifest, Receipt
    from clearer_platform.platform import Platform
    from clearer_platform.sources import Failure

Windows = list[tuple[str, str, list[date]]]
"""Region, table, and the days to read of it."""
Servers = list[tuple[str, str]]
"""Region and table."""


def fetch(
    region: Regions = None,
    table: Annotated[list[str] | None, typer.Option("--table", "-t", help="Only this table (may be repeated).")] = None,
    start: From = None,
    end: To = None,
    compare: Annotated[
        bool | None,
        typer.Option(
            "--compare/--no-compare",
            help="Compare all rows of tables on servers with those delivered; by default when that is due.",
            show_default=False,
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Fetch what the regions' HTTP APIs and database servers have: what is news becomes deliveries.

    Of an API, each business day of a table. Without a range, the days that
    may have news: those never read, and those whose records may still
    change. With one, every day of it.

    Of a server, what each table has now, from the last watermark on, unless
    a range leaves out today. Comparing all rows finds updates and deletes
    that a watermark cannot show.

    What cannot be read whole changes nothing; the exit code is then 3.

    [bold]Examples[/bold]

        clearer fetch
        clearer fetch --region us --from 2024-10-24 --to 2024-10-27
        clearer fetch --table sales --compare
    """
    from clearer_platform.serving.opening import chosen_regions, open_platform

    in_order(start, end)
    platform = open_platform()
    regions = chosen_regions(platform, region)
    days, on_servers = wanted(platform, regions, table, start, end), servers(platform, regions, table, start, end)
    with sample_service(platform.settings.home):
        found = fetched(platform, days)
    came_of_servers = read(platform, on_servers, compare)
    if json:
        print_json([_as_json(came) for came in [*found, *came_of_servers]])
    else:
        if found or not on_servers:
            print_fetched(found)
        if on_servers:
            print_read(came_of_servers, len(on_servers))
    if any(_failed(came) for came in [*found, *came_of_servers]):
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


def read(platform: "Platform", asked: Servers, compare: bool | None) -> "list[Receipt | Failure]":
    """What every table on a server came to, with a progress bar."""
    from clearer_platform.errors import ClearerError
    from clearer_platform.sources import Failure

    if not asked:
        return []
    from clearer_platform.sources.sql.reading import fetch as fetch_table

    found: list[Receipt | Failure] = []
    with steps(f"reading {plural(len(asked), 'table')} on servers") as advance:
        for region, table in asked:

            def tell(done: int, total: int, region: str = region, table: str = table) -> None:
                advance(region, table, done, total)

            try:
                found += fetch_table(platform, region, table, compare=compare, progress=tell)
            except ClearerError as e:
                found.append(Failure(region, table, platform.region(region).today(datetime.now(UTC)), e))
    return found


def servers(
    platform: "Platform", regions: list[str], tables: list[str] | None, start: date | None, end: date | None
) -> Servers:
    """The tables on servers to read: none where the range leaves out today."""
    from clearer_platform.sources import sql

    now = datetime.now(UTC)
    return [
        (region, table)
        for region in regions
        if (start or date.min) <= platform.region(region).today(now) <= (end or date.max)
        for table in sql.tables(platform, region)
        if not tables or table in tables
    ]


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
    news = _print_news(found)
    failed = sum(1 for came in found if _failed(came))
    counts = f"{news - failed} new, {len(found) - news} as before"
    say(
        f"{plural(len(found), 'window')} read: {counts}{f', {failed} failed' if failed else ''}",
        style="yellow" if failed else None,
    )


def print_read(found: "list[Receipt | Failure]", tables: int) -> None:
    """Print a line for each delivery that came of servers, or table that could not be read, and what it comes to."""
    news = _print_news(found)
    failed = sum(1 for came in found if _failed(came))
    say(
        f"{plural(tables, 'table')} on servers read: {news - failed} new{f', {failed} failed' if failed else ''}",
        style="yellow" if failed else None,
    )


def _print_news(found: "list[Receipt | Failure]") -> int:
    """Print what is new or failed; how much that is."""
    rows = list(_rows(found))
    if rows:
        print_table(None, ["region", "table", "day", "bytes", "what came"], rows, right=["bytes"])
    return len(rows)


def _rows(found: "list[Receipt | Failure]") -> Iterator[tuple[object, ...]]:
    from clearer_platform.sources import Failure

    for came in found:
        if isinstance(came, Failure):
            yield came.region, came.table, came.day, None, f"FAILED: {came.error}"
        elif came.is_new:
            manifest = came.delivery.manifest
            records = "" if manifest.record_count is None else f" ({plural(manifest.record_count, 'record')})"
            what = f"a new delivery{records}{_compared(manifest)}"
            yield manifest.region, manifest.table, manifest.day, manifest.size, what


def _compared(manifest: "Manifest") -> str:
    """What a comparison found, where the delivery comes of one."""
    found = manifest.extract.found if manifest.extract else None
    return f": compared, {found.inserted} new, {found.updated} changed, {found.deleted} deleted" if found else ""


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
