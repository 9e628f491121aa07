"""Time zones as a reader asks for them: checked, with suggestions where a name is unknown."""

from difflib import get_close_matches

from clearer_platform.errors import ClearerError
from clearer_platform.regions import zones


class UnknownZone(ClearerError):
    """A time zone that the IANA database does not have."""


def checked_zone(name: str) -> str:
    """`name` if it is an IANA zone. Raises UnknownZone with the names that were probably meant."""
    if name in zones():
        return name
    meant = suggestions(name)
    hint = f"did you mean {' or '.join(meant)}?" if meant else "use an IANA name such as Europe/Berlin or UTC"
    raise UnknownZone(f"unknown timezone {name!r}", hint=hint)


def suggestions(name: str, most: int = 3) -> list[str]:
    """Zones whose whole name or whose city resembles `name`, the likeliest first."""
    wanted = name.strip().replace(" ", "_").lower()
    whole = {zone.lower(): zone for zone in sorted(zones())}
    cities: dict[str, list[str]] = {}
    for zone in sorted(zones()):
        cities.setdefault(zone.rsplit("/", 1)[-1].lower(), []).append(zone)
    found = [whole[match] for match in get_close_matches(wanted, whole, n=most, cutoff=0.8)]
    for city in get_close_matches(wanted.rsplit("/", 1)[-1], cities, n=most, cutoff=0.75):
        found += cities[city]
    return list(dict.fromkeys(found))[:most]
