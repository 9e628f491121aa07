"""The states of the grid, from facts alone."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from clearer_platform.serving.facts import SlotFacts, TableDay
from clearer_platform.serving.status import State, by_region, cells, last_days

DAY = date(2024, 10, 27)
DEADLINE = datetime(2024, 10, 28, 5, tzinfo=UTC)
NOW = DEADLINE + timedelta(days=3)
SLOT = SlotFacts("a.csv", True, False, delivered=10, accepted=10, rejected=0, received_at=DEADLINE - timedelta(hours=3))
DONE = TableDay("eu", "transactions", DAY, True, DEADLINE, False, (SLOT,), True)
NOTHING = replace(DONE, slots=())


def state(*facts, now=NOW):
    return cells(facts, now)[0].state


@pytest.mark.parametrize(
    ("fact", "expected"),
    [
        (DONE, State.PUBLISHED),
        (replace(DONE, slots=(replace(SLOT, accepted=8, rejected=2),)), State.REJECTED),
        (replace(DONE, in_gold=False), State.VALIDATED),
        (replace(DONE, slots=(replace(SLOT, is_current=False),)), State.DELIVERED),
        (replace(DONE, has_new_file=True), State.DELIVERED),
        (replace(NOTHING, has_new_file=True), State.LANDED),
        (replace(DONE, slots=(SLOT, replace(SLOT, is_refused=True))), State.REFUSED),
        (replace(NOTHING, is_due=False), State.NOT_DUE),
    ],
)
def test_state(fact, expected):
    assert state(fact) == expected


def test_nothing_came():
    next_day = replace(DONE, day=DAY + timedelta(days=1))
    assert state(NOTHING, now=DEADLINE - timedelta(seconds=1)) == State.AWAITED
    assert state(NOTHING, now=DEADLINE) == State.LATE
    assert state(NOTHING, next_day, now=NOW) == State.MISSING
    # Only a later day of the same table makes it a hole.
    assert state(NOTHING, replace(next_day, table="customers"), now=NOW) == State.LATE


def test_hours_late():
    late = replace(DONE, slots=(replace(SLOT, received_at=DEADLINE + timedelta(hours=5)),))
    assert [cell.hours_late for cell in cells([late], NOW)] == [5.0]
    assert [cell.hours_late for cell in cells([DONE], NOW)] == [None]
    assert [cell.hours_late for cell in cells([NOTHING], NOW)] == [72.0]
    assert [cell.hours_late for cell in cells([replace(NOTHING, is_due=False)], NOW)] == [None]


def test_a_region_is_as_its_worst_table_and_sums_its_records():
    refused = replace(DONE, table="products", slots=(replace(SLOT, is_refused=True, accepted=7, rejected=3),))
    (cell,) = by_region(cells([DONE, refused, replace(NOTHING, table="x", is_due=False)], NOW))
    assert (cell.state, cell.delivered, cell.accepted, cell.rejected) == (State.REFUSED, 20, 17, 3)


def test_every_state_has_a_meaning_and_a_symbol():
    from clearer_platform.cli.status import SYMBOLS

    assert {str(state) for state in State} == set(SYMBOLS)
    assert all(state.meaning for state in State)
    assert len({plain for _, plain, _ in SYMBOLS.values()}) == len(State)


def test_the_last_days_end_with_the_newest_that_came():
    facts = [replace(NOTHING, day=DAY + timedelta(days=n)) for n in range(10)]
    facts[3] = replace(facts[3], has_new_file=True)
    assert [f.day for f in last_days(facts, 3)] == [DAY + timedelta(days=n) for n in (1, 2, 3)]
    assert [f.day for f in last_days([NOTHING], 3)] == [DAY]
    assert last_days([], 3) == []
