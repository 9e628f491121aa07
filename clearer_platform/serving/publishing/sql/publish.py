"""One publication by SQLAlchemy: tables are made first, then all rows are written, compared and recorded as one.

Making a table, or a column more or less in it, is not part of the transaction: some databases commit that at once. A
publisher that ends between the two leaves an empty table or column, which the next one fills.
"""

import json
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Context, Decimal
from itertools import groupby
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from clearer_platform.databases import engine_of, is_refused, said
from clearer_platform.errors import Busy, ClearerError, PublishError, Unreachable
from clearer_platform.regions import DatabaseTarget
from clearer_platform.serving.publishing.publication import Advance, Part, Published, check
from clearer_platform.serving.publishing.reading import Figures, figures_of
from clearer_platform.serving.publishing.sql.records import (
    Key,
    create_records,
    lock,
    read_records,
    record,
    records_table,
)
from clearer_platform.serving.publishing.sql.statements import Statements
from clearer_platform.serving.publishing.sql.types import DB2, SQLITE, bound, shape, table_in
from clearer_platform.serving.publishing.tables import Table

EXACT = Context(prec=100)
LOCKED = (1205, 1213, "database is locked")
"""What MySQL and SQLite answer where somebody holds a lock for too long, or two wait for each other."""


def recorded(target: DatabaseTarget) -> dict[Key, str]:
    """Record -> fingerprint of what is there."""
    with _connected(target) as connection:
        return {key: fingerprint for key, (fingerprint, _) in read_records(connection, records_table(target)).items()}


def publish(target: DatabaseTarget, parts: Sequence[Part], *, force: bool, advance: Advance) -> list[Published]:
    """Publish `parts` in one transaction; what is recorded under the same fingerprint is left as it is."""
    records = records_table(target)
    with _connected(target) as connection:
        create_records(connection, records)
        known = read_records(connection, records)
        ordered = sorted(parts, key=lambda part: part.record)
        tables = {part.table.name: _shaped(connection, target, part.table, records, known) for part in ordered}
        connection.commit()
        lock(connection, records)
        there = {} if force else {key: found for key, (found, _) in read_records(connection, records).items()}
        done: list[Published] = []
        for name, of_table in groupby(ordered, key=lambda part: part.table.name):
            every = list(of_table)
            advance(target.name, name, len(done), len(parts))
            new = [part for part in every if there.get(part.record) != part.fingerprint]
            done += [Published(target.name, *p.name, p.figures.rows, is_new=False) for p in every if p not in new]
            done += [_publish_part(connection, target, tables[name], part) for part in new]
            record(connection, records, tables[name], new)
        connection.commit()
        return done


def _publish_part(connection: sa.Connection, target: DatabaseTarget, statements: Statements, part: Part) -> Published:
    """Write one part."""
    started = time.perf_counter()
    scope, keep = part.gold.scope, target.mode == "upsert"
    _gather(connection, statements, part)
    if part.table.key:
        removed = 0 if keep else connection.execute(statements.gone(scope)).rowcount
        changed = connection.execute(statements.differing(scope)).rowcount
        added = connection.execute(statements.missing(scope)).rowcount - changed
    else:
        added, changed, removed = _replace_differing(connection, statements, scope)
    found = _figures(connection, statements, scope, gathered_alone=keep)
    check(target, part, found)
    connection.execute(statements.empty())
    seconds = time.perf_counter() - started
    return Published(target.name, *part.name, part.figures.rows, added, changed, removed, True, seconds, figures=found)


def _gather(connection: sa.Connection, statements: Statements, part: Part) -> None:
    """Put the part's rows beside the table, in batches."""
    connection.execute(statements.empty())
    for batch in part.gold.batches(part.table):
        rows = [{name: bound(value) for name, value in row.items()} for row in batch.to_pylist()]
        if rows:
            connection.execute(statements.gather(), rows)


def _replace_differing(connection: sa.Connection, statements: Statements, scope: str) -> tuple[int, int, int]:
    """Without a key rows are told apart by all that they say: a part whose rows differ is written anew."""
    old, new = (
        Counter[tuple[Any, ...]](
            {tuple(row[:-1]): row[-1] for row in connection.execute(statements.counted(table, scope))}
        )
        for table in (statements.there, statements.staged)
    )
    added, removed = (new - old).total(), (old - new).total()
    if added or removed:
        connection.execute(statements.all_gone(scope))
        connection.execute(statements.all_missing(scope))
    return added, 0, removed


def _figures(connection: sa.Connection, statements: Statements, scope: str, *, gathered_alone: bool) -> Figures:
    table = statements.table
    if connection.dialect.name == SQLITE:
        rows, sums = 0, [Decimal(0)] * len(table.exact)
        for row in connection.execute(statements.numbers(scope, gathered_alone=gathered_alone)):
            rows, values = rows + 1, list(row)[1:]
            sums = [EXACT.add(total, Decimal(str(value or 0))) for total, value in zip(sums, values, strict=True)]
        return figures_of(table, rows, list(sums))
    found: list[Any] = list(connection.execute(statements.figures(scope, gathered_alone=gathered_alone)).one())
    return figures_of(table, int(found[0]), found[1:])


