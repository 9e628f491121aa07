"""A process with dbt loaded, so that a build need not wait seconds for the import. `clearer up` keeps one on its home.

It forks a child for every build; it builds as any process does, under the same locks, and ends with whoever asked.
Where there is no such process, or it knows another state of the project, the asking process builds by itself.
"""

import json
import os
import secrets
import signal
import tempfile
import threading
from contextlib import suppress
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Connection, Listener
from pathlib import Path
from typing import Any, NoReturn

from clearer_platform.errors import ClearerError
from clearer_platform.gold.across import build_global
from clearer_platform.gold.dbt import Progress, read_ahead
from clearer_platform.gold.project import prepare, project_version
from clearer_platform.gold.region import build as build_region
from clearer_platform.gold.region import build_warehouse
from clearer_platform.gold.results import Build
from clearer_platform.platform import Platform
from clearer_platform.settings import Settings

PROGRESS, DONE, FAILED, OTHER = "progress", "done", "failed", "another project"


def build(platform: Platform, region: str | None, progress: Progress | None = None) -> Build:
    """Bring the gold of `region` (None: across regions) up to date, in the warm process of the home if one runs.

    Raises what `gold.build` and `gold.build_global` raise.
    """
    connection = _connected(platform.settings)
    if connection is not None:
        with connection:
            if (answer := _asked(connection, platform, region, progress)) is not None:
                return answer
    return _build(platform, region, progress)


def serve(settings: Settings) -> NoReturn:
    """Build whatever is asked for, until killed."""
    _warm_up(settings)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel buries the children
    key = secrets.token_bytes(32)
    with Listener(family="AF_UNIX", authkey=key) as listener:
        _announce(settings, {"address": listener.address, "key": key.hex()})
        while True:
            try:
                connection = listener.accept()
            except (AuthenticationError, EOFError, OSError):
                continue  # whoever that was
            if not os.fork():
                _answer(connection)
            connection.close()


def _warm_up(settings: Settings) -> None:
    """Build once of nothing at all: a first build in a process takes twice the time of the next ones."""
    with suppress(ClearerError):  # whoever asks for a build will be told
        platform = Platform.open(settings)
        with tempfile.TemporaryDirectory() as folder:
            build_warehouse(platform, (), Path(folder, "nothing.duckdb"), Path(folder, "work"))
        read_ahead(prepare(platform))


def _connected(settings: Settings) -> Connection | None:
    try:
        told = json.loads(_place(settings).read_text("utf-8"))
        return Client(told["address"], "AF_UNIX", bytes.fromhex(told["key"]))
    except (OSError, EOFError, ValueError, KeyError, AuthenticationError):
        return None  # there is none, or it was killed


def _asked(connection: Connection, platform: Platform, region: str | None, progress: Progress | None) -> Build | None:
    """The build that the warm process made; None where it could not."""
    try:
        connection.send((platform.settings, project_version(platform), region, dict(os.environ), Path.cwd()))
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


def _answer(connection: Connection) -> NoReturn:
    """One build, in a child of its own."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    code = 1
    try:
        settings, version, region, environment, folder = connection.recv()
        threading.Thread(target=_end_with, args=(connection,), daemon=True).start()
        os.environ.clear()
        os.environ.update(environment)  # with it come the keys and tokens that the one who asks would use
        os.chdir(folder)
        connection.send(_built(connection, settings, version, region))
        code = 0
    finally:
        os._exit(code)


def _built(connection: Connection, settings: Settings, version: str, region: str | None) -> tuple[str, object]:
    try:
        platform = Platform.open(settings)
        if project_version(platform) != version:
            return OTHER, None
        return DONE, _build(platform, region, lambda done, total: connection.send((PROGRESS, (done, total))))
    except ClearerError as e:
        return FAILED, e


def _end_with(connection: Connection) -> None:
    """End this process when the one that asked is gone: it says nothing more, so all that can come is the end."""
    connection.poll(None)
    os._exit(1)


def _build(platform: Platform, region: str | None, progress: Progress | None) -> Build:
    return build_region(platform, region, progress=progress) if region else build_global(platform, progress=progress)


def _place(settings: Settings) -> Path:
    return settings.dagster_home / "builder.json"


def _announce(settings: Settings, told: dict[str, Any]) -> None:
    """Say where the process listens, to those who may read the home's own files."""
    place = _place(settings)
    aside = place.with_name(f".{place.name}.{os.getpid()}")
    aside.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as f:
        json.dump(told, f)
    aside.replace(place)
