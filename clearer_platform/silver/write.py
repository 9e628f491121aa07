"""One Parquet file for a judged delivery, written aside and audited by another reader. `bring_up` publishes it."""

from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from clearer_platform.bronze import Series
from clearer_platform.contracts import Contract, LoadMode
from clearer_platform.errors import StorageError
from clearer_platform.silver.bad import BAD, good_rows
from clearer_platform.silver.outcome import Outcome
from clearer_platform.silver.query import Judgement
from clearer_platform.silver.sql import accepted_columns, held, identifier, literal
from clearer_platform.silver.stored import METADATA, read_outcome
from clearer_platform.silver.validate import JUDGED, Share
from clearer_platform.storage import reported

GOOD = {"_rules": "[]::VARCHAR[]", "_raw": "NULL::VARCHAR"}
"""What is the same in every row that broke no rule."""
FORMAT = (
    "FORMAT parquet, PARQUET_VERSION v2, COMPRESSION zstd, COMPRESSION_LEVEL 1, ROW_GROUP_SIZE 122880, "
    # Dictionaries are for columns with few values; trying them on ids and amounts costs a third of the writing.
    "DICTIONARY_SIZE_LIMIT 100"
)


def write_aside(
    con: duckdb.DuckDBPyConnection, judgement: Judgement, number: int, share: Share, outcome: Outcome, place: Path
) -> None:
    """Write every row that came of the delivery to `place`. Raises StorageError where what was written is not whole."""
    same = _constants(share)
    with reported("write", place):
        place.parent.mkdir(parents=True, exist_ok=True)
    good = _good(con, judgement, share)
    con.execute(
        f"""COPY (SELECT {_columns(judgement, same | judgement.constants | GOOD)} FROM ({good})
            UNION ALL SELECT {_columns(judgement, same)} FROM {judgement.table(BAD)} WHERE _number = {number})
        TO {literal(str(place))} ({FORMAT}, KV_METADATA {{{METADATA}: {literal(outcome.model_dump_json())}}})"""
    )
    audit(place, judgement.contract, outcome, share.prepared.delivery.manifest.series)


def audit(place: Path, contract: Contract, outcome: Outcome, series: Series | None = None) -> None:
    """Check a written file by a reader other than its writer: counts, and no key twice (of a series, in no batch).

    Raises StorageError that says what is wrong with it."""
    with pq.ParquetFile(place) as file:
        columns = ["_rules", "_key", "_line"] if contract.load_mode is LoadMode.APPEND else ["_rules"]
        rows, stated = file.metadata.num_rows, read_outcome(file.metadata.metadata)
        table = file.read(columns)
    accepted = pc.equal(pc.list_value_length(table["_rules"]), 0)
    found = pc.sum(accepted).as_py() or 0
    wrong = []
    if stated != outcome:
        wrong.append("its outcome is not the one that was written")
    if rows != outcome.delivered or found != outcome.accepted or rows - found != outcome.rejected:
        wrong.append(
            f"it has {rows} rows, {found} of them accepted; {outcome.delivered} records were delivered, "
            f"{outcome.accepted} of them accepted, {outcome.rejected} rejected"
        )
    if contract.load_mode is LoadMode.APPEND and _distinct_keys(table.filter(accepted), series) != found:
        wrong.append("a key is in it twice")
    if wrong:
        raise StorageError(
            f"{outcome.table} {outcome.region} {outcome.day} {outcome.slot}: {'; '.join(wrong)}",
            hint="nothing was published; run again, and report it if it comes back",
        )


def _distinct_keys(accepted: pa.Table, series: Series | None) -> int:
    """Number of different keys; that of one batch is another than that of the next."""
    keys = accepted["_key"]
    keys = keys.cast(pa.binary(16)) if keys.type != pa.binary(16) else keys
    if series is None:
        distinct: int = pc.count_distinct(keys).as_py()
        return distinct
    batches = np.searchsorted(series.ends, accepted["_line"].to_numpy())
    pairs = pa.table({"key": keys, "batch": batches}).group_by(["key", "batch"]).aggregate([])
    return len(pairs)


def _columns(judgement: Judgement, same: dict[str, str]) -> str:
    """The file's columns in order; those that are the same in every row by their value."""
    names = (name for name, _ in accepted_columns(judgement.contract))
    return ", ".join(f"{same.get(name, held(name))} AS {identifier(name)}" for name in names)


def _constants(share: Share) -> dict[str, str]:
    """What is the same in every row of a delivery."""
    delivery = share.prepared.delivery
    return {
        "_region": literal(delivery.region),
        "_day": f"DATE '{delivery.day}'",
        "_slot": literal(delivery.slot),
        "_delivery": literal(delivery.id),
        "_received_at": f"TIMESTAMPTZ '{delivery.manifest.received_at.isoformat()}'",
    }


def _good(con: duckdb.DuckDBPyConnection, judgement: Judgement, share: Share) -> str:
    """The rows that broke nothing, with their lines: by arithmetic wherever every record is one line."""
    judged, record = judgement.table(JUDGED), "_row" if judgement.contract.nested else "rowid"
    good = f"{record} BETWEEN {share.first} AND {share.first + share.count - 1} AND {good_rows(judgement)}"
    first_line = share.prepared.first_line
    if first_line is not None or not share.count:
        line = f"{record} - {share.first} + {first_line or 0}"
        return f"SELECT *, {line} AS _line FROM {judged} WHERE {good}"
    prepared = share.prepared
    numbers = prepared.records.lines if prepared.good is None else prepared.records.lines[prepared.good]
    rows = np.arange(share.first, share.first + share.count)
    con.register("lines", pa.table({"row": rows, "_line": numbers}))
    return f"SELECT j.*, l._line FROM {judged} j JOIN lines l ON l.row = j.{record} WHERE {good}"
