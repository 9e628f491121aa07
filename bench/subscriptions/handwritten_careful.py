"""The hand-written script's careful way: stores with anything unusual in their arrays, element by element."""

from collections.abc import Iterator
from datetime import date
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

import duckdb
import pyarrow as pa

from bench.subscriptions.handwritten_tables import Table
from bench.subscriptions.strict_json import MALFORMED, elements


class Span(NamedTuple):
    """An element that broke no rule so far."""

    line: int
    position: int
    first_day: date
    last_day: date | None


def add_doubted(database: duckdb.DuckDBPyConnection, table: Table) -> None:
    """Add to `table` the elements of the lines that are `doubted`, and of arrays that are not sound."""
    records = database.execute(f"""
        SELECT rowid + 2, store_id, {table.column} FROM stores
        WHERE _rules IS NULL AND (NOT sound_{table.column} OR rowid + 2 IN (FROM doubted))""").fetchall()
    texts = as_texts(table, records)
    database.register("texts", texts)
    database.execute(f"CREATE OR REPLACE TEMP TABLE careful AS {judged(table)}")
    spans = ()
    if table.is_spanning:
        spans = database.execute(
            "SELECT _line, position, from_date::DATE AS first_day, to_date::DATE AS last_day "
            "FROM careful WHERE _rules IS NULL ORDER BY _line, first_day, last_day NULLS LAST, position"
        ).fetchall()
    settled = pa.Table.from_pylist(list(settle(map(Span._make, spans))), SETTLED)
    database.register("settled", settled)
    database.execute(f"""
        INSERT INTO {table.name} BY NAME
        SELECT careful.* REPLACE (coalesce(_rules, overlap) AS _rules,
                CASE WHEN coalesce(_rules, overlap) IS NOT NULL THEN _raw END AS _raw), next_day
        FROM careful LEFT JOIN settled USING (_line, position)""")


def as_texts(table: Table, records: list[tuple[int, str, str]]) -> pa.Table:
    """The elements of some records as texts, one row each; an array that is none is a row without a position."""
    rows: list[dict[str, object]] = []
    for line, store, text in records:
        found = elements(text)
        place = {"_line": line, "store_id": store}
        if found is None:
            rows.append({**place, "malformed": f"{table.column}.malformed", "_raw": text})
        for position, element in enumerate(found or (), 1):
            row = {**place, "position": position, "_raw": element.raw}
            if element.values is None:
                rows.append({**row, "malformed": MALFORMED})
            else:
                rows.append({**row, **{f"t_{f.name}": element.values.get(f.key) for f in table.fields}})
    texts = ["store_id", "malformed", "_raw", *(f"t_{f.name}" for f in table.fields)]
    schema = pa.schema([("_line", pa.int64()), ("position", pa.int64()), *((name, pa.string()) for name in texts)])
    return pa.Table.from_pylist(rows, schema)


def judged(table: Table) -> str:
    """A query over the texts: each typed, with the rules that it broke. NULL breaks no rule but `missing`."""
    rules = {f"{f.name}.missing": f"t_{f.name} IS NULL" for f in table.fields if not f.null}
    rules |= {
        f"{f.name}.not_a_{f.kind}": f"t_{f.name} IS NOT NULL AND {f.name} IS NULL" for f in table.fields if f.kind
    }
    rules |= table.breaches
    broken = ", ".join(f"CASE WHEN {breaks} THEN '{rule}' END" for rule, breaks in rules.items())
    values = ", ".join(f"{f.value} AS {f.name}" for f in table.fields)
    return f"""
        SELECT _line, store_id, position, {", ".join(f.name for f in table.fields)}, _raw,
            CASE WHEN malformed IS NOT NULL THEN [malformed]
                 ELSE nullif(list_filter([{broken}], lambda rule: rule IS NOT NULL), []) END AS _rules
        FROM (SELECT *, {values} FROM texts)"""


SETTLED = pa.schema([
    ("_line", pa.int64()),
    ("position", pa.int64()),
    ("overlap", pa.list_(pa.string())),
    ("next_day", pa.date32()),
])  # fmt: skip


def settle(spans: Iterator[Span]) -> Iterator[dict[str, object]]:
    """Which spans break into an accepted one before them; of the others, when the store's next accepted one begins."""
    for _, own in groupby(spans, itemgetter(0)):
        accepted: list[Span] = []
        for span in own:
            before = accepted[-1] if accepted else None
            if before and (before.last_day is None or span.first_day < before.last_day):
                rule = "record.overlaps" if before.last_day or span.last_day else "record.second_open"
                yield {"_line": span.line, "position": span.position, "overlap": [rule]}
            else:
                accepted.append(span)
        for span, following in zip(accepted, [*accepted[1:], None], strict=True):
            next_day = following and following.first_day
            yield {"_line": span.line, "position": span.position, "next_day": next_day}
