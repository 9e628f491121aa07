"""Which delivery of a slot stands in silver, what stands beside it, and that nothing is done twice or by halves."""

import os
import resource
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from clearer_platform import silver, storage
from clearer_platform.contracts import Contract, LoadMode
from clearer_platform.errors import Busy, StorageError
from clearer_platform.silver import batches, write
from clearer_platform.silver.states import Place
from clearer_platform_tests.silver.judging import (
    BETTER,
    BROKEN,
    DAY,
    GOOD,
    HEAD,
    STRICT,
    THINGS,
    Region,
    snapshot,
)


def test_every_column(region: Region) -> None:
    judged = region.judge("id,at,amount,born,note,x\na,2024-07-01 00:30:00,1.00,2000-02-03,n,9\n")
    [row] = judged.rows
    key = row.pop("_key")
    assert len(str(key)) > 8
    assert row.pop("_received_at").isoformat() == "2024-03-31T12:00:00+00:00"
    assert row.pop("at").isoformat() == "2024-06-30T22:30:00+00:00"
    assert row.pop("_delivery") == judged.outcome.delivery
    assert {k: v if v is None or isinstance(v, list | int) else str(v) for k, v in row.items()} == {
        "_region": "eu", "_day": "2024-03-31", "_slot": "f.csv", "_line": 2, "_rules": [], "_warnings": [],
        "_raw": None, "_extra": [("x", "9")], "_event_day": "2024-07-01", "id": "a", "amount": "1.00",
        "born": "2000-02-03", "note": "n", "count": 1, "is_open": None,
    }  # fmt: skip
    place = Place.of(region.platform, silver.states(region.platform, "eu", "things")[0].slot)
    with pq.ParquetFile(place.silver) as file:
        assert file.schema_arrow.names == [name for name, _ in silver.accepted_columns(THINGS)]
        assert file.metadata.metadata[b"clearer"] == judged.outcome.model_dump_json().encode()
    assert judged.outcome.extra_columns == ["x"]


def test_a_changed_delivery_replaces_the_slot(region: Region) -> None:
    region.judge(GOOD)
    judged = region.judge(BETTER)
    assert judged.outcome.accepted == 3
    assert [str(row["amount"]) for row in judged.rows] == ["1.50", "2.50", "3.50"]


def test_another_slot_adds(region: Region) -> None:
    region.judge(GOOD, "one.csv")
    region.judge(BETTER, "two.csv")
    assert [s.published.accepted for s in region.bring_up() if s.published] == [2, 3]


def test_a_disk_that_takes_no_more_is_said_and_leaves_what_was(region: Region) -> None:
    region.judge(GOOD)
    before = snapshot(region.home / "eu/silver")
    region.deliver(BETTER)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(StorageError, match="could not be judged: IO Error: Could not write"):
            region.bring_up()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    region.bring_up()
    assert snapshot(region.home / "eu/silver").keys() == before.keys()
    assert [state.published.accepted for state in region.bring_up() if state.published] == [3]


def test_a_folder_that_may_not_be_made_is_said(region: Region, monkeypatch: pytest.MonkeyPatch) -> None:
    region.deliver(GOOD)
    made = Path.mkdir

    def denied(path: Path, *arguments: Any, **options: Any) -> None:
        if path.parent == region.platform.layout("eu").silver("things"):
            raise PermissionError(13, "Permission denied", str(path))
        made(path, *arguments, **options)

    monkeypatch.setattr(Path, "mkdir", denied)
    with pytest.raises(StorageError, match=r"cannot write .*things.*: no permission"):
        region.bring_up()


def test_a_refused_delivery_leaves_the_last_good_version(make_region: Callable[..., Region]) -> None:
    region = make_region(STRICT)
    region.judge(GOOD)
    before = snapshot(region.home)
    region.deliver(BROKEN)
    region.deliver("not,a,header\n1,2,3\n")
    [state] = region.bring_up()
    assert state.published and state.published.accepted == 2
    assert [o.problems[0].rule for o in state.refused] == ["delivery.missing_column", "delivery.rejected_share"]
    assert state.refused[1].rules == {"amount.not_a_decimal": 2}
    assert state.is_current
    place = Place.of(region.platform, state.slot)
    assert snapshot(region.home)[str(Path(place.silver).relative_to(region.home))] in before.values()
    assert not Path(place.records).exists(), "the newest was refused before its rows were judged"


