"""When things happen: business days, and instants of a local day that follow a region's habits."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from random import Random
from zoneinfo import ZoneInfo

NIGHT_SALE = 0.025  # share of the orders in an hour that exists twice, so that there are some


def business_days(start: date, number: int) -> list[date]:
    """`number` days from `start` on."""
    return [start + timedelta(days=n) for n in range(number)]


def order_time(day: date, zone: ZoneInfo, hours: Sequence[float], rng: Random) -> datetime:
    """An instant (UTC) of a local day, to the second."""
    twice = ambiguous_hour(day, zone)
    hour = rng.choices(range(24), hours)[0]
    if twice is not None and rng.random() < NIGHT_SALE:
        hour = twice
    local = datetime.combine(day, time(hour, rng.randrange(60), rng.randrange(60)), zone)
    return local.replace(fold=rng.randrange(2)).astimezone(UTC)


@lru_cache
def ambiguous_hour(day: date, zone: ZoneInfo) -> int | None:
    """The hour of a local day that exists twice, if one does."""
    return next((hour for hour in range(24) if is_ambiguous(datetime.combine(day, time(hour)), zone)), None)


def is_ambiguous(local: datetime, zone: ZoneInfo) -> bool:
    """Whether a local time (naive) exists twice in `zone`."""
    first, second = (local.replace(tzinfo=zone, fold=fold).utcoffset() for fold in (0, 1))
    return first is not None and second is not None and first > second


def is_nonexistent(local: datetime, zone: ZoneInfo) -> bool:
    """Whether a local time (naive) does not exist in `zone`."""
    first, second = (local.replace(tzinfo=zone, fold=fold).utcoffset() for fold in (0, 1))
    return first is not None and second is not None and first < second
