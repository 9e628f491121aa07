"""Nested tables where people meet them: each by its own name, beside the table in whose deliveries it comes."""

import gzip
import json
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from clearer_platform import silver
from clearer_platform.serving.facts import gather
from clearer_platform.serving.plan import Only, plan
from clearer_platform.serving.quarantine import explained, groups, on_line, records
from clearer_platform.serving.reading import read
from clearer_platform.serving.reconciliation import balances
from clearer_platform.serving.revalidation import revalidate
from clearer_platform.serving.status import State, cells
from clearer_platform_tests.silver.judging import DAY
from clearer_platform_tests.silver.nesting import (
    INTERVALS,
    PERIODS,
    STRICT,
    StoreRegion,
    array,
    file_of,
    interval,
    period,
)

GOOD, LATER = interval("2022-05-30", "2022-06-30"), interval("2022-07-01", None)
REVERSED, SECOND = interval("2022-05-30", "2022-05-01"), interval("2022-08-01", None)
NOW = datetime(2024, 4, 2, 12, tzinfo=UTC)
ROWS = (
    ("a", array(GOOD, REVERSED, LATER, SECOND), array(period())),
    ("b", array(GOOD), "[}"),
    (" c", array(GOOD, GOOD), array(period())),
    ("d", f'[{GOOD},{{"x":"\\u00e9[{{"}},{{"y":[{{}},{{}}]}}]', ""),
)


@pytest.fixture
def stores(tmp_path: Path) -> StoreRegion:
    region = StoreRegion(tmp_path / "home", start="2024-03-30")
    region.judge_stores(*ROWS)
    return region


def test_elements_are_counted_a_third_time(stores: StoreRegion) -> None:
    """Not those of records that were rejected themselves; and an array that cannot be read counts as one."""
    found = {b.table: (b.counted, b.accepted, b.rejected, b.is_balanced) for b in balances(stores.platform, ["eu"])}
    assert found == {"stores": (4, 3, 1, True), INTERVALS: (8, 4, 4, True), PERIODS: (2, 1, 1, True)}


@pytest.mark.parametrize("table", [INTERVALS, PERIODS])
def test_a_lost_element_is_noticed(stores: StoreRegion, table: str) -> None:
    path = stores.platform.layout("eu").silver_file(table, DAY, "stores.csv")
    pq.write_table(pq.read_table(path, partitioning=None).slice(1), path)
    assert [b.table for b in balances(stores.platform, ["eu"]) if not b.is_balanced] == [table]


def test_the_third_count_reads_every_kind_of_delivery(tmp_path: Path) -> None:
    """Without a header, packed, over several lines, and JSON lines with arrays as such or as text."""
    region = StoreRegion(tmp_path / "home", csv={"datetime": "%Y-%m-%d %H:%M:%S.%f", "header": False})
    data = file_of(("a", f"[{GOOD},\n{LATER}]", "[]"), ("\nb", array(GOOD), "[]"), ("c", array(GOOD), "[]"))
    region.deliver(gzip.compress(data.split(b"\n", 1)[1]), "a.csv.gz")
    lines = [
        {"store_id": "a", "installHistory": json.loads(array(GOOD, LATER)), "subscriptionHistory": None},
        {"store_id": "b", "installHistory": array(GOOD, GOOD)},
        {"store_id": " c", "installHistory": array(GOOD), "subscriptionHistory": [1, 2]},
        {"store_id": "d", "installHistory": {"a": {}}, "subscriptionHistory": 7},
    ]
    region.deliver("".join(json.dumps(line) + "\n" for line in lines) + "{\n", "b.jsonl")
    region.bring_up()
    found = {b.table: (b.counted, b.accepted, b.rejected) for b in balances(region.platform, ["eu"])}
    assert found == {"stores": (8, 5, 3), INTERVALS: (8, 6, 2), PERIODS: (1, 0, 1)}


def test_quarantine_by_element(stores: StoreRegion) -> None:
    found = {(g.table, g.rule): (g.count, g.lines, g.positions) for g in groups(stores.platform, ["eu"])}
    assert found == {
        ("stores", "store_id.str_matches"): (1, (4,), ()),
        (INTERVALS, "record.ends_after_it_starts"): (1, (2,), (2,)),
        (INTERVALS, "record.second_open"): (1, (2,), (4,)),
        (INTERVALS, "to_now.missing"): (2, (5, 5), (2, 3)),
        (INTERVALS, "from_date.missing"): (2, (5, 5), (2, 3)),
        (PERIODS, "subscription_history.malformed"): (1, (3,), ()),
        (INTERVALS, "delivery.unknown_column"): (1, (), ()),
    }
    here = on_line(stores.platform, groups(stores.platform, ["eu"], tables=[INTERVALS]), 5)
    assert [(g.rule, g.lines, g.positions, g.count) for g in here] == [
        ("from_date.missing", (5, 5), (2, 3), 2),
        ("to_now.missing", (5, 5), (2, 3), 2),
    ]


