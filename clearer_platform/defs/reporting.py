"""What a step tells Dagster: materialisations with their versions and figures, and the failure that ends a run.

`MaterializeResult` marks every partition of a run, so it serves a run of one partition alone; in any other run each
good partition is reported by itself, and what is bad stays unreported in a run that ends failed.
"""

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import dagster as dg

from clearer_platform.defs.provenance import Provenance
from clearer_platform.platform import Platform

if TYPE_CHECKING:
    from clearer_platform.defs.marts import Marts

Event = dg.MaterializeResult[Any] | dg.AssetMaterialization | dg.AssetCheckEvaluation
Events = Iterator[Event]

Progress = Callable[[str, str, int, int], None]
"""Called with a region (or `global`), what is being done, how much of it is done, and of how much."""

SHOWN = 20
"""Troubles that a failure's message lists; its metadata has them all."""

INTERRUPTED = ("KeyboardInterrupt", "DagsterExecutionInterruptedError")


@dataclass(frozen=True)
class Trouble:
    """Why one table or model of a region and day was not published."""

    asset: str
    region: str
    day: date | None
    table: str
    reason: str
    hint: str | None = None
    is_consequence: bool = False
    """Whether nothing was wrong with the asset itself, but with `table` before it."""
    may_pass: bool = False
    """Whether the same may go well a moment later."""

    def __str__(self) -> str:
        place = " ".join(filter(None, (self.region, f"{self.day or ''}", self.table)))
        return f"{place}: {self.reason}" + (f" ({self.hint})" if self.hint else "")


def causes(troubles: Collection[Trouble]) -> list[Trouble]:
    """The troubles but those that merely follow from another: gold of a day whose delivery the run found wrong."""
    found = {(t.region, t.day, t.table) for t in troubles if not t.is_consequence}
    return [t for t in troubles if not t.is_consequence or (t.region, t.day, t.table) not in found]


def is_interrupted(error: Any) -> bool:
    """Whether a step ended because its process was told to end; a library may have made an error of its own of that."""
    while error is not None:
        if error.cls_name in INTERRUPTED:
            return True
        error = error.cause or error.context
    return False


def told(failure: Any) -> tuple[Trouble, ...]:
    """The troubles that a failed step ended with; none where it broke off. `failure` is Dagster's StepFailureData."""
    data = failure.user_failure_data
    listed: list[dict[str, Any]] = data.metadata["troubles"].value if data and "troubles" in data.metadata else []
    return tuple(Trouble(**{**t, "day": date.fromisoformat(t["day"]) if t["day"] else None}) for t in listed)


class Reporter:
    """Makes the events of one step."""

    def __init__(
        self, context: dg.AssetExecutionContext, parents: Mapping[dg.AssetKey, Collection[dg.AssetKey]]
    ) -> None:
        self._selected = context.selected_asset_keys
        self._checks = context.selected_asset_check_keys
        partitioned = context.has_partition_key or context.has_partition_key_range
        self._partitions: list[str] = list(context.partition_keys) if partitioned else []
        self._code = {spec.key: spec.code_version for spec in context.assets_def.specs}
        self._provenance = Provenance(context.instance, parents)
        self.troubles: list[Trouble] = []

    def selected(self, key: dg.AssetKey) -> bool:
        """Whether this run is asked to materialise the asset."""
        return key in self._selected

    def published(
        self,
        key: dg.AssetKey,
        partition: str | None,
        metadata: Mapping[str, Any],
        version: str,
        code_version: str | None = None,
    ) -> dg.MaterializeResult[Any] | dg.AssetMaterialization:
        """The event that says that a partition stands published."""
        alone = [partition] == self._partitions or (partition is None and not self._partitions)
        if alone and key in self._selected:
            return dg.MaterializeResult(asset_key=key, metadata=metadata, data_version=dg.DataVersion(version))
        tags = self._provenance.tags(key, version, code_version or self._code.get(key) or "")
        return dg.AssetMaterialization(key, partition=partition, metadata=metadata, tags=tags)

    def wanted_checks(self, key: dg.AssetKey) -> set[str]:
        """The names of the asset's checks that this run is asked to evaluate."""
        return {check.name for check in self._checks if check.asset_key == key}

    def check_outputs(self, specs: Iterable[dg.AssetCheckSpec]) -> Iterator[dg.Output[None]]:
        """The step's outputs for its checks, after their evaluations: Dagster wants one of each, for any partitions."""
        for spec in specs:
            if spec.key in self._checks:
                yield dg.Output(None, output_name=spec.get_python_identifier())

    @property
    def may_pass(self) -> bool:
        """Whether a retry could publish more: a server was gone, or somebody else held a lock for too long."""
        return any(trouble.may_pass for trouble in self.troubles)

    def failure(self) -> dg.Failure | None:
        """What the run ends with where something was not published."""
        if not self.troubles:
            return None
        reasons = list(dict.fromkeys(str(trouble) for trouble in causes(self.troubles)))
        more = [f"... and {len(reasons) - SHOWN} more"] if len(reasons) > SHOWN else []
        listed = [{**asdict(t), "day": str(t.day) if t.day else None} for t in self.troubles]
        return dg.Failure(
            "not everything could be published; what is not named here is:\n  " + "\n  ".join(reasons[:SHOWN] + more),
            metadata={"troubles": dg.MetadataValue.json(listed)},
            allow_retries=False,
        )


@dataclass(frozen=True)
class Run:
    """What the work of one step needs."""

    platform: Platform
    marts: "Marts"
    reporter: Reporter
    progress: Progress
    as_of: date | None = None
    """The date as of which gold is built, where one was asked for."""


def version_of(parts: Iterable[str]) -> str:
    """One data version out of the fingerprints of what a partition is made from."""
    return hashlib.sha256("\n".join(sorted(parts)).encode()).hexdigest()[:32]
