"""Checks on silver, a day at a time: what gates a delivery, from its outcome, and what is unusual, from history."""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

import dagster as dg

from clearer_platform.contracts import Contract
from clearer_platform.defs import markdown
from clearer_platform.defs.names import SILVER, asset_key, partition_key
from clearer_platform.silver import REJECTED_SHARE, Outcome, SlotState
from clearer_platform.silver.history import DayHistory

Verdict = tuple[bool, dict[str, Any]]


def newest(state: SlotState) -> Outcome | None:
    """The outcome of a slot's newest delivery: a refusal where there is one, else what is published."""
    return state.refused[0] if state.refused else state.published


def gates(contract: Contract, outcomes: list[Outcome]) -> dict[str, Verdict]:
    """The blocking checks of one day, from the newest delivery of each slot."""
    delivered, accepted, rejected = (
        sum(getattr(o, n) for o in outcomes) for n in ("delivered", "accepted", "rejected")
    )
    refused = [o for o in outcomes if o.status == "refused"]
    own = [o for o in refused if o.judged and o.rejected > contract.max_rejected * o.delivered]
    # The share may be that of another table which the delivery fills.
    too_many = [o for o in refused if o in own or any(p.rule == REJECTED_SHARE for p in o.problems)]
    unaccounted = [o for o in outcomes if not o.judged or o.accepted + o.rejected != o.delivered]
    unaccounted += [o for o in refused if o not in too_many and o not in unaccounted]
    keys = {f"{column}." for column in contract.key}
    broken = {rule for o in own for rule in o.rules}
    of_keys = {rule for rule in broken if rule == "record.repeated_key" or any(map(rule.startswith, keys))}
    totals = {"delivered": delivered, "accepted": accepted, "rejected": rejected}
    share = {"share": round(rejected / delivered, 6) if delivered else 0.0, "limit": contract.max_rejected}
    return {
        "reconciliation": (not unaccounted, {**totals, **_reasons(unaccounted)}),
        "rejection_share": (not too_many, {**share, **_reasons(too_many)}),
        "keys": (not of_keys, {"rejected_by_rule": _counted(outcomes, of_keys)}),
        "domain_rules": (not broken - of_keys, {"rejected_by_rule": rules_table(outcomes)}),
    }


def warnings(outcomes: list[Outcome], history: DayHistory | None) -> dict[str, Verdict]:
    """The checks of one day that only warn; those that need published records are left out where there are none."""
    extra = sorted({column for o in outcomes for column in o.extra_columns})
    drift = (not extra, {"unknown_columns": ", ".join(extra) or "none"})
    if history is None:
        return {"drift": drift}
    usual = {"records": history.records, **({"usual": history.usual} if history.usual is not None else {})}
    return {
        "drift": drift,
        "volume": (history.is_usual, {**usual, "compared_with": history.compared_with}),
        "references": (not any(history.orphans.values()), {f"without {k}": n for k, n in history.orphans.items()}),
    }


def evaluations(
    contract: Contract,
    region: str,
    days: Mapping[date, list[SlotState]],
    history: Mapping[date, DayHistory],
    wanted: set[str],
) -> Iterator[dg.AssetCheckEvaluation]:
    """One evaluation a check and day. What failed comes last, so that it is what the UI shows of the asset."""
    found = []
    for day, states in days.items():
        outcomes = [o for o in map(newest, states) if o]
        if not outcomes:
            continue
        found += [_evaluation(contract, region, day, n, v, True) for n, v in gates(contract, outcomes).items()]
        warned = warnings(outcomes, history.get(day))
        found += [_evaluation(contract, region, day, n, v, False) for n, v in warned.items()]
    yield from sorted((e for e in found if e.check_name in wanted), key=lambda e: not e.passed)


def rules_table(outcomes: list[Outcome]) -> dg.MetadataValue[Any]:
    """Broken rules and warnings with their counts, as markdown."""
    return _counted(outcomes, {rule for o in outcomes for rule in (*o.rules, *o.warnings)})


def _counted(outcomes: list[Outcome], rules: set[str]) -> dg.MetadataValue[Any]:
    if not rules:
        return dg.MetadataValue.md("no rule was broken")
    rows = [
        (rule, *(sum(getattr(o, name).get(rule, 0) for o in outcomes) for name in ("rules", "warnings")))
        for rule in sorted(rules)
    ]
    return markdown.table(["rule", "rejected", "warned"], rows)


def _reasons(outcomes: list[Outcome]) -> dict[str, Any]:
    reasons = [f"{o.slot}: {problem.message}" for o in outcomes for problem in o.problems[:3]]
    return {"reasons": markdown.bullets(reasons)} if reasons else {}


def _evaluation(
    contract: Contract, region: str, day: date, name: str, verdict: Verdict, blocking: bool
) -> dg.AssetCheckEvaluation:
    passed, metadata = verdict
    return dg.AssetCheckEvaluation(
        asset_key=asset_key(SILVER, contract.name),
        check_name=name,
        passed=passed,
        partition=partition_key(region, day),
        metadata=metadata,
        severity=dg.AssetCheckSeverity.ERROR if blocking else dg.AssetCheckSeverity.WARN,
        blocking=blocking,
    )
