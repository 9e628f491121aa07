"""Bringing silver up to date with bronze: what is not current is validated, audited and published, slot by slot.

For each slot the newest delivery that passes is published, and what was refused since stands beside it. A slot's files
are put in place in an order that makes every moment in between one from which running again ends in the same state: the
refusals, the copy in the global root, the silver files (those of nested tables first), and at last the removal of what
no longer holds.
"""

from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path

from upath import UPath

from clearer_platform import bronze, storage
from clearer_platform.bronze import DamagedDelivery, Delivery, Slot
from clearer_platform.errors import StorageError
from clearer_platform.platform import Platform
from clearer_platform.silver.batches import Bench, connection
from clearer_platform.silver.outcome import Outcome
from clearer_platform.silver.states import (
    REFUSALS,
    Place,
    SlotState,
    expected_fingerprint,
    outcome_at,
    places,
    read_as,
    refusals_at,
    state,
)
from clearer_platform.silver.verdict import Part, Verdict


class Unsettled(StorageError):
    """Slots of which nothing can be said, for bronze no longer has the bytes delivered for them."""

    def __init__(self, damaged: Sequence[tuple[Delivery, DamagedDelivery]]) -> None:
        _, first = damaged[0]
        more = f" (and {len(damaged) - 1} more)" if len(damaged) > 1 else ""
        super().__init__(f"{first.message}{more}", hint=first.hint)
        self.by_day = {delivery.day: error for delivery, error in damaged}
        """Why nothing can be said of a day."""


