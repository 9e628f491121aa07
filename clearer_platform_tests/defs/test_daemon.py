"""A real daemon on a real home, killed at random while files land: nothing is missed, nothing is done twice."""

import itertools
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import pytest

from clearer_platform import bronze, silver
from clearer_platform.defs.requests import AGAIN, REGION, UNFINISHED, covered
from clearer_platform.defs.runs import instance
from clearer_platform.platform import Platform
from clearer_platform_tests.conftest import open_home
from clearer_platform_tests.defs.conftest import PLAIN, day, sales
from clearer_platform_tests.defs.stub_location import NOTES

LOCATION = "clearer_platform_tests.defs.stub_location"
Noted = list[dict[str, float | str | None]]


@pytest.fixture
def home(tmp_path: Path, prepared_dbt: Path) -> Platform:
    """A home whose instance is the shipped one, but notices sooner that a run is gone."""
    platform = open_home(tmp_path / "home", PLAIN, prepared_dbt, settle=0.5)
    with instance(platform):
        pass
    file = platform.settings.dagster_home / "dagster.yaml"
    text = file.read_text().split("\n", 1)[1]
    text = text.replace("start_timeout_seconds: 600", "start_timeout_seconds: 45").replace(
        "interval_seconds: 10", "interval_seconds: 1"
    )
    file.write_text(text)
    return platform


@contextmanager
def daemon(platform: Platform, *, forks: bool = False) -> Iterator[subprocess.Popen[bytes]]:
    """A daemon with all that it starts, and the process that runs are forked from; they are killed at the end."""
    environment = {
        **os.environ,
        "CLEARER_HOME": str(platform.settings.home),
        "CLEARER_SETTLE": "0.5",
        "DAGSTER_HOME": str(platform.settings.dagster_home.resolve()),
    }
    command = [str(Path(sys.executable).with_name("dagster-daemon")), "run", "-m", LOCATION]
    log = (platform.settings.home / "daemon.log").open("ab")
    process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
    processes = [process]
    if forks:
        command = [sys.executable, "-m", "clearer_platform.defs"]
        processes.append(subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True))
    try:
        yield process
    finally:
        for one in processes:
            os.killpg(one.pid, signal.SIGKILL)
            one.wait()
        log.close()


def land(platform: Platform, region: str, number: int, count: int = 4) -> None:
    folder = platform.layout(region).landing("transactions")
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f".transactions-{day(number)}.csv"
    part.write_text(sales(day(number), count))
    part.rename(folder / part.name[1:])


def wait(until: Callable[[], bool], seconds: float, platform: Platform) -> None:
    end = time.monotonic() + seconds
    while not until():
        if time.monotonic() > end:
            pytest.fail((platform.settings.home / "daemon.log").read_text()[-6000:])
        time.sleep(0.5)


def finished(platform: Platform, home: dg.DagsterInstance, days: range) -> bool:
    """Whether everything that landed is judged, and no run is left."""
    for region in platform.registry.regions:
        states = silver.states(platform, region, "transactions")
        if len(states) < len(days) or not all(s.is_current and s.published for s in states):
            return False
    if home.get_run_records(dg.RunsFilter(statuses=UNFINISHED), limit=1):
        return False
    succeeded = home.get_run_records(dg.RunsFilter(statuses=[dg.DagsterRunStatus.SUCCESS]))
    found = [covered(r.dagster_run.tags, platform.registry) for r in succeeded]
    return all(any(day(n) in f.get(region, ()) for f in found) for region in platform.registry.regions for n in days)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", [1])
def test_killed_at_random_while_files_land(home: Platform, seed: int) -> None:
    """Each file becomes one delivery, each day one run that succeeded, and no run of a region overlaps another."""
    chance, days = random.Random(seed), range(12)
    waiting = [(region, n) for n in days for region in home.registry.regions]
    began, kills = time.monotonic(), 0
    with instance(home) as kept:
        while waiting:
            with daemon(home, forks=True) as process:
                until = time.monotonic() + (chance.uniform(8, 16) if kills < 2 else 3600)
                while time.monotonic() < until and waiting:
                    for region, n in waiting[: chance.randint(1, 4)]:
                        land(home, region, n)
                    del waiting[: chance.randint(1, 4)]
                    time.sleep(chance.uniform(0.1, 1.5))
                assert process.poll() is None
            kills += 1
        for region in home.registry.regions:  # Whatever the random slices left out.
            for n in days:
                if not (home.layout(region).landing("transactions") / f"transactions-{day(n)}.csv").exists():
                    land(home, region, n)
        with daemon(home, forks=True):
            wait(lambda: finished(home, kept, days), 400, home)
            time.sleep(6)
            assert not kept.get_run_records(dg.RunsFilter(statuses=UNFINISHED)), "it is quiet once all is done"
        runs = [record.dagster_run for record in kept.get_run_records()]
    assert kills >= 1 and time.monotonic() - began > 5
    for region in home.registry.regions:
        slots = bronze.slots(home.layout(region), "transactions")
        assert [(s.day, len(s.deliveries)) for s in slots] == [(day(n), 1) for n in days], "none missed, none doubled"
        good = [covered(r.tags, home.registry)[region] for r in runs if r.is_success and r.tags[REGION] == region]
        times = {day(n): sum(day(n) in range_ for range_ in good) for n in days}
        assert set(times.values()) == {1}, "a day whose run succeeded was not run again"
    lost = {r.run_id for r in runs if r.is_failure}
    assert {r.tags[AGAIN] for r in runs if AGAIN in r.tags} <= lost
    no_two_wrote_at_once(home)


def no_two_wrote_at_once(platform: Platform) -> Noted:
    notes: Noted = [json.loads(line) for line in (platform.settings.home / NOTES).read_text().splitlines()]
    for region in platform.registry.regions:
        of_region = sorted((n for n in notes if n["region"] == region), key=lambda n: str(n["began"]))
        for one, other in itertools.pairwise(of_region):
            assert float(one["ended"] or 0) <= float(other["began"] or 0)
    return notes


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_runs_of_one_region_queue_and_those_of_two_do_not(home: Platform) -> None:
    """Eight ranges asked for at once: one of a region at a time, and both regions at the same time."""
    for region in home.registry.regions:
        for n in range(0, 8, 2):
            land(home, region, n)
    with instance(home) as kept:
        with daemon(home):

            def done() -> bool:
                good = kept.get_run_records(dg.RunsFilter(statuses=[dg.DagsterRunStatus.SUCCESS]))
                return len(good) == 8

            wait(done, 600, home)
        runs = [record.dagster_run for record in kept.get_run_records()]
        spans: dict[str, list[tuple[float, float]]] = {region: [] for region in home.registry.regions}
        for run in runs:
            told = kept.get_run_stats(run.run_id)
            spans[run.tags[REGION]].append((told.launch_time or 0.0, told.end_time or 0.0))
    assert len(runs) == 8
    for found in spans.values():
        assert len(found) == 4
        for (_, ended), (launched, _) in itertools.pairwise(sorted(found)):
            assert ended <= launched
    assert any(a < d and c < b for a, b in spans["north"] for c, d in spans["south"]), "no region waits for another"
    no_two_wrote_at_once(home)
