"""From a table on a server to deliveries: what is new by its watermark, what a comparison finds, or all of it.

A delivery's manifest says how far was read. Whatever breaks off before that stands leaves nothing: the next reading
begins where the last delivery ended.
"""

import random
from datetime import UTC, datetime

from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt

from clearer_platform.bronze import Receipt
from clearer_platform.errors import DeliveryError
from clearer_platform.platform import Platform
from clearer_platform.sources.sql.columns import check
from clearer_platform.sources.sql.kept import folder, is_comparison_due
from clearer_platform.sources.sql.server import Unanswered, opened
from clearer_platform.sources.sql.snapshot import Progress, Reading, Snapshot
from clearer_platform.sources.sql.spool import NullTaken, cleared

NULLS = ("\\N", "\\NULL", "\\NO VALUE")
"""What may mean no value: the first that no text of the table is."""
WAIT = 0.5
"""Seconds, at most, before the second attempt; each further one waits twice as long."""
STAYS = "what was delivered before stays, and the next reading begins there"


def fetch(
    platform: Platform,
    region: str,
    table: str,
    *,
    compare: bool | None = None,
    progress: Progress | None = None,
    now: datetime | None = None,
) -> list[Receipt]:
    """Read what a table on a server has that was not delivered, and deliver it for the region's business day.

    With `compare` all rows are compared with those delivered (None: where that is due). No news is no delivery. Raises
    DeliveryError where the server, the table or the registry does not let it be read.
    """
    entry = platform.region(region)
    source = entry.sql_source(table)
    if source is None:
        raise DeliveryError(f"{region} {table} is on no server", hint=f"add [regions.{region}.tables.{table}.sql]")
    layout, at = platform.layout(region), now or datetime.now(UTC)
    # One reader of a table at a time: an older snapshot is never received after a newer one.
    with layout.lock(f"sql-{table}"):
        due = is_comparison_due(source, layout, table, at) if compare is None else compare
        reading = Reading(platform, region, table, source, entry.today(at), due, progress or _unheard)
        try:
            _read(reading)
        except DeliveryError as e:
            raise type(e)(f"{region} {table}: {e.message}", hint=e.hint or STAYS) from e
    return reading.received


def _read(reading: Reading) -> None:
    """Read it, again where the server may answer the next time."""
    for null in NULLS:
        try:
            Retrying(
                retry=retry_if_exception_type(Unanswered),
                stop=stop_after_attempt(reading.source.attempts),
                wait=_wait,
                reraise=True,
            )(_attempt, reading, null)
            return
        except NullTaken:
            continue
    raise DeliveryError(f"the table has each of the texts {', '.join(NULLS)}, which mean no value")


def _attempt(reading: Reading, null: str) -> None:
    work = cleared(folder(reading.layout) / reading.table)
    with opened(reading.source, null) as server:
        check(server.table.columns, reading.contract, reading.form, reading.source.watermark)
        Snapshot(reading, server, work, null).deliver()


def _wait(state: RetryCallState) -> float:
    return random.uniform(0, WAIT * 2.0**state.attempt_number)


def _unheard(done: int, total: int) -> None:
    """Progress that nobody follows."""
