"""Runs forked from a warm process: the same as any other, started in no time, and never started twice."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import psutil
import pytest
from dagster._core.code_pointer import ModuleCodePointer
from dagster._core.origin import JobPythonOrigin, RepositoryPythonOrigin
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteRepositoryOrigin

from clearer_platform import forking
from clearer_platform.definitions import build_defs
from clearer_platform.defs import alive
from clearer_platform.defs.alive import end_gone
from clearer_platform.defs.requests import AGAIN, LostRuns, again, requests
from clearer_platform.defs.runs import instance
from clearer_platform.platform import Platform
from clearer_platform_tests.conftest import open_home
from clearer_platform_tests.defs.conftest import PLAIN, day, sales, stand_in
from clearer_platform_tests.defs.stub_location import SECONDS
from clearer_platform_tests.flow import deliver

PARENT = Path(__file__).parents[2]
CONTRACT = "from clearer_platform.contracts.ecommerce import TRANSACTIONS  # {}\n"


class Bench:
    """A home, a warm process on it, and runs that are launched as the daemon launches them."""

    def __init__(self, platform: Platform, home: dg.DagsterInstance, errors: Path) -> None:
        self.platform, self.home, self.errors = platform, home, errors
        self.folder = alive.folder(home)
        with errors.open("ab") as said:
            self.warm = subprocess.Popen([sys.executable, "-m", "clearer_platform.defs"], stdout=said, stderr=said)
        self.wait(self.is_there)

    @property
    def place(self) -> Path:
        return self.platform.settings.dagster_home / forking.PLACE

    def is_there(self) -> bool:
        assert self.warm.poll() is None, self.errors.read_text()
        return self.place.exists()

    def children(self) -> list[str]:
        """What was forked; Python itself keeps one process more, which counts semaphores."""
        found = []
        for child in psutil.Process(self.warm.pid).children(recursive=True):
            try:
                found.append(" ".join(child.cmdline()))
            except psutil.NoSuchProcess:
                found.append("one that has just ended")
        return [line for line in found if "resource_tracker" not in line]

    def is_listening(self) -> bool:
        try:
            with socket.socket(socket.AF_UNIX) as probe:
                probe.connect(json.loads(self.place.read_text()))
        except OSError:
            return False
        return True

    def created(self, region: str = "south", python: str = sys.executable) -> str:
        """A run of a region's first day."""
        module = ModuleCodePointer("clearer_platform_tests.defs.stub_location", "defs", str(Path.cwd()))
        (request,) = requests({region: [day(0)]})
        job = build_defs(self.platform).resolve_job_def("region_days")
        origin = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("here"), "__repository__")
        run = self.home.create_run_for_job(
            job,
            tags=dict(request.tags),
            remote_job_origin=origin.get_job_origin(job.name),
            job_code_origin=JobPythonOrigin(job.name, RepositoryPythonOrigin(python, module)),
        )
        return run.run_id

    def launch(self, run_id: str) -> str:
        self.home.launch_run(run_id, workspace=None)  # type: ignore[arg-type]
        return run_id

    def started(self, region: str = "south") -> tuple[str, psutil.Process]:
        """A run whose step has begun to build, and its process."""
        run_id = self.launch(self.created(region))
        self.wait(lambda: "building" in self.printed(run_id))
        process = alive.holder(self.folder, run_id)
        assert process
        return run_id, psutil.Process(process)

    def status(self, run_id: str) -> dg.DagsterRunStatus:
        run = self.home.get_run_by_id(run_id)
        assert run
        return run.status

    def ends(self, run_id: str) -> dg.DagsterRunStatus:
        """How the run ends."""

        def has_ended() -> bool:
            run = self.home.get_run_by_id(run_id)
            return bool(run and run.is_finished) and not alive._is_locked(self.folder / run_id)

        self.wait(has_ended)
        return self.status(run_id)

    def printed(self, run_id: str) -> str:
        """What the run's step has printed, as the UI shows it."""
        logs = self.home.all_logs(run_id, of_type=dg.DagsterEventType.LOGS_CAPTURED)
        keys = [e.dagster_event.logs_captured_data.file_key for e in logs if e.dagster_event]
        found = [self.home.compute_log_manager.get_log_data([run_id, "compute_logs", key or ""]).stdout for key in keys]
        return "".join((text or b"").decode() for text in found)

    def wait(self, until: Callable[[], bool], seconds: float = 60) -> None:
        end = time.monotonic() + seconds
        while not until():
            assert time.monotonic() < end, self.errors.read_text()
            time.sleep(0.05)


