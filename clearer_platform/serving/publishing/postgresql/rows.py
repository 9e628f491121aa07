"""The rows of a published table in PostgreSQL: copied in bulk, and only what differs written to it."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass

from clearer_platform.serving.publishing.buckets import Division
from clearer_platform.serving.publishing.postgresql.session import Session
from clearer_platform.serving.publishing.postgresql.shape import type_of
from clearer_platform.serving.publishing.publication import Part
from clearer_platform.serving.publishing.reading import Figures, figures_of
from clearer_platform.serving.publishing.tables import Table
from clearer_platform.silver.sql import identifier

STAGED, SIGN = "clearer_staged", "clearer_sign"
TEXT = "convert_to({}::text, 'UTF8')"
"""How a text is written for MD5, whatever the encoding of the database."""


@dataclass(frozen=True)
class Written:
    """How many rows were written."""

    added: int = 0
    changed: int = 0
    removed: int = 0


@dataclass(frozen=True)
class Some:
    """Those buckets of a table that may differ."""

    division: Division
    names: Sequence[str]

    def sql(self) -> str:
        """Whether a row of `t` is in them: with the names as its parameter."""
        return f"{self.division.bucket(TEXT)} = ANY(%s::{self.division.type}[])"


def copy(session: Session, into: str, part: Part, some: Some | None = None) -> None:
    """Append the rows of `part`, or of some of its buckets, to the table `into`, in blocks."""
    names = ", ".join(map(identifier, part.table.names))
    only = (some.division, some.names) if some else None
    with closing(part.gold.csv(part.table, only=only)) as blocks:
        session.copy(f"COPY {into} ({names}) FROM STDIN (FORMAT csv, NULL '')", blocks)


def stage(session: Session, part: Part, some: Some | None) -> str:
    """A temporary table with the rows of `part`, or of some of its buckets; gone with the transaction."""
    name = f"pg_temp.{STAGED}"
    session.execute(f"DROP TABLE IF EXISTS {name}")
    columns = ", ".join(f"{identifier(column.name)} {type_of(column)}" for column in part.table.columns)
    session.execute(f"CREATE TEMPORARY TABLE {STAGED} ({columns}) ON COMMIT DROP")
    copy(session, name, part, some)
    session.execute(f"ANALYZE {name}")
    return name


def merge(session: Session, part: Part, staged: str, some: Some | None, *, keep: bool) -> Written:
    """Make the rows of the part those that are staged, touching no row that is so already.

    `some`: only rows of these buckets are staged, and meant. `keep`: rows that are not staged stay.
    """
    table, (ours, scope) = part.table, _of(part)
    if not table.key:
        return _replace_differing(session, part, staged)
    there, same_key = session.name(table.name), _equal(table.key)
    removed = changed = 0
    if not keep:
        meant, names = (f" AND {some.sql()}", [list(some.names)]) if some else ("", [])
        removed = session.execute(
            f"DELETE FROM {there} t WHERE {ours}{meant} AND NOT EXISTS (SELECT FROM {staged} s WHERE {same_key})",
            *scope,
            *names,
        ).rowcount
    if table.values:
        sets = ", ".join(f"{identifier(name)} = s.{identifier(name)}" for name in table.values)
        changed = session.execute(
            f"UPDATE {there} t SET {sets} FROM {staged} s WHERE {same_key} AND {_row('t', table.values)}"
            f" IS DISTINCT FROM {_row('s', table.values)}"
        ).rowcount
    added = session.execute(
        f"INSERT INTO {there} AS t ({_listed(table)}) SELECT {_listed(table)} FROM {staged} s"
        f" WHERE NOT EXISTS (SELECT FROM {there} t WHERE {same_key})"
    ).rowcount
    return Written(added, changed, removed)


def is_empty(session: Session, part: Part) -> bool:
    """Whether the target holds no row of the part."""
    ours, scope = _of(part)
    return not session.value(f"SELECT EXISTS (SELECT FROM {session.name(part.table.name)} WHERE {ours})", *scope)


def found(session: Session, part: Part, staged: str | None) -> Figures:
    """The figures of the part in the target; with `staged`, of the rows whose keys are in there."""
    table, (ours, scope) = part.table, _of(part)
    sums = "".join(f", sum({identifier(column.name)})" for column in table.exact)
    beside = f" AND EXISTS (SELECT FROM {staged} s WHERE {_equal(table.key)})" if staged else ""
    sql = f"SELECT count(*){sums} FROM {session.name(table.name)} t WHERE {ours}{beside}"
    rows, *totals = session.execute(sql, *scope).fetchall()[0]
    return figures_of(table, rows, totals)


def _of(part: Part) -> tuple[str, tuple[str, ...]]:
    """Whether a row in the target is of the part, as SQL, and its parameters."""
    column = part.table.part_column
    return (f"{identifier(column)} = %s", (part.gold.scope,)) if column else ("true", ())


def _replace_differing(session: Session, part: Part, staged: str) -> Written:
    """Without a key rows are told apart by all that they say: a part whose rows differ is written anew."""
    there, listed, (ours, scope) = session.name(part.table.name), _listed(part.table), _of(part)
    old, new = f"FROM {there} WHERE {ours}", f"FROM {staged}"
    # How many more there are of each row than before. EXCEPT ALL would sort all of them, once for either direction.
    more = (
        f"SELECT sum({SIGN}) AS more FROM (SELECT {listed}, 1 AS {SIGN} {new} UNION ALL SELECT {listed}, -1 {old}) x"
        f" GROUP BY {listed}"
    )
    counted = f"SELECT coalesce(sum(greatest(more, 0)), 0), coalesce(sum(greatest(-more, 0)), 0) FROM ({more}) x"
    added, removed = map(int, session.execute(counted, *scope).fetchall()[0])
    if added or removed:
        session.execute(f"DELETE {old}", *scope)
        session.execute(f"INSERT INTO {there} ({listed}) SELECT {listed} {new}")
    return Written(added, 0, removed)


def _listed(table: Table) -> str:
    return ", ".join(map(identifier, table.names))


def _equal(key: Sequence[str]) -> str:
    return " AND ".join(f"s.{identifier(name)} = t.{identifier(name)}" for name in key)


def _row(of: str, names: Sequence[str]) -> str:
    return f"ROW({', '.join(f'{of}.{identifier(name)}' for name in names)})"