@dataclass
class Walk:
    """One slot on its way from the newest delivery to the first that passes."""

    slot: Slot
    places: list[Place]
    """Its files, in the order in which they are put in place: those of the table that was delivered are the last."""
    known: dict[str, tuple[Outcome, ...]]
    """Verdicts that still hold, by fingerprint: an outcome for each of the places."""
    refused: list[tuple[Outcome, ...]] = field(default_factory=list)

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

    A table that is nested in another is validated with it, from the same deliveries.

    Running it again, after any interruption, changes nothing that is already right. `progress` is told the number of
    slots done and of all. Raises UnknownName, StorageError, or Busy where another process is at it, and Unsettled
    where bronze no longer has what was delivered: those slots are left as they were, and all others are brought up.
    """
    layout, delivered = platform.layout(region), platform.delivered(table)
    bench_work = layout.work / "silver" / delivered
    with ExitStack() as locks:
        locks.enter_context(layout.lock(f"silver-{delivered}"))
        if platform.contract(delivered).shared:
            locks.enter_context(platform.global_layout.lock(f"silver-{delivered}"))
        storage.clear_leftovers(bench_work)
        slots = bronze.slots(layout, delivered, days)
        found = [state(platform, slot, table) for slot in slots]
        due = [number for number, one in enumerate(found) if not one.is_current]
        if due:
            _clear(platform, region, delivered)
            told = _told(progress, len(found), len(found) - len(due))
            bench = _bench(platform, region, delivered, bench_work)
            _settle_all(platform, bench, [slots[n] for n in due], told)
            if bench.damaged:
                raise Unsettled(bench.damaged)
        for number in due:
            found[number] = state(platform, slots[number], table)
        return found


def judged(platform: Platform, delivery: Delivery, work: Path) -> tuple[Outcome, ...]:
    """What a delivery comes to in each table that it fills, its own last, without publishing anything of it.

    Its bytes may lie anywhere; what is written meanwhile goes into `work`, which is the caller's to clear.
    """
    bench = replace(
        _bench(platform, delivery.region, delivery.table, work), aside=lambda _, name: work / f"{name}.parquet"
    )
    with connection(platform.settings, work) as con:
        verdicts = list(bench.verdicts(con, [delivery]))
    if bench.damaged:
        raise Unsettled(bench.damaged)
    return tuple(part.outcome for verdict in verdicts for part in verdict.parts)


def _bench(platform: Platform, region: str, table: str, work: Path) -> Bench:
    source = platform.source(region, table)

    def aside(delivery: Delivery, name: str) -> Path:
        """Beside its target, so that publishing is a rename; in the work folder where the target is a bucket."""
        target = platform.layout(region).silver_file(name, delivery.day, delivery.slot)
        return storage.aside(storage.local(target) if storage.is_local(target) else work / target.name)

    return Bench(
        contract=platform.contract(table),
        source=lambda delivery: read_as(source, delivery),
        nested=[(child, platform.source(region, child.name)) for child in platform.children(table)],
        settings=platform.settings,
        work=work,
        fingerprint=lambda delivery: expected_fingerprint(platform, delivery),
        aside=aside,
    )


def _clear(platform: Platform, region: str, table: str) -> None:
    """Remove what a killed process left in the folders that the held locks are for."""
    layout = platform.layout(region)
    names = [contract.name for contract in platform.family(table)]
    folders = [folder(name) for name in names for folder in (layout.silver, layout.refused)]
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


def _settle_all(platform: Platform, bench: Bench, due: list[Slot], told: Callable[[], None]) -> None:
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
                elif known := walk.known.get(bench.fingerprint(delivery)):
                    _settle(walk, Verdict(delivery, tuple(Part(outcome, None) for outcome in known)))
                    told()
                else:
                    asked[_name(delivery)] = walk
                    deliveries.append(delivery)
            walks = []
            for verdict in bench.verdicts(con, deliveries):
                walk = asked[_name(verdict.delivery)]
                if verdict.is_published:
                    _settle(walk, verdict)
                    told()
                else:
                    _refuse(walk, verdict)
                    walks.append(walk)


def _name(delivery: Delivery) -> str:
    return f"{delivery.day}/{delivery.slot}"


def _walk(platform: Platform, slot: Slot) -> Walk:
    found = places(platform, slot)
    by_place = [_known(slot, place) for place in found]
    # A verdict holds where it does in every table.
    common = set.intersection(*(set(known) for known in by_place))
    return Walk(slot, found, {f: tuple(known[f] for known in by_place) for f in common})


def _known(slot: Slot, place: Place) -> dict[str, Outcome]:
    """The outcomes that still hold of those at one place, by fingerprint."""
    refused, published, records = refusals_at(place.refusals), outcome_at(place.silver), outcome_at(place.records)
    known = {outcome.fingerprint: outcome for outcome in refused}
    for outcome in refused:
        # Records are kept of the newest delivery alone: one that has become the newest is judged again.
        is_newest = outcome.delivery == slot.current.id
        if is_newest and outcome.judged and (records is None or records.fingerprint != outcome.fingerprint):
            del known[outcome.fingerprint]
    if published:
        known[published.fingerprint] = published
    return known


def _advance(walk: Walk, bench: Bench) -> Delivery | None:
    """Pass over what is known to be refused; the delivery to look at then."""
    while delivery := walk.next:
        known = walk.known.get(bench.fingerprint(delivery))
        if known is None or any(outcome.status == "published" for outcome in known):
            return delivery
        walk.refused.append(known)
    return None


def _refuse(walk: Walk, verdict: Verdict) -> None:
    """Note a refusal; the judged records of the slot's newest delivery are kept for the quarantine."""
    for part, place in zip(verdict.parts, walk.places, strict=True):
        if part.written and walk.refused:
            part.written.unlink()
        elif part.written:
            storage.publish_file(part.written, place.records)
    walk.refused.append(tuple(part.outcome for part in verdict.parts))


def _settle(walk: Walk, passed: Verdict | None) -> None:
    """Put a slot's files in place. The silver files come last of what is written, removals come after them."""
    for number, place in enumerate(walk.places):
        if walk.refused:
            refused = [outcomes[number] for outcomes in walk.refused]
            storage.publish_bytes(REFUSALS.dump_json(refused, indent=1), place.refusals)
    for part, place in zip(passed.parts if passed else (), walk.places, strict=bool(passed)):
        if place.shared and outcome_at(place.shared) != part.outcome:
            _copy(part.written, place, place.shared)
        if part.written:
            storage.publish_file(part.written, place.silver)
    for number, place in enumerate(walk.places):
        if not walk.refused:
            storage.remove(place.refusals)
        if not walk.refused or not walk.refused[0][number].judged:
            storage.remove(place.records)
        if not passed:
            storage.remove(place.silver)
            if place.shared:
                storage.remove(place.shared)


def _copy(written: Path | None, place: Place, shared: UPath | Path) -> None:
    """Publish a copy of a slot's silver file in the global root."""
    if written is None:
        with storage.reported("read", place.silver):
            data = place.silver.read_bytes()
    else:
        data = written.read_bytes()
    storage.publish_bytes(data, shared)
