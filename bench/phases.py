"""What a measured process says about itself: seconds of each phase and what it came to, as one JSON line at its end."""

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

MARK = "BENCH-RESULT "
STARTED = "BENCH_STARTED"
_seconds: dict[str, float] = {}


def started() -> None:
    """Record how long it took from the process's start (which the runner hands over) until its imports were done."""
    if begin := os.environ.get(STARTED):
        _seconds["start-up"] = time.time() - float(begin)


@contextmanager
def phase(name: str) -> Iterator[None]:
    """Add the wall seconds of the block to the phase `name`."""
    start = time.perf_counter()
    try:
        yield
    finally:
        _seconds[name] = _seconds.get(name, 0.0) + time.perf_counter() - start


def report(figures: dict[str, Any]) -> None:
    """Print the phases' seconds and the figures that the competitors are compared by."""
    print(MARK + json.dumps({"seconds": _seconds, "figures": figures}, default=str), flush=True)
