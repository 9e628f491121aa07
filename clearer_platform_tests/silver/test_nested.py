"""Tables nested in the records of another: one delivery, several silver files, one verdict."""

import json
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from clearer_platform import silver, storage
from clearer_platform.contracts import Drift
from clearer_platform.errors import StorageError
from clearer_platform.silver import counting, elements
from clearer_platform_tests.silver.judging import DAY
from clearer_platform_tests.silver.nesting import (
    INTERVALS,
    PERIODS,
    STRICT,
    TOLERANT,
    StoreRegion,
    array,
    file_of,
    interval,
    period,
)

GOOD = interval("2022-05-30", "2022-06-30")
LATER = interval("2022-07-01", None)
REVERSED = interval("2022-05-30", "2022-05-01")
TABLES = ("stores", INTERVALS, PERIODS)


@pytest.fixture
def stores(tmp_path: Path) -> StoreRegion:
    """A region that delivers stores."""
    return StoreRegion(tmp_path / "home")


@pytest.fixture
def strict(tmp_path: Path) -> StoreRegion:
    """The same under the contracts as they are: of more than a fifth that is rejected all is refused."""
    return StoreRegion(tmp_path / "strict", STRICT)


def test_one_delivery_fills_three_tables(stores: StoreRegion) -> None:
    stores.judge_stores(("a", array(GOOD, LATER), array(period())), ("b", array(GOOD), "[]"))
    outcomes = [stores.state(table).published for table in TABLES]
    assert [(o.table, o.delivered, o.accepted, o.rejected) for o in outcomes if o] == [
        ("stores", 2, 2, 0),
        (INTERVALS, 3, 3, 0),
        (PERIODS, 1, 1, 0),
    ]
    assert len({(o.fingerprint, o.delivery, o.status) for o in outcomes if o}) == 1
    first, second, third = stores.rows(INTERVALS)
    assert [(r["store_id"], r["position"], r["_line"]) for r in (first, second, third)] == [
        ("a", 1, 2),
        ("a", 2, 2),
        ("b", 1, 3),
    ]
    assert first["from_date"].isoformat() == "2022-05-30T00:00:00+00:00"
    assert first["to_date"].isoformat() == "2022-06-30T23:59:59.999000+00:00"
    assert (first["to_now"], second["to_now"], second["to_date"], first["_raw"]) == (False, True, None, None)
    [row] = stores.rows(PERIODS)
    assert (f"{row['price']}", row["plan_name"], row["billing_on_date"]) == ("19.00", "regular_1", None)
    assert stores.rows("stores")[0]["install_history"] == array(GOOD, LATER)


def test_a_rejected_element_takes_nothing_along(stores: StoreRegion) -> None:
    """It is in quarantine with store, position, rule and its own text; the store and its other elements stay."""
    stores.judge_stores(("a", array(GOOD, REVERSED, LATER), "[]"), ("b", array(REVERSED), "[]"))
    assert stores.found(INTERVALS) == [
        (1, []),
        (2, ["record.ends_after_it_starts"]),
        (3, []),
        (1, ["record.ends_after_it_starts"]),
    ]
    assert stores.state("stores").published.rejected == 0
    rejected = silver.quarantine(stores.platform, "eu", INTERVALS).to_pylist()
    assert [(r["store_id"], r["position"], r["_line"], r["_raw"]) for r in rejected] == [
        ("a", 2, 2, REVERSED),
        ("b", 1, 3, REVERSED),
    ]
    problem = stores.state(INTERVALS).published.problems[0]
    assert (problem.line, problem.position, problem.place) == (2, 2, "line 2, element 2")


def test_elements_of_a_rejected_record_are_not_expanded(stores: StoreRegion) -> None:
    stores.judge_stores((" a", array(GOOD, GOOD), array(period())), ("b", array(GOOD), "[]"))
    assert stores.state("stores").published.rejected == 1
    assert [(r["store_id"], r["_line"]) for r in stores.rows(INTERVALS)] == [("b", 3)]
    assert stores.rows(PERIODS) == []


def test_the_verdict_is_one(strict: StoreRegion) -> None:
    """Too many rejected elements of one table refuse all of them; what was published before stays."""
    strict.judge_stores(("a", array(GOOD), array(period())))
    before = {table: strict.rows(table) for table in TABLES}
    strict.judge_stores(("a", array(GOOD, LATER, REVERSED), array(period())), ("b", array(GOOD), "[]"))
    for table in TABLES:
        state = strict.state(table)
        [refused] = state.refused
        assert (refused.status, refused.judged, refused.table) == ("refused", True, table)
        assert refused.problems[0].rule == "delivery.rejected_share"
        assert refused.problems[0].message.removeprefix(f"{INTERVALS}: ") == (
            "1 of 4 elements are rejected (25.0%); at most 20.0% may be"
        )
        assert refused.problems[0].message.startswith(INTERVALS) == (table != INTERVALS)
        assert strict.rows(table) == before[table]
    assert [(r["_status"], r["position"]) for r in silver.quarantine(strict.platform, "eu", INTERVALS).to_pylist()] == [
        ("refused", 3)
    ]
    strict.judge_stores(("a", array(GOOD, LATER), "[]"))
    assert [len(strict.state(table).refused) for table in TABLES] == [0, 0, 0]
    assert [len(strict.rows(table)) for table in TABLES] == [1, 2, 0]


