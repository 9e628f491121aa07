"""Batches: rows that come one request at a time, made durable one by one and sealed into few deliveries.

A batch is UTF-8. JSON is an array of objects whose keys are the contract's column names; numbers and booleans may
stand as such. CSV is what a file of the region would be (delimiter, quote, decimal sign, dates: as its registry entry
says): with `header`, the first record has the names that the region's files have; without, the contract's columns come
in order, and only optional ones at the end may lack. A header is never guessed.

`batch.py` says what a batch is, `reading.py` takes its rows out of what was sent, `spool.py` keeps the batches of a
region (`restoring.py` makes it anew), `sealing.py` makes deliveries of them, `logs.py` writes their logs as files. They
are judged in `silver`, which stands above; `serving/batches.py` puts both together.
"""

from clearer_platform.regions.batches import MOST_ROWS
from clearer_platform.sources.batches.batch import (
    Batch,
    BatchError,
    BatchRecord,
    EmptyBatch,
    Form,
    InvalidRow,
    KeyReused,
    MalformedBatch,
    Status,
    Summary,
    Taken,
    TooManyRows,
    UnknownBatch,
    UnknownColumn,
)
from clearer_platform.sources.batches.sealing import Waiting, collect, pending

__all__ = [
    "MOST_ROWS",
    "Batch",
    "BatchError",
    "BatchRecord",
    "EmptyBatch",
    "Form",
    "InvalidRow",
    "KeyReused",
    "MalformedBatch",
    "Status",
    "Summary",
    "Taken",
    "TooManyRows",
    "UnknownBatch",
    "UnknownColumn",
    "Waiting",
    "collect",
    "pending",
]
