"""What has come and is to be run: the work of the landing sensor, look after look.

Manifests decide what is new, and the instance's runs what is asked for already; what is kept in here between ticks only
spares work, and may be lost at any moment. While a run of a region is queued or started, nothing more is asked of that
region: what lands meanwhile is asked for at once when the run has ended, in one run.
"""

import logging
import math
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime

import dagster as dg
from upath import UPath

from clearer_platform import sources
from clearer_platform.defs.alive import end_gone
from clearer_platform.defs.names import is_partition
from clearer_platform.defs.requests import REGION, LostRuns, again, patience, regions_of, requests, underway
from clearer_platform.defs.windows import Windows
from clearer_platform.errors import ClearerError
from clearer_platform.platform import Platform
from clearer_platform.serving.facts import behind_shared
from clearer_platform.sources import http
from clearer_platform.sources.aside import of_unknown_regions, set_aside
from clearer_platform.sources.files import Arrival, Stray
from clearer_platform.sources.notices import Notice, Notices
from clearer_platform.sources.watch import Looks, Watch
from clearer_platform.storage import is_there

LOGGER = logging.getLogger("clearer_platform.landing")

Wanted = dict[str, set[date]]
Places = Mapping[str, Collection[UPath] | None]
"""Regions whose landing folders to look at, and the objects in them; None for all that is there."""
Version = tuple[str, str]
"""A file and its version; a table and the first of its batches that is in no delivery."""
Asked = dict[Version, tuple[int, float]]
"""How often a version that is news was asked for, and when that was last."""


