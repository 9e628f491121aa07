"""A restore replaces what came before it and nothing that comes after it, whatever a table's load mode is."""

import itertools
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from clearer_platform import bronze, gold, silver
from clearer_platform.contracts import LoadMode
from clearer_platform.errors import BackupError
from clearer_platform.platform import Platform
from clearer_platform.serving import backups
from clearer_platform_tests.flow import deliver
from clearer_platform_tests.serving.backups.conftest import Clock, brought_back

FIRST, SECOND, THIRD = (date(2024, 3, 30) + timedelta(days=n) for n in range(3))
EARLY, LATE = date(2024, 3, 29), date(2024, 4, 5)


class Desk:
    """Delivers rows of one table, and reads what it says."""

    def __init__(self, platform: Platform, table: str, clock: Clock, work: Path) -> None:
        self.platform, self.table, self.clock, self.work = platform, table, clock, work
        self.numbers = itertools.count()

    def deliver(self, day: date, **rows: int | tuple[int, int]) -> None:
        """A delivery of keys with their values (and versions)."""
        both = {key: row if isinstance(row, tuple) else (row, "") for key, row in rows.items()}
        lines = ["key;value;version", *(f"{key};{value};{version}" for key, (value, version) in both.items()), ""]
        slot = f"{next(self.numbers)}.csv"
        deliver(self.platform, "eu", self.table, "\n".join(lines), day, slot, received_at=self.clock())
        silver.bring_up(self.platform, "eu", self.table)

    def says(self) -> dict[str, int]:
        """The current value of every key."""
        with gold.picture(self.platform, "eu", self.table, self.work) as (connection, query):
            return {key: value for key, value, _ in connection.execute(query).fetchall()}

    def back_up(self) -> str:
        """The id of a new backup."""
        return backups.create(self.platform, "eu", self.table, clock=self.clock).id

    def restore(self, backup: str) -> backups.Restored:
        """Bring it back."""
        return backups.restore(self.platform, "eu", backup, self.table, clock=self.clock)


@pytest.fixture
def desk(kinds, clock, tmp_path):
    return lambda table: Desk(kinds, table, clock, tmp_path / "work")


def test_the_latest_row_of_a_key(desk):
    latest = desk("latest")
    latest.deliver(FIRST, a=1, b=1)
    made = latest.back_up()
    latest.deliver(SECOND, b=2, c=2)
    assert latest.says() == {"a": 1, "b": 2, "c": 2}
    latest.restore(made)
    assert latest.says() == {"a": 1, "b": 1}
    latest.deliver(EARLY, b=3, d=3)  # for a day before the restore's, and received after it
    assert latest.says() == {"a": 1, "b": 3, "d": 3}
    latest.restore(made)  # once more, into the same slot
    assert latest.says() == {"a": 1, "b": 1}
    deliveries = [slot.deliveries for slot in bronze.slots(latest.platform.layout("eu"), "latest")]
    latest.restore(made)  # nothing came since: there is nothing to do
    assert [slot.deliveries for slot in bronze.slots(latest.platform.layout("eu"), "latest")] == deliveries


def test_the_ordering_of_the_contract_decides_as_ever(desk):
    latest = desk("latest")
    latest.deliver(FIRST, a=(1, 7))
    latest.restore(latest.back_up())
    latest.deliver(SECOND, a=(2, 6))
    assert latest.says() == {"a": 1}
    latest.deliver(FIRST, a=(3, 8))
    assert latest.says() == {"a": 3}


def test_the_first_row_of_a_key(desk):
    facts = desk("facts")
    facts.deliver(SECOND, a=1, b=1)
    made = facts.back_up()
    facts.deliver(FIRST, a=0, c=0)
    assert facts.says() == {"a": 0, "b": 1, "c": 0}
    facts.restore(made)
    assert facts.says() == {"a": 1, "b": 1}
    facts.deliver(EARLY, a=9, d=9)
    assert facts.says() == {"a": 1, "b": 1, "d": 9}


