"""Delivered = accepted + rejected, per region and table, against a count that owes nothing to silver.

Silver checks its reader against its own index of the records. Here the records are counted a third time, by Python's
csv module (JSON lines: as lines), from the bytes in bronze; accepted and rejected are counted in the silver files as
they lie on the disk.
"""

import csv
import gzip
import io
import sys
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from clearer_platform import silver
from clearer_platform.bronze import Delivery, is_json_lines
from clearer_platform.platform import Platform
from clearer_platform.regions import CsvFormat
from clearer_platform.silver import SlotState
from clearer_platform.storage import reported


@dataclass(frozen=True)
class Balance:
    """The records of one table of a region, over all its days."""

    region: str
    table: str
    files: int = 0
    """Current deliveries whose records stand in silver."""
    counted: int = 0
    """Their records, as the csv module counts them in the bytes delivered; of JSON lines, the lines."""
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
    pairs = [(region, table) for region in regions for table in platform.region(region).tables]
    found: list[Balance] = []
    for done, (region, table) in enumerate(pairs, 1):
        found.append(_of_table(platform, region, table))
        if progress:
            progress(done, len(pairs))
    return found


def _of_table(platform: Platform, region: str, table: str) -> Balance:
    total = Balance(region, table)
    form = platform.region(region).source(table).csv
    for state in silver.states(platform, region, table):
        if any(refusal.delivery == state.slot.current.id for refusal in state.refused):
            total = replace(total, refused=total.refused + 1)
        if state.published is None:
            continue
        accepted, rejected = _in_silver(platform, region, state)
        delivery = next(d for d in state.slot.deliveries if d.id == state.published.delivery)
        counted = count_records(delivery, form)
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
    path = platform.layout(region).silver_file(state.slot.table, state.slot.day, state.slot.name)
    with reported("read", path), path.open("rb") as f:
        broken = pc.list_value_length(pq.ParquetFile(f).read(columns=["_rules"])["_rules"])
    rejected = pc.sum(pc.greater(broken, 0)).as_py() or 0
    return len(broken) - rejected, rejected


def count_records(delivery: Delivery, form: CsvFormat) -> int | None:
    """The records in a delivery's bytes, by the csv module (or as lines); None where its quotes do not match."""
    if is_json_lines(delivery.slot):
        return _count_lines(delivery)
    with reported("read", delivery.content), delivery.content.open("rb") as raw:
        text = io.TextIOWrapper(_unpacked(raw, delivery.content.name), form.encoding, errors="replace", newline="")
        rows = csv.reader(text, delimiter=form.delimiter, quotechar=form.quote, strict=True)
        csv.field_size_limit(sys.maxsize)
        try:
            number = sum(1 for row in rows if row)
        except (csv.Error, EOFError, zlib.error, OSError):
            return None
    return max(number - 1, 0) if form.header else number


def _count_lines(delivery: Delivery) -> int:
    """The lines of a delivery that are not empty."""
    with reported("read", delivery.content), delivery.content.open("rb") as raw:
        text = io.TextIOWrapper(
            _unpacked(raw, delivery.content.name), "utf-8-sig", errors="surrogateescape", newline="\n"
        )
        return sum(1 for line in text if line.strip("\r\n"))


def _unpacked(raw: BinaryIO, name: str) -> BinaryIO:
    if name.endswith(".gz"):
        return gzip.open(raw)  # type: ignore[return-value]
    if name.endswith(".zst"):
        return pa.input_stream(raw, compression="zstd")  # type: ignore[no-any-return]
    return raw
