"""From a window to a delivery: read until it is certain, spooled in the region's own work folder, and received."""

import os
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import httpx

from clearer_platform.bronze import Receipt, receive
from clearer_platform.errors import ClearerError, DeliveryError
from clearer_platform.platform import Platform
from clearer_platform.regions import HttpSource, Layout, Region
from clearer_platform.regions.http import DAY
from clearer_platform.sources.failure import Failure
from clearer_platform.sources.http.client import Client, Unanswered
from clearer_platform.sources.http.passes import Reader
from clearer_platform.sources.http.windows import due, remember, windows
from clearer_platform.storage import PARTIAL

STAYS = "what was delivered before stays; mend it and run `clearer fetch`"


def fetch(platform: Platform, region: str, table: str, day: date) -> Receipt:
    """Read one window and receive it. Raises DeliveryError where it cannot be read whole: bronze is as it was then."""
    entry, layout = platform.region(region), platform.layout(region)
    source = entry.http_source(table)
    if source is None:
        raise DeliveryError(f"{region} {table} has no API", hint=f"add [regions.{region}.tables.{table}.http]")
    # One reader of a table at a time: an older reading is never received after a newer one.
    with layout.lock(f"http-{table}"):
        began, fetched = datetime.now(UTC), False
        try:
            with _spool(layout, table) as spool:
                receipt = _fetch(platform, entry, table, source, day, spool)
            fetched = True
            return receipt
        finally:
            remember(layout, table, day, began, fetched=fetched)


def collect(
    platform: Platform, region: str, table: str, days: Collection[date] | None = None
) -> list[Receipt | Failure]:
    """Fetch the windows of `days` (or those that may have news) of a table that has an API; nothing for one without."""
    now = datetime.now(UTC)
    if days is None:
        return list(each(platform, region, table, windows(platform, region, table, now)))
    existing = windows(platform, region, table, now, min(days), max(days)) if days else []
    return list(each(platform, region, table, [day for day in existing if day in days]))


def poll(
    platform: Platform, region: str, now: datetime, tables: Collection[str] | None = None, *, force: bool = False
) -> list[Receipt | Failure]:
    """Fetch what is due; with `force`, every window that may have news, whenever it was polled last.

    A receipt with `is_new` is news to be run. Whoever is killed before running it has lost nothing: the delivery stands
    in bronze, where it is one that silver has not judged.
    """
    found = due(platform, region, now)
    if force:
        found = {table: windows(platform, region, table, now) for table in platform.region(region).tables}
    wanted = {table: days for table, days in found.items() if tables is None or table in tables}
    return [received for table, days in wanted.items() for received in each(platform, region, table, days)]


def each(platform: Platform, region: str, table: str, days: Iterable[date]) -> Iterator[Receipt | Failure]:
    """What each window comes to, one after the other. Once the server does not answer, the others are not tried."""
    gone: ClearerError | None = None
    for day in days:
        if gone is not None:
            yield Failure(region, table, day, gone)
            continue
        try:
            yield fetch(platform, region, table, day)
        except ClearerError as e:
            gone = e if isinstance(e, Unanswered) else None
            yield Failure(region, table, day, e)


def _fetch(platform: Platform, entry: Region, table: str, source: HttpSource, day: date, spool: Path) -> Receipt:
    where = f"{entry.name} {table} {day}"
    try:
        url = _window(source, entry, day)
        with Client(source, _secret(source)) as client:
            done = Reader(client, source, entry.source(table).csv, url, spool).read()
    except DeliveryError as e:
        raise type(e)(f"{where}: {e.message}", hint=e.hint or STAYS) from e
    with spool.open("rb") as content:
        return receive(
            platform.layout(entry.name),
            table,
            day,
            f"{table}-{day}.{'jsonl' if source.format == 'json' else 'csv'}",
            content,
            origin=str(url),
            record_count=done.count if done.totals else None,
        )


def _window(source: HttpSource, entry: Region, day: date) -> httpx.URL:
    """The address of a business day: its local midnights as UTC instants, where the API takes such."""
    edges = {source.since: day, source.until: day + timedelta(days=1)}
    midnights = {name: datetime.combine(at, time(), entry.zone).astimezone(UTC) for name, at in edges.items() if name}
    params = {name: at.strftime("%Y-%m-%dT%H:%M:%SZ") for name, at in midnights.items()}
    try:
        return httpx.URL(source.url.replace(DAY, f"{day}")).copy_merge_params(params)
    except httpx.InvalidURL as e:
        raise DeliveryError(f"url is no address ({e})", hint="mend it in the registry") from e


def _secret(source: HttpSource) -> str | None:
    """The header's value from the environment. No message ever shows it."""
    if source.token_env is None:
        return None
    secret = os.environ.get(source.token_env, "")
    if not secret or not secret.isascii() or not secret.isprintable() or secret != secret.strip():
        what = "is not set" if not secret else "is no value for a header"
        raise DeliveryError(
            f"the environment variable {source.token_env} {what}", hint=f"it is sent as {source.header}"
        )
    return secret


@contextmanager
def _spool(layout: Layout, table: str) -> Iterator[Path]:
    """A file for a window being read, in place of what a killed process left. Only under the table's lock."""
    spool = layout.work / "http" / f"{PARTIAL}{table}"
    spool.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield spool
    finally:
        spool.unlink(missing_ok=True)
