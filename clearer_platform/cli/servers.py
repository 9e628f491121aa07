"""The processes behind `clearer up`: started in one group, their logs forwarded, ended together whatever happens."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO

GUARD = Path(__file__).with_name("guard.py")
PATIENCE = 8.0
"""Seconds that a server has to end by itself."""
PAUSE = 10.0
"""Seconds from one start of a server that the others can do without to the next, where it ends by itself."""


class Servers:
    """A group of processes that ends when this object is closed, or when this process dies in any way."""

    def __init__(self, environment: Mapping[str, str], lock: int, forward: Callable[[str, str], None]) -> None:
        self._environment = dict(environment)
        self._forward = forward
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._last: dict[str, deque[str]] = {}
        self._spare: dict[str, tuple[list[str], float]] = {}
        self._readers: list[threading.Thread] = []
        # The guard inherits the lock: the home is free only when the last of the group has ended.
        self._guard = subprocess.Popen(
            [sys.executable, "-I", "-S", str(GUARD), str(PATIENCE)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            process_group=0,
            pass_fds=[lock],
        )

    def start(self, name: str, command: list[str], *, is_spare: bool = False) -> None:
        """Start a process whose lines are forwarded under `name`. The others can do without one that is spare."""
        if is_spare:
            self._spare[name] = command, time.monotonic()
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=self._environment,
            process_group=self._guard.pid,
        )
        assert process.stdout
        self._running[name] = process
        self._last[name] = deque(maxlen=15)
        reader = threading.Thread(target=self._read, args=(name, process.stdout), daemon=True)
        reader.start()
        self._readers.append(reader)

    def ended(self) -> tuple[str, int, list[str]] | None:
        """The first process that has ended and cannot be spared: its name, exit code and last lines."""
        for name, process in {**self._running, "guard": self._guard}.items():
            if (code := process.poll()) is not None and name not in self._spare:
                return name, code, list(self._last.get(name, ()))
        return None

    def revive(self) -> None:
        """Start again what has ended and could be spared."""
        for name, (command, began) in self._spare.items():
            if (code := self._running[name].poll()) is not None and time.monotonic() - began > PAUSE:
                self._forward(name, f"WARNING: it ended by itself (exit code {code}), and is started again")
                self.start(name, command, is_spare=True)

    def close(self) -> None:
        """End all of them, and wait until they have."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)  # A second Ctrl-C must not leave the work half done.
        assert self._guard.stdin
        self._guard.stdin.close()
        self._guard.wait()
        if any(process.poll() is None for process in self._running.values()):
            os.killpg(self._guard.pid, signal.SIGKILL)  # Somebody has killed the guard.
        for process in self._running.values():
            process.wait()
        for reader in self._readers:
            reader.join(timeout=1)

    def _read(self, name: str, stream: IO[bytes]) -> None:
        for line in stream:
            text = line.decode("utf-8", "replace").rstrip()
            self._last[name].append(text)
            self._forward(name, text)


def script(name: str) -> str:
    """The command `name` that is installed beside this Python."""
    beside = Path(sys.executable).with_name(name)
    return str(beside) if os.access(beside, os.X_OK) else name


def ended(number: int, frame: object) -> None:
    """End this process by way of its `finally` blocks; for signals that ask it to."""
    raise SystemExit(0)