@contextmanager
def opened(folder: Path, prepared_dbt: Path, dbt_project: Path) -> Iterator[Bench]:
    """A new home in `folder`, which this process stands in; what was started is killed at the end."""
    platform = open_home(folder / "home", PLAIN, prepared_dbt, settle=0.0)
    (folder / "more.py").write_text(CONTRACT.format("one"))
    with pytest.MonkeyPatch.context() as patch, instance(platform):
        stand_in(patch)
        patch.setattr(forking, "PATIENCE", 100.0)
        patch.chdir(folder)
        patch.syspath_prepend(str(folder))
        for name, value in {
            "CLEARER_HOME": str(platform.settings.home),
            "CLEARER_CONTRACT_MODULES": '["more"]',
            "CLEARER_DBT_PROJECT": str(dbt_project),
            "PYTHONPATH": os.pathsep.join([str(folder), str(PARENT)]),
            "DAGSTER_HOME": str(platform.settings.dagster_home),
        }.items():
            patch.setenv(name, value)
        for region in ("south", "north"):
            deliver(platform, region, "transactions", sales(day(0)), day(0))
        with dg.DagsterInstance.from_config(str(platform.settings.dagster_home)) as home:
            bench = Bench(platform, home, folder / "warm.log")
            try:
                yield bench
            finally:
                if bench.warm.poll() is None:
                    for process in [*psutil.Process(bench.warm.pid).children(recursive=True), bench.warm]:
                        process.kill()
                bench.warm.wait()


@pytest.fixture(scope="module")
def few(few_models: Callable[..., Path]) -> Path:
    """What a warm process loads and rehearses is not what these tests are about."""
    return few_models("branch_performance")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, prepared_dbt: Path, few: Path) -> Iterator[Bench]:
    with opened(tmp_path_factory.mktemp("shared"), prepared_dbt, few) as bench:
        yield bench


@pytest.fixture
def own(tmp_path: Path, prepared_dbt: Path, few: Path) -> Iterator[Bench]:
    """A warm process that a test may do anything to."""
    with opened(tmp_path, prepared_dbt, few) as bench:
        yield bench


