"""The plan is a pure function of the facts: no disk, no clock, no Dagster."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from clearer_platform.serving.facts import SlotFacts, TableDay
from clearer_platform.serving.plan import Only, plan

DAY = date(2024, 10, 27)
NOW = datetime(2024, 11, 1, tzinfo=UTC)
SLOT = SlotFacts("a.csv", is_current=True, is_refused=False, delivered=9, accepted=9, rejected=0, received_at=NOW)
DONE = TableDay(
    region="eu",
    table="transactions",
    day=DAY,
    is_due=True,
    deadline=datetime(2024, 10, 28, 5, tzinfo=UTC),
    has_new_file=False,
    slots=(SLOT,),
    in_gold=True,
)
NOTHING = replace(DONE, slots=())
NEW_FILE = replace(NOTHING, has_new_file=True)
CHANGED_FILE = replace(DONE, has_new_file=True)
STALE = replace(DONE, slots=(replace(SLOT, is_current=False),))
REFUSED = replace(DONE, slots=(replace(SLOT, is_refused=True),))
REFUSED_AND_NOTHING_BEFORE = replace(REFUSED, slots=(replace(SLOT, is_refused=True, accepted=0, delivered=0),))
VALIDATED = replace(DONE, in_gold=False)
WITHDRAWN = replace(NOTHING, in_gold=False)
"""Gold still holds a slot that silver has no longer."""

CASES = [
    # fact, all, missing, failed, changed
    (DONE, True, False, False, False),
    (NOTHING, False, False, False, False),
    (NEW_FILE, True, True, False, True),
    (CHANGED_FILE, True, False, False, True),
    (STALE, True, False, False, True),
    (REFUSED, True, False, True, False),
    (REFUSED_AND_NOTHING_BEFORE, True, False, True, False),
    (VALIDATED, True, True, False, True),
    (WITHDRAWN, True, True, False, True),
]


@pytest.mark.parametrize(("fact", "in_all", "missing", "failed", "changed"), CASES)
def test_what_is_chosen(fact, in_all, missing, failed, changed):
    assert bool(plan([fact], NOW).size) is in_all
    assert bool(plan([fact], NOW, [Only.MISSING]).size) is missing
    assert bool(plan([fact], NOW, [Only.FAILED]).size) is failed
    assert bool(plan([fact], NOW, [Only.CHANGED]).size) is changed


def test_reasons_add_up():
    days = [DAY, DAY + timedelta(days=1), DAY + timedelta(days=2)]
    facts = [replace(fact, day=day) for fact, day in zip((REFUSED, VALIDATED, DONE), days, strict=True)]
    assert plan(facts, NOW, [Only.FAILED, Only.CHANGED]).days == {"eu": tuple(days[:2])}


def test_a_day_is_chosen_once_for_all_its_tables():
    facts = [DONE, replace(DONE, table="customers"), replace(DONE, region="us")]
    assert plan(facts, NOW).days == {"eu": (DAY,), "us": (DAY,)}


def test_a_due_day_without_anything_is_listed_and_not_run():
    found = plan([NOTHING, replace(NOTHING, table="customers"), replace(DONE, table="products")], NOW)
    assert found.absent == {"eu": ((DAY, ("transactions", "customers")),)}
    assert found.days == {"eu": (DAY,)}


def test_days_since_the_last_that_came_are_silence_and_no_holes():
    later = replace(NOTHING, day=DAY + timedelta(days=1))
    found = plan([DONE, replace(NOTHING, table="customers"), later, replace(later, table="customers")], NOW)
    assert found.absent == {"eu": ((DAY, ("customers",)),)}
    assert found.silent == {"eu": (later.day,)}


def test_a_shared_table_that_gold_lacks_runs_one_region_that_has_nothing_else_to_do():
    behind = {"eu": [DAY], "us": [DAY]}
    later = DAY + timedelta(days=1)
    assert plan([DONE], NOW, [Only.CHANGED], behind).days == {"eu": (DAY,), "us": (DAY,)}
    found = plan([replace(VALIDATED, day=later)], NOW, [Only.MISSING], behind)
    assert found.days == {"eu": (later,), "us": (DAY,)}
    assert plan([DONE], NOW, [Only.FAILED], behind).days == {}


@pytest.mark.parametrize(
    "fact",
    [replace(NOTHING, is_due=False), replace(NOTHING, deadline=NOW + timedelta(minutes=1))],
    ids=["weekend", "early"],
)
def test_what_is_not_due_yet_is_not_absent(fact):
    assert plan([fact], NOW).absent == {}
