"""Comparing all rows of a table with what was delivered of it: by the hash of each row, key by key, out of memory.

What was delivered stands in bronze; nothing else is remembered. In here columns go by numbers: `c<i>` the column of a
file, `k<i>` that of the key. A server may call its own what it likes.
"""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import duckdb
from upath import UPath

from clearer_platform.bronze import Delivery, Extract, Found
from clearer_platform.errors import StorageError
from clearer_platform.quoting import literal, literals
from clearer_platform.settings import Settings
from clearer_platform.sources.sql.delivered import extract_of
from clearer_platform.sources.sql.spool import Piece, header
from clearer_platform.storage import PARTIAL

LONG = 1 << 20
"""Bytes of a row above which the engine must be told so."""
Group = tuple[Extract, list[Delivery]]
"""Deliveries that can be read together, and one of their extracts."""


@dataclass(frozen=True)
class Compared:
    """What is compared, and how."""

    name: str
    """The region and the table."""
    piece: Piece
    """All rows of the server."""
    columns: Sequence[str]
    known: Sequence[Delivery]
    """What was delivered, the oldest first; each has an extract."""
    key: Sequence[str]
    """The table's key, by the server's names of the columns."""
    null: str
    mark: str | None
    """The column in which `true` says that a row is deleted; None where the contract has none."""
    rows: int
    """Rows of a file to be delivered."""


@dataclass(frozen=True)
class Differences:
    """What has to be delivered for the delivered rows to be those of the server."""

    found: Found
    changed: tuple[Piece, ...]
    """The rows that are new or another."""
    deleted: tuple[Piece, ...]
    """The rows that are gone, as they were last."""
    deleted_columns: tuple[str, ...]


@contextmanager
def differences(settings: Settings, work: Path, compared: Compared) -> Iterator[Differences]:
    """How the server's rows differ from those delivered; the files are there while the context is."""
    folder = work / f"{PARTIAL}compared"
    folder.mkdir(parents=True)
    try:
        yield _differences(settings, folder, compared)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _differences(settings: Settings, folder: Path, compared: Compared) -> Differences:
    try:
        with duckdb.connect(folder / "keys.duckdb", config={"memory_limit": settings.memory_limit}) as connection:
            return _Comparing(connection, folder, compared).differences()
    except duckdb.Error as e:
        # Its first line says what is wrong; further ones may quote rows.
        raise StorageError(
            f"{compared.name}: the server's rows could not be compared with those delivered: {str(e).splitlines()[0]}",
            hint="free memory (CLEARER_MEMORY_LIMIT) or disk space, or look whether bronze is whole, and run again",
        ) from None