def test_rejected_elements_with_store_and_position(stores: StoreRegion) -> None:
    rows = records(stores.platform, ["eu"])
    found = [(r["_table"], r["_line"], r["_parent"], r["_position"], r["_raw"]) for r in rows.to_pylist()]
    assert found == [
        ("stores", 4, None, None, file_of(ROWS[2]).decode().split("\n")[1]),
        (INTERVALS, 2, "a", 2, REVERSED),
        (INTERVALS, 2, "a", 4, SECOND),
        (INTERVALS, 5, "d", 2, '{"x":"\\u00e9[{"}'),
        (INTERVALS, 5, "d", 3, '{"y":[{},{}]}'),
        (PERIODS, 3, "b", None, "[}"),
    ]
    assert rows.schema.field("_position").type == pa.int64()


def test_rules_of_elements_in_words(stores: StoreRegion) -> None:
    words = {(e.table, e.rule): e for e in explained(stores.platform, groups(stores.platform, ["eu"]))}
    assert "no to_date, and neither has an earlier one of the same store_id" in (
        words[INTERVALS, "record.second_open"].meaning
    )
    assert "does not hold a JSON array" in words[PERIODS, "subscription_history.malformed"].meaning
    assert "may be as short as an instant" in words[INTERVALS, "record.ends_after_it_starts"].meaning


def test_a_refusal_is_told_once(tmp_path: Path) -> None:
    """Of the table that was delivered; what led to it, of the table that it stands in."""
    region = StoreRegion(tmp_path / "home", STRICT)
    region.judge_stores(("a", array(REVERSED), array(period())))
    found = [(g.table, g.rule, g.is_whole_file) for g in groups(region.platform, ["eu"])]
    assert found == [
        ("stores", "delivery.rejected_share", True),
        (INTERVALS, "record.ends_after_it_starts", True),
    ]
    assert {b.table: b.refused for b in balances(region.platform, ["eu"])} == {"stores": 1, INTERVALS: 1, PERIODS: 1}


def test_status_and_plan(stores: StoreRegion) -> None:
    """A nested table has the state of what came for its parent; nothing is ever due for it."""
    facts = gather(stores.platform, ["eu"], NOW, start=date(2024, 3, 30), end=date(2024, 4, 1))
    shown = {(cell.table, cell.day): (cell.state, cell.delivered, cell.rejected) for cell in cells(facts, NOW)}
    assert shown["stores", DAY] == (State.VALIDATED, 4, 1)
    assert shown[INTERVALS, DAY] == (State.VALIDATED, 8, 4)
    assert (shown["stores", date(2024, 4, 1)][0], shown[PERIODS, date(2024, 4, 1)][0]) == (State.LATE, State.NOT_DUE)
    chosen = plan(facts, NOW, [Only.CHANGED])
    assert chosen.days == {"eu": (DAY,)}
    assert chosen.absent == {"eu": ((date(2024, 3, 30), ("stores",)),)}


def test_judging_again_says_what_changed_in_each_table(stores: StoreRegion) -> None:
    tight = replace(stores.contracts[PERIODS], max_rejected=0.3)
    stores.contracts = {**stores.contracts, PERIODS: tight}
    changes = {c.table: (str(c.before), str(c.after)) for c in revalidate(stores.platform, ["eu"])}
    assert changes == {
        "stores": ("3 accepted, 1 rejected", "refused (published: 0 accepted, 0 rejected)"),
        INTERVALS: ("4 accepted, 4 rejected", "refused (published: 0 accepted, 0 rejected)"),
        PERIODS: ("1 accepted, 1 rejected", "refused (published: 0 accepted, 0 rejected)"),
    }
    assert revalidate(stores.platform, ["eu"], tables=[INTERVALS]) == []
    assert [s.published for s in silver.states(stores.platform, "eu", INTERVALS)] == [None]


def test_accepted_elements_can_be_read(stores: StoreRegion, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clearer_platform.gold.models", lambda platform: [])
    found = read(stores.platform, INTERVALS, region="eu", columns=["store_id", "position", "_line"])
    assert sorted(found.to_pylist(), key=lambda r: (r["_line"], r["position"])) == [
        {"store_id": "a", "position": 1, "_line": 2},
        {"store_id": "a", "position": 3, "_line": 2},
        {"store_id": "b", "position": 1, "_line": 3},
        {"store_id": "d", "position": 1, "_line": 5},
    ]