class Landing:
    """What the sensor has seen."""

    def __init__(self, platform: Platform, clock: Callable[[], float] = time.monotonic) -> None:
        self._platform, self._clock = platform, clock
        self._watches = {region: Watch(platform, region, clock) for region in platform.registry.regions}
        self._notices = {region: Notices(platform, region, clock) for region in platform.registry.regions}
        self._unknown = Looks(platform.settings.settle, clock)
        self._lost = LostRuns(platform.registry, clock)
        self._asked: dict[str, Asked] = {}
        """By region, what was asked for of files."""
        self._asked_to_seal: dict[str, Asked] = {}
        """By region, what was asked for of batches."""
        self._buckets_seen = -math.inf
        self._shared_runs: dict[str, str | None] = {}
        """The newest finished run of each region that delivers for all."""
        self._maybe_behind = set(platform.registry.regions)
        self._windows = Windows(platform)

    def begin(self, instance: dg.DagsterInstance) -> list[dg.RunRequest]:
        """Once a tick: what is not about files that have just landed, and buckets, whose every look costs a request."""
        with self._careful("folders of regions that nobody knows"):
            self._set_aside_unknown()
        with self._careful("runs whose process is gone"):
            end_gone(instance)
        found = [request for run in self._lost(instance) for request in again(run)]
        if self._clock() - self._buckets_seen >= self._platform.settings.bucket_every:
            self._buckets_seen = self._clock()
            found += self._files(instance, self._whole(local=False), leave=regions_of(found))[0]
        leave = {*underway(instance, self._platform.registry), *regions_of(found)}
        with self._careful("windows of APIs"):
            found += requests(self._due_windows(leave))
        with self._careful("what one region delivers for all"):
            found += requests(self._behind_shared(instance, {*leave, *regions_of(found)}))
        return found

    def look(self, instance: dg.DagsterInstance, leave: Collection[str] = ()) -> list[dg.RunRequest]:
        """One look at local landing folders, at what buckets tell, and at batches; regions to `leave` are not asked."""
        found, _ = self._files(instance, self._whole(local=True), leave)
        found += self._told(instance, {*leave, *regions_of(found)})
        return [*found, *self._batches(instance, leave={*leave, *regions_of(found)})]

    def _whole(self, *, local: bool) -> Places:
        return {region: None for region, watch in self._watches.items() if watch.is_local == local}

    def _told(self, instance: dg.DagsterInstance, leave: Collection[str]) -> list[dg.RunRequest]:
        """Requests for what the buckets' queues tell of; a notice is done with when that has been asked for."""
        notices: dict[str, list[Notice]] = {}
        for region in self._notices:
            with self._careful(f"queue of {region}"):
                notices[region] = self._notices[region].poll()
        places = {region: [o for notice in some for o in notice.objects] for region, some in notices.items()}
        found, seen = self._files(instance, {region: some for region, some in places.items() if some}, leave)
        for region, some in notices.items():
            with self._careful(f"queue of {region}"):
                self._notices[region].done(notice for notice in some if region in seen or not notice.objects)
        return found

    def _files(
        self, instance: dg.DagsterInstance, places: Places, leave: Collection[str]
    ) -> tuple[list[dg.RunRequest], set[str]]:
        """Requests for what is news in these places, and the regions of which nothing in them is left to ask for."""
        settled: dict[str, list[Arrival]] = {}
        for region, at in places.items():
            with self._careful(f"landing folders of {region}"):
                looked = self._watches[region].look(at)
                settled[region] = looked.arrivals
                self._set_aside(looked.strays)
        seen = {region for region, arrivals in settled.items() if not arrivals}
        if len(seen) == len(settled):
            return [], seen
        leave = {*leave, *underway(instance, self._platform.registry)}
        wanted: Wanted = {}
        for region in settled.keys() - seen - leave:
            with self._careful(f"manifests of {region}"):
                news = self._watches[region].news(settled[region])
                of_files = [((str(arrival.path), arrival.version), arrival.day) for arrival in news]
                wanted[region] = self._in_time(self._asked, region, of_files, is_all=places[region] is None)
        return list(requests(wanted)), seen | wanted.keys()

    def _batches(self, instance: dg.DagsterInstance, leave: Collection[str]) -> list[dg.RunRequest]:
        """Requests for the days of batches that are in no delivery yet."""
        waiting: dict[str, list[tuple[Version, date]]] = {}
        for region in set(self._watches) - set(leave):
            with self._careful(f"batches of {region}"):
                found = sources.batches.pending(self._platform, region)
                waiting[region] = [
                    ((table, some.first), day) for table, days in found.items() for day, some in days.items()
                ]
        if not any(waiting.values()):
            return []
        free = waiting.keys() - underway(instance, self._platform.registry)
        return list(requests({r: self._in_time(self._asked_to_seal, r, waiting[r]) for r in sorted(free)}))

    def _in_time(
        self, known: dict[str, Asked], region: str, news: Iterable[tuple[Version, date]], is_all: bool = True
    ) -> set[date]:
        """The days to ask for: at once, and later and later for what no run took in that was asked to.

        What is not among the news is forgotten where they are all that there is.
        """
        now, before = self._clock(), known.get(region, {})
        asked, days = ({} if is_all else dict(before)), set()
        for key, day in news:
            times, last = before.get(key, (0, now))
            if not times or now - last >= patience(times):
                days.add(day)
                times, last = times + 1, now
            asked[key] = (times, last)
        known[region] = asked
        return days

    def _due_windows(self, leave: set[str]) -> Wanted:
        """The windows of APIs to run: those that were never read, and of the others those that had news."""
        now, wanted = datetime.now(UTC), self._windows.news(leave)
        for region in set(self._platform.registry.regions) - leave - set(wanted):
            due = {
                table: [day for day in days if is_partition(self._platform.registry, day)]
                for table, days in sources.due(self._platform, region, now).items()
            }
            first = {day for table, days in due.items() for day in http.unread(self._platform, region, table, days)}
            if first:
                wanted[region] = first
            elif any(due.values()):
                self._windows.read(region, due)
        return wanted

    def _behind_shared(self, instance: dg.DagsterInstance, leave: set[str]) -> Wanted:
        """A day of each region whose gold lacks what another has delivered for all since: running it mends that."""
        regions = self._platform.registry.regions
        shared = {table for table, contract in self._platform.contracts.items() if contract.shared}
        for region in [name for name, entry in regions.items() if shared & set(entry.tables)]:
            newest = _newest_finished(instance, region)
            if newest != self._shared_runs.setdefault(region, newest):
                self._maybe_behind |= set(regions) - {region}
            self._shared_runs[region] = newest
        wanted: Wanted = {}
        for region in self._maybe_behind - leave:
            with self._careful(f"what {region} lacks of what one region delivers for all"):
                if days := self._lacking(region):
                    wanted[region] = {max(days)}
                self._maybe_behind.discard(region)
        return wanted

    def _lacking(self, region: str) -> list[date]:
        """The days of which the region's gold lacks what one delivers for all; a first run takes all that there is."""
        if not is_there(self._platform.layout(region).warehouse):
            return []
        return [day for day in behind_shared(self._platform, region) if is_partition(self._platform.registry, day)]

    def _set_aside_unknown(self) -> None:
        strays = {str(stray.path): stray for stray in of_unknown_regions(self._platform)}
        settled = self._unknown.settled({text: stray.version for text, stray in strays.items()})
        self._set_aside([strays[text] for text in settled])

    def _set_aside(self, strays: list[Stray]) -> None:
        for stray in strays:
            try:
                aside = set_aside(stray)
            except ClearerError as e:
                LOGGER.warning("%s could not be set aside: %s", stray.path, e)
            else:
                LOGGER.warning("%s was set aside: %s", aside.name, stray.reason)

    @contextmanager
    def _careful(self, what: str) -> Iterator[None]:
        """Log what goes wrong: one region or source keeps no other waiting, and the next tick tries again."""
        try:
            yield
        except ClearerError as e:
            LOGGER.warning("%s: %s", what, e)
        except Exception:
            LOGGER.exception(what)


def _newest_finished(instance: dg.DagsterInstance, region: str) -> str | None:
    """The newest finished run that was asked for a region."""
    finished = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE]
    found = instance.get_run_records(dg.RunsFilter(statuses=finished, tags={REGION: region}), limit=1)
    return found[0].dagster_run.run_id if found else None