class _Comparing:
    """One comparison, in a database of its own."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, folder: Path, compared: Compared) -> None:
        self.connection, self.folder, self.it = connection, folder, compared
        self.keys = [f"k{i}" for i in range(len(compared.key))]
        self.key = ", ".join(self.keys)
        self.now = _reader([compared.piece.path], len(compared.columns), compared.null, compared.piece.longest)
        for delivery in compared.known:
            path = delivery.content
            if isinstance(path, UPath) and not connection.filesystem_is_registered(path.protocol):
                connection.register_filesystem(path.fs)

    def differences(self) -> Differences:
        """All of it."""
        self._number_files()
        self._hash_rows()
        self._compare()
        rows = self.connection.execute("SELECT what, count(*) FROM differing GROUP BY what").fetchall()
        found = Found(**{"inserted": 0, "updated": 0, "deleted": 0, **dict(rows)})
        changed = self._written("changed", self._changed) if found.inserted + found.updated else ()
        deleted = self._written("deleted", self._deleted) if self.it.mark and found.deleted else ()
        return Differences(found, changed, deleted, self._deleted_columns)

    @cached_property
    def _groups(self) -> list[Group]:
        """The deliveries that can be read together."""
        groups: dict[tuple[tuple[str, ...], str], list[Delivery]] = {}
        for delivery in self.it.known:
            extract = extract_of(delivery)
            groups.setdefault((extract.columns, extract.null), []).append(delivery)
        return [(extract_of(some[0]), some) for some in groups.values()]

    @cached_property
    def _every(self) -> list[str]:
        """Every column that was ever read; the mark is ours, where it is not the server's as well."""
        delivered = {name for extract, _ in self._groups for name in extract.columns}
        ours = {self.it.mark} - set(self.it.columns)
        return sorted({*self.it.columns, *delivered} - ours)

    def _number_files(self) -> None:
        """The delivered files in their order, and whether the rows in them are gone."""
        self.connection.execute("CREATE TABLE files (filename VARCHAR, number INTEGER, are_gone BOOLEAN)")
        rows = [[str(d.content), n, extract_of(d).are_deleted] for n, d in enumerate(self.it.known)]
        if rows:
            self.connection.executemany("INSERT INTO files VALUES (?, ?, ?)", rows)

    def _hash_rows(self) -> None:
        """The hash of each row by key: of the server, and of each delivery."""
        self.connection.execute(
            f"CREATE TABLE now AS SELECT {self._key_of(self.it.columns)}, {self._hashed(self.it.columns)} "
            f"FROM {self.now} GROUP BY ALL"
        )
        empty = ", ".join(f"NULL::VARCHAR AS {name}" for name in self.keys)
        self.connection.execute(
            f"CREATE TABLE was AS SELECT filename, {empty}, 0::HUGEINT AS hashed FROM files LIMIT 0"
        )
        for extract, deliveries in self._groups:
            rows = self._delivered(extract, deliveries)
            self.connection.execute(
                f"INSERT INTO was SELECT filename, {self._key_of(extract.columns)}, {self._hashed(extract.columns)} "
                f"FROM {rows} GROUP BY ALL"
            )

    def _compare(self) -> None:
        """What became of each key that is not as it was, and in which file it was last."""
        keys = ", ".join(f"coalesce(now.{name}, was.{name}) AS {name}" for name in self.keys)
        self.connection.execute(f"""
            CREATE TABLE differing AS
            SELECT * FROM (
                SELECT {keys}, number, CASE
                    WHEN now.hashed IS NULL AND is_there THEN 'deleted'
                    WHEN now.hashed IS NOT NULL AND is_there IS NOT TRUE THEN 'inserted'
                    WHEN now.hashed <> was.hashed AND is_there THEN 'updated'
                END AS what
                FROM now FULL JOIN (
                    SELECT {self.key}, max(number) AS number, arg_max(hashed, number) AS hashed,
                        NOT arg_max(are_gone, number) AS is_there
                    FROM was JOIN files USING (filename) GROUP BY {self.key}
                ) AS was ON {self._same("now", "was")}
            ) WHERE what IS NOT NULL""")

    @property
    def _changed(self) -> str:
        """The server's rows that are new or another."""
        return (
            f"SELECT {self._shown([_of(name, self.it.columns) for name in self.it.columns])} "
            f"FROM (SELECT *, {self._key_of(self.it.columns)} FROM {self.now}) AS now "
            f"SEMI JOIN (FROM differing WHERE what <> 'deleted') AS differing ON {self._same('now', 'differing')}"
        )

    @property
    def _deleted_columns(self) -> tuple[str, ...]:
        return (*(name for name in self.it.columns if name != self.it.mark), *([self.it.mark] if self.it.mark else ()))

    @property
    def _deleted(self) -> str:
        """The rows that are gone, as they were last, marked."""
        parts = []
        for extract, deliveries in self._groups:
            rows = f"SELECT *, {self._key_of(extract.columns)} FROM {self._delivered(extract, deliveries)}"
            values = ["'true'" if c == self.it.mark else _of(c, extract.columns) for c in self._deleted_columns]
            parts.append(
                f"SELECT {self._shown(values)} "
                f"FROM (FROM ({rows}) JOIN files USING (filename)) AS was "
                f"SEMI JOIN (FROM differing WHERE what = 'deleted') AS differing "
                f"ON was.number = differing.number AND {self._same('was', 'differing')}"
            )
        return " UNION ALL ".join(parts)

    def _written(self, name: str, rows: str) -> tuple[Piece, ...]:
        """The rows of a query, in the order of their keys, in files of so many rows each."""
        columns = self._deleted_columns if name == "deleted" else self.it.columns
        self.connection.execute(
            f"CREATE TABLE {name} AS SELECT row_number() OVER (ORDER BY {self.key}) AS n, * FROM ({rows})"
        )
        total = self.connection.execute(f"SELECT count(*) FROM {name}").fetchall()[0][0]
        shown = ", ".join(f"s{i}" for i in range(len(columns)))
        pieces = []
        for first in range(0, total, self.it.rows):
            path = self.folder / f"{name}-{first}.csv"
            some = f"SELECT {shown} FROM {name} WHERE n > {first} AND n <= {first + self.it.rows} ORDER BY n"
            self.connection.execute(
                # The engine would give another name to one that differs from a second one by case alone.
                f"COPY ({some}) TO {literal(str(path))} (FORMAT csv, HEADER false, PREFIX {literal(header(columns))}, "
                f"SUFFIX '\n', FORCE_QUOTE *, NULLSTR {literal(self.it.null)})"
            )
            longest = max(self.it.piece.longest, *(extract_of(delivery).longest for delivery in self.it.known), 0)
            pieces.append(Piece(path, min(self.it.rows, total - first), longest, None, None))
        return tuple(pieces)

    def _delivered(self, extract: Extract, deliveries: Sequence[Delivery]) -> str:
        longest = max(extract_of(delivery).longest for delivery in deliveries)
        return _reader([delivery.content for delivery in deliveries], len(extract.columns), extract.null, longest)

    def _key_of(self, columns: Sequence[str]) -> str:
        """The key of a row with these columns."""
        return ", ".join(f"{_of(name, columns)} AS k{i}" for i, name in enumerate(self.it.key))

    def _shown(self, values: Sequence[str]) -> str:
        """Values as `s<i>`, and the key."""
        return ", ".join([*(f"{value} AS s{i}" for i, value in enumerate(values)), *self.keys])

    def _same(self, one: str, other: str) -> str:
        """Whether rows have the same key; one without a value is a key as well."""
        return " AND ".join(f"{one}.{name} IS NOT DISTINCT FROM {other}.{name}" for name in self.keys)

    def _hashed(self, columns: Sequence[str]) -> str:
        """The hash of all values of a row, whatever columns it lacks; where keys repeat, of all their rows."""
        values = ", ".join(_of(name, columns) for name in self._every)
        return f"sum(hash(row({values}))::HUGEINT) AS hashed"


def _of(name: str, columns: Sequence[str]) -> str:
    """A value of a row with these columns."""
    return f"c{list(columns).index(name)}" if name in columns else "NULL::VARCHAR"


def _reader(files: Sequence[Path | UPath], columns: int, null: str, longest: int) -> str:
    """SQL for the rows of such files, all as text, and the name of the file."""
    typed = ", ".join(f"c{i}: 'VARCHAR'" for i in range(columns))
    size = f", max_line_size={2 * longest}" if longest > LONG else ""
    return (
        f"read_csv([{literals(map(str, files))}], auto_detect=false, header=true, strict_mode=true, new_line='\\n', "
        f"delim=',', quote='\"', escape='\"', nullstr={literal(null)}, filename=true, columns={{{typed}}}{size})"
    )
