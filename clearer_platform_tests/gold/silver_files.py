"""Silver files made by hand, so that a history of deliveries is a few lines: what gold reads, without what makes it."""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq

from clearer_platform.contracts import Contract
from clearer_platform.platform import Platform
from clearer_platform.settings import Settings
from clearer_platform.silver.sql import accepted_columns
from clearer_platform.storage import local
from clearer_platform_tests.conftest import share_dbt

Row = Mapping[str, Any]

REGIONS = """
reporting_currency = "EUR"
root = "global"
[regions.eu]
timezone = "Europe/Berlin"
currency = "EUR"
root = "eu"
leaves = "pseudonyms"
[regions.eu.tables]
customers = {}
products = {}
transactions = {}
conversations = {}
fx_rates = {}
[regions.us]
timezone = "America/New_York"
currency = "USD"
root = "us"
leaves = "aggregates"
[regions.us.tables]
customers = {}
products = {}
transactions = {}
conversations = {}
"""

ARROW = {
    "VARCHAR": pa.string(),
    "DATE": pa.date32(),
    "TINYINT": pa.int8(),
    "SMALLINT": pa.int16(),
    "INTEGER": pa.int32(),
    "BIGINT": pa.int64(),
    "DOUBLE": pa.float64(),
    "BOOLEAN": pa.bool_(),
    "VARCHAR[]": pa.list_(pa.string()),
    "MAP(VARCHAR, VARCHAR)": pa.map_(pa.string(), pa.string()),
    "TIMESTAMP": pa.timestamp("us"),
    "TIMESTAMP WITH TIME ZONE": pa.timestamp("us", tz="UTC"),
    "UUID": pa.string(),
}


def open_platform(home: Path, registry: str = REGIONS, prepared_dbt: Path | None = None, **settings: Any) -> Platform:
    """A platform in `home` with the regions of `registry`; `prepared_dbt` is where homes share prepared projects."""
    home.mkdir(parents=True, exist_ok=True)
    if prepared_dbt:
        share_dbt(home, prepared_dbt)
    (home / "regions.toml").write_text(registry)
    return Platform.open(Settings(home=home, _env_file=None, **settings))


def silver_path(platform: Platform, region: str, table: str, day: date, slot: str) -> Path:
    """Where the silver file of a slot stands; that of a shared table in the global root."""
    layout = platform.global_layout if platform.contract(table).shared else platform.layout(region)
    return local(layout.silver_file(table, day, slot))


def put(
    platform: Platform,
    region: str,
    table: str,
    day: date,
    rows: Iterable[Row],
    *,
    slot: str = "a.csv",
    received: datetime | None = None,
    rejected: Iterable[Row] = (),
    fingerprint: str | None = None,
    replaces: bool = False,
) -> Path:
    """Write the silver file of one slot: `rows` are accepted, `rejected` are not. `received` orders deliveries.

    One that `replaces` restores a backup.

    Rows nested in a record name its `_line`, and their file has the `fingerprint` of the one that has the records.
    """
    contract = platform.contract(table)
    received = received or datetime(day.year, day.month, day.day, 23, tzinfo=UTC)
    delivery = f"{received:%Y%m%dT%H%M%S.%fZ}-{slot}"
    zone = ZoneInfo(platform.source(region, table).timezone)
    common = {"_region": region, "_day": day, "_slot": slot, "_delivery": delivery, "_received_at": received}
    common["_warnings"] = []
    content = [
        {**common, "_line": row.get("_line", line), "_rules": rules, **_typed(contract, region, row, zone)}
        for line, (row, rules) in enumerate([*((r, []) for r in rows), *((r, ["x.broken"]) for r in rejected)], 2)
    ]
    path = silver_path(platform, region, table, day, slot)
    said = {"region": region, "table": table, "day": f"{day}", "slot": slot, "delivery": delivery}
    outcome = {**said, "status": "published", "replaces": replaces}
    stated = json.dumps([content, delivery], default=str, sort_keys=True)
    fingerprint = fingerprint or hashlib.sha256(stated.encode()).hexdigest()
    _write(contract, path, content, {**outcome, "fingerprint": fingerprint})
    return path


def _write(contract: Contract, path: Path, content: list[dict[str, Any]], outcome: dict[str, Any]) -> None:
    fields = [pa.field(name, _arrow(dtype)) for name, dtype in accepted_columns(contract)]
    schema = pa.schema(fields, metadata={"clearer": json.dumps(outcome)})
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".partial-{path.name}")
    pq.write_table(pa.Table.from_pylist(content, schema), beside)
    os.replace(beside, path)


def _arrow(dtype: str) -> pa.DataType:
    if dtype.startswith("DECIMAL"):
        precision, scale = dtype[8:-1].split(",")
        return pa.decimal128(int(precision), int(scale))
    return ARROW[dtype]


def _typed(contract: Contract, region: str, row: Row, zone: ZoneInfo) -> dict[str, Any]:
    """`row` as silver has it: typed, absent optional columns defaulted, with its local day."""
    typed: dict[str, Any] = {"_key": _key(contract, region, row)}
    for column in contract.columns:
        value = row.get(column.name)
        if value is None and column.default is not None:
            value = {"true": True, "false": False}.get(column.default, column.default)
        typed[column.name] = _value(column.dtype, value)
    if contract.event_time:
        event = typed[contract.event_time]
        typed["_event_day"] = event.astimezone(zone).date() if isinstance(event, datetime) else event
    return typed


def _key(contract: Contract, region: str, row: Row) -> str:
    """The surrogate key: the same for the same key of the same region, whatever else the row says."""
    parts = [region, contract.name, *(str(row[column]) for column in contract.key)]
    return hashlib.md5("\x1f".join(parts).encode()).hexdigest()


def _value(dtype: Any, value: Any) -> Any:
    if value is None or not isinstance(value, str | int | float) or isinstance(value, bool):
        return value
    if dtype.is_decimal():
        return Decimal(str(value)).quantize(Decimal(1).scaleb(-dtype.scale))
    if dtype.is_integer():
        return int(value)
    if dtype.is_date():
        return date.fromisoformat(str(value))
    return {"True": True, "False": False}.get(str(value)) if dtype.is_boolean() else value
