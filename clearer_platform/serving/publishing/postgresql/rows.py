"""The rows of a published table in PostgreSQL: copied in bulk, and only what differs written to it."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass

from clearer_platform.serving.publishing.postgresql.session import Session
from clearer_platform.serving.publishing.postgresql.shape import type_of
from clearer_platform.serving.publishing.publication import Part
from clearer_platform.serving.publishing.reading import Figures, figures_of
from clearer_platform.serving.publishing.tables import REGION, Table
from clearer_platform.silver.sql import identifier

STAGED = "clearer_staged"
Counts = dict[str, int]
"""Region -> rows."""


@dataclass(frozen=True)
class Written:
    """How many rows were written, a region."""

    added: Counts
    changed: Counts
    removed: Counts


def copy(session: Session, into: str, parts: Sequence[Part]) -> None:
    """Append the rows of `parts`, all of one table, to the table `into`, in blocks."""
    for part in parts:
        names = ", ".join(map(identifier, part.table.names))
        statement = f"COPY {into} ({names}) FROM STDIN (FORMAT csv, NULL '')".encode()
        with closing(part.gold.csv(part.table)) as blocks, session.cursor.copy(statement) as stream:
            for block in blocks:
                stream.write(block)


def stage(session: Session, parts: Sequence[Part]) -> str:
    """A temporary table with the rows of `parts`, all of one table; gone with the transaction."""
    table, name = parts[0].table, f"pg_temp.{STAGED}"
    session.execute(f"DROP TABLE IF EXISTS {name}")
    columns = ", ".join(f"{identifier(column.name)} {type_of(column)}" for column in table.columns)
    session.execute(f"CREATE TEMPORARY TABLE {STAGED} ({columns}) ON COMMIT DROP")
    copy(session, name, parts)
    session.execute(f"ANALYZE {name}")
    return name


def merge(session: Session, parts: Sequence[Part], staged: str, *, keep: bool) -> Written:
    """Make the rows of the parts' regions those that are staged, touching no row that is so already.

    `keep`: rows that are not staged stay.
    """
    table, regions = parts[0].table, [part.gold.region for part in parts]
    if not table.key:
        return _replace_differing(session, table, regions, staged)
    there, same_key = session.name(table.name), _equal(table.key)
    removed, changed = Counts(), Counts()
    if not keep:
        removed = _counted(
            session,
            f"DELETE FROM {there} t WHERE {REGION} = ANY(%s)"
            f" AND NOT EXISTS (SELECT FROM {staged} s WHERE {same_key}) RETURNING t.{REGION}",
            regions,
        )
    if table.values:
        sets = ", ".join(f"{identifier(name)} = s.{identifier(name)}" for name in table.values)
        changed = _counted(
            session,
            f"UPDATE {there} t SET {sets} FROM {staged} s WHERE {same_key} AND {_row('t', table.values)}"
            f" IS DISTINCT FROM {_row('s', table.values)} RETURNING t.{REGION}",
        )
    added = _counted(
        session,
        f"INSERT INTO {there} AS t ({_listed(table)}) SELECT {_listed(table)} FROM {staged} s"
        f" WHERE NOT EXISTS (SELECT FROM {there} t WHERE {same_key}) RETURNING t.{REGION}",
    )
    return Written(added, changed, removed)


def found(session: Session, table: Table, regions: Sequence[str], staged: str | None) -> dict[str, Figures]:
    """The figures of the table in the target, a region; with `staged`, of the rows whose keys are in there."""
    sums = "".join(f", sum({identifier(column.name)})" for column in table.exact)
    beside = f" AND EXISTS (SELECT FROM {staged} s WHERE {_equal(table.key)})" if staged else ""
    rows = session.execute(
        f"SELECT {REGION}, count(*){sums} FROM {session.name(table.name)} t"
        f" WHERE {REGION} = ANY(%s){beside} GROUP BY 1",
        list(regions),
    ).fetchall()
    nothing = figures_of(table, 0, [0] * len(table.exact))
    return {**dict.fromkeys(regions, nothing), **{row[0]: figures_of(table, row[1], list(row[2:])) for row in rows}}


def _replace_differing(session: Session, table: Table, regions: list[str], staged: str) -> Written:
    """Without a key rows are told apart by all that they say: a region whose rows differ is written anew."""
    there, listed = session.name(table.name), _listed(table)
    old, new = f"SELECT {listed} FROM {there} WHERE {REGION} = %s", f"SELECT {listed} FROM {staged} WHERE {REGION} = %s"
    added, removed = Counts(), Counts()
    for region in regions:
        added[region] = session.value(f"SELECT count(*) FROM ({new} EXCEPT ALL {old}) x", region, region)
        removed[region] = session.value(f"SELECT count(*) FROM ({old} EXCEPT ALL {new}) x", region, region)
        if added[region] or removed[region]:
            session.execute(f"DELETE FROM {there} WHERE {REGION} = %s", region)
            session.execute(f"INSERT INTO {there} ({listed}) {new}", region)
    return Written(added, {}, removed)


def _counted(session: Session, sql: str, *parameters: object) -> Counts:
    """What a statement that returns regions has done, a region."""
    rows = session.execute(f"WITH done AS ({sql}) SELECT {REGION}, count(*) FROM done GROUP BY 1", *parameters)
    return Counts(rows.fetchall())


def _listed(table: Table) -> str:
    return ", ".join(map(identifier, table.names))


def _equal(key: Sequence[str]) -> str:
    return " AND ".join(f"s.{identifier(name)} = t.{identifier(name)}" for name in key)


def _row(of: str, names: Sequence[str]) -> str:
    return f"ROW({', '.join(f'{of}.{identifier(name)}' for name in names)})"
