"""What the tests of batches share: a region that hires, sending to it, and what came of what was sent."""

import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

import pyarrow.parquet as pq

from clearer_platform import silver, sources
from clearer_platform.bronze import Delivery, SealedBatch, slots
from clearer_platform.platform import Platform
from clearer_platform.serving import batches
from clearer_platform.sources.batches import Batch, BatchRecord, Taken

NOON = datetime(2024, 3, 31, 12, tzinfo=UTC)
HIRING = """
[regions.hr]
timezone = "UTC"
currency = "USD"
root = "hr"
start = 2024-01-01
[regions.hr.csv]
datetime = "%Y-%m-%dT%H:%M:%SZ"
[regions.hr.tables.departments]
days = []
[regions.hr.tables.jobs]
days = []
[regions.hr.tables.hired_employees]
days = []
"""


def at_noon() -> datetime:
    return NOON


def send(
    platform: Platform,
    table: str,
    content: bytes | str | list[dict[str, Any]],
    region: str = "hr",
    clock: Callable[[], datetime] = at_noon,
    **how: Any,
) -> Taken:
    """Take a batch: rows as JSON, or a text as CSV."""
    form = how.pop("form", "csv" if isinstance(content, bytes | str) else "json")
    raw = (
        content
        if isinstance(content, bytes)
        else (content if isinstance(content, str) else json.dumps(content)).encode()
    )
    return batches.take(platform, region, table, Batch(raw, form, **how), clock=clock)


def employee(number: int, **changed: Any) -> dict[str, Any]:
    """A row that breaks no rule."""
    row = {"id": number, "name": f"Name {number}", "datetime": "2021-05-30T05:43:46Z", "department_id": 1, "job_id": 2}
    return {**row, **changed}


def line(number: int, **changed: Any) -> str:
    """The same as CSV."""
    return ",".join(f"{value}" for value in employee(number, **changed).values()) + "\n"


def seal(platform: Platform, tables: Iterable[str] = ("departments", "jobs", "hired_employees")) -> None:
    """Seal what waits, and validate it."""
    for table in tables:
        sources.collect(platform, "hr", table)
        silver.bring_up(platform, "hr", table)


def deliveries(platform: Platform, table: str, region: str = "hr") -> list[Delivery]:
    """The current deliveries of a table."""
    return [slot.current for slot in slots(platform.layout(region), table)]


def rows_by_batch(platform: Platform, table: str, region: str = "hr") -> dict[str, list[dict[str, Any]]]:
    """Every silver row of a table by the batch that brought it, in order."""
    layout, found = platform.layout(region), dict[str, list[dict[str, Any]]]()
    for delivery in deliveries(platform, table, region):
        series = delivery.manifest.series
        assert series is not None
        path = layout.silver_file(table, delivery.day, delivery.slot)
        for row in sorted(pq.read_table(path, partitioning=None).to_pylist(), key=lambda row: row["_line"]):
            found.setdefault(series.batch_of(row["_line"]).id, []).append(row)
    return found


def sealed(platform: Platform, table: str, region: str = "hr") -> list[SealedBatch]:
    """The batches of all current deliveries."""
    return [b for d in deliveries(platform, table, region) if d.manifest.series for b in d.manifest.series.batches]


def rules(record: BatchRecord) -> dict[int, list[str]]:
    """What each invalid row broke."""
    found: dict[int, list[str]] = {}
    for one in record.invalid_rows:
        found.setdefault(one.row, []).append(one.rule)
    return found
