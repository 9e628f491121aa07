"""Judging again what is not current, and saying for each slot what that changed."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import date

from clearer_platform import silver
from clearer_platform.platform import Platform
from clearer_platform.serving.facts import is_refused
from clearer_platform.silver import SlotState


@dataclass(frozen=True)
class Verdict:
    """What a slot's newest delivery came to, and what of the slot is published."""

    accepted: int
    rejected: int
    is_refused: bool
    is_known: bool = True

    def __str__(self) -> str:
        if not self.is_known:
            return "not judged"
        counts = f"{self.accepted:,} accepted, {self.rejected:,} rejected"
        return f"refused (published: {counts})" if self.is_refused else counts


@dataclass(frozen=True)
class Change:
    """One slot that was judged again."""

    region: str
    table: str
    day: date
    slot: str
    before: Verdict
    after: Verdict


def revalidate(
    platform: Platform,
    regions: Iterable[str],
    *,
    tables: Collection[str] | None = None,
    start: date | None = None,
    end: date | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[Change]:
    """Judge every slot that is not current; what each was before and is now."""
    stale: list[tuple[str, str, list[SlotState]]] = []
    for region in regions:
        for table in platform.tables(region):
            if tables is None or table in tables:
                states = silver.states(platform, region, table)
                due = [s for s in states if not s.is_current and _within(s.slot.day, start, end)]
                stale += [(region, table, due)] if due else []
    total, done = sum(len(states) for *_, states in stale), 0
    changes: list[Change] = []
    for region, table, states in stale:
        now = silver.bring_up(platform, region, table, sorted({s.slot.day for s in states}))
        after = {(s.slot.day, s.slot.name): s for s in now}
        for state in states:
            slot = state.slot
            changes.append(
                Change(region, table, slot.day, slot.name, _verdict(state), _verdict(after[slot.day, slot.name]))
            )
        done += len(states)
        if progress:
            progress(done, total)
    return changes


def _within(day: date, start: date | None, end: date | None) -> bool:
    return (start is None or day >= start) and (end is None or day <= end)


def _verdict(state: SlotState) -> Verdict:
    outcome = state.published
    return Verdict(
        accepted=outcome.accepted if outcome else 0,
        rejected=outcome.rejected if outcome else 0,
        is_refused=is_refused(state),
        is_known=outcome is not None or bool(state.refused),
    )
