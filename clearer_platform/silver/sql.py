"""Small pieces of SQL text: names, literals and types as the engine writes them."""

import ibis.expr.datatypes as dt

from clearer_platform.contracts import Contract
from clearer_platform.errors import ContractError
from clearer_platform.quoting import identifier, literal, literals

__all__ = ["RECORD_COLUMNS", "accepted_columns", "held", "identifier", "literal", "literals", "sql_type"]

RECORD_COLUMNS = (
    ("_region", "VARCHAR"),
    ("_day", "DATE"),
    ("_slot", "VARCHAR"),
    ("_delivery", "VARCHAR"),
    ("_received_at", "TIMESTAMP WITH TIME ZONE"),
    ("_line", "BIGINT"),
    ("_rules", "VARCHAR[]"),
    ("_warnings", "VARCHAR[]"),
    ("_raw", "VARCHAR"),
    ("_extra", "MAP(VARCHAR, VARCHAR)"),
    ("_key", "UUID"),
)
INTEGERS = {dt.Int8: "TINYINT", dt.Int16: "SMALLINT", dt.Int32: "INTEGER", dt.Int64: "BIGINT"}


def held(name: str) -> str:
    """Name of a silver column in the tables of judged rows: `_key` and its like are called so there too.

    A contract's column has another: one called `rowid` would hide the number that the engine gives to every row.
    """
    return identifier(name if name.startswith("_") else f"column {name}")


def sql_type(dtype: dt.DataType) -> str:
    """The engine's type for a contract's. Raises ContractError for one that cannot be read from text."""
    if isinstance(dtype, dt.String):
        return "VARCHAR"
    if isinstance(dtype, dt.Boolean):
        return "BOOLEAN"
    if type(dtype) in INTEGERS:
        return INTEGERS[type(dtype)]
    if isinstance(dtype, dt.Decimal) and dtype.precision is not None and dtype.scale is not None:
        return f"DECIMAL({dtype.precision},{dtype.scale})"
    if isinstance(dtype, dt.Float64):
        return "DOUBLE"
    if isinstance(dtype, dt.Date):
        return "DATE"
    if isinstance(dtype, dt.Timestamp) and dtype.timezone in (None, "UTC"):
        return "TIMESTAMP WITH TIME ZONE" if dtype.timezone else "TIMESTAMP"
    raise ContractError(
        f"a column cannot be of type {dtype}",
        hint="use str, bool, an integer, Decimal(p, s), float64, Date, Timestamp or Timestamp('UTC')",
    )


def accepted_columns(contract: Contract) -> list[tuple[str, str]]:
    """Name and type of every column of the contract's silver files, in order."""
    event_day = [("_event_day", "DATE")] if contract.event_time else []
    return [*RECORD_COLUMNS, *event_day, *((c.name, sql_type(c.dtype)) for c in contract.columns)]
