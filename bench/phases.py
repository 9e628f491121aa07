"""What a measured process says about itself: seconds of each phase and what it came to, as one JSON line at its end."""

import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

MARK = "BENCH-RESULT "
STARTED = "BENCH_STARTED"
_seconds: dict[str, float] = {}
_cpu: dict[str, float] = {}
_others: list[int] = []


def include(pid: int) -> None:
    """Count the processor time of another process too: one that works for this one."""
    _others.append(pid)


def started() -> None:
    """Record how long it took from the process's start (which the runner hands over) until its imports were done."""
    if begin := os.environ.get(STARTED):
        _seconds["start-up"] = time.time() - float(begin)
        _cpu["start-up"] = _used()


@contextmanager
def phase(name: str) -> Iterator[None]:
    """Add the seconds of the block to the phase `name`."""
    wall, cpu = time.perf_counter(), _used()
    try:
        yield
    finally:
        _seconds[name] = _seconds.get(name, 0.0) + time.perf_counter() - wall
        _cpu[name] = _cpu.get(name, 0.0) + _used() - cpu


def report(figures: Mapping[str, str]) -> None:
    """Print the phases' seconds, wall and processor, and the figures that the competitors are compared by."""
    print(MARK + json.dumps({"seconds": _seconds, "cpu": _cpu, "figures": dict(figures)}), flush=True)


def _used() -> float:
    """Seconds of processor time so far, of all threads."""
    return time.process_time() + sum(map(_used_by, _others))


def _used_by(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
