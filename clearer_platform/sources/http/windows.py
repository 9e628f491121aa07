"""Windows: the business days that an API is read for, and which of them are due.

When a window was last polled stands in a small file of the region's work folder. Losing it costs one more fetch of each
window and nothing else.
"""

from collections.abc import Collection, Mapping
from datetime import date, datetime, timedelta
from pathlib import Path

from pydantic import AwareDatetime, BaseModel, RootModel, ValidationError

from clearer_platform.platform import Platform
from clearer_platform.regions import HttpSource, Layout, Region
from clearer_platform.storage import publish_bytes


class Poll(BaseModel):
    """When a window was polled last, and when it was last read whole."""

    at: AwareDatetime
    fetched: AwareDatetime | None = None


class _Polls(RootModel[dict[date, Poll]]):
    pass


def windows(
    platform: Platform,
    region: str,
    table: str,
    now: datetime,
    start: date | None = None,
    end: date | None = None,
) -> list[date]:
    """The windows that may have news at `now`; given a start or an end, every window that there is in this range.

    A window is settled, and has no more news to expect, once it was read after its lookback had ended.
    """
    entry = platform.region(region)
    source = entry.http_source(table)
    if source is None:
        return []
    if start or end:
        return [day for day in _begun(entry, source, now) if (start or day) <= day <= (end or day)]
    return _open(entry, source, now, polls(platform.layout(region), table))


def due(platform: Platform, region: str, now: datetime) -> dict[str, list[date]]:
    """By table, the windows of a region that are to be polled at `now`. It asks no server, and costs little."""
    entry, found = platform.region(region), {}
    for table in entry.tables:
        if source := entry.http_source(table):
            known = polls(platform.layout(region), table)
            days = _open(entry, source, now, known)
            if days := [day for day in days if day not in known or not _is_recent(known[day], source, now)]:
                found[table] = days
    return found


def unread(platform: Platform, region: str, table: str, days: Collection[date]) -> list[date]:
    """Those of `days` whose window was never read whole."""
    known = polls(platform.layout(region), table)
    return [day for day in days if day not in known or known[day].fetched is None]


def remember(layout: Layout, table: str, day: date, at: datetime, *, fetched: bool) -> None:
    """Note that a window was polled at an instant. Only for the holder of the table's lock."""
    known = polls(layout, table)
    before = known[day].fetched if day in known else None
    known[day] = Poll(at=at, fetched=at if fetched else before)
    publish_bytes(_Polls(known).model_dump_json(indent=1).encode(), _file(layout, table))


def polls(layout: Layout, table: str) -> dict[date, Poll]:
    """The last poll of each window of a table."""
    try:
        return _Polls.model_validate_json(_file(layout, table).read_bytes()).root
    except (FileNotFoundError, ValidationError):
        return {}


def _begun(entry: Region, source: HttpSource, now: datetime) -> list[date]:
    """Every business day that the source can have: those that have begun, until its last."""
    newest = min(entry.today(now), source.last or date.max)
    return [entry.start + timedelta(days=n) for n in range((newest - entry.start).days + 1)]


def _open(entry: Region, source: HttpSource, now: datetime, known: Mapping[date, Poll]) -> list[date]:
    """The windows that are not settled."""
    days = _begun(entry, source, now)
    return [day for day in days if day not in known or not _is_settled(known[day], entry, source, day, now)]


def _is_settled(poll: Poll, entry: Region, source: HttpSource, day: date, now: datetime) -> bool:
    """Whether a window was read when nothing could change any more. A reading in the future tells of a wrong clock."""
    if poll.fetched is None or poll.fetched > now:
        return False
    return entry.today(poll.fetched) > day + timedelta(days=source.lookback)


def _is_recent(poll: Poll, source: HttpSource, now: datetime) -> bool:
    """Whether a window was polled a moment ago; a poll that lies in the future says that the clock was set back."""
    return 0 <= (now - poll.at).total_seconds() < source.every


def _file(layout: Layout, table: str) -> Path:
    return layout.work / "http" / f"{table}.json"
