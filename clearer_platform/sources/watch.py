"""Watching one region's landing folders, look after look: which files are complete, and which of those are news.

A local file is complete when a `.done` marker at least as new lies beside it, or when it has been the same, by size and
time, over looks that are `settle` seconds apart: looks are compared with looks, so that a clock set back or a sender's
other clock loses nothing. An object in a store appears whole. Whether a file is news the manifests decide; what they
said is remembered here only to spare asking again: a new process asks anew and comes to the same answers.
"""

import os
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from upath import UPath

from clearer_platform.platform import Platform
from clearer_platform.sources.files import DONE, Arrival, Stray, Teller
from clearer_platform.sources.landing import news
from clearer_platform.storage import is_local, listing, versions

ASK_AGAIN = 300.0
"""Seconds after which the manifests of a bucket are asked again; of a local root it is seen when they change."""


@dataclass(frozen=True)
class Known:
    """A version of a file that the manifests have said to be no news."""

    version: str
    slot: str
    """The slot's folder in bronze."""
    stamp: float
    """Changes when the slot's deliveries do."""


@dataclass
class Looked:
    """What one look came to: complete files of which it is not known yet whether they are news, and complete strays."""

    arrivals: list[Arrival] = field(default_factory=list)
    strays: list[Stray] = field(default_factory=list)


class Looks:
    """Since when each file has been the same."""

    def __init__(self, settle: float, clock: Callable[[], float]) -> None:
        self._settle, self._clock = settle, clock
        self._since: dict[str, tuple[str, float]] = {}

    def settled(self, listed: Mapping[str, str]) -> list[str]:
        """One more look: those of the files listed, with their versions, that have been the same for long enough."""
        now = self._clock()
        before, self._since = self._since, {}
        for text, version in listed.items():
            seen, first = before.get(text, ("", now))
            self._since[text] = (version, first if seen == version else now)
        return [text for text, (_, first) in self._since.items() if now - first >= self._settle]


class Watch:
    """What was seen of one region's landing folders."""

    def __init__(self, platform: Platform, region: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._platform, self._region, self._clock = platform, region, clock
        self._layout = platform.layout(region)
        self.is_local = is_local(self._layout.root)
        self._looks = Looks(platform.settings.settle, clock)
        self._known: dict[str, Known] = {}

    def look(self, at: Collection[UPath] | None = None) -> Looked:
        """What is complete in the landing folders, or of the objects named, and not known to be old."""
        tell, found = Teller(self._platform, self._region, datetime.now(UTC)), Looked()
        listed = listing(tell.landing) if at is None else versions(at)
        unknown = {text: version for text, version in listed.items() if not self._is_known(text, version)}
        settled = self._looks.settled(unknown)
        for text in {*settled, *(text for text in unknown if self._is_marked(text, listed))}:
            item = tell(text, listed[text])
            if isinstance(item, Stray):
                found.strays.append(item)
            elif item is not None:
                found.arrivals.append(item)
        return found

    def news(self, arrivals: Collection[Arrival]) -> list[Arrival]:
        """Those of `arrivals` that bronze does not have; the others are not asked about again."""
        found: list[Arrival] = []
        for table in {arrival.table for arrival in arrivals}:
            of_table = [arrival for arrival in arrivals if arrival.table == table]
            # Before the manifests are read: what is received in between is then noticed.
            slots = {str(a.path): (slot := self._slot(a), self._stamp(slot)) for a in of_table}
            new = {str(a.path): a for a in news(self._platform, self._region, table, of_table)}
            found += new.values()
            for a in of_table:
                if (text := str(a.path)) not in new:
                    self._known[text] = Known(a.version, *slots[text])
        return found

    def _is_known(self, text: str, version: str) -> bool:
        known = self._known.get(text)
        return known is not None and known.version == version and known.stamp == self._stamp(known.slot)

    def _is_marked(self, text: str, listed: Mapping[str, str]) -> bool:
        """Whether it is complete at once: an object, or a file with a marker that is not older than it is."""
        if not self.is_local:
            return True
        marker = listed.get(text + DONE)
        return marker is not None and _time(marker) >= _time(listed[text])

    def _slot(self, arrival: Arrival) -> str:
        return str(self._layout.bronze(arrival.table, arrival.day, arrival.slot))

    def _stamp(self, slot: str) -> float:
        if not self.is_local:
            return self._clock() // ASK_AGAIN
        try:
            return os.stat(slot).st_mtime_ns  # noqa: PTH116  a Path for each file would cost more than the look
        except OSError:
            return 0


def _time(version: str) -> int:
    return int(version.rsplit("-", 1)[-1])
