"""A process that has everything loaded, and forks a child for whoever asks: a new process spends seconds on importing.

`clearer up` keeps one on its home; what its children do is defined where it is asked for (`gold.warm`, `defs.forks`).
It holds no connection, database or lock. A child stands where the one who asks stands, and reads settings, registry and
dbt project anew: all that it takes from here is code. Once a file of that code has changed, the process asks nobody to
wait, and loads it again. Where there is no such process, whoever asks works without.
"""

import gc
import json
import os
import shutil
import signal
import socket
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NoReturn

PLACE, PREFIX = "forks.json", "clearer-forks-"
"""The file in DAGSTER_HOME that says where the process listens, and how the name of that folder begins."""
PATIENCE = 30.0
"""Seconds to wait for a child: while the process itself is loading, another would not be faster."""
BEAT = 1.0
"""Seconds after which the process looks for children that have ended."""
THERE = "there"

Answer = Callable[..., None]
"""What a child does: called with the connection to whoever asked, and with what they asked."""
Stamps = dict[str, tuple[int, int]]


@dataclass(frozen=True)
class Asked:
    """What a child is asked for, and where whoever asks stands."""

    what: str
    about: tuple[Any, ...]
    python: str = sys.executable
    environment: dict[str, str] = field(default_factory=lambda: dict(os.environ))
    folder: str = field(default_factory=lambda: str(Path.cwd()))


def ask(home: Path, asked: Asked) -> Connection | None:
    """A connection to a child that does what is asked; None where there can be none. `home` is DAGSTER_HOME."""
    try:
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(PATIENCE)
            s.connect(json.loads((home / PLACE).read_text("utf-8")))
            s.settimeout(None)
            connection = Connection(s.detach())
    except (OSError, ValueError):
        return None  # There is none, or it was killed.
    try:
        connection.send(asked)
        if connection.poll(PATIENCE) and connection.recv() == THERE:
            return connection
    except (OSError, EOFError):
        pass  # It has loaded other code, or is of another Python.
    connection.close()
    return None


def is_there(home: Path) -> bool:
    """Whether a process listens for whoever asks. It may still be loading."""
    with socket.socket(socket.AF_UNIX) as s:
        try:
            s.connect(json.loads((home / PLACE).read_text("utf-8")))
        except (OSError, ValueError):
            return False
    return True


def serve(home: Path, load: Callable[[], Mapping[str, Answer]]) -> NoReturn:
    """Load what children need, then fork one for whoever asks, until killed. `load` says what they can be asked for."""
    began = time.time_ns()
    with socket.socket(socket.AF_UNIX) as listener:
        _announce(home, listener)
        answers = load()
        stamps = _stamps()
        if any(began <= changed <= time.time_ns() for changed, _ in stamps.values()):
            _again()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)  # Loading may have left handlers behind.
        gc.collect()
        gc.freeze()  # Pages that the collector does not touch stay shared with the children.
        listener.settimeout(BEAT)
        while True:
            _bury()
            try:
                accepted, _ = listener.accept()
            except TimeoutError:
                continue
            if _stamps() != stamps:
                _again()
            if not os.fork():
                listener.close()
                _child(Connection(accepted.detach()), answers)
            accepted.close()


def _announce(home: Path, listener: socket.socket) -> None:
    """Listen where only this user can ask, and say where; what an earlier process left is taken away."""
    place, folder = home / PLACE, tempfile.mkdtemp(prefix=PREFIX)
    with suppress(OSError, ValueError):
        left = Path(json.loads(place.read_text("utf-8"))).parent
        if left.name.startswith(PREFIX):
            shutil.rmtree(left, ignore_errors=True)
    listener.bind(f"{folder}/forks")
    listener.listen()
    home.mkdir(parents=True, exist_ok=True)
    aside = place.with_name(f".{PLACE}.{os.getpid()}")
    aside.write_text(json.dumps(listener.getsockname()), "utf-8")
    aside.replace(place)


def _stamps() -> Stamps:
    """Size and time of every file that code was loaded from."""
    found: Stamps = {}
    for module in list(sys.modules.values()):
        if file := getattr(module, "__file__", None):
            with suppress(OSError):
                status = Path(file).stat()
                found[file] = status.st_mtime_ns, status.st_size
    return found


def _again() -> NoReturn:
    """Become a new process, which loads the code as it is now. Its children are not concerned."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def _bury() -> None:
    """Take note of children that have ended, and tell how one ended that did not get to its end."""
    with suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            if code := os.waitstatus_to_exitcode(ended[1]):
                how = f"was ended by signal {-code}" if code < 0 else f"ended with code {code}"
                print(f"the forked process {ended[0]} {how}", file=sys.stderr, flush=True)


def _child(connection: Connection, answers: Mapping[str, Answer]) -> NoReturn:
    """One child, from its beginning to its end."""
    code = 1
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if (asked := _met(connection)) is not None:
            os.environ.clear()
            os.environ.update(asked.environment)
            os.chdir(asked.folder)
            answers[asked.what](connection, *asked.about)
        code = 0
    except SystemExit as e:
        code = e.code if isinstance(e.code, int) else int(e.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        with suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _met(connection: Connection) -> Asked | None:
    """What is asked for; None where whoever asked has gone, or is of another Python."""
    with suppress(EOFError, OSError):
        asked: Asked = connection.recv()
        if _is_this(Path(asked.python)):
            connection.send(THERE)
            return asked
    return None


def _is_this(python: Path) -> bool:
    """Whether it is the Python of this very environment, by whichever of its names."""
    own = Path(sys.executable)
    return python.parent == own.parent and python.exists() and python.samefile(own)
