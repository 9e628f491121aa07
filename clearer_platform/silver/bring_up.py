"""Bringing silver up to date with bronze: what is not current is validated, audited and published, slot by slot.

For each slot the newest delivery that passes is published, and what was refused since stands beside it. A slot's files
are put in place in an order that makes every moment in between one from which running again ends in the same state: the
refusals, the copy in the global root, the silver file, and at last the removal of what no longer holds.
"""

from collections.abc import Callable, Collection
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from clearer_platform import bronze, storage
from clearer_platform.bronze import Delivery, Slot
from clearer_platform.platform import Platform
from clearer_platform.silver.batches import Bench, Verdict, connection
from clearer_platform.silver.outcome import Outcome
from clearer_platform.silver.states import REFUSALS, Place, SlotState, expected_fingerprint, outcome_at, state


@dataclass
class Walk:
    """One slot on its way from the newest delivery to the first that passes."""

    slot: Slot
    place: Place
    known: dict[str, Outcome]
    """Verdicts that still hold, by fingerprint."""
    refused: list[Outcome] = field(default_factory=list)

    @property
    def next(self) -> Delivery | None:
        """The delivery to look at; None when all were refused."""
        number = len(self.refused)
        return self.slot.deliveries[number] if number < len(self.slot.deliveries) else None


def bring_up(
    platform: Platform,
    region: str,
    table: str,
    days: Collection[date] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[SlotState]:
    """Validate what is not current of a table (of `days`, or all); the state of every slot afterwards.

    Running it again, after any interruption, changes nothing that is already right. `progress` is told the number of
    slots done and of all. Raises UnknownName, StorageError, or Busy where another process is at it.
    """
    layout, contract = platform.layout(region), platform.contract(table)
    bench_work = layout.work / "silver" / table
    with ExitStack() as locks:
        locks.enter_context(layout.lock(f"silver-{table}"))
        if contract.shared:
            locks.enter_context(platform.global_layout.lock(f"silver-{table}"))
        storage.clear_leftovers(bench_work)
        found = [state(platform, slot) for slot in bronze.slots(layout, table, days)]
        due = [number for number, one in enumerate(found) if not one.is_current]
        if due:
            _clear(platform, region, table)
            told = _told(progress, len(found), len(found) - len(due))
            _settle_all(platform, _bench(platform, region, table, bench_work), [found[n] for n in due], told)
        for number in due:
            found[number] = state(platform, found[number].slot)
        return found


def _bench(platform: Platform, region: str, table: str, work: Path) -> Bench:
    def aside(delivery: Delivery) -> Path:
        """Beside its target, so that publishing is a rename; in the work folder where the target is a bucket."""
        target = platform.layout(region).silver_file(table, delivery.day, delivery.slot)
        return storage.aside(storage.local(target) if storage.is_local(target) else work / target.name)

    return Bench(
        contract=platform.contract(table),
        source=platform.region(region).source(table),
        settings=platform.settings,
        work=work,
        fingerprint=lambda delivery: expected_fingerprint(platform, delivery),
        aside=aside,
    )


def _clear(platform: Platform, region: str, table: str) -> None:
    """Remove what a killed process left in the folders that the held locks are for."""
    layout = platform.layout(region)
    folders = [layout.silver(table), layout.refused(table)]
    if platform.contract(table).shared:
        folders.append(platform.global_layout.silver(table))
    for folder in folders:
        if storage.is_local(folder):
            storage.clear_leftovers(storage.local(folder))


def _told(progress: Callable[[int, int], None] | None, total: int, done: int) -> Callable[[], None]:
    """Call it once per settled slot."""
    count = done

    def one_more() -> None:
        nonlocal count
        count += 1
        if progress:
            progress(count, total)

    return one_more


def _settle_all(platform: Platform, bench: Bench, due: list[SlotState], told: Callable[[], None]) -> None:
    """Walk every slot to its end. Each round judges one delivery of every slot that is still on its way."""
    walks = [_walk(platform, one) for one in due]
    with connection(platform.settings, bench.work) as con:
        while walks:
            asked: dict[str, Walk] = {}
            deliveries: list[Delivery] = []
            for walk in walks:
                delivery = _advance(walk, bench)
                if delivery is None:
                    _settle(walk, None)
                    told()
                elif (fingerprint := bench.fingerprint(delivery)) in walk.known:
                    _settle(walk, Verdict(delivery, walk.known[fingerprint], None))
                    told()
                else:
                    asked[_name(delivery)] = walk
                    deliveries.append(delivery)
            walks = []
            for verdict in bench.verdicts(con, deliveries):
                walk = asked[_name(verdict.delivery)]
                if verdict.outcome.status == "published":
                    _settle(walk, verdict)
                    told()
                else:
                    _refuse(walk, verdict)
                    walks.append(walk)


def _name(delivery: Delivery) -> str:
    return f"{delivery.day}/{delivery.slot}"


def _walk(platform: Platform, one: SlotState) -> Walk:
    place = Place.of(platform, one.slot)
    known = {outcome.fingerprint: outcome for outcome in one.refused}
    records = outcome_at(place.records)
    for outcome in one.refused:
        # Records are kept of the newest delivery alone: one that has become the newest is judged again.
        is_newest = outcome.delivery == one.slot.current.id
        if is_newest and outcome.judged and (records is None or records.fingerprint != outcome.fingerprint):
            del known[outcome.fingerprint]
    if one.published:
        known[one.published.fingerprint] = one.published
    return Walk(one.slot, place, known)


def _advance(walk: Walk, bench: Bench) -> Delivery | None:
    """Pass over what is known to be refused; the delivery to look at then."""
    while delivery := walk.next:
        known = walk.known.get(bench.fingerprint(delivery))
        if known is None or known.status == "published":
            return delivery
        walk.refused.append(known)
    return None


def _refuse(walk: Walk, verdict: Verdict) -> None:
    """Note a refusal; the judged records of the slot's newest delivery are kept for the quarantine."""
    if verdict.written:
        if walk.refused:
            verdict.written.unlink()
        else:
            storage.publish_file(verdict.written, walk.place.records)
    walk.refused.append(verdict.outcome)


def _settle(walk: Walk, passed: Verdict | None) -> None:
    """Put a slot's files in place. The silver file comes last of what is written, removals come after it."""
    place, refused = walk.place, walk.refused
    if refused:
        storage.publish_bytes(REFUSALS.dump_json(refused, indent=1), place.refusals)
    if passed and place.shared and outcome_at(place.shared) != passed.outcome:
        _copy(passed.written, walk)
    if passed and passed.written:
        storage.publish_file(passed.written, place.silver)
    if not refused:
        storage.remove(place.refusals)
    if not refused or not refused[0].judged:
        storage.remove(place.records)
    if not passed:
        storage.remove(place.silver)
        if place.shared:
            storage.remove(place.shared)


def _copy(written: Path | None, walk: Walk) -> None:
    """Publish a copy of the slot's silver file in the global root."""
    place = walk.place
    assert place.shared is not None
    if written is None:
        with storage.reported("read", place.silver):
            data = place.silver.read_bytes()
    else:
        data = written.read_bytes()
    storage.publish_bytes(data, place.shared)
