"""What to ask Dagster to run, and what is not to be asked for again: runs of the queue, started ones and lost ones.

A request is for one region and an unbroken range of days, and carries the region as a tag: the queue starts one run of
a region at a time, so that no region's work waits for another's. What is remembered between ticks may be lost: the
instance's own runs say what was asked for.
"""

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import dagster as dg

from clearer_platform.defs.alive import LEFT
from clearer_platform.defs.jobs import REGION_DAYS
from clearer_platform.defs.names import RANGE_END, RANGE_START, partition_key, ranges, split
from clearer_platform.defs.reporting import is_interrupted
from clearer_platform.regions import Registry

REGION, AGAIN, ATTEMPT = "clearer/region", "clearer/again", "clearer/attempt"
AT_ONCE = 3
"""Times that a run whose process dies is started without waiting."""
ENDS = {dg.DagsterEventType.STEP_FAILURE, dg.DagsterEventType.RUN_FAILURE}
TERMINATED = "UNEXPECTED_TERMINATION"
"""What Dagster calls the reason of a run's failure whose process was told to end."""
FIRST_WAIT, LONGEST_WAIT = 20.0, 3600.0
"""Seconds until what came to nothing is asked for again: longer each time, but never given up."""
FAILURES = 50
"""Newest failed runs among which lost ones are looked for."""
UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


@dataclass(frozen=True)
class Lost:
    """A run that we had asked for, and whose process got lost before it could say how it went."""

    run_id: str
    region: str
    days: tuple[date, ...]
    attempt: int
    """The number of the attempt that makes good for it."""


def requests(wanted: Mapping[str, Collection[date]], tags: Mapping[str, str] | None = None) -> Iterator[dg.RunRequest]:
    """One request a region and unbroken range of days."""
    for region, days in wanted.items():
        for range_ in ranges(days):
            yield dg.RunRequest(
                job_name=REGION_DAYS,
                tags={
                    RANGE_START: partition_key(region, range_[0]),
                    RANGE_END: partition_key(region, range_[-1]),
                    REGION: region,
                    **(tags or {}),
                },
            )


def again(lost: Lost) -> Iterator[dg.RunRequest]:
    """The request that makes good for a lost run."""
    return requests({lost.region: lost.days}, {AGAIN: lost.run_id, ATTEMPT: str(lost.attempt)})


def patience(times: int) -> float:
    """Seconds to wait when something has come to nothing so many times."""
    return min(FIRST_WAIT * 2.0 ** min(times - 1, 10), LONGEST_WAIT)


def regions_of(asked: Iterable[dg.RunRequest]) -> set[str]:
    """The regions that requests are for."""
    return {request.tags[REGION] for request in asked}


def underway(instance: dg.DagsterInstance, registry: Registry) -> dict[str, set[date]]:
    """The regions for which any run is queued or started, whoever asked for it, and the days that it is for."""
    found: dict[str, set[date]] = {}
    for record in instance.get_run_records(dg.RunsFilter(statuses=UNFINISHED)):
        for region, days in covered(record.dagster_run.tags, registry).items():
            found.setdefault(region, set()).update(days)
    return found


def covered(tags: Mapping[str, str], registry: Registry) -> dict[str, set[date]]:
    """The days of each region that a run with these tags is for."""
    first = tags.get(RANGE_START) or tags.get("dagster/partition") or ""
    last = tags.get(RANGE_END) or first
    if "|" not in first or "|" not in last:
        return {}
    (one, start), (other, end) = split(first), split(last)
    names = list(registry.regions)
    if one not in names or other not in names:
        return {}
    days = {start + timedelta(days=n) for n in range((end - start).days + 1)}
    return {region: set(days) for region in names[names.index(one) : names.index(other) + 1]}


class LostRuns:
    """Finds runs that got lost. What has been told of a finished run does not change, and is not asked for twice."""

    def __init__(self, registry: Registry, clock: Callable[[], float] = time.monotonic) -> None:
        self._registry, self._clock = registry, clock
        self._settled: set[str] = set()
        self._since: dict[str, float] = {}
        """When a run was first found to be lost."""

    def __call__(self, instance: dg.DagsterInstance) -> list[Lost]:
        """The runs of ours that were lost, and that no later run has made good or will."""
        failed = dg.RunsFilter(job_name=REGION_DAYS, statuses=[dg.DagsterRunStatus.FAILURE])
        found = []
        for record in instance.get_run_records(failed, limit=FAILURES):
            if record.dagster_run.run_id in self._settled:
                continue
            lost = self._lost(record.dagster_run, instance)
            if lost is None or self._is_made_good(lost, record.create_timestamp, instance):
                self._settled.add(record.dagster_run.run_id)
            elif self._is_time(lost):
                found.append(lost)
        return found

    def _lost(self, run: dg.DagsterRun, instance: dg.DagsterInstance) -> Lost | None:
        region, attempt = run.tags.get(REGION), int(run.tags.get(ATTEMPT, "1"))
        days = covered(run.tags, self._registry).get(region or "")
        if not region or not days:
            return None
        ends = _ends(instance, run.run_id)
        if not all(ends):
            return None  # A step has said why: what was wrong then would only be wrong again.
        # A process that was told to end, as by the end of `clearer up`, is not to blame.
        return Lost(run.run_id, region, tuple(sorted(days)), attempt if ends else attempt + 1)

    def _is_time(self, lost: Lost) -> bool:
        """Whether to ask again: what kills its process again and again must not keep the machine busy."""
        since = self._since.setdefault(lost.run_id, self._clock())
        return lost.attempt <= AT_ONCE or self._clock() - since >= patience(lost.attempt - AT_ONCE)

    def _is_made_good(self, lost: Lost, created: datetime, instance: dg.DagsterInstance) -> bool:
        """Whether runs that were asked for since are for all of its days; they bring them up whatever was done."""
        since = dg.RunsFilter(tags={REGION: lost.region}, created_after=created)
        days: set[date] = set()
        for record in instance.get_run_records(since):
            if record.dagster_run.run_id != lost.run_id:
                days |= covered(record.dagster_run.tags, self._registry).get(lost.region, set())
        return days >= set(lost.days)


def _ends(instance: dg.DagsterInstance, run_id: str) -> list[bool]:
    """Of every end that was told of the run or its steps, whether it came because the process was told to end."""
    ends = []
    for entry in instance.all_logs(run_id, of_type=ENDS):
        event = entry.dagster_event
        if event and event.is_step_failure:
            ends.append(is_interrupted(event.step_failure_data.error))
        elif event and event.message == LEFT:
            ends.append(True)
        elif event and event.event_specific_data:
            reason = event.job_failure_data.failure_reason
            ends += [True] if reason and reason.value == TERMINATED else []
    return ends
