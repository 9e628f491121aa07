"""Counting the elements of a delivery independently of the engine that took them apart.

In an ordinary record there is one opening brace an element. Where the braces do not come to what the engine found, the
record is read by Python's csv and json modules; where these do not either, nothing may be published.
"""

import json
from collections.abc import Collection, Sequence
from typing import Any

import duckdb
import numpy as np

from clearer_platform.bronze import is_json_lines
from clearer_platform.errors import StorageError
from clearer_platform.silver import records
from clearer_platform.silver.arrays import is_deep
from clearer_platform.silver.bad import good_rows, records_of
from clearer_platform.silver.header import split
from clearer_platform.silver.json_lines import Number, compact, no_number
from clearer_platform.silver.parity import Offsets
from clearer_platform.silver.prepare import Prepared, mapped
from clearer_platform.silver.query import Judgement
from clearer_platform.silver.records import Buffer
from clearer_platform.silver.validate import JUDGED, Share


def count_elements(
    con: duckdb.DuckDBPyConnection, parent: Judgement, children: Sequence[Judgement], shares: Sequence[Share]
) -> list[list[int]]:
    """The number of elements of each child in each delivery. Raises StorageError where the engine found others."""
    if not children:
        return []
    size = sum(share.count for share in shares)
    accepted = _numbers(con, f"SELECT rowid FROM {parent.table(JUDGED)} WHERE {good_rows(parent)} ORDER BY rowid")
    found = [
        np.bincount(_numbers(con, f"SELECT _row FROM {child.table(JUDGED)}"), minlength=size) for child in children
    ]
    counts: list[list[int]] = [[] for _ in children]
    for share in shares:
        low, high = np.searchsorted(accepted, [share.first, share.first + share.count])
        rows = accepted[low:high]
        of_share = [child[rows] for child in found]
        _check(parent, children, share, rows - share.first, of_share)
        for numbers, child in zip(counts, of_share, strict=True):
            numbers.append(int(child.sum()))
    return counts


def _numbers(con: duckdb.DuckDBPyConnection, query: str) -> Offsets:
    """The one column of a query."""
    return np.asarray(con.execute(query).to_arrow_table().column(0).to_numpy(), dtype=np.int64)


def _check(
    parent: Judgement, children: Sequence[Judgement], share: Share, rows: Offsets, found: Sequence[Offsets]
) -> None:
    """Raise StorageError where a record of the delivery has not as many elements as were found."""
    prepared = share.prepared
    numbers = records_of(prepared, rows)
    with mapped(prepared.text.path) as buffer:
        braces = _braces(prepared, buffer, numbers)
        for i in np.flatnonzero(braces != sum(found)).tolist():
            counted = _counted(prepared, buffer, int(numbers[i]), parent, children)
            if counted != [int(child[i]) for child in found]:
                raise StorageError(
                    f"{prepared.delivery}: line {prepared.records.lines[numbers[i]]} has {counted} elements of "
                    f"{', '.join(c.contract.name for c in children)}, {[int(child[i]) for child in found]} were read",
                    hint="nothing was published; run again, and report it if it comes back",
                )


def _braces(prepared: Prepared, buffer: Buffer, numbers: Offsets) -> Offsets:
    """Opening braces in each of some records; but for a JSON line's own."""
    braces = records.positions(buffer, ord("{"))
    starts, ends = prepared.records.starts[numbers], prepared.records.ends[numbers]
    found = np.searchsorted(braces, ends) - np.searchsorted(braces, starts)
    return found - 1 if is_json_lines(prepared.delivery.slot) else found


def _counted(
    prepared: Prepared, buffer: Buffer, number: int, parent: Judgement, children: Sequence[Judgement]
) -> list[int]:
    """The elements in a record by child, as Python's own modules read it."""
    text, csv, header = prepared.records.slice(buffer, number).decode(), parent.source.csv, parent.header
    columns = [child.contract.nested.column for child in children if child.contract.nested]
    values: dict[str | None, Any]
    if is_json_lines(prepared.delivery.slot):
        record = json.loads(text, parse_float=Number, parse_int=Number)
        values = {column: record.get(parent.source.columns.get(column, column)) for column in columns}
    else:
        values = dict(zip(header.columns, split(text, csv.delimiter, csv.quote), strict=True))
    return [_length(values.get(column), csv.nulls) for column in columns]


def _length(value: Any, nulls: Collection[str]) -> int:
    """Elements of an array, or 1 for anything else that holds something: that is rejected as one."""
    text = value if value is None or type(value) is str else compact(value)
    if not text or text in nulls:
        return 0
    try:
        found = None if is_deep(text) else json.loads(text, parse_int=Number, parse_constant=no_number)
    except ValueError:
        return 1
    return len(found) if isinstance(found, list) else 1