def test_the_rows_of_a_refused_delivery_are_kept(make_region: Callable[..., Region]) -> None:
    region = make_region(STRICT)
    region.judge(GOOD)
    judged = region.judge(BROKEN)
    assert judged.refusal.message == "2 of 3 records are rejected (66.7%); at most 50.0% may be"
    assert judged.broken == {2: ["amount.not_a_decimal"], 3: ["amount.not_a_decimal"]}
    assert (judged.outcome.delivered, judged.outcome.accepted, judged.outcome.rejected) == (3, 1, 2)


def test_refused_then_mended(make_region: Callable[..., Region]) -> None:
    region = make_region(STRICT)
    region.judge(GOOD)
    region.judge(BROKEN)
    judged = region.judge(BETTER)
    assert judged.outcome.accepted == 3
    assert not list((region.home / "eu" / "refused").rglob("*.*"))


def test_nothing_passes(make_region: Callable[..., Region]) -> None:
    region = make_region(STRICT)
    region.deliver(BROKEN)
    region.deliver("")
    [state] = region.bring_up()
    assert state.published is None and len(state.refused) == 2 and state.is_current
    assert not list((region.home / "eu" / "silver").rglob("*.parquet"))


def test_a_header_alone_withdraws_the_rows_of_a_slot(region: Region) -> None:
    region.judge(GOOD)
    judged = region.judge(HEAD)
    assert judged.outcome.status == "published" and judged.outcome.delivered == 0 and judged.rows == []


def test_deliveries_with_different_headers_and_sizes_in_small_batches(make_region: Callable[..., Region]) -> None:
    region = make_region(THINGS, settings={"batch_bytes": 100})
    for i in range(12):
        extra = ",x" if i % 3 == 0 else ""
        rows = "".join(f"r{i}n{n},,{n}.00,,{extra}\n" for n in range(i * 3))
        region.deliver(f"id,at,amount,born,note{extra}\n{rows}", f"{i:02}.csv")
    seen: list[tuple[int, int]] = []
    found = silver.bring_up(region.platform, "eu", "things", progress=lambda done, total: seen.append((done, total)))
    assert [s.published.accepted for s in found if s.published] == [i * 3 for i in range(12)]
    for i, state in enumerate(found):
        assert [row["id"] for row in region.judged(state).rows] == [f"r{i}n{n}" for n in range(i * 3)]
    assert seen == [(n + 1, 12) for n in range(12)]


def test_days_asked_for_alone(region: Region) -> None:
    other = date(2024, 4, 1)
    region.deliver(GOOD)
    region.deliver(GOOD, day=other)
    [state] = silver.bring_up(region.platform, "eu", "things", days=[other])
    assert state.slot.day == other and state.is_current
    assert [s.is_current for s in silver.states(region.platform, "eu", "things")] == [False, True]


def test_a_reader_that_loses_a_record_is_found_out(region: Region, monkeypatch: pytest.MonkeyPatch) -> None:
    """Law 1: the number of records comes from the index; here the engine is made to skip one."""
    from clearer_platform.silver import validate

    reader = validate.reader
    monkeypatch.setattr(validate, "reader", lambda *args: reader(*args)[:-2] + ", skip=1))")
    assert region.judge(BETTER).refusal.rule == "delivery.unreadable"


def test_two_at_once(region: Region) -> None:
    region.settings = region.settings.model_copy(update={"lock_timeout": 0.05})
    region.deliver(GOOD)
    with region.platform.layout("eu").lock("silver-things"), pytest.raises(Busy):
        region.bring_up()


