"""The delivered tables of one region in a run: receiving and validating its days, and saying what came of each."""

from collections.abc import Callable, Iterable, Mapping
from datetime import date
from typing import Any

import dagster as dg

from clearer_platform import bronze, silver, sources
from clearer_platform.defs import judging, looks, markdown
from clearer_platform.defs.delivered import HISTORY
from clearer_platform.defs.names import BRONZE, SILVER, asset_key, partition_key
from clearer_platform.defs.reporting import Events, Run, Trouble, version_of
from clearer_platform.errors import ClearerError
from clearer_platform.serving import dropped
from clearer_platform.silver import Outcome, SlotState
from clearer_platform.silver.history import history

NOTHING_DUE = "nothing-due"
"""The data version of a day that is complete without a delivery."""


class RegionTables:
    """What a run does to one region's tables."""

    def __init__(self, run: Run, region: str, days: list[date]) -> None:
        self.platform, self.region, self.days = run.platform, region, days
        self.entry, self.layout = run.platform.region(region), run.platform.layout(region)
        self.reporter, self.progress = run.reporter, run.progress
        self._known: dict[str, dict[date, list[SlotState]]] = {}
        self._validated_deliveries_of: set[str] = set()

    def delivers(self, table: str) -> bool:
        """Whether the region delivers the table at all."""
        return table in self.platform.tables(self.region)

    def receive(self, table: str) -> Events:
        """Take in what has landed for the run's days."""
        key = asset_key(BRONZE, table)
        if not self.delivers(table):
            yield from self._nothing_due(key, table, self.days)
            return
        self.progress(self.region, f"receive {table}", 0, len(self.days))
        try:
            received = dropped.collect(self.platform, self.region, table, self.days)
            slots = bronze.slots(self.layout, table, self.days)
        except ClearerError as e:
            self._all_failed(key, table, e)
            return
        failures = [failure for failure in received if isinstance(failure, sources.Failure)]
        for failure in failures:
            error = failure.error
            self._trouble(key, table, failure.day, error.message, error.hint, error.may_pass)
        for day in sorted(set(self.days) - {failure.day for failure in failures}):
            if found := [slot for slot in slots if slot.day == day]:
                version = version_of(slot.current.id for slot in found)
                yield self.reporter.published(key, partition_key(self.region, day), _received(found), version)
            else:
                yield from self._nothing(key, table, day)
        self.progress(self.region, f"receive {table}", len(self.days), len(self.days))

    def validate(self, table: str) -> Events:
        """Bring the silver files of the run's days up to date."""
        key = asset_key(SILVER, table)
        if not self.delivers(table):
            yield from self._nothing_due(key, table, self.days)
            return
        stage = f"validate {table}"

        def advance(done: int, total: int) -> None:
            self.progress(self.region, stage, done, total)

        try:
            found, damaged = self._brought_up(table, advance)
        except ClearerError as e:
            self._all_failed(key, table, e)
            return
        states = _by_day(found)
        for day in self.days:
            if error := damaged.get(day):
                self._trouble(key, table, day, error.message, error.hint)
            else:
                yield from self._validated(key, table, day, states.get(day, []))

    def _brought_up(
        self, table: str, advance: Callable[[int, int], None]
    ) -> tuple[list[SlotState], Mapping[date, ClearerError]]:
        """Silver of the run's days, and why nothing can be said of some of them.

        Deliveries that fill several tables are validated once.
        """
        delivered = self.platform.delivered(table)
        if delivered in self._validated_deliveries_of:
            return silver.states(self.platform, self.region, table, self.days), {}
        try:
            states = silver.bring_up(self.platform, self.region, table, self.days, advance)
        except silver.Unsettled as e:
            return silver.states(self.platform, self.region, table, self.days), e.by_day
        self._validated_deliveries_of.add(delivered)
        return states, {}

    def judge(self, table: str) -> Events:
        """The checks on each validated day."""
        contract, key = self.platform.contract(table), asset_key(SILVER, table)
        wanted = self.reporter.wanted_checks(key)
        if not wanted or not self.delivers(table):
            return
        try:
            states = _by_day(silver.states(self.platform, self.region, table, self.days))
            warned = history(self.platform, self.region, table, self.days) if wanted & set(HISTORY) else {}
        except ClearerError as e:
            self._all_failed(key, table, e)
            return
        yield from judging.evaluations(contract, self.region, states, warned, wanted)

    def obstacle(self, tables: set[str], day: date) -> tuple[str, str] | None:
        """The first of `tables` whose day is not what it should be, and why; gold of that day is not whole then.

        A table that one region delivers for all never stands in the way: its last values are used.
        """
        for table in sorted(tables):
            if self.platform.contract(table).shared or not self.delivers(table):
                continue
            states = self._states_of(table).get(day, [])
            if not states and self._is_due(table, day):
                return table, "there is no delivery"
            if any(not state.is_current for state in states):
                return table, "its deliveries have not been validated"
            if any(state.refused for state in states):
                return table, "its newest delivery was refused"
        return None

    def _states_of(self, table: str) -> Mapping[date, list[SlotState]]:
        """The state of every day of a table, read once: it is asked for when the run has validated what it will."""
        if table not in self._known:
            self._known[table] = _by_day(silver.states(self.platform, self.region, table))
        return self._known[table]

    def _is_due(self, table: str, day: date) -> bool:
        """Whether something that the table is filled from has to come for the day."""
        return self.entry.is_due(self.platform.delivered(table), day)

    def _validated(self, key: dg.AssetKey, table: str, day: date, states: list[SlotState]) -> Events:
        refused = [state.refused[0] for state in states if state.refused]
        if not states:
            yield from self._nothing(key, table, day)
        elif refused:
            for outcome in refused:
                self._refused(key, table, day, outcome)
        else:
            published = [state.published for state in states if state.published]
            version = version_of(outcome.fingerprint for outcome in published)
            metadata = self._accepted(table, day, published)
            yield self.reporter.published(key, partition_key(self.region, day), metadata, version)

    def _accepted(self, table: str, day: date, published: list[Outcome]) -> dict[str, Any]:
        delivered, rejected = sum(o.delivered for o in published), sum(o.rejected for o in published)
        return {
            "dagster/partition_row_count": sum(o.accepted for o in published),
            "delivered": delivered,
            "accepted": sum(o.accepted for o in published),
            "rejected": rejected,
            "bytes": sum(o.bytes for o in published),
            "rejected_share": round(rejected / delivered, 6) if delivered else 0.0,
            "rules": judging.rules_table(published),
            "rejected_sample": looks.rejected_sample(published),
            "deliveries": dg.MetadataValue.text(", ".join(f"{o.slot} {o.delivery}" for o in published)),
            "files": dg.MetadataValue.path(str(self.layout.silver_file(table, day, "x").parent)),
        }

    def _nothing(self, key: dg.AssetKey, table: str, day: date) -> Events:
        """A day for which nothing has come: it is missing if it was due."""
        if not self._is_due(table, day):
            yield from self._nothing_due(key, table, [day])
            return
        landing = self.layout.landing(self.platform.delivered(table))
        hint = f"put a file whose name has {day} into {landing}, or use `clearer deliver`"
        self._trouble(key, table, day, "no delivery has come", hint)

    def _nothing_due(self, key: dg.AssetKey, table: str, days: list[date]) -> Events:
        """Days that are complete without a delivery. Unreported, they would count as failed in backfills."""
        why = "nothing is due on this day" if self.delivers(table) else f"{self.region} does not deliver {table}"
        for day in days:
            metadata = {"dagster/partition_row_count": 0, "note": why}
            yield self.reporter.published(key, partition_key(self.region, day), metadata, NOTHING_DUE)

    def _refused(self, key: dg.AssetKey, table: str, day: date, outcome: Outcome) -> None:
        reasons = "; ".join(problem.message for problem in outcome.problems[:2]) or "it breaks its contract"
        hint = f"`clearer quarantine --region {self.region} --table {table}` shows more; deliver a mended file"
        self._trouble(key, table, day, f"{outcome.slot} was refused: {reasons}", hint)

    def _all_failed(self, key: dg.AssetKey, table: str, error: ClearerError) -> None:
        for day in self.days:
            self._trouble(key, table, day, error.message, error.hint, error.may_pass)

    def _trouble(
        self, key: dg.AssetKey, table: str, day: date, reason: str, hint: str | None, may_pass: bool = False
    ) -> None:
        asset = "/".join(key.path)
        self.reporter.troubles.append(Trouble(asset, self.region, day, table, reason, hint, may_pass=may_pass))


