"""A process that outlives `clearer up` by a moment: when it is gone, however it went, everything it started ends too.

Run as a script with standard input held by `clearer up`. It leads the process group of all that `up` starts, holds the
home's lock with it, and does nothing until that input ends. It imports nothing of the platform: it must be up at once.
"""

import os
import signal
import sys
import time
from pathlib import Path

PROCESSES = Path("/proc")


def others(group: int) -> bool:
    """Whether the process group has a living member beside this process; assumed where the system does not say."""
    if not PROCESSES.is_dir():
        return True
    for process in PROCESSES.iterdir():
        if process.name.isdigit() and int(process.name) != os.getpid():
            try:
                state, _, member_of = (process / "stat").read_bytes().rpartition(b")")[2].split()[:3]
            except (OSError, ValueError):
                continue  # It has ended meanwhile.
            if int(member_of) == group and state != b"Z":
                return True
    return False


def main(patience: float) -> None:
    """Wait for standard input to end; then ask the group to end, and after `patience` seconds make it."""
    group = os.getpgrp()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    while os.read(sys.stdin.fileno(), 1024):
        pass
    os.killpg(group, signal.SIGTERM)
    until = time.monotonic() + patience
    while others(group) and time.monotonic() < until:
        time.sleep(0.05)
    os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    main(float(sys.argv[1]))
