"""Verdicts on deliveries: prepared one by one, judged in batches of those with equal headers, written aside."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from clearer_platform.bronze import DamagedDelivery, Delivery
from clearer_platform.contracts import Contract
from clearer_platform.errors import StorageError
from clearer_platform.regions import TableSource
from clearer_platform.settings import Settings
from clearer_platform.silver.bad import collect_bad
from clearer_platform.silver.counting import count_elements
from clearer_platform.silver.header import Header
from clearer_platform.silver.nested import judge_nested
from clearer_platform.silver.outcome import Refusal
from clearer_platform.silver.prepare import Prepared, prepare
from clearer_platform.silver.query import Judgement
from clearer_platform.silver.tally import tallies
from clearer_platform.silver.validate import Share, Years, judge
from clearer_platform.silver.verdict import Part, Sheet, Verdict, outcome_of, outcomes
from clearer_platform.silver.write import write_aside
from clearer_platform.storage import reported

MOST_FILES = 500
"""Deliveries judged in one query, however small they are."""
AHEAD = 8
"""Deliveries that are prepared while the engine is busy with those before them."""
WRITERS = 2
"""Deliveries whose files are written and audited at the same time."""
Found = Prepared | Refusal | DamagedDelivery
"""What preparing a delivery comes to."""


@dataclass
class Bench:
    """What judging the deliveries of one table of one region needs."""

    contract: Contract
    source: Callable[[Delivery], TableSource]
    """How a delivery is read."""
    nested: Sequence[tuple[Contract, TableSource]]
    """The tables nested in it, as `Platform.children` has them."""
    settings: Settings
    work: Path
    fingerprint: Callable[[Delivery], str]
    aside: Callable[[Delivery, str], Path]
    """Where the file of a delivery and a table is to be written."""
    damaged: list[tuple[Delivery, DamagedDelivery]] = field(default_factory=list)
    """Deliveries that no verdict was given on, for bronze no longer has their bytes."""
    years: Years = field(default_factory=Years)

    def verdicts(self, con: duckdb.DuckDBPyConnection, deliveries: Iterable[Delivery]) -> Iterator[Verdict]:
        """A verdict on each delivery, in any order; each is to be dealt with before the next is asked for.

        There is none on those that are `damaged` then.
        """
        waiting: dict[tuple[str, Header], list[Prepared]] = {}
        try:
            for delivery, prepared in self._prepared_ahead(deliveries):
                if isinstance(prepared, DamagedDelivery):
                    self.damaged.append((delivery, prepared))
                    continue
                if isinstance(prepared, Refusal):
                    yield self._refused(delivery, prepared)
                    continue
                batch = waiting.setdefault((self.source(delivery).fingerprint, prepared.header), [])
                batch.append(prepared)
                if sum(p.size for p in batch) >= self.settings.batch_bytes or len(batch) >= MOST_FILES:
                    yield from self._judged(con, batch)
                    batch.clear()
            for batch in waiting.values():
                if batch:
                    yield from self._judged(con, batch)
        finally:
            for batch in waiting.values():
                for prepared in batch:
                    prepared.remove()

    def _prepared_ahead(self, deliveries: Iterable[Delivery]) -> Iterator[tuple[Delivery, Found]]:
        """Each delivery with what preparing it came to; a thread is a few ahead, while the engine judges and writes."""
        begun: deque[tuple[Delivery, Future[Found]]] = deque()
        with ThreadPoolExecutor(1, "prepare") as thread:
            try:
                for delivery in deliveries:
                    begun.append((delivery, thread.submit(self._found, delivery)))
                    if len(begun) > AHEAD:
                        first, prepared = begun.popleft()
                        yield first, prepared.result()
                while begun:
                    first, prepared = begun.popleft()
                    yield first, prepared.result()
            finally:
                for _, left in begun:
                    if not left.cancel() and not left.exception() and isinstance(unused := left.result(), Prepared):
                        unused.remove()

    def _found(self, delivery: Delivery) -> Found:
        try:
            return self._prepared(delivery)
        except (Refusal, DamagedDelivery) as e:
            return e
        except StorageError as e:
            if isinstance(e.__cause__, FileNotFoundError):
                return DamagedDelivery(delivery.content, f"is gone, with what was delivered as {delivery}")
            raise

    def _prepared(self, delivery: Delivery) -> Prepared:
        with reported("read", delivery.content):
            source, most = self.source(delivery), self.settings.max_delivery_bytes
            prepared = prepare(delivery, self.contract, source, self.work, most)
        stated = delivery.manifest.record_count
        if stated is not None and stated != prepared.count:
            prepared.remove()
            raise Refusal("record_count", f"the sender counted {stated:,} records, {prepared.count:,} are in it")
        return prepared

    def _judged(self, con: duckdb.DuckDBPyConnection, batch: Sequence[Prepared]) -> Iterator[Verdict]:
        """Verdicts on deliveries that are read alike and have the same header."""
        source, first = self.source(batch[0].delivery), batch[0]
        judgement = Judgement(self.contract, source, first.header, first.in_batches)
        for shares, unreadable in judge(con, judgement, batch, self.years):
            for prepared, refusal in unreadable:
                yield self._refused(prepared.delivery, refusal, prepared.count)
            if shares:
                yield from self._all_written(con, self._sheets(con, judgement, shares), shares)
        for prepared in batch:
            prepared.remove()

    def _sheets(self, con: duckdb.DuckDBPyConnection, judgement: Judgement, shares: Sequence[Share]) -> list[Sheet]:
        """What the batch in `judged` comes to: in the nested tables, and in its own."""
        collect_bad(con, judgement, shares)
        nested = [judge_nested(con, judgement, *one, shares, self.years) for one in self.nested]
        counts = [*count_elements(con, judgement, nested, shares), [share.prepared.count for share in shares]]
        return [Sheet(j, tallies(con, j, shares, n)) for j, n in zip([*nested, judgement], counts, strict=True)]

    def _all_written(
        self, con: duckdb.DuckDBPyConnection, sheets: Sequence[Sheet], shares: Sequence[Share]
    ) -> Iterator[Verdict]:
        """The verdicts in order. Some files are written side by side: one alone leaves cores without anything to do."""
        with ThreadPoolExecutor(WRITERS, "write") as threads:
            numbers = range(len(shares))
            yield from threads.map(lambda n: self._written(con.cursor(), sheets, n, shares[n]), numbers)

    def _written(self, con: duckdb.DuckDBPyConnection, sheets: Sequence[Sheet], number: int, share: Share) -> Verdict:
        delivery, parts = share.prepared.delivery, []
        found = outcomes(delivery, self.fingerprint(delivery), sheets, number)
        for sheet, outcome in zip(sheets, found, strict=True):
            place = self.aside(delivery, outcome.table)
            write_aside(con, sheet.judgement, number, share, outcome, place)
            parts.append(Part(outcome, place))
        return Verdict(delivery, tuple(parts))

    def _refused(self, delivery: Delivery, refusal: Refusal, count: int = 0) -> Verdict:
        """The verdict on a delivery that could not be judged. Nothing is known of the elements in it."""
        parts = []
        for contract in (*(child for child, _ in self.nested), self.contract):
            number = count if contract is self.contract else 0
            update = {"delivered": number, "rejected": number, "problems": [refusal.problem]}
            base = outcome_of(delivery, contract.name, self.fingerprint(delivery))
            parts.append(Part(base.model_copy(update=update), None))
        return Verdict(delivery, tuple(parts))


@contextmanager
def connection(settings: Settings, work: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """An engine in memory, within the settings' limits, that spills into `work`.

    Raises StorageError for what a disk or the limits refuse it.
    """
    spill = work / "spill"
    options: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": settings.memory_limit,
        "temp_directory": str(spill),
        "checkpoint_threshold": "1TB",  # tidying up after deletions would give rows other rowids
    }
    if settings.threads:
        options["threads"] = settings.threads
    con = duckdb.connect(":memory:", config=options)
    try:
        con.execute("SET GLOBAL TimeZone = 'UTC'")  # of its cursors too
        yield con
    except (duckdb.IOException, duckdb.OutOfMemoryException) as e:
        raise StorageError(
            f"what was delivered could not be judged: {str(e).splitlines()[0]}",
            hint="free disk space or memory (CLEARER_MEMORY_LIMIT), look whether this user may write, and run again",
        ) from e
    finally:
        con.close()
