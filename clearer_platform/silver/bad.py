"""The records that broke a rule, with their lines and text: looked up for them alone, never for the good ones."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import duckdb
import numpy as np
import pyarrow as pa

from clearer_platform.contracts import LoadMode
from clearer_platform.silver.parity import Offsets
from clearer_platform.silver.prepare import Prepared, mapped, original
from clearer_platform.silver.query import Judgement
from clearer_platform.silver.records import Buffer
from clearer_platform.silver.sql import held, identifier
from clearer_platform.silver.validate import JUDGED, Share

BAD, NUMBERED = "bad", "numbered"
CLASHING = "clashing"
"""What `Judgement.table` calls the table of rows that are good but for an earlier row of the delivery, and the rule."""
MALFORMED, UNDECODABLE, REPEATED_KEY = "record.malformed", "record.undecodable", "record.repeated_key"
BATCH_REJECTED = "batch.rejected"
"""What every row of a batch breaks that was rejected as a whole when it came."""
LOCATED = pa.schema(
    {
        "number": pa.int64(),
        "row": pa.int64(),
        "line": pa.int64(),
        "rule": pa.string(),
        "raw": pa.large_string(),
        "besides": pa.string(),
    }
)
"""Number of the delivery in the batch, rowid in `judged`, line, rule if not in there, original text, a further rule."""


def collect_bad(con: duckdb.DuckDBPyConnection, judgement: Judgement, shares: Sequence[Share]) -> None:
    """Fill the table `bad` with every rejected record of the batch."""
    with numbered(con, judgement, shares):
        find_repeated(con, judgement)
        find_rejected(con, judgement)
    fill_bad(con, judgement, _located(con, judgement, shares))


def fill_bad(con: duckdb.DuckDBPyConnection, judgement: Judgement, located: pa.Table) -> None:
    """Fill the table `bad` with what is `located`, typed and judged as in `judged`."""
    con.register("located", located)
    judged = judgement.table(JUDGED)
    names = [name for name, *_ in con.execute(f"DESCRIBE {judged}").fetchall()]
    rest = [f"j.{identifier(name)}" for name in names if name not in ("_file", "_rules", "_warnings")]
    rest += [
        f"CASE WHEN j._file IS NOT NULL THEN {value} END AS {held(name)}" for name, value in judgement.constants.items()
    ]
    con.execute(
        f"""CREATE OR REPLACE TABLE {judgement.table(BAD)} AS
        SELECT l.number AS _number, l.line AS _line, l.raw AS _raw,
            CASE WHEN l.rule IS NULL THEN j._rules ELSE [l.rule] END
                || CASE WHEN l.besides IS NULL THEN []::VARCHAR[] ELSE [l.besides] END AS _rules,
            coalesce(j._warnings, []) AS _warnings, {", ".join(rest)}
        FROM located l LEFT JOIN {judged} j ON j.rowid = l.row"""
    )
    con.unregister("located")


def find_repeated(con: duckdb.DuckDBPyConnection, judgement: Judgement) -> None:
    """Fill the table `clashing` with the rows of an append table whose key an earlier good row of the delivery has."""
    clashing, judged = judgement.table(CLASHING), judgement.table(JUDGED)
    con.execute(f"CREATE OR REPLACE TABLE {clashing} (row BIGINT, rule VARCHAR)")
    if judgement.contract.load_mode is LoadMode.APPEND:
        # A key of another batch is that of another delivery, which happens to have been sealed into the same.
        group, batches = ("_batch, ", f"JOIN {NUMBERED} ON _judged = rowid") if judgement.in_batches else ("", "")
        con.execute(
            f"""INSERT INTO {clashing} SELECT row, '{REPEATED_KEY}' FROM (
                SELECT rowid AS row, row_number() OVER (PARTITION BY _file, {group}_key ORDER BY rowid) AS n
                FROM {judged} {batches} WHERE len(_rules) = 0 AND _key IN (
                    SELECT _key FROM {judged} WHERE len(_rules) = 0 GROUP BY _file, _key HAVING count(*) > 1)
            ) WHERE n > 1"""
        )


def find_rejected(con: duckdb.DuckDBPyConnection, judgement: Judgement) -> None:
    """Add to the table `clashing` the rows that broke nothing else, but whose batch was rejected as a whole."""
    if judgement.in_batches:
        clashing = judgement.table(CLASHING)
        con.execute(
            f"INSERT INTO {clashing} SELECT rowid, '{BATCH_REJECTED}' FROM {judgement.table(JUDGED)} "
            f"JOIN {NUMBERED} ON _judged = rowid WHERE _is_rejected AND {good_rows(judgement)}"
        )


@contextmanager
def numbered(con: duckdb.DuckDBPyConnection, judgement: Judgement, shares: Sequence[Share]) -> Iterator[None]:
    """While it lasts, `NUMBERED` says of each row of `judged` in which batch it came, where it came in one."""
    if not judgement.in_batches:
        yield
        return
    rows, batches, rejected = [], [], []
    for share in shares:
        of_records = records_of(share.prepared, np.arange(share.count))
        numbers, flags = share.prepared.batches, share.prepared.rejected
        assert numbers is not None
        rows.append(np.arange(share.first, share.first + share.count))
        batches.append(numbers[of_records])
        rejected.append(np.zeros(share.count, dtype=np.bool_) if flags is None else flags[of_records])
    columns = [np.concatenate(column) for column in (rows, batches, rejected)]
    con.register(NUMBERED, pa.table(columns, names=["_judged", "_batch", "_is_rejected"]))
    yield
    con.unregister(NUMBERED)


def bad_rows(judgement: Judgement) -> str:
    """A query for the rowid of every row in `judged` that is rejected, and the rule where it is not in there."""
    return (
        f"SELECT rowid AS row, NULL::VARCHAR AS rule FROM {judgement.table(JUDGED)} WHERE len(_rules) > 0 "
        f"UNION ALL SELECT row, rule FROM {judgement.table(CLASHING)}"
    )


def good_rows(judgement: Judgement) -> str:
    """The condition that a row of `judged` is accepted."""
    clashing = f" AND rowid NOT IN (SELECT row FROM {judgement.table(CLASHING)})"
    contract = judgement.contract
    may_clash = contract.load_mode is LoadMode.APPEND or contract.spans or judgement.in_batches
    return f"len(_rules) = 0{clashing if may_clash else ''}"


def _located(con: duckdb.DuckDBPyConnection, judgement: Judgement, shares: Sequence[Share]) -> pa.Table:
    """Where the bad records of the batch are, and their text."""
    found = con.execute(f"{bad_rows(judgement)} ORDER BY row").to_arrow_table()
    rows = found["row"].to_numpy()
    pieces = []
    for number, share in enumerate(shares):
        low, high = np.searchsorted(rows, [share.first, share.first + share.count])
        if high > low or share.prepared.good is not None:
            pieces.append(_of_delivery(number, share, found.slice(low, high - low)))
    return pa.concat_tables(pieces) if pieces else LOCATED.empty_table()


def _of_delivery(number: int, share: Share, found: pa.Table) -> pa.Table:
    prepared = share.prepared
    seen = records_of(prepared, found["row"].to_numpy() - share.first)
    unseen, rules = unread(prepared)
    rule = pa.chunked_array([*found["rule"].chunks, pa.array(rules, pa.string())], pa.string())
    numbers = np.concatenate([seen, unseen])
    with mapped(prepared.text.path) as buffer:
        texts = pa.chunked_array([_texts(prepared, buffer, seen), _texts(prepared, buffer, unseen)])
    return pa.table(
        [
            pa.array(np.full(len(seen) + len(unseen), number)),
            pa.chunked_array([*found["row"].chunks, pa.nulls(len(unseen), pa.int64())], pa.int64()),
            pa.array(prepared.records.lines[numbers]),
            rule,
            texts,
            _besides(prepared, numbers, rule),
        ],
        schema=LOCATED,
    )


def _besides(prepared: Prepared, numbers: Offsets, rule: pa.ChunkedArray) -> pa.Array:
    """The rule that records break besides those of their own, because of the batch that they came in."""
    rejected = prepared.rejected
    if rejected is None:
        return pa.nulls(len(numbers), pa.string())
    is_other = zip(rejected[numbers].tolist(), rule.to_pylist(), strict=True)
    return pa.array([BATCH_REJECTED if flag and own != BATCH_REJECTED else None for flag, own in is_other], pa.string())


def unread(prepared: Prepared) -> tuple[Offsets, list[str]]:
    """Numbers of the records that the engine does not read, and the rule that each of them breaks."""
    numbers = np.array([], dtype=np.int64) if prepared.good is None else np.flatnonzero(~prepared.good)
    bad_bytes = prepared.undecodable
    return numbers, [UNDECODABLE if bad_bytes is not None and bad_bytes[i] else MALFORMED for i in numbers]


def records_of(prepared: Prepared, readable: Offsets) -> Offsets:
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
