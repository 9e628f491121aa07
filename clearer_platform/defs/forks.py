"""Runs in forked processes: how they are asked for, and what they do.

The two sides agree in steps, so that no run is started twice: the child is there, it is told to begin, and it holds the
run's lock before it says that it has begun.
"""

import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib.metadata import entry_points
from multiprocessing.connection import Connection
from pathlib import Path

from clearer_platform import forking
from clearer_platform.defs import alive

RUN = "run"
BEGIN, BEGUN = "begin", "begun"


def start(home: Path, run_id: str, python: str, arguments: Sequence[str]) -> bool:
    """Call Dagster's command line for a run in a forked process of this `python`; False where there can be none."""
    connection = forking.ask(home, forking.Asked(RUN, (home, run_id, tuple(arguments)), python))
    if connection is None:
        return False
    with connection, suppress(OSError, EOFError):
        connection.send(BEGIN)
        # Without a word it lives, and is merely slow.
        return not connection.poll(forking.PATIENCE) or connection.recv() == BEGUN
    alive.forget(alive.folder_of(home), run_id)  # It has died.
    return False


def run(connection: Connection, home: Path, run_id: str, arguments: Sequence[str]) -> None:
    """Be the process of a run, from when it is told to begin; not at all where it is not."""
    try:
        connection.recv()
    except (EOFError, OSError):
        return
    alive.hold(alive.folder_of(home), run_id)
    with connection, suppress(OSError):  # Whoever asked may be gone; that the run is to be stays so.
        connection.send(BEGUN)
    sys.argv = ["dagster", *arguments]
    dagster()()


def dagster() -> Callable[[], object]:
    """Dagster's command line."""
    (command,) = entry_points(group="console_scripts", name="dagster")
    main: Callable[[], object] = command.load()
    return main
