"""The shape of published tables in PostgreSQL: made from the contract, and brought after it when it changes."""

from dataclasses import dataclass

from clearer_platform.errors import PublishError
from clearer_platform.serving.publishing.postgresql.session import RECORDS, Session
from clearer_platform.serving.publishing.tables import Column, Kind, Table
from clearer_platform.silver.sql import identifier, literal

TYPES: dict[Kind, str] = {
    "text": "text",
    "smallint": "smallint",
    "integer": "integer",
    "bigint": "bigint",
    "real": "real",
    "double": "double precision",
    "boolean": "boolean",
    "date": "date",
    "time": "time without time zone",
    "timestamp": "timestamp without time zone",
    "instant": "timestamp with time zone",
    "uuid": "uuid",
    "json": "text",
}
WIDER = {
    "smallint": ("integer", "bigint", "numeric", "double precision"),
    "integer": ("bigint", "numeric", "double precision"),
    "bigint": ("numeric",),
    "real": ("double precision",),
    "uuid": ("text",),
    "date": ("text",),
}
"""Type -> those that hold each of its values as it is."""
WHOLE_DIGITS = {"smallint": 5, "integer": 10, "bigint": 19}


@dataclass(frozen=True)
class There:
    """A column as it is in the target."""

    name: str
    type: str
    nullable: bool
    description: str | None


def type_of(column: Column) -> str:
    """A column's type, as PostgreSQL itself writes it."""
    return f"numeric({column.precision},{column.scale})" if column.kind == "decimal" else TYPES[column.kind]


def create_records(session: Session) -> None:
    """The table in which publications say what is there, if it is not there yet."""
    name = session.name(RECORDS)
    if not session.exists(RECORDS):
        session.execute(
            f"CREATE TABLE {name} (table_name text NOT NULL, region text NOT NULL,"
            ' fingerprint text NOT NULL, "rows" bigint NOT NULL, published_at timestamptz NOT NULL,'
            " buckets text, PRIMARY KEY (table_name, region))"
        )
    elif not session.value(
        "SELECT EXISTS (SELECT FROM pg_attribute WHERE attrelid = %s::regclass AND attname = 'buckets')", name
    ):
        session.execute(f"ALTER TABLE {name} ADD COLUMN buckets text")  # Made before there were any.


def shaped(session: Session, table: Table) -> bool:
    """Make the table, or bring it after its contract; whether it was so already. `hold` adds what rows must fulfil.

    Of a table that is not there nothing may be recorded: that is forgotten.
    """
    _check_names(session, table)
    there = _columns(session, table)
    if not there:
        session.execute(f"DELETE FROM {session.name(RECORDS)} WHERE table_name = %s", table.name)
        columns = (f"{identifier(c.name)} {type_of(c)}{'' if c.nullable else ' NOT NULL'}" for c in table.columns)
        session.execute(f"CREATE TABLE {session.name(table.name)} ({', '.join(columns)})")
        return False
    _check_is_ours(session, table)
    if _key(session, table) != table.key:
        _drop_key(session, table)
    wanted = {column.name: column for column in table.columns}
    changes = [f"DROP COLUMN {identifier(name)}" for name in there if name not in wanted]
    for name, column in wanted.items():
        if name not in there:
            # Rows of other regions are without it until they are published again.
            changes.append(f"ADD COLUMN {identifier(name)} {type_of(column)}")
        else:
            changes += _changes(table, there[name], column)
    if changes:
        session.execute(f"ALTER TABLE {session.name(table.name)} {', '.join(changes)}")
    return not changes


