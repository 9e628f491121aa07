"""Which runs are alive: each holds a file lock, which the kernel frees with its process, however that ends.

Dagster does not know when a run's process has died while nobody looked (the machine was switched off, or `clearer up`
and all that it started were killed): the run would stay started for ever, or for minutes if it had only just been
launched, and hold its region's place in the queue.
"""

import fcntl
import os
import socket
import time
from contextlib import suppress
from pathlib import Path

import dagster as dg

FOLDER = "alive"
GRACE = 60.0
"""Seconds that a started run has until it must hold its lock."""
KEPT = 86_400.0
"""Seconds after which the lock file of a run that is gone is removed."""
WITH_A_PROCESS = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]
GONE, LEFT = "its process is gone", "all of `clearer up` was gone before it had ended"
"""Why a run is marked failed; the second says that the run was not to blame."""

_held: dict[Path, int] = {}


def folder(instance: dg.DagsterInstance) -> Path:
    """Where the locks of an instance's runs are."""
    return folder_of(Path(instance.root_directory))


def folder_of(home: Path) -> Path:
    """Where the locks of runs are, by DAGSTER_HOME."""
    return home / FOLDER


def hold(folder: Path, run_id: str) -> None:
    """Hold the lock of a run until this process ends, or begins another: the end of a run belongs to it too."""
    path = folder / run_id
    if path in _held:
        return
    release()
    folder.mkdir(parents=True, exist_ok=True)
    _tidy(folder)
    aside = path.with_name(f".{run_id}.{os.getpid()}")
    descriptor = os.open(aside, os.O_RDWR | os.O_CREAT, 0o644)
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.write(descriptor, f"{os.getpid()} {_machine()}".encode())
    aside.replace(path)  # Nobody ever sees it without its lock.
    _held[path] = descriptor


def release() -> None:
    """Let go of what this process holds: its run has ended."""
    while _held:
        os.close(_held.popitem()[1])


def forget(folder: Path, run_id: str) -> None:
    """Take away what a process left that is gone: another begins the run anew."""
    (folder / run_id).unlink(missing_ok=True)


def is_alive(folder: Path, run_id: str, started: float) -> bool:
    """Whether a run's process is there; assumed for a while after the run was started."""
    path = folder / run_id
    return _is_locked(path) if path.exists() else time.time() - started < GRACE


def holder(folder: Path, run_id: str) -> int | None:
    """The process that holds a run's lock, where it is one of this machine."""
    path = folder / run_id
    if not _is_locked(path):
        return None
    with suppress(OSError, ValueError):
        process, machine = path.read_text("utf-8").split(maxsplit=1)
        return int(process) if machine == _machine() else None
    return None


def end_gone(instance: dg.DagsterInstance, *, is_first: bool = False) -> None:
    """Mark ended the runs whose process is gone.

    A run that has not held a lock yet is left to Dagster, unless nothing `is_first` that could have launched it.
    """
    for record in instance.get_run_records(dg.RunsFilter(statuses=WITH_A_PROCESS)):
        run = record.dagster_run
        lock = folder(instance) / run.run_id
        is_left = is_first and run.status == dg.DagsterRunStatus.STARTING
        reason = LEFT if is_first else GONE
        if _is_locked(lock) or not (lock.exists() or is_left):
            continue
        now = instance.get_run_by_id(run.run_id)
        if now is None or now.status != run.status:
            continue  # It said how it ended, and then let go of its lock.
        if run.status == dg.DagsterRunStatus.CANCELING:
            instance.report_run_canceled(run, reason)
        else:
            instance.report_run_failed(run, reason)


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


def _machine() -> str:
    """Where the number of a process means that process: containers that share a home have numbers of their own."""
    try:
        return f"{socket.gethostname()} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return socket.gethostname()


def _tidy(folder: Path) -> None:
    for path in folder.iterdir():
        try:
            if time.time() - path.stat().st_mtime > KEPT and not _is_locked(path):
                path.unlink(missing_ok=True)
        except FileNotFoundError:
            continue
