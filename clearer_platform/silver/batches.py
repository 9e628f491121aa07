"""Verdicts on deliveries: prepared one by one, judged in batches of those with equal headers, written aside."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from clearer_platform.bronze import Delivery
from clearer_platform.contracts import Contract
from clearer_platform.regions import TableSource
from clearer_platform.settings import Settings
from clearer_platform.silver.bad import collect_bad
from clearer_platform.silver.header import Header
from clearer_platform.silver.outcome import Outcome, Problem, Refusal
from clearer_platform.silver.prepare import Prepared, prepare
from clearer_platform.silver.query import Judgement
from clearer_platform.silver.tally import Tally, tallies
from clearer_platform.silver.validate import Share, Years, judge
from clearer_platform.silver.write import write_aside
from clearer_platform.storage import reported

MOST_FILES = 500
"""Deliveries judged in one query, however small they are."""
AHEAD = 8
"""Deliveries that are prepared while the engine is busy with those before them."""


@dataclass(frozen=True)
class Verdict:
    """What came of one delivery."""

    delivery: Delivery
    outcome: Outcome
    written: Path | None
    """All its records, judged, in a local Parquet file that is not published yet; None where it was not judged."""


@dataclass
class Bench:
    """What judging the deliveries of one table of one region needs."""

    contract: Contract
    source: TableSource
    settings: Settings
    work: Path
    fingerprint: Callable[[Delivery], str]
    aside: Callable[[Delivery], Path]
    """Where the file of a delivery is to be written."""
    years: Years = field(default_factory=Years)

    def verdicts(self, con: duckdb.DuckDBPyConnection, deliveries: Iterable[Delivery]) -> Iterator[Verdict]:
        """A verdict on each delivery, in any order; each is to be dealt with before the next is asked for."""
        waiting: dict[Header, list[Prepared]] = {}
        try:
            for delivery, prepared in self._prepared_ahead(deliveries):
                if isinstance(prepared, Refusal):
                    yield Verdict(delivery, self._refused(delivery, prepared), None)
                    continue
                batch = waiting.setdefault(prepared.header, [])
                batch.append(prepared)
                if sum(p.size for p in batch) >= self.settings.batch_bytes or len(batch) >= MOST_FILES:
                    yield from self._judged(con, prepared.header, batch)
                    batch.clear()
            for header, batch in waiting.items():
                if batch:
                    yield from self._judged(con, header, batch)
        finally:
            for batch in waiting.values():
                for prepared in batch:
                    prepared.remove()

    def _prepared_ahead(self, deliveries: Iterable[Delivery]) -> Iterator[tuple[Delivery, Prepared | Refusal]]:
        """Each delivery with what preparing it came to; a thread is a few ahead, while the engine judges and writes."""
        begun: deque[tuple[Delivery, Future[Prepared | Refusal]]] = deque()
        with ThreadPoolExecutor(1, "prepare") as thread:
            try:
                for delivery in deliveries:
                    begun.append((delivery, thread.submit(self._prepared_or_refusal, delivery)))
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

    def _prepared_or_refusal(self, delivery: Delivery) -> Prepared | Refusal:
        try:
            return self._prepared(delivery)
        except Refusal as refusal:
            return refusal

    def _prepared(self, delivery: Delivery) -> Prepared:
        with reported("read", delivery.content):
            prepared = prepare(delivery, self.contract, self.source, self.work, self.settings.max_delivery_bytes)
        stated = delivery.manifest.record_count
        if stated is not None and stated != prepared.count:
            prepared.remove()
            raise Refusal("record_count", f"the sender counted {stated:,} records, {prepared.count:,} are in it")
        return prepared

    def _judged(self, con: duckdb.DuckDBPyConnection, header: Header, batch: Sequence[Prepared]) -> Iterator[Verdict]:
        judgement = Judgement(self.contract, self.source, header)
        for shares, unreadable in judge(con, judgement, batch, self.years):
            for prepared, refusal in unreadable:
                yield Verdict(prepared.delivery, self._refused(prepared.delivery, refusal, prepared.count), None)
            if shares:
                collect_bad(con, judgement, shares)
                for number, (share, found) in enumerate(zip(shares, tallies(con, judgement, shares), strict=True)):
                    yield self._written(con, judgement, number, share, found)
        for prepared in batch:
            prepared.remove()

    def _written(
        self, con: duckdb.DuckDBPyConnection, judgement: Judgement, number: int, share: Share, found: Tally
    ) -> Verdict:
        delivery = share.prepared.delivery
        outcome = self._outcome(share.prepared, found)
        place = self.aside(delivery)
        write_aside(con, judgement, number, share, outcome, place)
        return Verdict(delivery, outcome, place)

    def _outcome(self, prepared: Prepared, found: Tally) -> Outcome:
        count, most = prepared.count, self.contract.max_rejected
        problems = [*prepared.header.problems, *found.problems]
        is_refused = count > 0 and found.rejected / count > most
        if is_refused:
            share = f"{found.rejected:,} of {count:,} records are rejected ({found.rejected / count:.1%})"
            problems.insert(
                0,
                Problem(
                    rule="delivery.rejected_share", message=f"{share}; at most {most:.1%} may be", count=found.rejected
                ),
            )
        return self._base(prepared.delivery).model_copy(
            update={
                "status": "refused" if is_refused else "published",
                "delivered": count,
                "accepted": count - found.rejected,
                "rejected": found.rejected,
                "rules": found.rules,
                "warnings": found.warnings,
                "problems": problems,
                "extra_columns": list(prepared.header.extra),
                "judged": True,
            }
        )

    def _refused(self, delivery: Delivery, refusal: Refusal, count: int = 0) -> Outcome:
        return self._base(delivery).model_copy(
            update={"delivered": count, "rejected": count, "problems": [refusal.problem]}
        )

    def _base(self, delivery: Delivery) -> Outcome:
        return Outcome(
            region=delivery.region,
            table=delivery.table,
            day=delivery.day,
            slot=delivery.slot,
            delivery=delivery.id,
            fingerprint=self.fingerprint(delivery),
            status="refused",
            bytes=delivery.manifest.size,
        )


@contextmanager
def connection(settings: Settings, work: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """An engine in memory, within the settings' limits, that spills into `work`."""
    spill = work / "spill"
    options: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": settings.memory_limit,
        "temp_directory": str(spill),
    }
    if settings.threads:
        options["threads"] = settings.threads
    con = duckdb.connect(":memory:", config=options)
    try:
        con.execute("SET TimeZone = 'UTC'")
        yield con
    finally:
        con.close()
