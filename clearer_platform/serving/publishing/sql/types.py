"""How published tables are written in a dialect of SQLAlchemy's: exact decimals, instants in UTC, texts by byte."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import mysql
from sqlalchemy.types import TypeEngine, UserDefinedType

from clearer_platform.regions import DatabaseTarget, FolderTarget
from clearer_platform.serving.publishing.tables import Column, Table

DB2 = "ibm_db_sa"
SQLITE = "sqlite"
MOST_DIGITS = {DB2: 31}
"""Digits of a decimal, where a database has fewer than DuckDB's 38: a value with more is refused by it."""
UUID_LENGTH = 36
STAGED = "clearer_staged_"


class Exact(UserDefinedType[Any]):
    """A decimal for dialects that would make a floating-point number of it on the way."""

    cache_ok = True

    def __init__(self, precision: int, scale: int, as_text: bool = False) -> None:
        self.precision = precision
        self.scale = scale
        self.as_text = as_text

    def get_col_spec(self, **_: Any) -> str:
        """The type as SQL has it."""
        return f"VARCHAR({self.precision + 2})" if self.as_text else f"DECIMAL({self.precision}, {self.scale})"

    def bind_processor(self, dialect: sa.Dialect) -> Callable[[Any], Any]:
        """As text, which the database itself makes a decimal of."""
        return lambda value: None if value is None else f"{value}"


def type_of(
    column: Column, dialect: sa.Dialect, target: DatabaseTarget | FolderTarget, *, is_key: bool
) -> TypeEngine[Any]:
    """A column's type."""
    if column.kind == "decimal":
        return _decimal(column, dialect)
    if column.kind in ("text", "json"):
        return _text(dialect, target, is_key=is_key)
    if column.kind in ("timestamp", "instant"):
        return sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
    simple: dict[str, TypeEngine[Any]] = {
        "smallint": sa.SmallInteger(),
        "integer": sa.Integer(),
        "bigint": sa.BigInteger(),
        "real": sa.REAL(),
        "double": sa.Double(),
        "boolean": sa.Boolean(create_constraint=False),
        "date": sa.Date(),
        "time": sa.Time().with_variant(mysql.TIME(fsp=6), "mysql", "mariadb"),
        "uuid": sa.String(UUID_LENGTH),
    }
    return simple[column.kind]


def table_in(
    table: Table,
    dialect: sa.Dialect,
    target: DatabaseTarget | FolderTarget,
    *,
    staged: bool = False,
    schema: str | None = None,
) -> sa.Table:
    """The published table, or the one beside it in which its next rows are gathered."""
    columns = [
        sa.Column(
            column.name,
            type_of(column, dialect, target, is_key=column.name in (table.part_column, *table.key)),
            nullable=column.nullable,
            comment=None if staged else column.description,
        )
        for column in table.columns
    ]
    keys = [sa.PrimaryKeyConstraint(*table.key)] if table.key else []
    name = f"{STAGED}{table.name}" if staged else table.name
    comment = None if staged else table.description
    # Not from `comment=""`: a dialect without comments ignores them, and MySQL's are part of CREATE TABLE.
    return sa.Table(name, sa.MetaData(), *columns, *keys, schema=schema or target.schema_name, comment=comment)


def shape(made: sa.Table, dialect: sa.Dialect) -> str:
    """What a later publication has to know of a table: the types of its columns, and its key, as JSON."""
    columns = {c.name: c.type.compile(dialect) for c in made.columns}
    return json.dumps({"columns": columns, "key": [c.name for c in made.primary_key.columns]})


def bound(value: Any) -> Any:
    """A value as drivers take it: instants in UTC, without a zone."""
    return value.astimezone(UTC).replace(tzinfo=None) if isinstance(value, datetime) and value.tzinfo else value


def _decimal(column: Column, dialect: sa.Dialect) -> TypeEngine[Any]:
    precision = min(column.precision, MOST_DIGITS.get(dialect.name, column.precision))
    scale = min(column.scale, precision)
    if dialect.supports_native_decimal:
        return sa.Numeric(precision, scale)
    return Exact(precision, scale, as_text=dialect.name == SQLITE)  # SQLite has no exact decimals at all.


def _text(dialect: sa.Dialect, target: DatabaseTarget | FolderTarget, *, is_key: bool) -> TypeEngine[Any]:
    """Texts that differ in case, accents or spaces at the end are different: what is a key in gold is one there."""
    if dialect.name in ("mysql", "mariadb"):
        binary = "utf8mb4_nopad_bin" if getattr(dialect, "is_mariadb", False) else "utf8mb4_0900_bin"
        return mysql.VARCHAR(target.key_text, collation=binary) if is_key else mysql.LONGTEXT(collation=binary)
    if dialect.name in (SQLITE, "postgresql"):
        return sa.Text()
    return sa.String(target.key_text if is_key else target.text)