def hold(session: Session, table: Table) -> None:
    """Once the rows are there: the key, NOT NULL where no row lacks a value any more, and the descriptions."""
    there = _columns(session, table)
    changes = [
        f"ALTER COLUMN {identifier(column.name)} SET NOT NULL"
        for column in table.columns
        if there[column.name].nullable and not column.nullable and not _has_nulls(session, table, column)
    ]
    if table.key and _key(session, table) != table.key:
        changes.append(f"ADD PRIMARY KEY ({', '.join(map(identifier, table.key))})")
    name = session.name(table.name)
    if changes:
        session.execute(f"ALTER TABLE {name} {', '.join(changes)}")
    if session.value("SELECT obj_description(%s::regclass, 'pg_class')", name) != table.description:
        session.execute(f"COMMENT ON TABLE {name} IS {literal(table.description)}")
    for column in table.columns:
        if there[column.name].description != column.description:
            session.execute(f"COMMENT ON COLUMN {name}.{identifier(column.name)} IS {literal(column.description)}")


def _columns(session: Session, table: Table) -> dict[str, There]:
    rows = session.execute(
        "SELECT attname, format_type(atttypid, atttypmod), NOT attnotnull, col_description(attrelid, attnum)"
        " FROM pg_attribute WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
        session.name(table.name),
    ).fetchall()
    return {row[0]: There(*row) for row in rows}


def _key(session: Session, table: Table) -> tuple[str, ...]:
    rows = session.execute(
        "SELECT a.attname FROM pg_index i CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k (attnum, position)"
        " JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum"
        " WHERE i.indrelid = to_regclass(%s) AND i.indisprimary ORDER BY k.position",
        session.name(table.name),
    ).fetchall()
    return tuple(name for (name,) in rows)


def _drop_key(session: Session, table: Table) -> None:
    name = session.name(table.name)
    found = session.value("SELECT conname FROM pg_constraint WHERE conrelid = %s::regclass AND contype = 'p'", name)
    if found:
        session.execute(f"ALTER TABLE {name} DROP CONSTRAINT {identifier(found)}")


def _check_names(session: Session, table: Table) -> None:
    """Raise PublishError for a name that PostgreSQL would cut: two might become one."""
    most = int(session.value("SHOW max_identifier_length"))
    if too_long := [name for name in (table.name, *table.names) if len(name.encode()) > most]:
        raise PublishError(
            f"{table.name}: a name in PostgreSQL has {most} bytes at the most, and {', '.join(too_long)} has more",
            hint="give it a shorter name in the model, or take the table out of `tables`",
        )


def _check_is_ours(session: Session, table: Table) -> None:
    """Raise PublishError for a table that no publication made: somebody else's rows are not ours to change."""
    sql = f"SELECT count(*) FROM {session.name(RECORDS)} WHERE table_name = %s"
    if session.value(sql, table.name) == 0:
        raise PublishError(
            f"{session.schema}.{table.name} is there already, and was not made by publishing",
            hint="rename or drop it, or name another schema for the target",
        )


def _has_nulls(session: Session, table: Table, column: Column) -> bool:
    sql = f"SELECT EXISTS (SELECT FROM {session.name(table.name)} WHERE {identifier(column.name)} IS NULL)"
    return bool(session.value(sql))


def _changes(table: Table, there: There, column: Column) -> list[str]:
    """What makes the column that is there the one of the contract. Raises PublishError where nothing safely does."""
    name, wanted = identifier(column.name), type_of(column)
    changes = [f"ALTER COLUMN {name} DROP NOT NULL"] if column.nullable and not there.nullable else []
    if there.type == wanted:
        return changes
    if not _is_wider(there.type, wanted, column):
        raise PublishError(
            f"{table.name}: column {column.name} is {there.type} in the target and {wanted} by the contract, which"
            " does not hold every value of the other",
            hint="drop the table in the target: its rows are published anew",
        )
    return [*changes, f"ALTER COLUMN {name} TYPE {wanted} USING {name}::{wanted}"]


def _is_wider(there: str, wanted: str, column: Column) -> bool:
    if there.startswith("numeric(") and column.kind == "decimal":
        precision, scale = map(int, there[8:-1].split(","))
        return column.scale >= scale and column.precision - column.scale >= precision - scale
    if there in WHOLE_DIGITS and column.kind == "decimal":
        return column.precision - column.scale >= WHOLE_DIGITS[there]
    return wanted in WIDER.get(there, ())
