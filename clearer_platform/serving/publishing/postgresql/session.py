"""The transaction of a publication: its limits, its lock, and what PostgreSQL says went wrong as errors of ours."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import errors

from clearer_platform.databases import Patience, engine_of, is_refused, said
from clearer_platform.errors import Busy, ClearerError, PublishError, Unreachable
from clearer_platform.regions import DatabaseTarget
from clearer_platform.silver.sql import identifier

ALIVE = {
    "keepalives": 1,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}
"""So that a server whose machine is gone is noticed within a minute."""
RECORDS = "clearer_publications"
TOO_MUCH = "54"
"""The class of errors that say that PostgreSQL cannot hold something: too long a key, too many columns."""
LIMITS = (
    # What others commit while the lock is waited for must be seen, whatever the database's default is.
    "SET TRANSACTION ISOLATION LEVEL READ COMMITTED",
    "SET LOCAL client_encoding = 'UTF8'",
    "SET LOCAL TimeZone = 'UTC'",
    "SET LOCAL DateStyle = 'ISO, YMD'",
    # Gold is read meanwhile, however long that takes.
    "SET LOCAL idle_in_transaction_session_timeout = 0",
)
"""What holds for the transaction of every publication."""
Cursor = psycopg.Cursor[tuple[Any, ...]]


@dataclass(frozen=True)
class Session:
    """A transaction in a target."""

    cursor: Cursor
    schema: str
    _patience: Patience

    def name(self, table: str) -> str:
        """A table of the target's schema, as SQL writes it."""
        return f"{identifier(self.schema)}.{identifier(table)}"

    def execute(self, sql: str, *parameters: object) -> Cursor:
        """Run one statement."""
        with self._patience.only_now():
            return self.cursor.execute(sql.encode(), parameters or None)

    def copy(self, sql: str, blocks: Iterable[bytes]) -> None:
        """Run a COPY with what it is to read."""
        with self._patience.only_now(), self.cursor.copy(sql.encode()) as stream:
            for block in blocks:
                self._patience.asked()
                stream.write(block)

    def value(self, sql: str, *parameters: object) -> Any:
        """The one value that a query answers; None where it answers none."""
        row = self.execute(sql, *parameters).fetchone()
        return row[0] if row else None

    def exists(self, table: str) -> bool:
        """Whether there is a table of this name in the target's schema."""
        return self.value("SELECT to_regclass(%s)", self.name(table)) is not None


@contextmanager
def transaction(target: DatabaseTarget) -> Iterator[Session]:
    """A transaction in the target, committed at the end. Raises a ClearerError for whatever PostgreSQL refuses."""
    engine = engine_of(target, {**ALIVE, "application_name": "clearer publish", **target.options})
    with _reported(target):
        connection = engine.raw_connection()
        try:
            raw = connection.driver_connection
            assert isinstance(raw, psycopg.Connection)
            with Patience(target.patience) as patience, raw.transaction(), raw.cursor() as cursor:
                patience.watch(raw)
                try:
                    yield Session(cursor, _limits(cursor, target), patience)
                finally:
                    patience.asked()  # The end of the transaction is waited for as well.
        finally:
            connection.close()


def lock(session: Session) -> None:
    """Keep other publishers to the same schema out until the transaction ends; the schema is there afterwards."""
    session.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", f"{RECORDS} {session.schema}")
    schema = identifier(session.schema)
    if session.value("SELECT to_regnamespace(%s)", schema) is None:
        session.execute(f"CREATE SCHEMA {schema}")


def _limits(cursor: Cursor, target: DatabaseTarget) -> str:
    """Set what holds for this transaction alone; the schema that it is about."""
    cursor.execute("; ".join(LIMITS).encode())
    for name, seconds in (("lock_timeout", target.lock_timeout), ("statement_timeout", target.statement_timeout)):
        cursor.execute(f"SET LOCAL {name} = {int(seconds * 1000)}".encode())
    schema = target.schema_name
    if schema is None:
        row = cursor.execute("SELECT current_schema()").fetchone()
        if row is None or row[0] is None:
            raise PublishError(f"targets.{target.name}: its user has no schema", hint='name one as schema = "..."')
        return str(row[0])
    return schema


@contextmanager
def _reported(target: DatabaseTarget) -> Iterator[None]:
    try:
        yield
    except ClearerError:
        raise
    except Exception as e:
        cause = getattr(e, "orig", None) or e
        if not isinstance(cause, psycopg.Error):
            raise
        raise _error_of(target, cause) from e


def _error_of(target: DatabaseTarget, error: psycopg.Error) -> ClearerError:
    """What a user is told: nothing has been published, why, and what to do."""
    what = f"targets.{target.name}: nothing was published: {said(error)}"
    if isinstance(error, errors.LockNotAvailable | errors.DeadlockDetected | errors.SerializationFailure):
        seconds = f"for more than {target.lock_timeout:g} s"
        return Busy(
            what, hint=f"a reader or another publisher held a lock {seconds}: run it again, or raise lock_timeout"
        )
    if isinstance(error, errors.QueryCanceled):
        return Busy(what, hint="raise statement_timeout in the target's entry, or see what keeps the server busy")
    if isinstance(error, errors.InsufficientPrivilege):
        user = target.address.username
        return PublishError(what, hint=f"grant {user} CREATE and USAGE on the schema, TEMPORARY on the database")
    if isinstance(error, errors.ReadOnlySqlTransaction):
        return PublishError(what, hint="name the primary server in the target's url: this one only reads")
    if isinstance(error, errors.DiskFull | errors.OutOfMemory):
        return PublishError(what, hint="free space on the server and run it again")
    if isinstance(error, errors.DependentObjectsStillExist):
        return PublishError(what, hint="drop the views on the column, publish, and create them again")
    if is_refused(error):
        where = f"the user and the database in url, and at {target.password_env or 'password_env'}"
        return PublishError(what, hint=f"look at {where}")
    if isinstance(error, psycopg.OperationalError) and not (error.sqlstate or "").startswith(TOO_MUCH):
        return Unreachable(what, hint="check the server and the network and run it again")
    return PublishError(what, hint="see what the server's log says of it; the target is as it was")
