"""Which runs are alive: each holds a file lock, which the kernel frees with its process, however that ends.

Dagster's own launcher does not know when a run's process has died while nobody looked (the machine was switched off, or
`clearer up` and all that it started were killed): the run would stay started for ever, and hold its region's place in
the queue. This launcher answers the question that Dagster's run monitoring asks, for runs of commands as well.
"""

import fcntl
import os
import time
from pathlib import Path

import dagster as dg
from dagster._core.launcher import CheckRunHealthResult, WorkerStatus

FOLDER = "alive"
GRACE = 60.0
"""Seconds that a started run has until it must hold its lock."""
KEPT = 86_400.0
"""Seconds after which the lock file of a run that is gone is removed."""

_held: dict[Path, int] = {}


class Launcher(dg.DefaultRunLauncher):
    """The launcher that comes with Dagster, and knows which processes are alive."""

    @property
    def supports_check_run_worker_health(self) -> bool:
        """Run monitoring asks."""
        return True

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """Whether the process of a started run is there."""
        record = self._instance.get_run_record_by_id(run.run_id)
        started = record.start_time if record and record.start_time else time.time()
        if is_alive(folder(self._instance), run.run_id, started):
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        return CheckRunHealthResult(WorkerStatus.NOT_FOUND, "its process is gone")


def folder(instance: dg.DagsterInstance) -> Path:
    """Where the locks of an instance's runs are."""
    return Path(instance.root_directory) / FOLDER


def hold(folder: Path, run_id: str) -> None:
    """Hold the lock of a run until this process ends, or begins another: the end of a run belongs to it too."""
    path = folder / run_id
    if path in _held:
        return
    while _held:
        os.close(_held.popitem()[1])
    folder.mkdir(parents=True, exist_ok=True)
    _tidy(folder)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    _held[path] = descriptor


def is_alive(folder: Path, run_id: str, started: float) -> bool:
    """Whether a run's process is there; assumed for a while after the run was started."""
    path = folder / run_id
    return _is_locked(path) if path.exists() else time.time() - started < GRACE


def _is_locked(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


def _tidy(folder: Path) -> None:
    for path in folder.iterdir():
        try:
            if time.time() - path.stat().st_mtime > KEPT and not _is_locked(path):
                path.unlink(missing_ok=True)
        except FileNotFoundError:
            continue
