"""Writing a table as CSV, JSON or Parquet, to a file that appears whole or to any stream."""

import shutil
from pathlib import Path
from typing import BinaryIO

import duckdb
import pyarrow as pa

from clearer_platform.errors import StorageError
from clearer_platform.serving.formats import Format
from clearer_platform.storage import aside, publish_file, reported

_OPTIONS = {
    Format.CSV: "FORMAT csv, HEADER",
    Format.JSON: "FORMAT json, ARRAY true",
    Format.PARQUET: "FORMAT parquet, COMPRESSION zstd",
}


def write_file(table: pa.Table, target: Path, form: Format, work: Path, zone: str = "UTC") -> None:
    """Write `table` to the file `target`, replacing it as a whole; a device or pipe is written to by way of `work`."""
    folder = target.parent
    if not folder.is_dir():
        raise StorageError(f"cannot write {target}: there is no folder {folder}", hint="create it, or choose another")
    if target.is_dir():
        raise StorageError(f"cannot write {target}: it is a folder", hint="name a file in it")
    if target.exists() and not target.is_file():
        with reported("write", target), target.open("wb") as stream:
            write_stream(table, stream, form, work, zone)
        return
    part = aside(target)
    try:
        _copy(table, part, form, zone)
        publish_file(part, target)
    finally:
        part.unlink(missing_ok=True)


def write_stream(table: pa.Table, stream: BinaryIO, form: Format, work: Path, zone: str = "UTC") -> None:
    """Write `table` to an open stream, by way of a file in `work`: the region's own folder; its data stays there."""
    with reported("write", work):
        work.mkdir(parents=True, exist_ok=True)
        part = aside(work / f"export.{form}")
    try:
        _copy(table, part, form, zone)
        with part.open("rb") as source:
            shutil.copyfileobj(source, stream)
        stream.flush()
    finally:
        part.unlink(missing_ok=True)


def _copy(table: pa.Table, target: Path, form: Format, zone: str) -> None:
    connection = duckdb.connect()
    try:
        connection.execute(f"SET TimeZone = '{zone}'")
        connection.register("exported", table)
        connection.execute(f"COPY (SELECT * FROM exported) TO '{_quoted(target)}' ({_OPTIONS[form]})")
    except duckdb.IOException as e:
        raise StorageError(f"cannot write {target}", hint="check that the disk has space and lets you write") from e
    finally:
        connection.close()


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")
