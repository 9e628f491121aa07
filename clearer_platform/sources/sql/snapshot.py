"""One snapshot of a table, and what was delivered of it by then: what of it is news, and delivering that."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path

from clearer_platform.bronze import Extract, Found, Receipt, receive
from clearer_platform.contracts import Contract, LoadMode
from clearer_platform.platform import Platform
from clearer_platform.regions import Layout, SqlSource, TableSource
from clearer_platform.sources.sql import watermarks
from clearer_platform.sources.sql.columns import Column, Kind
from clearer_platform.sources.sql.comparing import Compared, Differences, differences
from clearer_platform.sources.sql.delivered import ends_with, extract_of, is_restored, known
from clearer_platform.sources.sql.kept import keep
from clearer_platform.sources.sql.server import Opened, Unanswered
from clearer_platform.sources.sql.spool import Piece, Spool

Progress = Callable[[int, int], None]
"""Told the rows read so far, and how many there are."""


class Torn(Unanswered):
    """The server sent other rows than it had counted in the same snapshot."""


@dataclass
class Reading:
    """One reading of one table."""

    platform: Platform
    region: str
    table: str
    source: SqlSource
    day: date
    compare: bool
    progress: Progress
    received: list[Receipt] = field(default_factory=list)

    @property
    def layout(self) -> Layout:
        """Where its region keeps its data."""
        return self.platform.layout(self.region)

    @property
    def contract(self) -> Contract:
        """What its rows must look like."""
        return self.platform.contract(self.table)

    @property
    def form(self) -> TableSource:
        """How the region writes the table."""
        return self.platform.source(self.region, self.table)


class Snapshot:
    """One attempt: a snapshot of the table, and what was delivered by then."""

    def __init__(self, reading: Reading, server: Opened, work: Path, null: str) -> None:
        self.reading, self.server, self.work, self.null = reading, server, work, null
        self.source, self.table = reading.source, server.table
        self.columns: dict[str, Column] = {column.name: column for column in server.table.columns}
        self.known = known(reading.platform, reading.region, reading.table)
        self.spool = Spool(work, server.table.columns, null, self.source.watermark)
        self._streams = ExitStack()

    def deliver(self) -> None:
        """Deliver what is new."""
        # A stream that is left in the middle must end before its connection does: psycopg would wait for it for ever.
        with self._streams:
            self._deliver()
        if not self.known or self.reading.compare:
            keep(self.reading.layout, self.reading.table, datetime.now(UTC))

    def _deliver(self) -> None:
        if self.reading.contract.load_mode is LoadMode.FULL:
            self._deliver_picture(f"{self.reading.table}.csv")
        elif (
            not self.known
            and self._mark
            and is_restored(self.reading.platform, self.reading.region, self.reading.table)
        ):
            # A backup may have brought back rows that the server has deleted: no comparison knows of them.
            self._deliver_picture(self._slot(0), anew=True)
        elif self.known and self.reading.compare:
            self._deliver_differences()
        else:
            self._deliver_rows()

    def _deliver_picture(self, slot: str, *, anew: bool = False) -> None:
        """All rows: they are the whole picture, and no part of it can come alone."""
        count, upper = self._count(self.source.watermark, None)
        piece = self._everything(count)
        self._receive(piece, slot, self._extract(piece, upper=upper, anew=anew))

    def _deliver_rows(self) -> None:
        """The rows from the last watermark on; all of them where nothing was delivered yet."""
        column = self._column
        lower = self._lower(column) if column else None
        count, upper = self._count(self.source.watermark, lower)
        order = list(dict.fromkeys([*filter(None, [self.source.watermark]), *self.key]))
        pieces = self.spool.pieces(self._rows(order, lower, count), self.source.rows)
        for number, (piece, is_last) in enumerate(_with_last(pieces)):
            if is_last and not number and self._is_old(piece):
                piece.path.unlink()
                return
            first, last = (watermarks.usable(text, column) if column else None for text in (piece.first, piece.last))
            extract = self._extract(piece, lower=lower if not number else first, upper=upper if is_last else last)
            self._receive(piece, self._slot(number), extract)

    def _deliver_differences(self) -> None:
        """What a comparison of all rows finds."""
        count, upper = self._count(self.source.watermark, None)
        everything, names = self._everything(count), list(self.columns)
        name = f"{self.reading.region} {self.reading.table}"
        how = Compared(name, everything, names, self.known, self.key, self.null, self._mark, self.source.rows)
        try:
            with differences(self.reading.platform.settings, self.work, how) as found:
                self._deliver_found(found, upper)
        finally:
            everything.path.unlink(missing_ok=True)

    def _deliver_found(self, differing: Differences, upper: str | None) -> None:
        """What is gone comes first: where the server writes a key otherwise now, its row is not.

        The last of the deliveries says that all of the table up to `upper` has been delivered.
        """
        found, gone = differing.found, len(differing.deleted)
        pieces = (*differing.deleted, *differing.changed)
        for number, piece in enumerate(pieces):
            are_deleted, is_last = number < gone, number + 1 == len(pieces)
            extract = self._extract(
                piece,
                found=found,
                columns=differing.deleted_columns if are_deleted else None,
                upper=upper if is_last else None,
                are_deleted=are_deleted,
            )
            self._receive(piece, self._slot(number, "deleted" if are_deleted else "changed"), extract)
        if found.deleted and not pieces and found != self._found_before:
            # A contract without a tombstone cannot say that rows are deleted; that they are stands here, once.
            piece = self.spool.nothing()
            self._receive(piece, self._slot(0, "found"), self._extract(piece, found=found, upper=upper))

    @property
    def _found_before(self) -> Found | None:
        return next((found for d in reversed(self.known) if (found := extract_of(d).found)), None)

    def _rows(self, order: Sequence[str], lower: str | None, count: int) -> Iterator[list[bytes]]:
        """The rows, as many as the server counted. Raises Torn where it sends more or less."""
        done = 0
        watermark = self.source.watermark if lower is not None else None
        stream = self._streams.enter_context(closing(self.table.lines(order, watermark, lower)))
        self._streams.callback(self.server.asked)
        self.server.asked()
        for some in stream:
            self.server.heard()
            done += len(some)
            self.reading.progress(done, count)
            yield some
            self.server.asked()
        self.server.heard()
        if done != count:
            raise Torn(
                f"the server counted {count:,} rows and sent {done:,}", hint="its tables need transactions (InnoDB)"
            )

    def _count(self, watermark: str | None, lower: str | None) -> tuple[int, str | None]:
        """How many rows there are from `lower` on, and up to where the table is read with them."""
        self.server.asked()
        count, upper = self.table.count(watermark, lower)
        self.server.answered()
        if self._column is None or (upper := watermarks.usable(upper, self._column)) is None:
            return count, None
        return count, watermarks.capped(upper, self._column, self.server.read_at, self.reading.form.timezone)

    @property
    def _column(self) -> Column | None:
        """The watermark's column."""
        return self.columns[self.source.watermark] if self.source.watermark else None

    def _lower(self, column: Column) -> str | None:
        """From where to read on: an overlap below the highest watermark of all deliveries since the last comparison.

        That saw all rows: where a table was emptied and begins anew, the watermarks of before are reached no more.
        """
        uppers: list[str] = []
        for extract in map(extract_of, reversed(self.known)):
            if self._is_same(extract, column) and (text := watermarks.usable(extract.upper, column)):
                uppers.append(text)
                if extract.found:
                    break
        upper, zone = watermarks.highest(uppers, column), self.reading.form.timezone
        return None if upper is None else watermarks.lower_of(upper, column, self.source.overlap, zone)

    def _is_same(self, extract: Extract, column: Column) -> bool:
        """Whether a delivery was read by the column by which the table is read now, and on the same clock."""
        was_utc = extract.watermark in extract.utc
        return extract.watermark == self.source.watermark and was_utc == (column.kind is Kind.INSTANT)

    def _is_old(self, piece: Piece) -> bool:
        """Whether the rows of a reading are the last ones of the delivery before: nothing has come since."""
        before = next((d for d in reversed(self.known) if not extract_of(d).found), None)
        if before is None or extract_of(before).columns != tuple(self.columns) or extract_of(before).null != self.null:
            return False
        return ends_with(before, piece.path, len(self.spool.header))

    def _receive(self, piece: Piece, slot: str, extract: Extract) -> None:
        reading = self.reading
        receipt = receive(
            reading.layout,
            reading.table,
            reading.day,
            slot,
            piece.path,
            origin=f"{self.source.address.render_as_string()} {self.source.table}",
            record_count=piece.rows,
            extract=extract,
        )
        piece.path.unlink(missing_ok=True)
        reading.received.append(receipt)

    def _extract(
        self,
        piece: Piece,
        *,
        columns: Sequence[str] | None = None,
        lower: str | None = None,
        upper: str | None = None,
        found: Found | None = None,
        are_deleted: bool = False,
        anew: bool = False,
    ) -> Extract:
        return Extract(
            columns=tuple(columns or self.columns),
            longest=piece.longest,
            read_at=self.server.read_at,
            null=self.null,
            utc=tuple(name for name, column in self.columns.items() if column.kind is Kind.INSTANT),
            watermark=self.source.watermark,
            lower=lower,
            upper=upper,
            found=found,
            are_deleted=are_deleted,
            anew=anew,
        )

    @property
    def key(self) -> list[str]:
        """The contract's key, by the server's names."""
        return [self.reading.form.columns.get(name, name) for name in self.reading.contract.key]

    @property
    def _mark(self) -> str | None:
        """The column that says that a row is deleted."""
        name = self.reading.contract.tombstone
        return self.reading.form.columns.get(name, name) if name else None

    def _slot(self, number: int, what: str = "") -> str:
        """A slot of its own for every delivery: none replaces another."""
        stamp = f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}"
        return "-".join(filter(None, (self.reading.table, stamp, what, f"{number + 1}" if number else ""))) + ".csv"

    def _everything(self, count: int) -> Piece:
        """All rows in one file; where there are none, a header alone."""
        pieces = list(self.spool.pieces(self._rows(self.key, None, count), None))
        return pieces[0] if pieces else self.spool.nothing()


def _with_last(pieces: Iterator[Piece]) -> Iterator[tuple[Piece, bool]]:
    """Each, and whether it is the last: known only once there is another, or the rows are at their end."""
    before = next(pieces, None)
    while before is not None:
        after = next(pieces, None)
        yield before, after is None
        before = after
