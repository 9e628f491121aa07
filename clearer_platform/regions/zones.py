"""The time zones that there are."""

from functools import lru_cache
from zoneinfo import available_timezones


@lru_cache
def zones() -> frozenset[str]:
    """Names of the IANA database's zones. Finding them opens its six hundred files, so once in a process."""
    return frozenset(available_timezones())
