"""Avro files: written and read in blocks, so that a table of any size takes little memory."""

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import fastavro
import pyarrow as pa

from clearer_platform.errors import BackupError
from clearer_platform.serving.backups.schemas import Schema, arrow_schema
from clearer_platform.storage import reported

ROWS = 10_000
"""Rows in memory at a time."""
BLOCK = 1 << 20


def write(rows: Iterable[pa.RecordBatch], schema: Schema, path: Path) -> int:
    """Write rows to the file `path`; how many there were. The same rows make the same bytes."""
    count = 0

    def counted() -> Iterator[dict[str, Any]]:
        nonlocal count
        for batch in rows:
            count += batch.num_rows
            yield from batch.to_pylist()

    with reported("write", path), path.open("wb") as f:
        fastavro.writer(f, fastavro.parse_schema(dict(schema)), counted(), codec="deflate", sync_marker=_marker(schema))
    return count


def schema_of(path: Path) -> Schema:
    """The schema that the file says its rows have. Raises BackupError where it is no Avro file."""
    with reported("read", path), path.open("rb") as f:
        try:
            schema = fastavro.reader(f).writer_schema
        except Exception:  # a reader of damaged bytes may raise anything
            raise _unreadable(path) from None
    if not isinstance(schema, dict) or schema.get("type") != "record":
        raise _unreadable(path)
    return schema


def read(path: Path) -> Iterator[pa.RecordBatch]:
    """The rows of the file, some at a time. Raises BackupError where it is no Avro file, or not whole."""
    kinds = arrow_schema(schema_of(path))
    with reported("read", path), path.open("rb") as f:
        try:
            waiting: list[Any] = []
            for row in fastavro.reader(f):
                waiting.append(row)
                if len(waiting) == ROWS:
                    yield pa.RecordBatch.from_pylist(waiting, kinds)
                    waiting = []
            yield pa.RecordBatch.from_pylist(waiting, kinds)
        except OSError:
            raise
        except Exception:  # as above
            raise _unreadable(path) from None


def count(path: Path) -> int:
    """The number of rows in the file, each of which is read. Raises BackupError where it is no Avro file."""
    return sum(batch.num_rows for batch in read(path))


def reader(path: Path) -> pa.RecordBatchReader:
    """The same rows as one stream."""
    return pa.RecordBatchReader.from_batches(arrow_schema(schema_of(path)), read(path))


def digest(path: Path) -> tuple[int, str]:
    """Size and SHA-256 of a local file."""
    found, size = hashlib.sha256(), 0
    with reported("read", path), path.open("rb") as f:
        while block := f.read(BLOCK):
            found.update(block)
            size += len(block)
    return size, found.hexdigest()


def _marker(schema: Schema) -> bytes:
    """What stands between blocks: as good as random, and the same for the same schema."""
    return hashlib.sha256(repr(schema).encode()).digest()[:16]


def _unreadable(path: Path) -> BackupError:
    # A reader's message may quote what it read.
    return BackupError(f"{path.name} is no Avro file that can be read", hint="restore from another backup")
