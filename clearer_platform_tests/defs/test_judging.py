"""The checks on silver as pure functions of outcomes and history."""

from datetime import date
from typing import Any

import pytest

from clearer_platform.contracts.ecommerce import TRANSACTIONS
from clearer_platform.defs.judging import gates, newest, warnings
from clearer_platform.silver import Outcome, Problem, SlotState
from clearer_platform.silver.history import DayHistory


def outcome(**facts: Any) -> Outcome:
    """An outcome of ten records, all accepted, but for `facts`."""
    base = {
        "region": "eu",
        "table": "transactions",
        "day": date(2024, 3, 1),
        "slot": "a.csv",
        "delivery": "d",
        "fingerprint": "f",
    }
    counts = {"status": "published", "delivered": 10, "accepted": 10, "judged": True}
    return Outcome(**{**base, **counts, **facts})


PROBLEM = [Problem(rule="delivery.undecodable", message="it cannot be read")]


@pytest.mark.parametrize(
    ("facts", "failing"),
    [
        ({}, set()),
        ({"accepted": 9, "rejected": 1, "rules": {"price.missing": 1}}, set()),
        ({"accepted": 9}, {"reconciliation"}),
        (
            {"status": "refused", "judged": False, "delivered": 0, "accepted": 0, "problems": PROBLEM},
            {"reconciliation"},
        ),
        (
            {"status": "refused", "accepted": 5, "rejected": 5, "rules": {"price.missing": 5}},
            {"rejection_share", "domain_rules"},
        ),
        (
            {"status": "refused", "accepted": 5, "rejected": 5, "rules": {"transaction_id.missing": 5}},
            {"rejection_share", "keys"},
        ),
        ({"status": "refused", "problems": PROBLEM}, {"reconciliation"}),
    ],
)
def test_each_refusal_fails_the_gate_that_it_is_about(facts: dict[str, Any], failing: set[str]) -> None:
    """And whatever is refused fails at least one."""
    found = gates(TRANSACTIONS, [outcome(), outcome(**facts)])
    assert {name for name, (passed, _) in found.items() if not passed} == failing


def test_a_refusal_counts_before_what_is_still_published() -> None:
    """The last good version stands, and the check is about the newest delivery."""
    good, bad = outcome(), outcome(status="refused")
    assert newest(SlotState(None, good, (bad,), True)) is bad  # type: ignore[arg-type]
    assert newest(SlotState(None, good, (), True)) is good  # type: ignore[arg-type]


def test_history_only_judges_what_is_published() -> None:
    """Drift is about the delivery itself."""
    assert set(warnings([outcome(extra_columns=["x"])], None)) == {"drift"}
    found = warnings([outcome()], DayHistory(10, 100.0, "median", {"customers": 2}))
    assert {name for name, (passed, _) in found.items() if not passed} == {"volume", "references"}
