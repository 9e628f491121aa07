"""Which runs are alive: only one whose process is gone is marked failed by Dagster's own monitoring."""

import fcntl
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.launcher import WorkerStatus

from clearer_platform.defs import alive
from clearer_platform.defs.requests import AGAIN
from clearer_platform.defs.runs import instance
from clearer_platform.platform import Platform
from clearer_platform_tests.defs.conftest import Gold, day
from clearer_platform_tests.defs.desk import Desk

HOLD = "import sys, time; from pathlib import Path; from clearer_platform.defs import alive; " + (
    "alive.hold(Path(sys.argv[1]), sys.argv[2]); print('held', flush=True); time.sleep(60)"
)


@pytest.fixture
def long_ago() -> float:
    return time.time() - 2 * alive.GRACE


def test_a_run_is_alive_exactly_as_long_as_its_process(tmp_path: Path, long_ago: float) -> None:
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path), "r1"], stdout=subprocess.PIPE, text=True)
    assert process.stdout and process.stdout.readline() == "held\n"
    assert alive.is_alive(tmp_path, "r1", long_ago)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not alive.is_alive(tmp_path, "r1", long_ago)


def test_a_run_that_holds_nothing_yet_has_a_while(tmp_path: Path, long_ago: float) -> None:
    assert alive.is_alive(tmp_path, "r1", time.time())
    assert not alive.is_alive(tmp_path, "r1", long_ago)


def test_the_next_run_of_a_process_frees_the_one_before(tmp_path: Path, long_ago: float) -> None:
    alive.hold(tmp_path, "r1")
    alive.hold(tmp_path, "r1")
    assert alive.is_alive(tmp_path, "r1", long_ago)
    alive.hold(tmp_path, "r2")
    assert not alive.is_alive(tmp_path, "r1", long_ago)
    assert alive.is_alive(tmp_path, "r2", long_ago)


def test_locks_of_long_ago_are_removed_but_none_that_is_held(tmp_path: Path) -> None:
    old, held = tmp_path / "old", tmp_path / "held"
    for path in (old, held):
        path.touch()
        os.utime(path, (1, 1))
    with held.open() as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        alive.hold(tmp_path, "r3")
    assert not old.exists() and held.exists()


def test_the_launcher_of_the_shipped_instance_answers_run_monitoring(platform: Platform, built: Gold) -> None:
    """As Dagster's monitoring daemon asks it: for a run whose process is there, and after it has gone."""
    with instance(platform):
        pass
    with dg.DagsterInstance.from_config(str(platform.settings.dagster_home)) as home:
        launcher = home.run_launcher
        assert launcher.supports_check_run_worker_health
        assert home.run_monitoring_enabled

        @dg.job
        def nothing() -> None:
            """A job."""

        run = home.create_run_for_job(nothing)
        assert launcher.check_run_worker_health(run).status == WorkerStatus.RUNNING, "it has only just begun"
        lock = alive.folder(home) / run.run_id
        lock.parent.mkdir(parents=True, exist_ok=True)
        with lock.open("w") as f:
            fcntl.flock(f, fcntl.LOCK_EX)
            assert launcher.check_run_worker_health(run).status == WorkerStatus.RUNNING
        assert launcher.check_run_worker_health(run).status == WorkerStatus.NOT_FOUND


def test_the_holder_is_the_process_that_lives_and_only_on_its_own_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path), "r1"], stdout=subprocess.PIPE, text=True)
    assert process.stdout and process.stdout.readline() == "held\n"
    assert alive.holder(tmp_path, "r1") == process.pid
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(alive, "_machine", lambda: "another")
        assert alive.holder(tmp_path, "r1") is None
    process.kill()
    process.wait()
    assert alive.holder(tmp_path, "r1") is None
    assert alive.holder(tmp_path, "r2") is None


def test_a_lock_is_never_seen_free_before_its_process_is_gone(tmp_path: Path) -> None:
    """Whoever looks while it is being taken would take the process for dead."""
    rounds = [f"r{number}" for number in range(20)]
    looks = "import sys; from pathlib import Path; from clearer_platform.defs import alive\n" + (
        "for name in sys.argv[2:]:\n"
        "    print('looking', flush=True)\n"
        "    while not (path := Path(sys.argv[1]) / name).exists(): pass\n"
        "    print(alive._is_locked(path), flush=True)"
    )
    command = [sys.executable, "-c", looks, str(tmp_path), *rounds]
    looking = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert looking.stdout
    for name in rounds:
        assert looking.stdout.readline() == "looking\n"
        alive.hold(tmp_path, name)
        assert looking.stdout.readline() == "True\n"
        alive.release()
    looking.wait()


STATES = ("QUEUED", "STARTING", "STARTED", "CANCELING")
STAY = {state: state for state in STATES}


@pytest.mark.parametrize(
    ("lock", "is_first", "expected"),
    [
        ("held", False, STAY),
        ("held", True, STAY),
        ("free", False, {"QUEUED": "QUEUED", "STARTING": "FAILURE", "STARTED": "FAILURE", "CANCELING": "CANCELED"}),
        ("none", False, STAY),
        ("none", True, {**STAY, "STARTING": "FAILURE"}),
    ],
)
def test_a_run_is_ended_where_its_process_is_known_to_be_gone(
    desk: Desk, lock: str, is_first: bool, expected: dict[str, str]
) -> None:
    tags = {"dagster/partition": f"{day(0)}|south"}
    runs = {state: desk.created(tags, dg.DagsterRunStatus[state]) for state in STATES}
    folder = alive.folder(desk.instance)
    folder.mkdir(exist_ok=True)
    held = []
    for run in runs.values():
        if lock != "none":
            held.append((folder / run.run_id).open("w"))
        if lock == "held":
            fcntl.flock(held[-1], fcntl.LOCK_EX)
    alive.end_gone(desk.instance, is_first=is_first)
    found = {state: desk.instance.get_run_by_id(run.run_id) for state, run in runs.items()}
    assert {state: run.status.value for state, run in found.items() if run} == expected
    for file in held:
        file.close()


def test_a_run_that_says_how_it_ends_while_it_is_looked_at_is_believed(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends between the list of runs and the look at its lock."""
    run = desk.created({"dagster/partition": f"{day(0)}|south"}, dg.DagsterRunStatus.STARTED)
    (alive.folder(desk.instance) / run.run_id).parent.mkdir(exist_ok=True)
    (alive.folder(desk.instance) / run.run_id).touch()

    def ends(path: Path) -> bool:
        desk.instance.report_dagster_event(dg.DagsterEvent("PIPELINE_SUCCESS", run.job_name), run.run_id)
        return False

    monkeypatch.setattr(alive, "_is_locked", ends)
    alive.end_gone(desk.instance)
    found = desk.instance.get_run_by_id(run.run_id)
    assert found and found.status == dg.DagsterRunStatus.SUCCESS


def test_the_sensor_ends_what_is_gone_and_asks_for_it_again(desk: Desk) -> None:
    desk.land("south", day(0))
    (request,) = desk.tick()
    run = desk.queue(request, dg.DagsterRunStatus.STARTING)
    (alive.folder(desk.instance)).mkdir(exist_ok=True)
    (alive.folder(desk.instance) / run.run_id).touch()
    (again,) = desk.tick()
    assert again.tags[AGAIN] == run.run_id
