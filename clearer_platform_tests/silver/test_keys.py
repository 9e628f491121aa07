"""Rules about records and columns that follow from a contract's keys, load mode, tombstone and policy of drift."""

from collections.abc import Callable
from dataclasses import replace

import ibis.expr.datatypes as dt
import pandera.ibis as pa
import pytest

from clearer_platform.contracts import Contract, Drift, LoadMode
from clearer_platform_tests.silver.judging import FACTS, GOOD, HEAD, THINGS, Marked, Region


def test_keys_are_stable_and_tell_regions_apart(make_region: Callable[..., Region]) -> None:
    first, again = (make_region().judge(GOOD).rows for _ in range(2))
    other = make_region(THINGS, csv={"delimiter": ";"}).judge(GOOD.replace(",", ";")).rows
    assert [row["_key"] for row in first] == [row["_key"] for row in again] == [row["_key"] for row in other]
    assert first[0]["_key"] != first[1]["_key"]
    assert make_region(replace(THINGS, name="others")).judge(GOOD).rows[0]["_key"] != first[0]["_key"]


def test_a_repeated_key_of_facts(make_region: Callable[..., Region]) -> None:
    region = make_region(FACTS)
    rows = "a,,x,,\na,,1.00,,first good\nb,,2.00,,\na,,1.00,,\na,,9.00,,\nbad row\nb,,3.00,,\n"
    region.deliver(HEAD + "b,,5.00,,\n", "other.csv")
    judged = region.judge(HEAD + rows)
    repeated = ["record.repeated_key"]
    assert judged.broken == {
        2: ["amount.not_a_decimal"],
        5: repeated,
        6: repeated,
        7: ["record.malformed"],
        8: repeated,
    }
    assert [(row["_line"], row["id"]) for row in judged.accepted] == [(3, "a"), (4, "b")]
    assert [row["_raw"] for row in judged.rows if row["_rules"] == repeated] == ["a,,1.00,,", "a,,9.00,,", "b,,3.00,,"]
    assert region.bring_up()[1].published.accepted == 1, "another delivery is another matter"


def test_a_repeated_key_of_what_may_change_is_no_fault(region: Region) -> None:
    assert region.judge(HEAD + "a,,1.00,,\na,,2.00,,\n").outcome.accepted == 2


def test_a_tombstone_needs_its_key_alone(make_region: Callable[..., Region]) -> None:
    marked = Contract(
        name="marked", domain="test", model=Marked, key=("id",), event_time="day", tombstone="gone", max_rejected=1.0
    )
    judged = make_region(marked).judge(
        "id,version,name,day,gone\na,,,,true\nb,,z,1999-01-01,1\n,,,,true\nA,,,,true\nc,,,31.12.2024,true\nd,,,,false\ne,,y,,maybe\n"
    )
    assert judged.broken == {
        4: ["id.missing"],
        5: ["id.str_matches"],
        6: ["day.not_a_date"],
        7: ["name.missing"],
        8: ["gone.not_a_boolean", "record.named_so"],
    }


def test_a_column_may_be_called_as_the_engine_calls_the_number_of_a_row(make_region: Callable[..., Region]) -> None:
    """Which of the records are broken or repeated is found by that number."""

    class Sold(pa.DataFrameModel):
        """A table as a database may have it."""

        rowid: dt.Int64 = pa.Field(description="d")
        name: str = pa.Field(isin=["x", "y"], description="d")

    for mode, repeated in ((LoadMode.UPSERT, []), (LoadMode.APPEND, [5])):
        sold = Contract(name="sold", domain="test", model=Sold, key=("rowid",), load_mode=mode, max_rejected=1.0)
        judged = make_region(sold).judge("rowid,name\n70,x\n3,z\n2,y\n70,y\nfew\n1,x\n")
        assert list(judged.broken) == sorted([3, 6, *repeated])
        assert judged.broken[3] == ["name.isin"]
        assert [(row["_line"], row["rowid"], row["name"]) for row in judged.accepted] == [
            row for row in [(2, 70, "x"), (4, 2, "y"), (5, 70, "y"), (7, 1, "x")] if row[0] not in repeated
        ]


def test_drift(make_region: Callable[..., Region]) -> None:
    data = "id,at,amount,born,note,x\na,,1.00,,,9\n"
    kept = make_region().judge(data).outcome
    assert [(p.rule, p.column) for p in kept.problems] == [("delivery.unknown_column", "x")]
    refusal = make_region(replace(THINGS, drift=Drift.REFUSE)).judge(data).refusal
    assert (refusal.rule, refusal.column) == ("delivery.unknown_column", "x")


@pytest.mark.parametrize("name", ["Count", " count", "COUNT "])
def test_an_optional_column_is_not_missed_for_its_spelling(region: Region, name: str) -> None:
    """It would be filled with 1 for every row, which is a wrong figure and not a missing one."""
    refusal = region.judge(f"id,at,amount,born,note,{name}\na,,1.00,,,9\n").refusal
    assert (refusal.rule, refusal.column) == ("delivery.misspelt_column", "count")