def test_a_run_is_forked_and_is_what_any_run_is(shared: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It is a child of the warm process, stands where the one who asks stands, and its output is in the UI."""
    monkeypatch.setenv(SECONDS, "2")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    run_id, process = shared.started()
    assert process.ppid() == shared.warm.pid
    assert shared.printed(run_id) == f"building south in {tmp_path / 'elsewhere'}\n"
    assert shared.ends(run_id) == dg.DagsterRunStatus.SUCCESS
    assert shared.home.get_run_stats(run_id).materializations > 5
    shared.wait(lambda: not process.is_running())
    assert "forked process" not in shared.errors.read_text()


def test_two_runs_at_a_time_and_nothing_is_left_of_them(shared: Bench) -> None:
    runs = [shared.launch(shared.created(region)) for region in ("south", "north", "south", "north")]
    assert [shared.ends(run_id) for run_id in runs] == [dg.DagsterRunStatus.SUCCESS] * 4
    shared.wait(lambda: shared.children() == [])


def test_what_the_registry_says_now_counts_not_what_it_said_before(shared: Bench, prepared_dbt: Path) -> None:
    east = PLAIN.split("[regions.south]")[1].replace("regions.south", "regions.east").replace('"south"', '"east"')
    platform = open_home(shared.platform.settings.home, f"{PLAIN}\n[regions.east]{east}", prepared_dbt, settle=0.0)
    deliver(platform, "east", "transactions", sales(day(0)), day(0))
    shared.platform = platform
    assert shared.ends(shared.launch(shared.created("east"))) == dg.DagsterRunStatus.SUCCESS


def test_ended_from_the_ui(shared: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SECONDS, "60")
    run_id, _ = shared.started()
    assert shared.home.run_launcher.terminate(run_id)
    assert shared.ends(run_id) == dg.DagsterRunStatus.CANCELED
    assert not shared.home.run_launcher.terminate(run_id)


def test_a_killed_run_is_noticed_told_and_asked_for_again(shared: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SECONDS, "60")
    run_id, process = shared.started()
    end_gone(shared.home)
    assert shared.status(run_id) == dg.DagsterRunStatus.STARTED, "it lives"
    process.kill()
    shared.wait(lambda: f"the forked process {process.pid} was ended by signal 9" in shared.errors.read_text())
    end_gone(shared.home)
    assert shared.status(run_id) == dg.DagsterRunStatus.FAILURE
    (lost,) = LostRuns(shared.platform.registry)(shared.home)
    (request,) = again(lost)
    assert request.tags[AGAIN] == run_id


def test_runs_outlive_the_warm_process_and_end_as_ever(own: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SECONDS, "2")
    run_id, process = own.started()
    own.warm.kill()
    own.warm.wait()
    assert process.is_running()
    assert own.ends(run_id) == dg.DagsterRunStatus.SUCCESS
    with pytest.raises(dg.DagsterInvariantViolationError, match="requires a workspace"):
        own.launch(own.created())  # It is left to Dagster's own launcher, which has no code server here.


@pytest.mark.slow
def test_code_that_has_changed_is_loaded_again(own: Bench, tmp_path: Path) -> None:
    own.ends(own.launch(own.created()))
    (tmp_path / "more.py").write_text(CONTRACT.format("another"))
    run_id = own.created()
    with pytest.raises(dg.DagsterInvariantViolationError, match="requires a workspace"):
        own.launch(run_id)
    own.wait(own.is_listening)
    assert own.warm.poll() is None
    assert own.ends(own.launch(own.created())) == dg.DagsterRunStatus.SUCCESS


def test_a_run_of_another_python_is_not_forked(shared: Bench) -> None:
    with pytest.raises(dg.DagsterInvariantViolationError, match="requires a workspace"):
        shared.launch(shared.created(python="/usr/bin/python3"))


def test_a_process_that_does_not_answer_keeps_nobody_waiting_and_starts_nothing_later(
    shared: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared.ends(shared.launch(shared.created()))
    monkeypatch.setattr(forking, "PATIENCE", 0.5)
    shared.warm.send_signal(signal.SIGSTOP)
    run_id = shared.created()
    with pytest.raises(dg.DagsterInvariantViolationError, match="requires a workspace"):
        shared.launch(run_id)
    shared.warm.send_signal(signal.SIGCONT)
    monkeypatch.setattr(forking, "PATIENCE", 100.0)
    other = shared.launch(shared.created())
    assert shared.ends(other) == dg.DagsterRunStatus.SUCCESS
    assert not (shared.folder / run_id).exists()
    assert "Started process" not in "".join(e.message for e in shared.home.all_logs(run_id))


def test_whoever_breaks_off_or_talks_nonsense_does_no_harm(shared: Bench) -> None:
    for said in (b"", b"\0\0", b"\0\0\0\4nono"):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(json.loads(shared.place.read_text()))
            connection.sendall(said)
    child = forking.ask(shared.place.parent, forking.Asked("what nobody knows", ()))
    assert child and child.poll(60)
    assert shared.ends(shared.launch(shared.created())) == dg.DagsterRunStatus.SUCCESS
    for error in ("UnpicklingError", "KeyError: 'what nobody knows'"):
        shared.wait(lambda error=error: error in shared.errors.read_text())  # What goes wrong is said.


def test_only_this_user_can_ask(shared: Bench) -> None:
    assert Path(json.loads(shared.place.read_text())).parent.stat().st_mode & 0o077 == 0


def test_no_thread_of_python_nor_open_file_is_forked(shared: Bench) -> None:
    """What a child would find locked for ever, or write into twice."""
    shared.ends(shared.launch(shared.created()))
    warm = psutil.Process(shared.warm.pid)
    assert [Path(file.path).name for file in warm.open_files()] in ([], ["warm.log"], ["warm.log"] * 2)
    assert len(warm.net_connections("unix")) == 1
    names = {Path(f"/proc/{warm.pid}/task/{t.id}/comm").read_text().strip() for t in warm.threads()}
    assert names <= {"python", "python3", "python3.11", "jemalloc_bg_thd"}
