"""What `clearer up` starts ends with it, whatever ends it: grandchildren, deaf processes and a SIGKILL included."""

import fcntl
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from clearer_platform.cli import servers

CHILD = """
import subprocess, sys, time
grandchild = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print("child", grandchild.pid, flush=True)
time.sleep(600)
"""
DEAF = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', 0, flush=True); time.sleep(600)"
)
OWNER = """
import os, signal, sys, time
from clearer_platform.cli import servers
servers.PATIENCE, servers.PAUSE = 1.0, 0.5
lock = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
import fcntl; fcntl.flock(lock, fcntl.LOCK_EX)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
group = servers.Servers(os.environ, lock, lambda name, line: print(name, line, flush=True))
try:
    for number, script in enumerate(sys.argv[2:]):
        group.start(f"s{number}", [sys.executable, "-c", script], is_spare="spare" in script)
    while not group.ended():
        group.revive()
        time.sleep(0.02)
    print("ended", *group.ended()[:2], flush=True)
finally:
    group.close()
"""


@pytest.fixture
def owner(tmp_path):
    """Start an owner of servers; every process it left is ended afterwards."""
    started = []

    def start(*scripts):
        command = [sys.executable, "-c", OWNER, str(tmp_path / "lock"), *scripts]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        started.append(process)
        lines = [process.stdout.readline() for _ in scripts]
        tree = psutil.Process(process.pid).children(recursive=True)
        assert len(tree) >= len(scripts) + 1
        started.extend(tree)
        return process, lines, tree

    yield start
    for process in started:
        with suppress(psutil.NoSuchProcess, ProcessLookupError):
            process.kill()


def gone(processes, within=6.0):
    """Whether all processes end in time."""
    until = time.monotonic() + within
    while time.monotonic() < until:
        if not any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in processes):
            return True
        time.sleep(0.05)
    return False


def is_free(lock: Path) -> bool:
    with lock.open("r+") as f:
        try:
            fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_nothing_is_left_behind(owner, number, tmp_path):
    process, _, tree = owner(CHILD, DEAF)
    assert not is_free(tmp_path / "lock")
    process.send_signal(number)
    process.wait(10)
    assert gone(tree)
    assert is_free(tmp_path / "lock")


def test_the_lock_is_held_while_anything_lives(owner, tmp_path):
    process, _, tree = owner(DEAF)
    process.kill()
    process.wait(10)
    deaf = [p for p in tree if "deaf" in " ".join(p.cmdline())]
    assert deaf[0].is_running()
    assert not is_free(tmp_path / "lock")
    assert gone(tree)
    assert is_free(tmp_path / "lock")


def test_lines_are_forwarded_and_an_end_is_noticed(owner):
    process, _, tree = owner(CHILD, "import time; print('soon'); time.sleep(1); raise SystemExit(7)")
    assert "ended s1 7" in process.communicate(timeout=20)[0]
    assert gone(tree)


def test_a_guard_that_is_killed_is_no_reason_to_hang(owner):
    process, _, tree = owner(CHILD)
    guard = next(p for p in tree if "guard.py" in " ".join(p.cmdline()))
    os.kill(guard.pid, signal.SIGKILL)
    assert "ended guard -9" in process.communicate(timeout=15)[0]
    assert gone(tree)


def test_what_can_be_spared_is_started_again_and_ends_with_the_rest(owner, tmp_path):
    spare = "import os, time; print('spare', os.getpid(), flush=True); time.sleep(600)"
    process, lines, _ = owner(spare)
    os.kill(int(lines[0].split()[-1]), signal.SIGKILL)
    assert "it ended by itself (exit code -9), and is started again" in process.stdout.readline()
    second = psutil.Process(int(process.stdout.readline().split()[-1]))
    assert second.is_running() and not is_free(tmp_path / "lock")
    process.send_signal(signal.SIGTERM)
    process.wait(10)
    assert gone([second])
    assert is_free(tmp_path / "lock")


def test_what_ends_again_and_again_is_not_started_without_a_pause(tmp_path, monkeypatch):
    monkeypatch.setattr(servers, "PAUSE", 2.0)
    told, lock = [], os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT)
    group = servers.Servers(os.environ, lock, lambda name, line: told.append(line))
    try:
        began = time.monotonic()
        group.start("s", [sys.executable, "-S", "-c", ""], is_spare=True)
        while len(told) < 2:
            assert group.ended() is None
            group.revive()
        assert time.monotonic() - began > 4.0
    finally:
        group.close()
        os.close(lock)
