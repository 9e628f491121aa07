"""The spool: a region's batches in one SQLite database of its own work folder, synced to the disk batch by batch.

It holds a batch's content until that is sealed, and the log of every batch. The log of sealed ones is in the manifests
as well: a database that was lost is made anew from them.
"""

import json
import os
import sqlite3
import threading
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from clearer_platform.bronze import SealedBatch
from clearer_platform.errors import StorageError
from clearer_platform.platform import Platform
from clearer_platform.sources.batches.batch import BatchRecord, KeyReused
from clearer_platform.sources.batches.restoring import from_manifests
from clearer_platform.storage import reported

VERSION = 1
PATIENCE = 60.0
"""Seconds to wait for another process that is writing."""
SCHEMA = """
CREATE TABLE batches (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    table_name TEXT NOT NULL,
    day TEXT NOT NULL,
    kind TEXT NOT NULL,
    key_hash TEXT,
    content_hash TEXT NOT NULL,
    lines INTEGER NOT NULL,
    origin TEXT,
    record TEXT NOT NULL,
    content BLOB,
    slot TEXT,
    UNIQUE (table_name, key_hash)
);
CREATE INDEX origins ON batches (origin, number);
CREATE INDEX unsealed ON batches (table_name, day, number) WHERE slot IS NULL;
CREATE TABLE parents (table_name TEXT NOT NULL, key TEXT NOT NULL, PRIMARY KEY (table_name, key)) WITHOUT ROWID;
"""
"""`kind`: form and columns; only batches of one kind go into one delivery. `parents`: keys that children may name."""

Key = tuple[str, ...]
"""The values of a key's columns, as text."""


@dataclass(frozen=True)
class Entry:
    """One batch in the spool."""

    number: int
    record: BatchRecord
    kind: str
    content_hash: str
    lines: int

    @property
    def columns(self) -> tuple[str, ...]:
        """CSV: the contract's column of each field."""
        return tuple(json.loads(self.kind)[1:])

    @property
    def sealed(self) -> SealedBatch:
        """What the manifest of its delivery says of it."""
        of_record = self.record.model_dump(include=set(SealedBatch.model_fields))
        return SealedBatch(**of_record, lines=self.lines, content_hash=self.content_hash)


