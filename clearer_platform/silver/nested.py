"""The tables nested in judged records: their elements are judged by the same queries as the records themselves."""

from collections.abc import Sequence
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from clearer_platform.contracts import POSITION, Contract
from clearer_platform.regions import TableSource
from clearer_platform.silver.arrays import elements
from clearer_platform.silver.bad import LOCATED, bad_rows, fill_bad, find_repeated, records_of
from clearer_platform.silver.elements import LEFT, engine_elements, python_elements
from clearer_platform.silver.header import Header
from clearer_platform.silver.query import Judgement
from clearer_platform.silver.spans import find_overlapping
from clearer_platform.silver.sql import held
from clearer_platform.silver.validate import JUDGED, Share, Years, fill


def judge_nested(
    con: duckdb.DuckDBPyConnection,
    parent: Judgement,
    contract: Contract,
    source: TableSource,
    shares: Sequence[Share],
    years: Years,
) -> Judgement:
    """Fill the tables `judged` and `bad` of a nested table, from the accepted records in its parent's `judged`."""
    columns = tuple(c.name for c in contract.columns if c.name not in contract.key)
    child = Judgement(contract, source, Header(columns, (), is_delivered=False))
    judged, number = child.table(JUDGED), sum(share.count for share in shares)
    fill(con, child, years, engine_elements(con, parent, child), number)
    left = con.execute(f"SELECT _row FROM {judged} WHERE _rules = ['{LEFT}'] ORDER BY _row").fetchall()
    for texts, count in python_elements(con, parent, child, [row for (row,) in left]):
        fill(con, child, years, texts, count, table=LEFT)
        con.execute(f"INSERT INTO {judged} SELECT * FROM {child.table(LEFT)}")
    con.execute(f"DELETE FROM {judged} WHERE _rules = ['{LEFT}']")
    find_repeated(con, child)
    find_overlapping(con, child)
    fill_bad(con, child, _located(con, parent, child, shares))
    return child


def _located(con: duckdb.DuckDBPyConnection, parent: Judgement, child: Judgement, shares: Sequence[Share]) -> pa.Table:
    """Where the bad elements of the batch are, and their text."""
    assert child.contract.nested is not None
    bad = f"SELECT row, rule, _row, {held(POSITION)} AS position FROM ({bad_rows(child)}) b "
    bad += f"JOIN (SELECT *, rowid AS row FROM {child.table(JUDGED)}) USING (row)"
    found = con.execute(f"{bad} ORDER BY _row, position, row").to_arrow_table()
    if not found.num_rows:
        return LOCATED.empty_table()
    arrays = con.execute(
        f"SELECT rowid, {held(child.contract.nested.column)} FROM {parent.table(JUDGED)} "
        f"WHERE rowid IN (SELECT _row FROM ({bad}))"
    ).fetchall()
    texts = _texts(dict(arrays), found["_row"].to_pylist(), found["position"].to_pylist())
    numbers, lines = _places(shares, found["_row"].to_numpy())
    return pa.table(
        [
            pa.array(numbers),
            found["row"],
            pa.array(lines),
            found["rule"],
            pa.array(texts, pa.large_string()),
            pa.nulls(found.num_rows, pa.string()),
        ],
        schema=LOCATED,
    )


def _texts(arrays: dict[int, str], rows: list[int], positions: list[int | None]) -> list[str]:
    """The text of each element as delivered; the whole array's where it cannot be taken apart."""
    found: list[str] = []
    at, taken = -1, []
    for row, position in zip(rows, positions, strict=True):
        if row != at:
            at, taken = row, elements(arrays[row]) or []
        found.append(arrays[row] if position is None else taken[position - 1].text)
    return found


def _places(shares: Sequence[Share], rows: Any) -> tuple[Any, Any]:
    """Number of the delivery and line of records, from the rows of `judged` in order that they are in."""
    numbers, lines = np.empty_like(rows), np.empty_like(rows)
    for number, share in enumerate(shares):
        low, high = np.searchsorted(rows, [share.first, share.first + share.count])
        numbers[low:high] = number
        lines[low:high] = share.prepared.records.lines[records_of(share.prepared, rows[low:high] - share.first)]
    return numbers, lines
