"""Opening a server for one reading: a connection of its own, one snapshot, and what goes wrong said plainly."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

import psycopg
import pymysql
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError

from clearer_platform.databases import Patience, engine_of, is_refused, said
from clearer_platform.errors import DeliveryError
from clearer_platform.regions import SqlSource
from clearer_platform.sources.sql.mysql import MySqlTable
from clearer_platform.sources.sql.other import OtherTable
from clearer_platform.sources.sql.postgresql import PostgreSqlTable
from clearer_platform.sources.sql.table import Table

TABLES: dict[str, type[Table]] = {"mysql": MySqlTable, "mariadb": MySqlTable, "postgresql": PostgreSqlTable}
GONE = (psycopg.OperationalError, psycopg.InterfaceError, pymysql.OperationalError, pymysql.InterfaceError)
"""What the drivers raise where a server has gone, is busy, or has broken a statement off."""


class Unanswered(DeliveryError):
    """The server could not be reached, or went away while it was read."""

    may_pass = True


@dataclass
class Opened:
    """A table in a snapshot."""

    table: Table
    read_at: datetime
    _alive: Patience

    def asked(self) -> None:
        """The server is to say something, within its time-out."""
        self._alive.asked()

    def heard(self) -> None:
        """Rows have come. Nothing is waited for until it is asked again, whatever is done with them meanwhile."""
        self._alive.answered()

    def answered(self) -> None:
        """Something else has come."""
        self._alive.answered()


@contextmanager
def opened(source: SqlSource, null: str) -> Iterator[Opened]:
    """The table of `source`, in one snapshot of its server.

    Raises Unanswered where the server does not answer or goes away, DeliveryError for what will not pass by itself.
    """
    kind = TABLES.get(source.backend, OtherTable)
    engine = engine_of(source, _options(source))
    with _reported(source), engine.connect() as connection, Patience(source.timeout) as alive:
        alive.watch(connection.connection.driver_connection)
        with kind.snapshot(connection, source.table) as read_at:
            table = kind(connection, source.table, null)
            alive.answered()
            try:
                yield Opened(table, read_at, alive)
            finally:
                # Nothing was written: a server that went away meanwhile need not hear of the end.
                alive.asked()
                connection.invalidate()


def _options(source: SqlSource) -> dict[str, object]:
    if source.backend in ("mysql", "mariadb"):
        return {"charset": "utf8mb4", "read_timeout": source.timeout, "write_timeout": source.timeout}
    if source.backend == "postgresql":
        return {"client_encoding": "utf8"}  # Whatever the database's own is.
    return {}


@contextmanager
def _reported(source: SqlSource) -> Iterator[None]:
    """Turn what a driver says into an error that says where, and what to do."""
    where = source.address.render_as_string()
    try:
        yield
    except SQLAlchemyError as e:
        raise _error(e, where, is_gone=_is_gone(e)) from e
    except (psycopg.Error, pymysql.Error) as e:
        # What streams rows is the driver's own, and so are its errors.
        raise _error(e, where, is_gone=isinstance(e, GONE) and not is_refused(e)) from e


def _error(error: Exception, where: str, *, is_gone: bool) -> DeliveryError:
    if is_gone:
        return Unanswered(f"{where} does not answer: {said(error)}", hint="it is tried again; look at the server")
    return DeliveryError(f"{where}: {said(error)}", hint="check the user's rights, and what the registry says of it")


def _is_gone(error: SQLAlchemyError) -> bool:
    if not isinstance(error, DBAPIError) or is_refused(error):
        return False
    return error.connection_invalidated or isinstance(error, OperationalError | InterfaceError)
