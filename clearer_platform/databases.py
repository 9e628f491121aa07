"""Other people's databases: which one is meant, what opens it, and what it says when it does not answer.

Passwords come from the environment and stand in no message. `Patience` ends the wait for a server that says nothing.
"""

import math
import os
import re
import socket
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from clearer_platform.errors import ClearerError

if TYPE_CHECKING:  # SQLAlchemy costs every command a quarter of a second: it is loaded where a database is named.
    from sqlalchemy import URL, Engine

DRIVERS = {
    "mysql": "mysql+pymysql",
    "mariadb": "mysql+pymysql",
    "postgresql": "postgresql+psycopg",
    "postgres": "postgresql+psycopg",
    "db2": "db2+ibm_db",
}
"""What SQLAlchemy calls a kind of server with the driver that we bring; any other name is SQLAlchemy's own."""
REFUSED = {1044, 1045, 1049, 1142, 1143, 1146, 1227}
"""What MySQL answers when a user, a right, a database or a table is missing: trying again does not help."""
NOT_LET_IN = re.compile(
    r"password authentication failed|no pg_hba\.conf entry|not permitted to log in|"
    r'(role|database) ".*" does not exist'
)
"""How PostgreSQL says the same to whom it does not let in: its driver tells no code then."""
SECRETS = {"password", "passwd", "pwd", "sslpassword"}
"""What drivers call passwords among the parameters of an address and their arguments."""
CONNECT_TIMEOUT = {"pymysql": "connect_timeout", "psycopg": "connect_timeout"}
"""What the drivers call the seconds to wait for a connection."""


class DatabaseAddress(BaseModel):
    """Where a database is and how it is opened, as the registry says it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str = Field(description="As SQLAlchemy has it, without a password: mysql://reader@db.example.com:3306/sales.")
    password_env: Annotated[str, Field(min_length=1)] | None = Field(
        default=None, description="The environment variable that holds the password."
    )
    options: dict[str, Any] = Field(default_factory=dict, description="The driver's connect arguments; no secrets.")
    connect_timeout: int = Field(default=10, gt=0, description="Seconds to wait for a connection.")

    @field_validator("url")
    @classmethod
    def _address(cls, text: str) -> str:
        from sqlalchemy import make_url
        from sqlalchemy.exc import ArgumentError

        try:
            url = make_url(text)
        except ArgumentError as e:
            raise ValueError("not a database's address, such as postgresql://loader@db.example.com/warehouse") from e
        if url.password or _secrets(url.query):
            raise ValueError("an address without its password (name its variable as password_env)")
        return text

    @field_validator("options")
    @classmethod
    def _without_secrets(cls, options: dict[str, Any]) -> dict[str, Any]:
        if found := _secrets(options):
            raise ValueError(f"options without {', '.join(found)} (name the password's variable as password_env)")
        return options

    @property
    def address(self) -> "URL":
        """The address with the driver in it, and without a password."""
        from sqlalchemy import make_url

        url = make_url(self.url)
        return url.set(drivername=DRIVERS.get(url.drivername, url.drivername))

    @property
    def backend(self) -> str:
        """What SQL it speaks: `mysql`, `postgresql`, or what else SQLAlchemy calls it."""
        return self.address.get_backend_name()


def engine_of(entry: DatabaseAddress, options: Mapping[str, Any] | None = None) -> "Engine":
    """What makes connections to the database; none is kept open. `options` are further connect arguments.

    Raises ClearerError where the password is not in the environment or the driver is not installed.
    """
    from sqlalchemy import NullPool, create_engine
    from sqlalchemy.exc import NoSuchModuleError

    url = entry.address
    arguments = {**entry.options, **(options or {})}
    if name := CONNECT_TIMEOUT.get(url.drivername.partition("+")[2]):
        arguments.setdefault(name, entry.connect_timeout)
    try:
        # To reset what is closed at once is no use, and where it is lost that fails, which is logged with a traceback.
        return create_engine(
            url.set(password=_password(entry)), connect_args=arguments, poolclass=NullPool, pool_reset_on_return=None
        )
    except (NoSuchModuleError, ModuleNotFoundError) as e:
        hint = "pip install 'clearer-platform[db2]'" if "ibm_db" in url.drivername else "install its SQLAlchemy dialect"
        raise ClearerError(f"no driver for {url.render_as_string()} is installed", hint=hint) from e


def said(error: Exception) -> str:
    """What a driver says went wrong, on one line, without SQL, parameters and values."""
    origin = getattr(error, "orig", None) or error
    arguments = origin.args
    # pymysql: (number, text). psycopg: the text, with DETAIL lines that may quote values.
    text = str(arguments[1] if len(arguments) > 1 and isinstance(arguments[0], int) else origin).strip()
    return (text.splitlines() or [type(origin).__name__])[0]


def is_refused(error: Exception) -> bool:
    """Whether a server does not let the user in, or not do that: it will not pass by itself."""
    origin = getattr(error, "orig", None) or error
    return bool(origin.args) and (origin.args[0] in REFUSED or NOT_LET_IN.search(f"{origin}") is not None)


class Patience:
    """Cuts the connection to a PostgreSQL that has said nothing for too long: its driver would wait for ever.

    The drivers of other servers have time-outs of their own.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds, self._until = seconds, math.inf
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> "Patience":
        self.asked()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if self._thread:
            self._thread.join()

    def asked(self) -> None:
        """It is the server's turn: wait from now on."""
        self._until = time.monotonic() + self._seconds

    def answered(self) -> None:
        """It is our turn: wait no longer."""
        self._until = math.inf

    @contextmanager
    def only_now(self) -> Iterator[None]:
        """Wait for the server in here, and not afterwards."""
        self.asked()
        try:
            yield
        finally:
            self.answered()

    def watch(self, connection: object) -> None:
        """Watch over a driver's connection."""
        fileno = getattr(connection, "fileno", None)
        if fileno is not None:
            self._thread = threading.Thread(target=self._wait, args=(os.dup(fileno()),), daemon=True)
            self._thread.start()

    def _wait(self, descriptor: int) -> None:
        with socket.socket(fileno=descriptor) as ours:
            while not self._over.wait(min(1.0, self._seconds / 4)):
                if time.monotonic() > self._until:
                    with suppress(OSError):
                        ours.shutdown(socket.SHUT_RDWR)
                    return


def _secrets(names: Iterable[str]) -> list[str]:
    """Those of the names that are passwords'."""
    return [name for name in names if name.lower() in SECRETS]


def _password(entry: DatabaseAddress) -> str | None:
    if entry.password_env is None:
        return None
    password = os.environ.get(entry.password_env)
    if not password:
        raise ClearerError(
            f"the environment variable {entry.password_env} is not set",
            hint=f"it is the password for {entry.address.render_as_string()}",
        )
    return password