def test_what_cannot_be_judged_is_refused_in_every_table(stores: StoreRegion) -> None:
    stores.deliver(b"store_id,installHistory\na,[]\n", "stores.csv")
    stores.bring_up()
    for table in TABLES:
        [refused] = stores.state(table).refused
        assert (refused.problems[0].rule, refused.judged) == ("delivery.missing_column", False)


def test_the_fingerprint_covers_every_contract_and_mapping(stores: StoreRegion) -> None:
    stores.judge_stores(("a", array(GOOD), "[]"))
    assert all(stores.state(table).is_current for table in TABLES)
    children = stores.contracts
    stores.contracts = {**children, PERIODS: replace(children[PERIODS], max_rejected=0.5)}
    assert not any(stores.state(table).is_current for table in TABLES)
    stores.contracts = children
    table = stores.entry["table"]
    renamed = {**table["nested"], INTERVALS: {**table["nested"][INTERVALS], "to_now": "now"}}
    stores.entry["table"] = {**table, "nested": renamed}
    assert not any(stores.state(name).is_current for name in TABLES)


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("damage", [lambda path: path.unlink(), lambda path: path.write_bytes(b"PAR1")])
def test_a_file_that_is_gone_or_damaged_is_made_again(stores: StoreRegion, table: str, damage) -> None:
    """Whichever of the three it is, and by whatever name the deliveries are brought up."""
    stores.judge_stores(("a", array(GOOD, REVERSED), array(period())))
    before = {name: stores.rows(name) for name in TABLES}
    damage(Path(stores.platform.layout("eu").silver_file(table, DAY, "stores.csv")))
    assert not any(stores.state(name).is_current for name in TABLES)
    [state] = silver.bring_up(stores.platform, "eu", INTERVALS)
    assert (state.is_current, state.slot.table) == (True, INTERVALS)
    assert {name: stores.rows(name) for name in TABLES} == before


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("suffix", [".json", ".parquet"])
def test_what_is_known_of_a_refusal_is_made_again(strict: StoreRegion, table: str, suffix: str) -> None:
    strict.judge_stores(("a", array(REVERSED), array(period())))
    place = Path(strict.platform.layout("eu").refused_file(table, DAY, "stores.csv", suffix))
    place.unlink()
    assert not strict.state("stores").is_current
    strict.bring_up()
    assert strict.state("stores").is_current and place.exists()