def _received(slots: list[bronze.Slot]) -> dict[str, Any]:
    manifests = [slot.current.manifest for slot in slots]
    return {
        "bytes": sum(m.size for m in manifests),
        "slots": len(slots),
        "deliveries": ", ".join(f"{slot.name} {slot.current.id}" for slot in slots),
        "received_at": dg.MetadataValue.timestamp(max(m.received_at for m in manifests)),
        "origins": markdown.bullets(f"{m.origin} sha256 {m.sha256[:16]}" for m in manifests),
        "files": dg.MetadataValue.path(str(slots[0].current.content.parent.parent)),
        **_extracted([manifest.extract for manifest in manifests if manifest.extract]),
    }


def _extracted(extracts: list[bronze.Extract]) -> dict[str, Any]:
    """How far servers were read, and what comparisons with them found."""
    upper = [extract.upper for extract in extracts if extract.upper]
    comparisons = {extract.read_at: extract.found for extract in extracts if extract.found}
    found = {
        f"{what}_found": sum(getattr(comparison, what) for comparison in comparisons.values())
        for what in bronze.Found.model_fields
        if comparisons
    }
    return {**({"watermark": upper[-1]} if upper else {}), **found}


def _by_day(states: Iterable[SlotState]) -> dict[date, list[SlotState]]:
    grouped: dict[date, list[SlotState]] = {}
    for state in states:
        grouped.setdefault(state.slot.day, []).append(state)
    return grouped
