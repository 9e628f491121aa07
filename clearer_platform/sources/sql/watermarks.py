"""Watermarks: how far a table was read, as text that orders like the column's values and means the same for ever."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation, localcontext
from zoneinfo import ZoneInfo

from clearer_platform.sources.sql.columns import Column, Kind

STAMP = "%Y-%m-%d %H:%M:%S.%f"
MARGIN = timedelta(hours=1)
"""How far before the reading the next one begins where rows lie in the future: local clocks are set back by as much."""

DIGITS = 1_000
"""More than any server's numbers have: nothing is rounded."""

Value = Decimal | datetime


def value_of(text: str, kind: Kind) -> Value:
    """The watermark that `text` says. Raises ValueError where it is none."""
    if kind is not Kind.NUMBER:
        return datetime.strptime(text, STAMP)
    try:
        number = Decimal(text)
    except InvalidOperation as e:
        raise ValueError("not a number") from e
    if not number.is_finite():
        raise ValueError("not a finite number")
    return number


def usable(text: str | None, column: Column) -> str | None:
    """`text` where it says how far was read; None for no value, NaN, infinity, a zero date, a time before our era."""
    try:
        return None if text is None else text_of(value_of(text, column.kind))
    except ValueError:
        return None


def text_of(value: Value) -> str:
    """A watermark as text: a number without exponent, a time with microseconds."""
    return f"{value:f}" if isinstance(value, Decimal) else f"{value.date()} {value.time().isoformat('microseconds')}"


def lower_of(upper: str, column: Column, overlap: float, zone: str) -> str:
    """Where to read on from after `upper`, an overlap (units, or seconds) before it.

    From a time on a clock on the wall in `zone` that comes twice, also before the hour that comes twice.
    """
    value = value_of(upper, column.kind)
    if isinstance(value, Decimal):
        with localcontext(prec=DIGITS):
            return text_of(value - Decimal(str(overlap)))
    before = timedelta(seconds=overlap)
    if column.kind is Kind.LOCAL:
        before += _set_back(value, ZoneInfo(zone))
    return text_of(value - min(before, value - datetime.min))


def capped(upper: str, column: Column, read_at: datetime, zone: str) -> str:
    """`upper`, but no time that lies after the reading: rows written in between would be taken for read."""
    value = value_of(upper, column.kind)
    if isinstance(value, Decimal):
        return upper
    now = read_at.astimezone(UTC if column.kind is Kind.INSTANT else ZoneInfo(zone)).replace(tzinfo=None)
    return upper if value <= now else text_of(now - MARGIN)


def _set_back(local: datetime, zone: ZoneInfo) -> timedelta:
    """By how much clocks are set back around a local time that comes twice; nothing at any other."""
    first, second = (zone.utcoffset(local.replace(fold=fold)) or timedelta() for fold in (0, 1))
    return max(first - second, timedelta())


def highest(uppers: list[str], column: Column) -> str | None:
    """The highest of some watermarks; None where there is none."""
    return max(uppers, key=lambda text: value_of(text, column.kind), default=None)
