"""What a backup's rows look like, as an Avro schema: from the contract, or from what dbt's YAML promises of a model.

Every column says whether it may be null, what it means, and which kind of personal data it holds.
"""

import re
from collections.abc import Collection
from typing import Any

import ibis.expr.datatypes as dt
import pyarrow as pa
from fastavro.schema import fingerprint, parse_schema, to_parsing_canonical_form

from clearer_platform import gold
from clearer_platform.contracts import Column, Contract
from clearer_platform.errors import BackupError

Schema = dict[str, Any]
Kind = str | dict[str, Any]

DATE: Kind = {"type": "int", "logicalType": "date"}
INSTANT: Kind = {"type": "long", "logicalType": "timestamp-micros"}
LOCAL: Kind = {"type": "long", "logicalType": "local-timestamp-micros"}
SQL: dict[str, Kind] = {
    "varchar": "string",
    "uuid": "string",
    "boolean": "boolean",
    "tinyint": "int",
    "smallint": "int",
    "integer": "int",
    "bigint": "long",
    "double": "double",
    "date": DATE,
    "timestamptz": INSTANT,
    "timestamp": LOCAL,
}
"""Types as dbt's YAML names them."""


def of_contract(contract: Contract) -> Schema:
    """The schema of a delivered table's picture. What a delivery may lack may be null, whatever else is said of it."""
    fields = [
        _field(c.name, _contract_kind(c), c.nullable or not c.required, c.description, c) for c in contract.columns
    ]
    return _record(contract.name, contract.description, fields)


def of_model(model: gold.Model, required: Collection[str]) -> Schema:
    """The schema of a table of gold, of which the `required` columns are never null.

    Raises BackupError for a column of a type that Avro has nothing for.
    """
    fields = [_field(n, _sql_kind(model, n, kind), n not in required, text) for n, kind, text in model.columns]
    return _record(model.alias, model.description, fields)


def fingerprint_of(schema: Schema) -> str:
    """The SHA-256 of the schema in Avro's canonical form: names and types, not what is said of them."""
    return fingerprint(to_parsing_canonical_form(parse_schema(dict(schema))), "SHA-256")


def arrow_schema(schema: Schema) -> pa.Schema:
    """The same for rows in memory. Raises BackupError for what no backup of ours holds."""
    return pa.schema([pa.field(field["name"], _arrow(field["type"])) for field in schema["fields"]])


def _record(name: str, text: str, fields: list[Schema]) -> Schema:
    return {"type": "record", "name": name, "namespace": "clearer", "doc": text, "fields": fields}


def _field(name: str, kind: Kind, nullable: bool, text: str, column: Column | None = None) -> Schema:
    field: Schema = {"name": name, "type": ["null", kind] if nullable else kind, "doc": text}
    return {**field, "personal": column.personal.value} if column and column.personal else field


def _decimal(precision: int, scale: int) -> Kind:
    return {"type": "bytes", "logicalType": "decimal", "precision": precision, "scale": scale}


def _contract_kind(column: Column) -> Kind:
    dtype = column.dtype
    if isinstance(dtype, dt.Decimal):
        return _decimal(int(dtype.precision or 0), int(dtype.scale or 0))
    if isinstance(dtype, dt.Timestamp):
        return INSTANT if dtype.timezone else LOCAL
    kinds: dict[type[dt.DataType], Kind] = {
        dt.String: "string",
        dt.Boolean: "boolean",
        dt.Int64: "long",
        dt.Float64: "double",
        dt.Date: DATE,
    }
    return kinds.get(type(dtype), "int")


def _sql_kind(model: gold.Model, name: str, kind: str) -> Kind:
    text = kind.lower()
    if text.endswith("[]"):
        return {"type": "array", "items": ["null", _sql_kind(model, name, text[:-2])]}
    if found := re.fullmatch(r"decimal\((\d+), ?(\d+)\)", text):
        return _decimal(int(found[1]), int(found[2]))
    if text not in SQL:
        raise BackupError(
            f"{model.alias} cannot be backed up: column {name} is {kind}, which Avro has no type for",
            hint="it is made again from silver by `clearer materialize`; back up what was delivered",
        )
    return SQL[text]


def _arrow(kind: Any) -> pa.DataType:
    if isinstance(kind, list):
        return _arrow(kind[1])
    if isinstance(kind, dict) and kind["type"] == "array":
        return pa.list_(_arrow(kind["items"]))
    plain = {
        "string": pa.string(),
        "boolean": pa.bool_(),
        "int": pa.int32(),
        "long": pa.int64(),
        "double": pa.float64(),
    }
    if isinstance(kind, str) and kind in plain:
        return plain[kind]
    match kind.get("logicalType") if isinstance(kind, dict) else None:
        case "decimal":
            return pa.decimal128(kind["precision"], kind["scale"])
        case "date":
            return pa.date32()
        case "timestamp-micros":
            return pa.timestamp("us", tz="UTC")
        case "local-timestamp-micros":
            return pa.timestamp("us")
    raise BackupError(f"no backup of this platform has a column of type {kind}")