def test_quarantine(make_region: Callable[..., Region]) -> None:
    region = make_region(STRICT)
    empty = silver.quarantine(region.platform, "eu", "things")
    assert empty.num_rows == 0 and empty.column_names == ["_status", *(n for n, _ in silver.accepted_columns(THINGS))]
    region.deliver(GOOD + "c,,x,,secret\nshort\n", "one.csv")
    region.deliver(BROKEN, "two.csv")
    region.bring_up()
    found = silver.quarantine(region.platform, "eu", "things").to_pylist()
    assert [(row["_status"], row["_slot"], row["_line"], row["_rules"]) for row in found] == [
        ("published", "one.csv", 4, ["amount.not_a_decimal"]),
        ("published", "one.csv", 5, ["record.malformed"]),
        ("refused", "two.csv", 2, ["amount.not_a_decimal"]),
        ("refused", "two.csv", 3, ["amount.not_a_decimal"]),
    ]
    assert found[0]["_raw"] == "c,,x,,secret" and found[0]["id"] == "c"
    only = silver.quarantine(region.platform, "eu", "things", rule="record.malformed")
    assert only["_line"].to_pylist() == [5]
    assert silver.quarantine(region.platform, "eu", "things", days=[date(2024, 1, 1)]).num_rows == 0
    silver_files = [str(p) for p in region.home.rglob("*.json")]
    assert not any("secret" in Path(p).read_text() for p in silver_files)


def test_many_files_cost_little_more_than_one(region: Region) -> None:
    """They are judged in few queries, not one by one."""
    made: list[int] = []
    judge = batches.judge
    batches.judge = lambda *args: made.append(len(args[2])) or judge(*args)  # type: ignore[assignment]
    try:
        for i in range(20):
            region.deliver(GOOD, f"{i}.csv")
        region.bring_up()
    finally:
        batches.judge = judge
    assert made == [20]


def test_files_written_side_by_side_keep_their_own_rows_and_lines(make_region: Callable[..., Region]) -> None:
    region = make_region(THINGS)
    for i in range(9):
        blank = "\n" * (i % 3)  # lines are then no matter of arithmetic
        region.deliver(
            HEAD + "".join(f"{blank}r{i}n{n},,{n}.00,,\n" for n in range(50 + i)) + "!,,1.00,,\n", f"{i}.csv"
        )
    for i, state in enumerate(region.bring_up()):
        judged, step = region.judged(state), 1 + i % 3
        assert [(row["id"], row["_line"]) for row in judged.accepted] == [
            (f"r{i}n{n}", 1 + step * (n + 1)) for n in range(50 + i)
        ]
        assert list(judged.broken) == [1 + step * (50 + i) + 1]


def test_a_file_that_cannot_be_written_stops_those_beside_it(region: Region, monkeypatch: pytest.MonkeyPatch) -> None:
    audit = write.audit

    def full(place: Path, contract: Contract, outcome: silver.Outcome, *more: Any) -> None:
        if outcome.slot == "2.csv":
            raise StorageError("the disk is full")
        audit(place, contract, outcome, *more)

    for i in range(6):
        region.deliver(GOOD, f"{i}.csv")
    monkeypatch.setattr(write, "audit", full)
    with pytest.raises(StorageError, match="the disk is full"):
        region.bring_up()
    monkeypatch.setattr(write, "audit", audit)
    assert all(state.is_current and state.published for state in region.bring_up())
    assert not list(region.home.rglob(f"{storage.PARTIAL}*"))


def test_a_bucket(bucket_platform: Any) -> None:
    from io import BytesIO

    from clearer_platform.bronze import receive

    platform = bucket_platform
    header = ";".join(c.name for c in platform.contract("fx_rates").columns)
    data = f"{header}\nUSD;31.03.2024;0,9\nus;31.03.2024;0,9\n".encode()
    receive(platform.layout("eu"), "fx_rates", DAY, "rates.csv", BytesIO(data * 1), origin="test")
    platform.contracts["fx_rates"] = replace(platform.contract("fx_rates"), max_rejected=1.0, load_mode=LoadMode.UPSERT)
    [state] = silver.bring_up(platform, "eu", "fx_rates")
    assert state.is_current and state.published and (state.published.accepted, state.published.rejected) == (1, 1)
    assert silver.quarantine(platform, "eu", "fx_rates")["currency"].to_pylist() == ["us"]
    assert silver.states(platform, "eu", "fx_rates") == [state]
    shared = platform.global_layout.silver_file("fx_rates", DAY, "rates.csv")
    with shared.open("rb") as f:
        assert pq.read_table(f)["_day"].to_pylist() == [DAY, DAY]
    work = platform.layout("eu").work
    assert not [p for p in work.rglob("*") if p.is_file() and p.suffix != ".lock"], os.listdir(work)
