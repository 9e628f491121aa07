"""The time zones that there are."""

from functools import lru_cache
from typing import Annotated
from zoneinfo import available_timezones

from pydantic import AfterValidator

MACHINE = "localtime"
"""Listed among the zones on some systems: whatever the machine is set to. It is no zone of the IANA database."""


@lru_cache
def zones() -> frozenset[str]:
    """Names of the IANA database's zones. Finding them opens its six hundred files, so once in a process."""
    return frozenset(available_timezones() - {MACHINE})


def _known(name: str) -> str:
    if name not in zones():
        raise ValueError(f"unknown timezone {name!r}; use an IANA name such as Europe/Berlin")
    return name


ZoneName = Annotated[str, AfterValidator(_known)]
"""The name of a zone, as the registry writes it."""