def test_children_are_put_in_place_before_their_parent(stores: StoreRegion, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []
    publish = storage.publish_file

    def noted(source: Path, target: Path) -> None:
        written.append(Path(target).parent.parent.name)
        publish(source, target)

    monkeypatch.setattr(storage, "publish_file", noted)
    stores.deliver(file_of(("a", array(GOOD), "[]")), "stores.csv")
    written.clear()
    stores.bring_up()
    assert written == [INTERVALS, PERIODS, "stores"]


def test_json_lines(stores: StoreRegion) -> None:
    """Arrays may stand in them as such, or as text."""
    lines = [
        {"store_id": "a", "installHistory": [json.loads(GOOD), json.loads(REVERSED)], "subscriptionHistory": None},
        {"store_id": "b", "installHistory": array(LATER), "subscriptionHistory": [{"price": 1, "planName": "x{"}]},
    ]
    stores.deliver("".join(json.dumps(line) + "\n" for line in lines), "stores.jsonl")
    stores.bring_up()
    rows = stores.rows(INTERVALS, "stores.jsonl")
    assert [(r["store_id"], r["position"], r["_line"], len(r["_rules"])) for r in rows] == [
        ("a", 1, 1, 0),
        ("a", 2, 1, 1),
        ("b", 1, 2, 0),
    ]
    [row] = stores.rows(PERIODS, "stores.jsonl")
    assert (row["_rules"], row["_raw"]) == (["from_date.missing"], '{"price":1,"planName":"x{"}')


def test_unknown_keys_are_kept_and_told(stores: StoreRegion) -> None:
    """In the usual case by the engine, in any other by Python: both say the same."""
    told = interval("2022-05-30", "2022-06-30", note="n", more={"a": [1.50]})
    stores.judge_stores(
        ("a", array(told), "[]"), *((f"s{i}", array(interval("2022-05-30", None, seen=1)), "[]") for i in range(5))
    )
    outcome = stores.state(INTERVALS).published
    assert (outcome.rejected, outcome.extra_columns) == (0, ["more", "note", "seen"])
    assert {p.column for p in outcome.problems if p.rule == "delivery.unknown_column"} == {"more", "note", "seen"}
    rows = stores.rows(INTERVALS)
    assert dict(rows[0]["_extra"]) == {"note": "n", "more": '{"a":[1.5]}'}
    assert dict(rows[1]["_extra"]) == {"seen": "1"}
    stores.contracts = {**stores.contracts, INTERVALS: replace(stores.contracts[INTERVALS], drift=Drift.REFUSE)}
    stores.bring_up()
    assert "keys that it does not know: 'more', 'note', 'seen'" in stores.state("stores").refused[0].problems[0].message


def test_a_key_that_is_nearly_a_columns_fills_nothing_with_null(stores: StoreRegion) -> None:
    """An end under the key `todate` would make an open interval of a closed one."""
    misspelt = interval("2022-05-30", None).replace('"toDate":null', '"todate":"2022-06-30 23:59:59.999000"')
    own_name = interval("2022-05-30", None).replace('"toDate":null', '"to_date":"2022-06-30 23:59:59.999000"')
    stores.judge_stores(("a", array(misspelt), "[]"), ("b", array(own_name), "[]"), ("c", array(GOOD), "[]"))
    assert stores.found(INTERVALS) == [(1, ["to_date.misspelt"]), (1, ["to_date.misspelt"]), (1, [])]


def test_two_records_of_one_store_are_two_accounts(stores: StoreRegion) -> None:
    """The later one wins as a whole: its elements are not held against those of the earlier one."""
    stores.judge_stores(("a", array(GOOD), "[]"), ("a", array(GOOD, LATER), "[]"))
    assert [(r["_line"], r["position"], r["_rules"]) for r in stores.rows(INTERVALS)] == [
        (2, 1, []),
        (3, 1, []),
        (3, 2, []),
    ]


def test_an_element_that_the_engine_loses_is_found_out(stores: StoreRegion, monkeypatch: pytest.MonkeyPatch) -> None:
    """Law 1: elements are counted in the delivery's bytes; here the engine is made to skip one."""
    engine = elements.engine_elements
    monkeypatch.setattr(
        "clearer_platform.silver.nested.engine_elements",
        lambda *args: f"(SELECT * FROM {engine(*args)} LIMIT 2)",
    )
    with pytest.raises(StorageError, match=r"line 2 has \[3, 0\] elements .* \[2, 0\] were read"):
        stores.judge_stores(("a", array(GOOD, GOOD, LATER), "[]"))
    assert stores.state(INTERVALS).published is None


def test_ordinary_records_are_counted_by_their_braces(stores: StoreRegion, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only where these are not what the engine found is a record read again."""
    looked: list[int] = []
    counted = counting._counted
    monkeypatch.setattr(
        counting, "_counted", lambda p, b, number, *rest: (looked.append(number), counted(p, b, number, *rest))[1]
    )
    stores.judge_stores(("a", array(GOOD), "[]"), ("b", array(GOOD), array(period(planName="{"))), ("c", "[1]", ""))
    assert looked == [1, 2]
    assert stores.state(PERIODS).published.accepted == 1


def test_a_hundred_thousand_elements(stores: StoreRegion) -> None:
    """In one array; and once more in one that only Python takes apart, since a string in it has an escape."""
    many = [period(price=f"{n}.25") for n in range(100_000)]
    odd = array(*many, period(planName="\u00e9"))
    assert "\\u00e9" in odd
    stores.judge_stores(("a", array(GOOD), array(*many)), ("b", array(GOOD), odd))
    path = stores.platform.layout("eu").silver_file(PERIODS, DAY, "stores.csv")
    table = pq.read_table(path, partitioning=None, columns=["store_id", "position", "price", "_rules"]).to_pydict()
    assert not any(table["_rules"])
    places = sorted(zip(table["store_id"], table["position"], map(str, table["price"]), strict=True))
    assert places[:100_000] == sorted(("a", n + 1, f"{n}.25") for n in range(100_000))
    assert len(places) == 200_001


def test_tolerant_contracts_are_the_real_ones() -> None:
    assert [replace(contract, max_rejected=0.2) for contract in TOLERANT] == list(STRICT)


def test_a_text_for_no_value_is_no_array(tmp_path: Path) -> None:
    """Quoted or not, and in JSON lines too."""
    region = StoreRegion(tmp_path / "home", csv={"datetime": "%Y-%m-%d %H:%M:%S.%f", "nulls": ["-", "[]"]})
    region.deliver(file_of(("a", array(GOOD), "-"), ("b", array(GOOD), "")), "stores.csv")
    lines = [
        {"store_id": store, "installHistory": [], "subscriptionHistory": text}
        for store, text in (("a", "-"), ("b", ""))
    ]
    region.deliver("".join(json.dumps(line) + "\n" for line in lines), "stores.jsonl")
    region.bring_up()
    assert [region.state(PERIODS, slot).published.delivered for slot in ("stores.csv", "stores.jsonl")] == [0, 0]
    assert region.state("stores", "stores.jsonl").published.rules == {"install_history.missing": 2}
