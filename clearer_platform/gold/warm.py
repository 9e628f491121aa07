"""Builds in a process that has dbt loaded, so that a command need not wait seconds for the import.

A child of the home's warm process (or of the command's own, see `standby`) builds as any process does, under the same
locks, and ends with whoever asked. Where there is none, or it knows another state of the project, the asking process
builds by itself.
"""

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection

from clearer_platform import forking
from clearer_platform.errors import ClearerError
from clearer_platform.gold.across import build_global
from clearer_platform.gold.dbt import Progress
from clearer_platform.gold.extent import EVERYTHING, Extent
from clearer_platform.gold.project import project_version
from clearer_platform.gold.region import build as build_region
from clearer_platform.gold.region import build_view
from clearer_platform.gold.results import Build
from clearer_platform.platform import Platform
from clearer_platform.settings import Settings

BUILD = "build"
PROGRESS, DONE, FAILED, OTHER = "progress", "done", "failed", "another project"
_own: list[Connection] = []
"""To a warm process of this one's own, if it has one."""


def build(
    platform: Platform, region: str | None, progress: Progress | None = None, extent: Extent = EVERYTHING
) -> Build:
    """Bring the gold of `region` (None: across regions) up to date, in a warm process if there is one.

    What is served, as of the date that `extent` names, or a view where it says less than everything. Raises what
    `gold.build` and `gold.build_global` raise.
    """
    answer = None if "dbt" in sys.modules else _asked(platform, region, progress, extent)
    return answer or _build(platform, region, progress, extent)


@contextmanager
def served_by(connection: Connection) -> Iterator[None]:
    """Within it builds are asked of the process at the connection's other end (`serve`)."""
    _own.append(connection)
    try:
        yield
    finally:
        _own.remove(connection)


def serve(connection: Connection, between: Callable[[], None]) -> None:
    """Make builds for whoever is at the connection's other end until they have gone; `between` is called after each."""
    with suppress(EOFError, OSError):
        while True:
            about = connection.recv()
            connection.send(forking.THERE)
            connection.send(_built(connection, *about))
            between()


def answer(connection: Connection, settings: Settings, version: str, region: str | None, extent: Extent) -> None:
    """One build, in a child of the warm process."""
    threading.Thread(target=_end_with, args=(connection,), daemon=True).start()
    connection.send(_built(connection, settings, version, region, extent))


def _asked(platform: Platform, region: str | None, progress: Progress | None, extent: Extent) -> Build | None:
    """The build that a warm process made; None where it could not."""
    about = (platform.settings, project_version(platform), region, extent)
    if connection := _of_its_own(about):
        return _told(connection, progress)
    connection = forking.ask(platform.settings.dagster_home, forking.Asked(BUILD, about))
    if connection is None:
        return None
    with connection:
        return _told(connection, progress)


def _of_its_own(about: tuple[object, ...]) -> Connection | None:
    """The connection to a process of this one's own that makes the build; None where there is none that does."""
    with suppress(OSError, EOFError):
        for connection in _own:
            connection.send(about)
            if connection.poll(forking.PATIENCE) and connection.recv() == forking.THERE:
                return connection
    return None


def _told(connection: Connection, progress: Progress | None) -> Build | None:
    """What comes of the build that was asked for; None where whoever was asked could not make it."""
    try:
        while True:
            kind, said = connection.recv()
            if kind == PROGRESS and progress:
                progress(*said)
            elif kind == FAILED:
                raise said
            elif kind == DONE:
                return said  # type: ignore[no-any-return]
            elif kind == OTHER:
                return None
    except (EOFError, OSError):
        return None  # it was killed, or met something unforeseen; what it left is cleared by the next build


def _built(
    connection: Connection, settings: Settings, version: str, region: str | None, extent: Extent
) -> tuple[str, object]:
    try:
        platform = Platform.open(settings)
        if project_version(platform) != version:
            return OTHER, None
        return DONE, _build(platform, region, lambda done, total: connection.send((PROGRESS, (done, total))), extent)
    except ClearerError as e:
        return FAILED, e


def _end_with(connection: Connection) -> None:
    """End this process when the one that asked is gone: it says nothing more, so all that can come is the end."""
    connection.poll(None)
    os._exit(0)


def _build(platform: Platform, region: str | None, progress: Progress | None, extent: Extent) -> Build:
    if region is None:
        return build_global(platform, progress=progress)
    if extent.is_view:
        return build_view(platform, region, extent, progress=progress)
    return build_region(platform, region, as_of=extent.as_of, progress=progress)