def test_whole_pictures(desk):
    pictures = desk("pictures")
    pictures.deliver(FIRST, a=1, b=1)
    made = pictures.back_up()
    pictures.deliver(SECOND, c=2)
    assert pictures.says() == {"c": 2}
    pictures.restore(made)
    assert pictures.says() == {"a": 1, "b": 1}
    pictures.deliver(SECOND, d=3)  # again for a day before the restore's
    assert pictures.says() == {"d": 3}
    pictures.restore(made)
    pictures.deliver(LATE, e=4)
    assert pictures.says() == {"e": 4}
    pictures.deliver(LATE + timedelta(days=1))
    assert pictures.says() == {}
    empty = pictures.back_up()
    pictures.restore(made)
    pictures.restore(empty)
    assert pictures.says() == {}


def test_what_was_received_by_a_clock_that_was_ahead_is_replaced_too(desk):
    latest = desk("latest")
    latest.deliver(FIRST, a=1)
    made = latest.back_up()
    latest.clock.at += timedelta(days=30)
    latest.deliver(SECOND, a=2, b=2)
    latest.clock.at -= timedelta(days=30)
    latest.restore(made)
    assert latest.says() == {"a": 1}


def test_tombstones_and_withdrawn_rows_do_not_come_back(kinds, clock):
    header = "key;Bemerkung;Betrag;wide;whole;at;local;day;tiny;small;medium;large;ratio;flag;is_deleted"
    row = "{};n;1,00;;;30.03.24 10:00;;;;;;;;;{}"
    text = "\n".join([header, row.format("a", "nein"), row.format("b", "nein"), ""])
    deliver(kinds, "eu", "every_kind", text, FIRST, received_at=clock())
    deliver(kinds, "eu", "every_kind", "\n".join([header, row.format("b", "ja"), ""]), SECOND, received_at=clock())
    silver.bring_up(kinds, "eu", "every_kind")
    made = backups.create(kinds, "eu", "every_kind", clock=clock)
    found = brought_back(kinds, backups.restore(kinds, "eu", made.id, "every_kind", clock=clock))
    assert [row["key"] for row in found] == ["a"]


def test_a_column_that_no_delivery_had_is_no_reason_to_reject(kinds, clock):
    """The contract does not let `rarely` be null, but a delivery may lack it; so may the restored one."""
    header = "key;Bemerkung;Betrag;wide;whole;at;local;day;tiny;small;medium;large;ratio;flag"
    deliver(kinds, "eu", "every_kind", f"{header}\na;;;;;30.03.24 10:00;;;;;;;;\n", FIRST, received_at=clock())
    silver.bring_up(kinds, "eu", "every_kind")
    made = backups.create(kinds, "eu", "every_kind", clock=clock)
    (found,) = brought_back(kinds, backups.restore(kinds, "eu", made.id, "every_kind", clock=clock))
    assert (found["rarely"], found["note"], found["_rules"]) == (None, None, [])


def test_a_restore_that_the_contract_rejects_a_row_of_changes_nothing(kinds, clock, desk, monkeypatch):
    """Not one row may be lost on the way: all of it is refused, and it says why, but no value."""
    facts = desk("facts")
    facts.deliver(FIRST, secret=1, b=-5)
    made = facts.back_up()
    facts.deliver(SECOND, c=2)
    before = facts.says()
    stricter = stricter_facts()
    kinds.contracts["facts"] = stricter
    with pytest.raises(BackupError, match="does not fit the contract of facts") as refused:
        facts.restore(made)
    assert "value" in str(refused.value) and "secret" not in str(refused.value) and "-5" not in str(refused.value)
    assert [slot.name for slot in bronze.slots(kinds.layout("eu"), "facts")] == ["0.csv", "1.csv"]
    assert before == {"secret": 1, "b": -5, "c": 2}


def stricter_facts() -> Any:
    """The contract of facts, under which no value is negative."""
    import ibis.expr.datatypes as dt
    import pandera.ibis as pa

    from clearer_platform.contracts import Contract

    class Facts(pa.DataFrameModel):
        """A key and a value."""

        key: str = pa.Field(description="The key.")
        value: dt.Int64 = pa.Field(ge=0, description="A value.")
        version: dt.Int64 = pa.Field(nullable=True, description="A version.")

    return Contract(
        name="facts", domain="kinds", model=Facts, key=("key",), load_mode=LoadMode.APPEND, max_rejected=0.9
    )
