"""How much memory a process and all that it started hold at the same time."""

import threading
from contextlib import suppress
from pathlib import Path

EVERY = 0.1
"""Seconds between two looks; a look takes less than a millisecond."""


class Peak:
    """The largest resident set of a tree of processes so far; what they share is counted for each."""

    def __init__(self, pid: int) -> None:
        self.bytes = 0
        self._pid = pid
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> "Peak":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(EVERY):
            self.bytes = max(self.bytes, _resident(self._pid))


def _resident(pid: int) -> int:
    """Bytes that a process and its descendants hold; 0 for one that is gone."""
    found = 0
    with suppress(OSError):
        status = Path(f"/proc/{pid}/status").read_text()
        found = next((int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmRSS")), 0)
        for children in Path(f"/proc/{pid}/task").glob("*/children"):
            found += sum(_resident(int(child)) for child in children.read_text().split())
    return found
