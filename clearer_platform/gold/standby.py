"""A process of a command's own that loads dbt while the command loads everything else, and builds what it asks for.

dbt takes seconds to import and to run for the first time, and so does the orchestrator: side by side they take as long
as the longer one. It is forked from the command, whose contracts need not be loaded again, makes all its builds one
after the other, and ends with it.
"""

import multiprocessing
import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

from clearer_platform import forking
from clearer_platform.gold import dbt, warm
from clearer_platform.gold.prepared import Prepared
from clearer_platform.gold.project import prepare
from clearer_platform.gold.warehouse import NAME
from clearer_platform.platform import Platform


@contextmanager
def ahead(platform: Platform) -> Iterator[None]:
    """Within it builds need not wait for dbt to be imported, where a second core can do that meanwhile.

    Only a process of one thread is forked: no other can hold a lock that its child would wait for.
    """
    is_loaded = "dbt" in sys.modules or forking.is_there(platform.settings.dagster_home)
    if is_loaded or os.cpu_count() == 1 or threading.active_count() > 1:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="clearer-standby-") as folder, _forked(platform, Path(folder)):
        yield


@contextmanager
def _forked(platform: Platform, folder: Path) -> Iterator[None]:
    """Within it a process that is forked now loads dbt, and makes the builds; `folder` is for it to use."""
    ours, theirs = multiprocessing.Pipe()
    about = (platform, folder, theirs, ours)
    process = multiprocessing.get_context("fork").Process(target=_serve, args=about, daemon=True)
    process.start()
    theirs.close()
    try:
        with ours, warm.served_by(ours):
            yield
    finally:
        process.kill()
        process.join()


def _serve(platform: Platform, folder: Path, connection: Connection, other: Connection) -> None:
    """Make builds until the command has gone. A build that it cannot make is made by the command, which says why."""
    other.close()
    os.setsid()  # Ctrl-C is for the command, which ends this process.
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    threading.Thread(target=_end_with_the_command, daemon=True).start()
    prepared = prepare(platform)
    dbt.read_ahead(prepared)
    _rehearse(platform, prepared, folder)
    warm.serve(connection, partial(dbt.read_ahead, prepared))


def _rehearse(platform: Platform, prepared: Prepared, folder: Path) -> None:
    """Let dbt do nothing once: much of what it needs it makes at the first time."""
    database = folder / f"{NAME}.duckdb"
    dbt.invoke(prepared, platform.settings, database, ["build", "--select", "nothing"], {}, target=folder)
    dbt.read_ahead(prepared)


def _end_with_the_command() -> None:
    command = multiprocessing.parent_process()
    assert command
    command.join()
    os._exit(0)
