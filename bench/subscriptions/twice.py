"""What every competitor does: the job in a fresh process, and once more in the process that is warm by then."""

import os
from collections.abc import Callable
from pathlib import Path

from bench.phases import phase

WORK, AGAIN = "work", "again"
ONCE = "BENCH_ONCE"
"""Set where once is enough, because nothing is measured."""


def twice(job: Callable[[Path], None], output: Path) -> None:
    """Let `job` write its result to `output`, and once more to a folder in it."""
    with phase(WORK):
        job(output)
    if ONCE not in os.environ:
        with phase(AGAIN):
            job(output / AGAIN)
