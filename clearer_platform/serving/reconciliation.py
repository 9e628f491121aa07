"""Delivered = accepted + rejected, per region and table, against a count that owes nothing to silver.

Silver checks its reader against its own index of the records. Here the records are counted a third time, by Python's
csv module (JSON lines: as lines), from the bytes in bronze, and the elements of nested tables by its json module;
accepted and rejected are counted in the silver files as they lie on the disk.
"""

import csv
import gzip
import io
import json
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc

from clearer_platform import silver
from clearer_platform.bronze import Delivery, is_json_lines
from clearer_platform.platform import Platform
from clearer_platform.regions import CsvFormat, TableSource
from clearer_platform.silver import SlotState
from clearer_platform.silver.json_lines import DEEPEST
from clearer_platform.storage import reported

UNREADABLE = (csv.Error, EOFError, zlib.error, OSError)


@dataclass(frozen=True)
class Balance:
    """The records of one table of a region, over all its days."""

    region: str
    table: str
    files: int = 0
    """Current deliveries whose records stand in silver."""
    counted: int = 0
    """Their records, as the csv module counts them in the bytes delivered; of JSON lines, the lines. Of a nested table,
    the elements in the accepted ones of these."""
    accepted: int = 0
    rejected: int = 0
    uncounted: int = 0
    """Files whose quotes do not match: no two readers agree on their records, so they are left out here."""
    refused: int = 0
    """Newest deliveries that were refused as a whole; none of their records are in silver."""

    @property
    def is_balanced(self) -> bool:
        """Whether every record delivered was either accepted or rejected."""
        return self.counted == self.accepted + self.rejected


def balances(
    platform: Platform, regions: Iterable[str], progress: Callable[[int, int], None] | None = None
) -> list[Balance]:
    """The balance of every table of `regions`."""
    pairs = [(region, table) for region in regions for table in platform.tables(region)]
    found: list[Balance] = []
    for done, (region, table) in enumerate(pairs, 1):
        found.append(_of_table(platform, region, table))
        if progress:
            progress(done, len(pairs))
    return found


def _of_table(platform: Platform, region: str, table: str) -> Balance:
    total = Balance(region, table)
    for state in silver.states(platform, region, table):
        if any(refusal.delivery == state.slot.current.id for refusal in state.refused):
            total = replace(total, refused=total.refused + 1)
        if state.published is None:
            continue
        accepted, rejected = _in_silver(platform, region, state)
        delivery = next(d for d in state.slot.deliveries if d.id == state.published.delivery)
        counted = _counted(platform, region, state, delivery)
        if counted is None:
            total = replace(total, uncounted=total.uncounted + 1)
            continue
        total = replace(
            total,
            files=total.files + 1,
            counted=total.counted + counted,
            accepted=total.accepted + accepted,
            rejected=total.rejected + rejected,
        )
    return total


def _in_silver(platform: Platform, region: str, state: SlotState) -> tuple[int, int]:
    """Accepted and rejected records in a silver file."""
    table = _read(platform, region, state.slot.table, state, ["_rules"])
    broken = pc.list_value_length(table["_rules"])
    rejected = pc.sum(pc.greater(broken, 0)).as_py() or 0
    return len(broken) - rejected, rejected


def _read(platform: Platform, region: str, table: str, state: SlotState, columns: list[str]) -> pa.Table:
    return silver.rows_in(platform.layout(region).silver_file(table, state.slot.day, state.slot.name), columns)


def _counted(platform: Platform, region: str, state: SlotState, delivery: Delivery) -> int | None:
    """The records of a delivery, or the elements in those that were accepted; None where its quotes do not match."""
    contract, source = platform.contract(state.slot.table), silver.source_of(platform, delivery)
    if contract.nested is None:
        return count_records(delivery, source.csv)
    found = _read(platform, region, delivery.table, state, ["_line", "_rules"])
    rejected = found.filter(pc.greater(pc.list_value_length(found["_rules"]), 0))["_line"].to_pylist()
    columns = [column.name for column in platform.contract(delivery.table).columns]
    return count_elements(delivery, source, columns, contract.nested.column, set(rejected))


def count_records(delivery: Delivery, form: CsvFormat) -> int | None:
    """The records in a delivery's bytes, by the csv module (or as lines); None where its quotes do not match."""
    if is_json_lines(delivery.slot):
        return sum(1 for _ in _lines(delivery))
    try:
        number = sum(1 for _ in _rows(delivery, form))
    except UNREADABLE:
        return None
    return max(number - 1, 0) if form.header else number


def count_elements(
    delivery: Delivery, source: TableSource, columns: list[str], column: str, without: set[int]
) -> int | None:
    """The elements of the arrays in `column` of a table with these `columns`, but for the records on certain lines."""
    name, form = source.columns.get(column, column), source.csv
    if is_json_lines(delivery.slot):
        records = (json.loads(line) for number, line in _lines(delivery) if number not in without)
        return sum(_length(record.get(name), form.nulls) for record in records)
    try:
        rows = _rows(delivery, form)
        place = next(rows)[1].index(name) if form.header else columns.index(column)
        return sum(_length(row[place], form.nulls) for line, row in rows if line not in without)
    except UNREADABLE:
        return None


def _length(value: Any, nulls: tuple[str, ...]) -> int:
    """Elements of an array, or of the array that a text is; 1 for whatever else holds something."""
    if value in (None, "", *nulls):
        return 0
    try:
        found = json.loads(value, parse_constant=_refused) if isinstance(value, str) else value
        return len(found) if isinstance(found, list) and _levels(found) <= DEEPEST else 1
    except (ValueError, RecursionError):
        return 1


def _levels(value: Any) -> int:
    """How deep values are nested in one."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return max(map(_levels, inner), default=0) + isinstance(value, dict | list)


def _refused(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _rows(delivery: Delivery, form: CsvFormat) -> Iterator[tuple[int, list[str]]]:
    """The fields of each record of a delivery, the header too, with its line."""
    with reported("read", delivery.content):
        opened = delivery.content.open("rb")
    csv.field_size_limit(sys.maxsize)
    with opened as raw:
        text = io.TextIOWrapper(_unpacked(raw, delivery.content.name), form.encoding, errors="replace", newline="")
        before = 0
        for lines in _parts(text, delivery):
            rows, line = csv.reader(lines, delimiter=form.delimiter, quotechar=form.quote, strict=True), 1
            for row in rows:
                if row:
                    yield before + line, row
                line = rows.line_num + 1
            before += rows.line_num


def _parts(text: Iterator[str], delivery: Delivery) -> Iterator[Iterator[str]]:
    """The lines that are read together: of a delivery that was sealed from batches those of each, or else all."""
    series = delivery.manifest.series
    return (islice(text, batch.lines) for batch in series.batches) if series else iter([text])


def _lines(delivery: Delivery) -> Iterator[tuple[int, str]]:
    """The lines of a delivery that are not empty, with their numbers."""
    with reported("read", delivery.content), delivery.content.open("rb") as raw:
        text = io.TextIOWrapper(
            _unpacked(raw, delivery.content.name), "utf-8-sig", errors="surrogateescape", newline="\n"
        )
        yield from ((number, line) for number, line in enumerate(text, 1) if line.strip("\r\n"))


def _unpacked(raw: BinaryIO, name: str) -> BinaryIO:
    if name.endswith(".gz"):
        return gzip.open(raw)  # type: ignore[return-value]
    if name.endswith(".zst"):
        return pa.input_stream(raw, compression="zstd")  # type: ignore[no-any-return]
    return raw
