"""Verdicts on deliveries: what was found in each table that a delivery fills, as outcomes. All pass, or none."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from clearer_platform.bronze import Delivery
from clearer_platform.contracts import Contract, Drift
from clearer_platform.silver.json_lines import MOST_UNKNOWN
from clearer_platform.silver.outcome import REJECTED_SHARE, Outcome, Problem
from clearer_platform.silver.query import Judgement
from clearer_platform.silver.tally import Tally


@dataclass(frozen=True)
class Sheet:
    """What a batch of deliveries came to in one table: that which they were delivered for, or one nested in it."""

    judgement: Judgement
    tallies: Sequence[Tally]
    """By the number of the delivery in the batch."""


@dataclass(frozen=True)
class Part:
    """What came of one delivery in one table."""

    outcome: Outcome
    written: Path | None
    """All its rows, judged, in a local Parquet file that is not published yet; None where they were not judged."""


@dataclass(frozen=True)
class Verdict:
    """What came of one delivery."""

    delivery: Delivery
    parts: tuple[Part, ...]
    """One a table, in the order of `Platform.family`."""

    @property
    def is_published(self) -> bool:
        """Whether the delivery passed."""
        return all(part.outcome.status == "published" for part in self.parts)


def outcomes(delivery: Delivery, fingerprint: str, sheets: Sequence[Sheet], number: int) -> list[Outcome]:
    """The outcome of a judged delivery for each table; refused for all where one of them has a reason."""
    reasons = {s.judgement.contract.name: _reasons(delivery, s.judgement.contract, s.tallies[number]) for s in sheets}
    found = []
    for sheet in sheets:
        table, tally = sheet.judgement.contract.name, sheet.tallies[number]
        others = [
            Problem(rule=reason.rule, message=f"{name}: {reason.message}", count=reason.count)
            for name, theirs in reasons.items()
            for reason in theirs
            if name != table
        ]
        problems = [*reasons[table], *others, *tally.problems]
        found.append(
            outcome_of(delivery, table, fingerprint).model_copy(
                update={
                    "status": "refused" if any(reasons.values()) else "published",
                    "delivered": tally.delivered,
                    "accepted": tally.delivered - tally.rejected,
                    "rejected": tally.rejected,
                    "rules": tally.rules,
                    "warnings": tally.warnings,
                    "problems": problems,
                    "extra_columns": tally.extra,
                    "judged": True,
                }
            )
        )
    return found


def outcome_of(delivery: Delivery, table: str, fingerprint: str) -> Outcome:
    """The outcome of a delivery of which nothing is known yet."""
    return Outcome(
        region=delivery.region,
        table=table,
        day=delivery.day,
        slot=delivery.slot,
        delivery=delivery.id,
        fingerprint=fingerprint,
        status="refused",
        bytes=delivery.manifest.size,
        replaces=delivery.manifest.replaces,
    )


def _reasons(delivery: Delivery, contract: Contract, tally: Tally) -> list[Problem]:
    """Why the delivery cannot be published, as far as one table is concerned."""
    found, limit = [], _most_rejected(delivery, contract)
    if tally.delivered and tally.rejected / tally.delivered > limit:
        what = "elements" if contract.nested else "records"
        share = (
            f"{tally.rejected:,} of {tally.delivered:,} {what} are rejected ({tally.rejected / tally.delivered:.1%})"
        )
        message = f"{share}; at most {limit:.1%} may be"
        found.append(Problem(rule=REJECTED_SHARE, message=message, count=tally.rejected))
    if contract.nested and tally.extra and contract.drift is Drift.REFUSE:
        listed = ", ".join(map(repr, tally.extra))
        message = f"the contract refuses keys that it does not know: {listed}"
        found.append(Problem(rule="delivery.unknown_column", message=message))
    if contract.nested and len(tally.extra) > MOST_UNKNOWN:
        message = f"more than {MOST_UNKNOWN} keys that the contract does not know; are values used as keys?"
        found.append(Problem(rule="delivery.unknown_column", message=message))
    return found


def _most_rejected(delivery: Delivery, contract: Contract) -> float:
    """The share of a delivery that may be rejected."""
    if delivery.manifest.series:
        return 1.0  # Of batches, each was decided upon when it came.
    if (extract := delivery.manifest.extract) and extract.is_part:
        return 1.0  # What changed since the last reading may be a single row; its neighbours were judged before.
    if delivery.manifest.restores and not contract.nested:
        return 0.0  # What replaces everything may leave out nothing; elements that were rejected before are so again.
    return contract.max_rejected
