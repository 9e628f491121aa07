"""Rows nested in the records of a table are backed up and restored with it, and read in the region's own way."""

from datetime import UTC, datetime

import pyarrow.parquet as pq
import pytest

from clearer_platform import gold
from clearer_platform.errors import BackupError
from clearer_platform.serving import backups
from clearer_platform.serving.facts import gather
from clearer_platform.serving.reconciliation import balances
from clearer_platform_tests.silver.judging import DAY
from clearer_platform_tests.silver.nesting import INTERVALS, PERIODS, StoreRegion, array, interval, period

GOOD, LATER, REVERSED = (
    interval("2022-05-30", "2022-06-30"),
    interval("2022-07-01", None),
    interval("2022-05-30", "2022-05-01"),
)
ROWS = (("a", array(GOOD, REVERSED, LATER), array(period())), ("b", array(GOOD), "[}"), ("c", array(GOOD), ""))


def region(home) -> StoreRegion:
    return StoreRegion(home, timezone="America/New_York", start="2024-03-30")


def elements(platform, table: str, day, slot: str) -> list[dict[str, object]]:
    """The elements of one delivery, but for where they stood in it."""
    found = pq.read_table(platform.layout("eu").silver_file(table, day, slot)).to_pylist()
    return [{name: row[name] for name in row if not name.startswith("_") or name == "_rules"} for row in found]


def test_elements_come_back_with_the_records_in_which_they_stand(tmp_path):
    ours, other = region(tmp_path / "one"), region(tmp_path / "other")
    ours.judge_stores(*ROWS)
    made = backups.create(ours.platform, "eu", "stores")
    assert made.rows == 3
    done = backups.restore(other.platform, "eu", made.file, "stores")
    for table in (INTERVALS, PERIODS):
        before = elements(ours.platform, table, DAY, "stores.csv")
        assert elements(other.platform, table, done.day, done.slot) == before and before
    assert all(balance.is_balanced for balance in balances(other.platform, ["eu"]))


def test_a_nested_table_is_backed_up_with_its_parent(tmp_path):
    with pytest.raises(BackupError, match=f"the rows of {INTERVALS} stand in the records of stores"):
        backups.create(region(tmp_path / "home").platform, "eu", INTERVALS)


def test_gold_is_up_to_date_once_it_has_what_counts(tmp_path, monkeypatch):
    """What a restored backup replaces is not missing in gold, and what it does not is."""
    stores = region(tmp_path / "home")
    stores.judge_stores(*ROWS)
    platform = stores.platform
    done = backups.restore(platform, "eu", backups.create(platform, "eu", "stores").id, "stores")
    now = datetime.now(UTC)

    def behind(contained) -> set[object]:
        monkeypatch.setattr(gold, "contained", lambda platform, region: contained)
        return {fact.day for fact in gather(platform, ["eu"], now) if not fact.in_gold}

    counting = gold.inputs.that_count(platform, gold.inputs.published(platform, ["eu"]))
    assert {file.slot for file in counting} == {done.slot}
    newest = {(file.table, file.day, file.slot): file.fingerprint for file in counting}
    assert behind(newest) == set()
    assert behind({}) == {done.day}
