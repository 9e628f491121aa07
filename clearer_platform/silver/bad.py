"""The rows that broke a rule, with their lines and original text: looked up for them alone, never for the good ones."""

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb
import numpy as np
import pyarrow as pa

from clearer_platform.contracts import LoadMode
from clearer_platform.silver.outcome import FIRST, Problem
from clearer_platform.silver.prepare import Prepared, mapped, original
from clearer_platform.silver.query import Judgement
from clearer_platform.silver.records import Buffer, Offsets
from clearer_platform.silver.sql import identifier
from clearer_platform.silver.validate import JUDGED, Share

BAD = "bad"
REPEATED = "repeated"
MALFORMED, UNDECODABLE, REPEATED_KEY = "record.malformed", "record.undecodable", "record.repeated_key"


@dataclass(frozen=True)
class Tally:
    """What was found wrong in one delivery."""

    rejected: int
    rules: dict[str, int]
    warnings: dict[str, int]
    problems: list[Problem]


def collect_bad(con: duckdb.DuckDBPyConnection, judgement: Judgement, shares: Sequence[Share]) -> None:
    """Fill the table `bad` with every rejected record of the batch."""
    _find_repeated(con, judgement, shares)
    pieces = [_located(con, number, share) for number, share in enumerate(shares)]
    located = pa.concat_tables([p for p in pieces if p is not None] or [_places([], [], [], None, [])])
    con.register("located", located)
    judged = [name for name, *_ in con.execute(f"DESCRIBE {JUDGED}").fetchall()]
    rest = [f"j.{identifier(name)}" for name in judged if name not in ("_file", "_rules", "_warnings")]
    rest += [
        f"CASE WHEN j._file IS NOT NULL THEN {value} END AS {identifier(name)}"
        for name, value in judgement.constants.items()
    ]
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE {BAD} AS
        SELECT l.number AS _number, l.line AS _line, l.raw AS _raw,
            CASE WHEN l.rule IS NULL THEN j._rules ELSE [l.rule] END AS _rules,
            coalesce(j._warnings, []) AS _warnings, {", ".join(rest)}
        FROM located l LEFT JOIN {JUDGED} j ON j.rowid = l.row"""
    )
    con.unregister("located")


def tally(con: duckdb.DuckDBPyConnection, judgement: Judgement, number: int, share: Share) -> Tally:
    """Counts and first lines of what is wrong with the delivery `number` of the batch."""
    rules = _counted(con, f"SELECT unnest(_rules) AS name FROM {BAD} WHERE _number = {number}")
    noted = f"SELECT unnest(_warnings) AS name FROM {JUDGED} WHERE {span(share)} AND len(_warnings) > 0"
    rejected = con.execute(f"SELECT count(*) FROM {BAD} WHERE _number = {number}").fetchall()[0][0]
    lines = con.execute(
        f"""SELECT rule, _line FROM (
            SELECT rule, _line, row_number() OVER (PARTITION BY rule ORDER BY _line) AS n
            FROM (SELECT unnest(_rules) AS rule, _line FROM {BAD} WHERE _number = {number})
        ) WHERE n <= {FIRST} ORDER BY _line, rule"""
    ).fetchall()
    problems = [_problem(judgement, rule, line) for rule, line in lines]
    return Tally(rejected, rules, _counted(con, noted), problems)


def span(share: Share) -> str:
    """The condition for a delivery's rows in `judged`."""
    return f"rowid BETWEEN {share.first} AND {share.first + share.count - 1}"


def _problem(judgement: Judgement, rule: str, line: int) -> Problem:
    condition = {c.rule: c for c in judgement.conditions[0]}.get(rule)
    if condition:
        return Problem(rule=rule, message=condition.message, line=line, column=condition.column)
    message = {
        MALFORMED: f"not {len(judgement.header.columns)} fields, or a quote or control character out of place",
        UNDECODABLE: f"bytes that are not {judgement.source.csv.encoding} text",
        REPEATED_KEY: "its key stands in an earlier row of the delivery",
    }[rule]
    return Problem(rule=rule, message=message, line=line)


