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
from clearer_platform.defs.runs import instance
from clearer_platform.platform import Platform
from clearer_platform_tests.defs.conftest import Gold

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
