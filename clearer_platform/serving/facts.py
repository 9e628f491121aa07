"""What is known of every region, table and business day, gathered from bronze, silver and gold.

Status and plan are pure functions of these facts, so that neither needs a disk, a clock or Dagster to be tested.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from clearer_platform import gold, silver, sources
from clearer_platform.platform import Platform
from clearer_platform.regions import Region
from clearer_platform.silver import Outcome, SlotState


@dataclass(frozen=True)
class SlotFacts:
    """What is known of one slot."""

    name: str
    is_current: bool
    """Everything delivered for it has been judged under today's contract, registry entry and code."""
    is_refused: bool
    """Its newest delivery was refused as a whole."""
    delivered: int
    accepted: int
    rejected: int
    """Records of the published version; 0 where there is none."""
    received_at: datetime
    """When its first delivery came."""


@dataclass(frozen=True)
class TableDay:
    """What is known of one table of one region on one business day."""

    region: str
    table: str
    day: date
    is_due: bool
    """Whether a delivery is due; of a nested table none ever is, its parent's is."""
    deadline: datetime
    """The instant after which a delivery is late."""
    has_new_file: bool
    """A file in the landing folder, or a batch, that bronze does not have yet."""
    slots: tuple[SlotFacts, ...]
    in_gold: bool
    """Gold contains exactly what silver holds for this day, and no restored backup stands in the place of."""

    @property
    def is_there(self) -> bool:
        """Whether anything has come for it."""
        return bool(self.slots) or self.has_new_file

    @property
    def rejected(self) -> int:
        """Records that broke rules in what is published of it."""
        return sum(slot.rejected for slot in self.slots)


def gather(
    platform: Platform,
    regions: Iterable[str],
    now: datetime,
    *,
    tables: Collection[str] | None = None,
    start: date | None = None,
    end: date | None = None,
) -> list[TableDay]:
    """The facts of `regions` from `start` (or the region's first day) to `end` (or the last day begun or delivered)."""
    found: list[TableDay] = []
    for name in regions:
        region = platform.region(name)
        contained = gold.contained(platform, name)
        for table in platform.tables(name):
            if tables is None or table in tables:
                found += _of_table(platform, region, table, contained, now, start, end)
    return found


def behind_shared(platform: Platform, region: str) -> list[date]:
    """The days of tables that another region delivers for all, of which this region's gold is not up to date."""
    shared = [t.name for t in platform.contracts.values() if t.shared and t.name not in platform.region(region).tables]
    if not shared:
        return []
    in_gold = {key: fingerprint for key, fingerprint in gold.contained(platform, region).items() if key[0] in shared}
    delivered: dict[tuple[str, date, str], str] = {}
    for other in platform.registry.regions.values():
        for table in set(shared) & set(other.tables):
            for outcome in _counting(platform, table, silver.states(platform, other.name, table)):
                delivered[table, outcome.day, outcome.slot] = outcome.fingerprint
    return sorted({day for _, day, _ in dict(in_gold.items() ^ delivered.items())})


def holds_what_has_ended(platform: Platform, region: str) -> bool:
    """Whether the region's gold has rows of a table that the registry names for it no more."""
    known = {*platform.tables(region), *(t.name for t in platform.contracts.values() if t.shared)}
    return any(table not in known for table, _, _ in gold.contained(platform, region))


def _of_table(
    platform: Platform,
    region: Region,
    table: str,
    contained: Mapping[tuple[str, date, str], str],
    now: datetime,
    start: date | None,
    end: date | None,
) -> list[TableDay]:
    states: dict[date, list[SlotState]] = defaultdict(list)
    everything = silver.states(platform, region.name, table)
    for state in everything:
        states[state.slot.day].append(state)
    expected: dict[date, dict[str, str]] = defaultdict(dict)
    for outcome in _counting(platform, table, everything):
        expected[outcome.day][outcome.slot] = outcome.fingerprint
    in_gold: dict[date, dict[str, str]] = defaultdict(dict)
    for (name, day, slot), fingerprint in contained.items():
        if name == table:
            in_gold[day][slot] = fingerprint
    delivered = platform.delivered(table)
    new = {arrival.day for arrival in sources.changed(platform, region.name, delivered)}
    new |= sources.batches.pending(platform, region.name).get(delivered, {}).keys()
    known = {*states, *in_gold, *new}
    first = start or min({region.start, *known})
    last = end or max({region.today(now), *known})
    return [
        TableDay(
            region=region.name,
            table=table,
            day=day,
            is_due=table in region.tables and region.is_due(table, day),
            deadline=deadline(region, day),
            has_new_file=day in new,
            slots=tuple(_slot(state) for state in states.get(day, [])),
            in_gold=in_gold.get(day, {}) == expected.get(day, {}),
        )
        for day in days_between(first, last)
    ]


def deadline(region: Region, day: date) -> datetime:
    """The instant after which a delivery for `day` is late."""
    return datetime.combine(day + timedelta(days=1), region.cutoff, region.zone)


def _counting(platform: Platform, table: str, states: Iterable[SlotState]) -> list[Outcome]:
    """What is published of a table of one region and takes part in gold."""
    published = [state.published for state in states if state.published]
    return silver.that_count(published, platform.contract(table).load_mode)


def days_between(first: date, last: date) -> list[date]:
    """Every day from `first` to `last`, both included."""
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


def _slot(state: SlotState) -> SlotFacts:
    outcome = state.published
    return SlotFacts(
        name=state.slot.name,
        is_current=state.is_current,
        is_refused=is_refused(state),
        delivered=outcome.delivered if outcome else 0,
        accepted=outcome.accepted if outcome else 0,
        rejected=outcome.rejected if outcome else 0,
        received_at=state.slot.deliveries[-1].manifest.received_at,
    )


def is_refused(state: SlotState) -> bool:
    """Whether the newest delivery of a slot was judged, and refused as a whole."""
    return any(refusal.delivery == state.slot.current.id for refusal in state.refused)