def _counted(con: duckdb.DuckDBPyConnection, names: str) -> dict[str, int]:
    return dict(con.execute(f"SELECT name, count(*) FROM ({names}) GROUP BY name ORDER BY name").fetchall())


def _find_repeated(con: duckdb.DuckDBPyConnection, judgement: Judgement, shares: Sequence[Share]) -> None:
    """Rows of an append table whose key an earlier good row of the same delivery has."""
    con.execute(f"CREATE OR REPLACE TEMP TABLE {REPEATED} (row BIGINT)")
    if judgement.contract.load_mode is LoadMode.APPEND and any(share.count for share in shares):
        con.execute(
            f"""INSERT INTO {REPEATED} SELECT row FROM (
                SELECT rowid AS row, row_number() OVER (PARTITION BY _file, _key ORDER BY rowid) AS n
                FROM {JUDGED} WHERE len(_rules) = 0 AND _key IN (
                    SELECT _key FROM {JUDGED} WHERE len(_rules) = 0 GROUP BY _file, _key HAVING count(*) > 1)
            ) WHERE n > 1"""
        )


def _located(con: duckdb.DuckDBPyConnection, number: int, share: Share) -> pa.Table | None:
    """Row, line, original text and (for records that the engine never saw) rule of the bad records of one delivery."""
    rows = con.execute(
        f"""SELECT rowid AS row, NULL AS rule FROM {JUDGED} WHERE {span(share)} AND len(_rules) > 0
        UNION ALL SELECT row, '{REPEATED_KEY}' FROM {REPEATED} WHERE {span(share).replace("rowid", "row")}
        ORDER BY row"""
    ).fetchnumpy()
    prepared = share.prepared
    places = _records_of(prepared, np.asarray(rows["row"], dtype=np.int64) - share.first)
    unseen = np.array([], dtype=np.int64) if prepared.good is None else np.flatnonzero(~prepared.good)
    if not len(places) and not len(unseen):
        return None
    bad_bytes = prepared.undecodable
    unseen_rules = [UNDECODABLE if bad_bytes is not None and bad_bytes[i] else MALFORMED for i in unseen]
    seen_rules: list[str | None] = [REPEATED_KEY if rule == REPEATED_KEY else None for rule in rows["rule"].tolist()]
    with mapped(prepared.text.path) as buffer:
        texts = [_texts(prepared, buffer, places), _texts(prepared, buffer, unseen)]
    return _places(
        [number] * (len(places) + len(unseen)),
        [*rows["row"].tolist(), *([None] * len(unseen))],
        prepared.records.lines[np.concatenate([places, unseen])].tolist(),
        pa.chunked_array(texts, pa.large_string()),
        [*seen_rules, *unseen_rules],
    )


def _places(
    numbers: list[int], rows: list[int | None], lines: list[int], raws: object, rules: list[str | None]
) -> pa.Table:
    return pa.table(
        {
            "number": pa.array(numbers, pa.int64()),
            "row": pa.array(rows, pa.int64()),
            "line": pa.array(lines, pa.int64()),
            "raw": pa.array([], pa.large_string()) if raws is None else raws,
            "rule": pa.array(rules, pa.string()),
        }
    )


def _records_of(prepared: Prepared, readable: Offsets) -> Offsets:
    """Numbers of records, from their numbers among those that the engine read."""
    return readable if prepared.good is None else np.flatnonzero(prepared.good)[readable]


def _texts(prepared: Prepared, buffer: Buffer, numbers: Offsets) -> pa.Array:
    """Original text of certain records."""
    if prepared.undecodable is not None or not len(numbers):
        return pa.array([original(prepared, buffer, int(i)) for i in numbers], pa.large_string())
    # Offsets of the records and of what lies between them over the same bytes: every other text is a record.
    r = prepared.records
    offsets = np.empty(2 * len(numbers) + 1, dtype=np.int64)
    offsets[0:-1:2], offsets[1::2] = r.starts[numbers], r.ends[numbers]
    offsets[-1] = offsets[-2]
    texts = pa.LargeStringArray.from_buffers(2 * len(numbers), pa.py_buffer(offsets), pa.py_buffer(buffer))
    return texts.take(pa.array(np.arange(0, 2 * len(numbers), 2)))
