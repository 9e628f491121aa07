"""Watermarks: how far a table was read, as text that orders like the column's values and means the same for ever."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from clearer_platform.sources.sql.columns import Column, Kind

STAMP = "%Y-%m-%d %H:%M:%S.%f"
MARGIN = timedelta(hours=1)
"""How far before the reading the next one begins where rows lie in the future: local clocks are set back by as much."""

Value = Decimal | datetime


def value_of(text: str, kind: Kind) -> Value:
    """The watermark that `text` says. Raises ValueError where it is none."""
    if kind is Kind.NUMBER:
        return Decimal(text)
    return datetime.strptime(text, STAMP)


def text_of(value: Value) -> str:
    """A watermark as text: a number without exponent, a time with microseconds."""
    return f"{value:f}" if isinstance(value, Decimal) else f"{value.date()} {value.time().isoformat('microseconds')}"


def lower_of(upper: str, column: Column, overlap: float) -> str:
    """Where to read on from after `upper`, an overlap (units, or seconds) before it."""
    value = value_of(upper, column.kind)
    if isinstance(value, Decimal):
        return text_of(value - Decimal(str(overlap)))
    return text_of(value - min(timedelta(seconds=overlap), value - datetime.min))


def capped(upper: str, column: Column, read_at: datetime, zone: str) -> str:
    """`upper`, but no time that lies after the reading: rows written in between would be taken for read."""
    value = value_of(upper, column.kind)
    if isinstance(value, Decimal):
        return upper
    now = read_at.astimezone(UTC if column.kind is Kind.INSTANT else ZoneInfo(zone)).replace(tzinfo=None)
    return upper if value <= now else text_of(now - MARGIN)


def highest(uppers: list[str], column: Column) -> str | None:
    """The highest of some watermarks; None where there is none."""
    return max(uppers, key=lambda text: value_of(text, column.kind), default=None)
