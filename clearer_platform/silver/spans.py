"""Spans that overlap: of the rows that agree in what the contract names, no two accepted ones may share a day.

Rows are held one after the other, by first day, last day and key, against the accepted ones before them. The engine
finds the few groups in which anything overlaps at all; only there is a choice to be made.
"""

from collections.abc import Iterable, Iterator
from datetime import date
from itertools import groupby
from operator import itemgetter

import duckdb
import pyarrow as pa

from clearer_platform.silver.bad import CLASHING, good_rows
from clearer_platform.silver.query import Judgement
from clearer_platform.silver.sql import held
from clearer_platform.silver.validate import JUDGED

OVERLAPS, SECOND_OPEN = "record.overlaps", "record.second_open"

Span = tuple[int, date, date | None]
"""rowid, first and last day; None where it goes on for ever."""


def find_overlapping(con: duckdb.DuckDBPyConnection, judgement: Judgement) -> None:
    """Add to the table `clashing` the rows whose span overlaps that of an accepted one."""
    spans = judgement.contract.spans
    if spans is None:
        return
    # Two records of one key are two accounts of the same, of which the later wins: no span is held against both. What
    # an element has of its record's key is the same in all of them.
    record = "_row" if judgement.contract.nested else "_file"
    group = ", ".join([record, *(held(name) for name in spans.within if name not in judgement.given)])
    order = ", ".join(["_first_day", "_end", *map(held, judgement.contract.key), "_number"])
    # Where any two share a day, one does so with the next in order.
    found = con.execute(
        f"""WITH spans AS (
            SELECT *, rowid AS _number, coalesce(_last_day, DATE 'infinity') AS _end FROM {judgement.table(JUDGED)}
            WHERE {good_rows(judgement)} AND _first_day IS NOT NULL
        ), suspect AS (
            SELECT DISTINCT {group} FROM (
                SELECT *, lag(_end) OVER (PARTITION BY {group} ORDER BY _first_day, _end) AS _end_before FROM spans
            ) WHERE _first_day < _end_before
        )
        SELECT dense_rank() OVER (ORDER BY {group}) AS _group, _number, _first_day, _last_day
        FROM spans SEMI JOIN suspect USING ({group}) ORDER BY _group, {order}"""
    ).fetchall()
    broken = [rule for _, rows in groupby(found, itemgetter(0)) for rule in overlapping(row[1:] for row in rows)]
    if broken:
        con.register("broken", pa.table({"row": [row for row, _ in broken], "rule": [rule for _, rule in broken]}))
        con.execute(f"INSERT INTO {judgement.table(CLASHING)} SELECT row, rule FROM broken")
        con.unregister("broken")


def overlapping(spans: Iterable[Span]) -> Iterator[tuple[int, str]]:
    """Of spans in order, those that begin before an accepted earlier one has ended, and the rule that they break."""
    reach, is_open = date.min, False
    for row, first, last in spans:
        if not is_open and first >= reach:
            reach, is_open = max(reach, last or reach), last is None
        else:
            yield row, SECOND_OPEN if is_open and last is None else OVERLAPS