class Spool:
    """The batches of one region.

    A connection that `stays_open` spares many batches what it costs to close one. Not in a process that forks, which
    SQLite's locks do not survive.
    """

    def __init__(self, platform: Platform, region: str, *, stays_open: bool = False) -> None:
        self._platform, self._region, self._stays_open = platform, region, stays_open
        self.path = platform.layout(region).spool

    @property
    def is_there(self) -> bool:
        """Whether the region ever had a batch; reading a spool that is not there makes it from the manifests."""
        return self.path.exists()

    def add(
        self, record: BatchRecord, kind: str, content: bytes, content_hash: str, keys: Iterable[Key] = ()
    ) -> BatchRecord | None:
        """Make a batch durable; where its idempotency key is known, write nothing and return the first answer."""
        row = {
            "id": record.id,
            "table_name": record.table,
            "day": f"{record.day}",
            "kind": kind,
            "key_hash": record.key_hash,
            "content_hash": content_hash,
            "lines": content.count(b"\n"),
            "origin": record.origin,
            "record": record.model_dump_json(),
            "content": content,
        }
        with self._writing() as con:
            if known := _known(con, record.table, record.key_hash, content_hash):
                return known
            _insert(con, row)
            named = [(record.table, json.dumps(key)) for key in keys]
            con.executemany("INSERT OR IGNORE INTO parents VALUES (?, ?)", named)
        return None

    def answer(self, table: str, key_hash: str | None, content_hash: str) -> BatchRecord | None:
        """The first answer to a key that is known. Raises KeyReused where it came with another batch."""
        with self._reading() as con:
            return _known(con, table, key_hash, content_hash)

    def entry(self, batch_id: str) -> Entry | None:
        """The batch of this id."""
        with self._reading() as con:
            return next(_entries(con, "WHERE id = ?", [batch_id]), None)

    def entries(
        self, table: str | None = None, origin: str | None = None, after: int = 0, limit: int = -1
    ) -> list[Entry]:
        """The batches in the order in which they came, those with a number above `after`; at most `limit`."""
        where, values = "WHERE number > ?", [f"{after}"]
        for column, value in (("table_name", table), ("origin", origin)):
            if value is not None:
                where, values = f"{where} AND {column} = ?", [*values, value]
        with self._reading() as con:
            return list(_entries(con, f"{where} ORDER BY number LIMIT {limit:d}", values))

    def last(self, table: str, origin: str) -> Entry | None:
        """The batch of a table that came last from an origin."""
        where = "WHERE table_name = ? AND origin = ? ORDER BY number DESC LIMIT 1"
        with self._reading() as con:
            return next(_entries(con, where, [table, origin]), None)

    def unsealed(self, table: str, days: Collection[date] | None) -> list[Entry]:
        """The batches of a table (of `days`, or all) that are in no delivery, by day and order of receipt."""
        with self._reading() as con:
            found = list(_entries(con, "WHERE slot IS NULL AND table_name = ? ORDER BY day, number", [table]))
        return [entry for entry in found if days is None or entry.record.day in days]

    def waiting(self) -> list[tuple[str, date, int, str]]:
        """Table, day, number and first id of the batches that are in no delivery."""
        with self._reading() as con:
            query = "SELECT table_name, day, count(*), min(number) FROM batches WHERE slot IS NULL GROUP BY 1, 2"
            found = con.execute(f"{query} ORDER BY 1, 2").fetchall()
        return [(table, date.fromisoformat(day), count, f"{first}") for table, day, count, first in found]

    def contents(self, entries: Sequence[Entry]) -> bytes:
        """What batches hold, one after the other."""
        with self._reading() as con:
            query = "SELECT content FROM batches WHERE number = ?"
            return b"".join(con.execute(query, [entry.number]).fetchone()[0] for entry in entries)

    def mark(self, entries: Sequence[Entry], slot: str) -> None:
        """Note that batches are in the delivery of a slot; their content is there from now on."""
        with self._writing() as con:
            query = "UPDATE batches SET slot = ?, content = NULL WHERE number = ?"
            con.executemany(query, [(slot, entry.number) for entry in entries])

    def brought(self, table: str, keys: Collection[Key]) -> set[Key]:
        """Those of the keys that rows of an accepted batch have."""
        with self._reading() as con:
            query = "SELECT 1 FROM parents WHERE table_name = ? AND key = ?"
            return {key for key in keys if con.execute(query, [table, json.dumps(key)]).fetchone()}

    def close(self) -> None:
        """Close the connection that stays open in this thread, where one does."""
        if known := _kept.connections.pop(self.path, None):
            known[1].close()

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        try:
            with self._connected() as con:
                yield con
        except sqlite3.Error as e:
            hint = "check the disk; a damaged database may be moved away: its log is made anew from the manifests"
            raise StorageError(f"{self.path}: {e}", hint=hint) from e

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._reading() as con, con:
            con.execute("BEGIN IMMEDIATE")
            yield con

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        """A connection to the database that stands there now, not to one that was moved away."""
        if self._stays_open:
            known = _kept.connections.get(self.path)
            if known is None or known[0] != _identity(self.path):
                con = self._opened()
                _kept.connections[self.path] = known = (_identity(self.path), con)
            yield known[1]
        else:
            with closing(self._opened()) as con:
                yield con

    def _opened(self) -> sqlite3.Connection:
        with reported("write", self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
        con = sqlite3.connect(self.path, timeout=PATIENCE, isolation_level=None)
        con.execute("PRAGMA journal_mode = WAL")
        con.execute("PRAGMA synchronous = FULL")
        if _version(con) != VERSION:
            self._make(con)
        return con

    def _make(self, con: sqlite3.Connection) -> None:
        """Make the tables, with what the manifests know, in one transaction."""
        with con:
            con.execute("BEGIN IMMEDIATE")
            if _version(con) == VERSION:
                return  # Another process was quicker.
            for statement in filter(str.strip, SCHEMA.split(";")):
                con.execute(statement)
            for row in from_manifests(self._platform, self._region):
                _insert(con, row)
            con.execute(f"PRAGMA user_version = {VERSION}")


class _Kept(threading.local):
    """The connections that a thread keeps open."""

    def __init__(self) -> None:
        self.connections: dict[Path, tuple[tuple[int, int, int] | None, sqlite3.Connection]] = {}


_kept = _Kept()


def _identity(path: Path) -> tuple[int, int, int] | None:
    """What tells one database file, and one process, from another."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return os.getpid(), status.st_dev, status.st_ino


def _version(con: sqlite3.Connection) -> int:
    return int(con.execute("PRAGMA user_version").fetchone()[0])


def _insert(con: sqlite3.Connection, row: Mapping[str, object]) -> None:
    names = ", ".join(row)
    con.execute(f"INSERT INTO batches ({names}) VALUES ({', '.join(f':{name}' for name in row)})", row)


def _known(con: sqlite3.Connection, table: str, key_hash: str | None, content_hash: str) -> BatchRecord | None:
    query = "SELECT record, content_hash FROM batches WHERE table_name = ? AND key_hash = ?"
    found = con.execute(query, [table, key_hash]).fetchone()
    if found is None:
        return None
    if found[1] != content_hash:
        raise KeyReused("its idempotency key came with another batch before", hint="give every batch a key of its own")
    return BatchRecord.model_validate_json(found[0])


def _entries(con: sqlite3.Connection, rest: str, values: Sequence[str]) -> Iterator[Entry]:
    query = f"SELECT number, record, kind, content_hash, lines, slot FROM batches {rest}"
    for number, text, kind, content_hash, lines, slot in con.execute(query, values).fetchall():
        record = BatchRecord.model_validate_json(text).model_copy(update={"delivery": slot})
        yield Entry(number, record, kind, content_hash, lines)
