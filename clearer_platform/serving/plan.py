"""What to run: a pure function of the facts. `--only` asks one question: is what is expected there?"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

from clearer_platform.errors import ClearerError
from clearer_platform.serving.facts import TableDay


class Only(StrEnum):
    """Which days to run, where not all."""

    MISSING = "missing"
    """Due or delivered, and not in gold."""
    FAILED = "failed"
    """The newest delivery of a slot was refused."""
    CHANGED = "changed"
    """Something new: a file, a delivery, a contract, a registry entry or code that silver or gold does not reflect."""


@dataclass(frozen=True)
class Plan:
    """The days to run of each region, and the due ones for which there is nothing to run."""

    days: dict[str, tuple[date, ...]]
    absent: dict[str, tuple[tuple[date, tuple[str, ...]], ...]]
    """Per region: days past their cut-off, and the tables of them for which nothing has come though later days have."""
    silent: dict[str, tuple[date, ...]]
    """Per region: days past their cut-off since the last for which anything came."""
    missed: Mapping[str, ClearerError] = field(default_factory=dict)
    """Per region of which nothing is run: why it could not be looked at."""

    @property
    def size(self) -> int:
        """The number of region-days to run."""
        return sum(len(days) for days in self.days.values())


def plan(
    facts: Iterable[TableDay],
    now: datetime,
    only: Collection[Only] = (),
    behind: Mapping[str, Collection[date]] | None = None,
) -> Plan:
    """The plan for the days that `facts` cover: all for which anything has come, or those that `only` names.

    A due day for which nothing has come cannot be run; it is listed as absent instead. `behind` are days of shared
    tables that a region's gold lacks: running any day of the region mends that, so they count where no other is chosen.
    """
    facts = list(facts)
    newest: dict[str, date] = {}
    for fact in facts:
        if fact.is_there:
            newest[fact.region] = max(fact.day, newest.get(fact.region, fact.day))
    chosen: dict[str, set[date]] = defaultdict(set)
    silent: dict[str, set[date]] = defaultdict(set)
    absent: dict[str, dict[date, list[str]]] = defaultdict(lambda: defaultdict(list))
    for fact in facts:
        if fact.is_there or not fact.in_gold:
            if not only or any(_applies(reason, fact) for reason in only):
                chosen[fact.region].add(fact.day)
        elif fact.is_due and now >= fact.deadline and fact.day > newest.get(fact.region, date.min):
            silent[fact.region].add(fact.day)
        elif fact.is_due and now >= fact.deadline:
            absent[fact.region][fact.day].append(fact.table)
    if set(only) != {Only.FAILED}:
        for region, days in (behind or {}).items():
            if days and not chosen.get(region):
                chosen[region].update(days)
    return Plan(
        {region: tuple(sorted(days)) for region, days in chosen.items()},
        {
            region: tuple((day, tuple(tables)) for day, tables in sorted(days.items()))
            for region, days in absent.items()
        },
        {region: tuple(sorted(days)) for region, days in silent.items()},
    )


def _applies(reason: Only, fact: TableDay) -> bool:
    match reason:
        case Only.MISSING:
            return not fact.in_gold or not fact.slots
        case Only.FAILED:
            return any(slot.is_refused for slot in fact.slots)
        case Only.CHANGED:
            return fact.has_new_file or not fact.in_gold or not all(slot.is_current for slot in fact.slots)
