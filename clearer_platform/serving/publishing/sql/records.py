"""What publications by SQLAlchemy record: which content of which part of a table is there, and in what shape."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from clearer_platform.regions import DatabaseTarget
from clearer_platform.serving.publishing.publication import Part
from clearer_platform.serving.publishing.sql.statements import Statements
from clearer_platform.serving.publishing.sql.types import shape

RECORDS = "clearer_publications"
EVERYTHING = ""
"""The table and region of the record that a publisher holds while it writes."""
Key = tuple[str, str]


def records_table(target: DatabaseTarget) -> sa.Table:
    """The table of the records."""
    return sa.Table(
        RECORDS,
        sa.MetaData(),
        sa.Column("table_name", sa.String(128), primary_key=True),
        sa.Column("region", sa.String(128), primary_key=True),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("shape", sa.Text(), nullable=False),
        sa.Column("row_count", sa.BigInteger(), nullable=False),
        sa.Column("published_at", sa.DateTime(), nullable=False),
        schema=target.schema_name,
    )


def create_records(connection: sa.Connection, records: sa.Table) -> None:
    """Make it, with the record that is held, where it is not there yet."""
    records.create(connection, checkfirst=True)
    if not connection.execute(sa.select(records.c.region).where(records.c.table_name == EVERYTHING)).first():
        connection.execute(records.insert(), [_said(EVERYTHING, EVERYTHING, "", "", 0)])
    connection.commit()


def lock(connection: sa.Connection, records: sa.Table) -> None:
    """Keep other publishers out until the transaction ends: every database does so for a row that one changes."""
    mine = records.update().where(records.c.table_name == EVERYTHING).values(published_at=_now())
    connection.execute(mine)


def read_records(connection: sa.Connection, records: sa.Table) -> dict[Key, tuple[str, str]]:
    """Fingerprint and shape of every part that is recorded and there."""
    inspector = sa.inspect(connection)
    if not inspector.has_table(records.name, schema=records.schema):
        return {}
    columns = (records.c.table_name, records.c.region, records.c.fingerprint, records.c.shape)
    rows = connection.execute(sa.select(*columns).where(records.c.table_name != EVERYTHING)).all()
    present = {name for name in {row[0] for row in rows} if inspector.has_table(name, schema=records.schema)}
    return {(f"{row[0]}", f"{row[1]}"): (f"{row[2]}", f"{row[3]}") for row in rows if row[0] in present}


def record(connection: sa.Connection, records: sa.Table, statements: Statements, parts: Sequence[Part]) -> None:
    """Write down what was published, parts of one table."""
    said = shape(statements.there, connection.dialect)
    for part in parts:
        table, region = part.record
        of_part = (records.c.table_name == table, records.c.region == region)
        connection.execute(records.delete().where(*of_part))
        connection.execute(records.insert(), [_said(table, region, part.fingerprint, said, part.figures.rows)])


def _said(table: str, region: str, fingerprint: str, shape: str, rows: int) -> dict[str, Any]:
    facts = {"table_name": table, "region": region, "fingerprint": fingerprint, "shape": shape, "row_count": rows}
    return {**facts, "published_at": _now()}


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None, microsecond=0)
