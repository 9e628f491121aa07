"""The spool: rows of a reading in files of the region's work folder, on their way to becoming deliveries."""

import io
import re
import shutil
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from clearer_platform.sources.sql.columns import Column, Kind
from clearer_platform.storage import PARTIAL, reported

QUOTED = re.compile(rb'"[^"]*"')
"""What stands in quotes: a watermark never does, however long the texts beside it are."""


class NullTaken(Exception):
    """A text of the table is what means no value: another text has to mean it."""


@dataclass(frozen=True)
class Piece:
    """Some rows, in a file under a header."""

    path: Path
    rows: int
    longest: int
    """Bytes of the longest row."""
    first: str | None
    """The watermark of the first row; None without one."""
    last: str | None


class Spool:
    """Writes rows to files in `folder`."""

    def __init__(self, folder: Path, columns: Sequence[Column], null: str, watermark: str | None) -> None:
        self.folder, self.columns, self.null = folder, columns, null
        self.header = header(column.name for column in columns).encode()
        self._place = [column.name for column in columns].index(watermark) if watermark else None
        # Only text stands in quotes: what means no value must not be one.
        self._taken = f'"{null}"'.encode() if any(column.kind is Kind.TEXT for column in columns) else None

    def pieces(self, rows: Iterable[list[bytes]], size: int | None) -> Iterator[Piece]:
        """The rows in files of about `size` rows each (None: in one); none where there are no rows.

        Rows with the same watermark are in one piece. Raises NullTaken.
        """
        waiting = iter(rows)
        left = next(waiting, [])
        while left:
            path, first, last = self.folder / f"{PARTIAL}{uuid.uuid4().hex}", left[0], left[-1]
            count = longest = 0
            with _writing(path) as f:
                f.write(self.header)
                while left:
                    room = len(left) if size is None else size - count
                    taken, left = (left, []) if room >= len(left) else self._cut(left, room, last)
                    self._write(f, taken)
                    count += len(taken)
                    longest = max(longest, *map(len, taken), 0)
                    last = taken[-1] if taken else last
                    if left:
                        break
                    left = next(waiting, [])
            yield Piece(path, count, longest, self.watermark(first), self.watermark(last))

    def nothing(self) -> Piece:
        """No rows, under a header."""
        path = self.folder / f"{PARTIAL}{uuid.uuid4().hex}"
        path.write_bytes(self.header)
        return Piece(path, 0, 0, None, None)

    def watermark(self, row: bytes) -> str | None:
        """The watermark of a row."""
        if self._place is None:
            return None
        value = QUOTED.sub(b"", row).rstrip(b"\n").split(b",")[self._place].decode()
        return None if value == self.null else value

    def _cut(self, rows: list[bytes], room: int, before: bytes) -> tuple[list[bytes], list[bytes]]:
        """The rows that a piece takes after the row `before`, and those that go into the next."""
        at = max(room, 0)
        if self._place is not None:
            current = self.watermark(rows[at - 1] if at else before)
            while at < len(rows) and self.watermark(rows[at]) == current:
                at += 1
        return rows[:at], rows[at:]

    def _write(self, f: io.BufferedWriter, rows: list[bytes]) -> None:
        block = b"".join(rows)
        if self._taken and self._taken in block:
            raise NullTaken
        # A server that goes away while its rows are taken is no trouble of the disk.
        with reported("write", self.folder):
            f.write(block)


@contextmanager
def _writing(path: Path) -> Iterator[io.BufferedWriter]:
    with reported("write", path):
        f = path.open("wb")
    try:
        yield f
    finally:
        with reported("write", path):
            f.close()


def cleared(folder: Path) -> Path:
    """`folder`, without what a killed process left in it. Only under the table's lock."""
    with reported("write", folder):
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir(parents=True)
    return folder


def header(names: Iterable[str]) -> str:
    """The line above rows that says what their columns are called on the server."""
    return f"{','.join(map(_quoted, names))}\n"


def _quoted(name: str) -> str:
    return f'"{name.replace(chr(34), chr(34) * 2)}"'
