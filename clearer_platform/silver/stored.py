"""Silver files read back: what one says of itself, its rows, and damage told from a disk or server that fails."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from upath import UPath

from clearer_platform.errors import StorageError
from clearer_platform.silver.outcome import Outcome
from clearer_platform.storage import reported

METADATA = "clearer"
"""Key of the outcome in a file's metadata."""


class Damaged(StorageError):
    """A silver file that is no longer what was written."""

    def __init__(self, path: UPath | Path) -> None:
        hint = "remove it, and run `clearer materialize`: it is made again from bronze"
        super().__init__(f"the silver file {path} is damaged", hint=hint)


def read_outcome(metadata: Mapping[bytes, bytes] | None) -> Outcome | None:
    """The outcome in a silver file's metadata, if it has one."""
    raw = (metadata or {}).get(METADATA.encode())
    return Outcome.model_validate_json(raw) if raw else None


def outcome_in(path: UPath | Path) -> Outcome:
    """What a silver file says of itself. Raises FileNotFoundError, OSError as storage has it, and Damaged."""
    with path.open("rb") as file, _damage(path):
        if outcome := read_outcome(pq.read_metadata(file).metadata):
            return outcome
    raise Damaged(path)


def rows_in(path: UPath | Path, columns: Sequence[str]) -> pa.Table:
    """These columns of a silver file. Raises a StorageError."""
    with reported("read", path), path.open("rb") as file, _damage(path):
        return pq.ParquetFile(file).read(columns=list(columns))


def check_readable(path: UPath | Path) -> None:
    """Read all of a silver file, a row group at a time. Raises Damaged where that cannot be done."""
    with reported("read", path), path.open("rb") as file, _damage(path):
        parquet = pq.ParquetFile(file)
        for group in range(parquet.num_row_groups):
            parquet.read_row_group(group)


@contextmanager
def _damage(path: UPath | Path) -> Iterator[None]:
    """Arrow has errors of many kinds for bytes that it cannot take; an operating system's carry a number."""
    try:
        yield
    except (pa.ArrowException, ValueError):
        raise Damaged(path) from None
    except OSError as e:
        if e.errno is None:
            raise Damaged(path) from None
        raise