def _shaped(
    connection: sa.Connection,
    target: DatabaseTarget,
    table: Table,
    records: sa.Table,
    known: dict[Key, tuple[str, str]],
) -> Statements:
    """The published table and the one beside it, made or brought after the contract.

    Of a table that is not there nothing may be recorded: that is forgotten.
    """
    there, staged = (table_in(table, connection.dialect, target, staged=beside) for beside in (False, True))
    shapes = {said for (name, _), (_, said) in known.items() if name == table.name}
    inspector = sa.inspect(connection)
    if not inspector.has_table(there.name, schema=there.schema):
        connection.execute(records.delete().where(records.c.table_name == there.name))
        there.create(connection)
    elif not shapes:
        _check_is_empty(connection, there)
    elif shapes != {shape(there, connection.dialect)}:
        _migrate(connection, there, [json.loads(said) for said in shapes])
    if inspector.has_table(staged.name, schema=staged.schema):
        staged.drop(connection)
    staged.create(connection)
    return Statements(table, there, staged)


def _check_is_empty(connection: sa.Connection, there: sa.Table) -> None:
    """Raise PublishError for a table that no publication made; an empty one may be of a publisher that was killed."""
    if connection.execute(sa.select(sa.literal(1)).select_from(there).limit(1)).first():
        raise PublishError(
            f"{there.name} is there already, and was not made by publishing",
            hint="rename or drop it, or name another schema for the target",
        )
    there.drop(connection)
    there.create(connection)


def _migrate(connection: sa.Connection, there: sa.Table, shapes: list[dict[str, Any]]) -> None:
    """Add and drop columns. Raises PublishError for what cannot be done in every database."""
    wanted = json.loads(shape(there, connection.dialect))
    for before in shapes:
        changed = [n for n, kind in before["columns"].items() if wanted["columns"].get(n, kind) != kind]
        if changed or before["key"] != wanted["key"]:
            raise PublishError(
                f"{there.name}: {', '.join(changed) or 'the key'} changed in the contract, and cannot be changed in the"
                " target",
                hint="drop the table there, with its rows in clearer_publications: its rows are published anew",
            )
    preparer = connection.dialect.identifier_preparer
    name = preparer.format_table(there)
    present = {column["name"] for column in sa.inspect(connection).get_columns(there.name, schema=there.schema)}
    for column in there.columns:
        if column.name not in present:
            kind = column.type.compile(connection.dialect)
            connection.execute(sa.text(f"ALTER TABLE {name} ADD COLUMN {preparer.quote(column.name)} {kind}"))
    for gone in sorted(present - set(there.columns.keys())):
        connection.execute(sa.text(f"ALTER TABLE {name} DROP COLUMN {preparer.quote(gone)}"))


@contextmanager
def _connected(target: DatabaseTarget) -> Iterator[sa.Connection]:
    """A connection that rolls back what is not committed. Raises a ClearerError for whatever the database refuses."""
    try:
        with engine_of(target, {**_patience(target), **target.options}).connect() as connection:
            for statement in _limits(connection.dialect, target):
                connection.exec_driver_sql(statement)
            connection.commit()
            yield connection
    except ClearerError:
        raise
    except DBAPIError as e:
        what = f"targets.{target.name}: nothing was published: {said(e)}"
        if is_refused(e):
            where = f"the user's rights, the database in url, and {target.password_env or 'password_env'}"
            raise PublishError(what, hint=f"look at {where}") from e
        if e.connection_invalidated or (isinstance(e, sa.exc.OperationalError) and e.statement is None):
            raise Unreachable(what, hint="check the server, the network and the user, and run it again") from e
        if e.orig is not None and e.orig.args and e.orig.args[0] in LOCKED:
            hint = f"a reader or another publisher held a lock for more than {target.lock_timeout:g} s: run it again"
            raise Busy(what, hint=f"{hint}, or raise lock_timeout") from e
        raise PublishError(what, hint="see what the server's log says of it; no row was changed") from e
    except SQLAlchemyError as e:
        raise PublishError(f"targets.{target.name}: nothing was published: {said(e)}") from e


def _patience(target: DatabaseTarget) -> dict[str, object]:
    """What the driver is told of how long it may wait for an answer."""
    if target.backend in ("mysql", "mariadb"):
        return {"read_timeout": target.patience, "write_timeout": target.patience}
    return {}


def _limits(dialect: sa.Dialect, target: DatabaseTarget) -> list[str]:
    """What is set for the session: nothing is cut off silently, and nobody is waited for for ever."""
    seconds = max(1, int(target.lock_timeout))
    if dialect.name in ("mysql", "mariadb"):
        return [
            "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'",
            f"SET SESSION innodb_lock_wait_timeout = {seconds}, SESSION lock_wait_timeout = {seconds}",
        ]
    if dialect.name == DB2:
        return [f"SET CURRENT LOCK TIMEOUT {seconds}"]
    return [f"PRAGMA busy_timeout = {seconds * 1000}"] if dialect.name == SQLITE else []
