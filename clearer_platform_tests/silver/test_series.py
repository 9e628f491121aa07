"""Deliveries that were sealed from batches: each batch is judged as it was when it came, whatever its neighbours."""

import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clearer_platform import silver, sources
from clearer_platform.bronze import Decision, Manifest
from clearer_platform.platform import Platform
from clearer_platform.serving import batches, quarantine
from clearer_platform.serving.reconciliation import balances
from clearer_platform_tests.batching import HIRING, line, rows_by_batch, rules, seal, send
from clearer_platform_tests.conftest import EFFORT, open_home
from clearer_platform_tests.silver.judging import FACTS, Region

PIECES = ["1", "2", ",", ",", "\n", "\n", '"', "x", "\r", "\r\n", "\0", "é", "", "3,y\n", '"a,b"', '"a\nb"', '""']
TEXTS = st.lists(st.sampled_from(PIECES), min_size=1, max_size=14).map("".join)


@pytest.fixture(scope="module")
def hiring(tmp_path_factory: pytest.TempPathFactory, prepared_dbt: Path) -> Platform:
    """One region that hires, for all tests; each begins with nothing in it."""
    return open_home(tmp_path_factory.mktemp("series") / "home", HIRING, prepared_dbt)


@pytest.fixture
def empty(hiring: Platform) -> Platform:
    """The region, and nothing in it."""
    clear(hiring)
    return hiring


def clear(platform: Platform) -> None:
    shutil.rmtree(platform.layout("hr").root, ignore_errors=True)


@settings(max_examples=25 * EFFORT, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(st.tuples(TEXTS, st.sampled_from(["reject_rows", "reject_batch"]), st.booleans()), min_size=1, max_size=5)
)
def test_silver_judges_as_the_log_says(hiring: Platform, sent: list[tuple[str, str, bool]]) -> None:
    """Whatever stands in the neighbours of a batch: an open quote, another line end, half a record."""
    clear(hiring)
    taken = []
    for text, on_invalid, has_bad_byte in sent:
        raw = text.encode() + (b"\xff" if has_bad_byte else b"")
        try:
            taken.append(send(hiring, "departments", raw, on_invalid=on_invalid).record)
        except sources.batches.EmptyBatch:
            assert not raw.strip(b"\r\n")
    seal(hiring, ["departments"])
    found = rows_by_batch(hiring, "departments")
    assert set(found) == {record.id for record in taken}
    for record in taken:
        rows = found[record.id]
        is_rejected = ["batch.rejected"] * (record.decision is Decision.REJECTED)
        expected = [rules(record).get(number, []) + is_rejected for number in range(1, record.rows + 1)]
        assert [row["_rules"] for row in rows] == expected
        accepted = [row for row in rows if not row["_rules"]]
        assert len(accepted) == record.written
        assert batches.find(hiring, "hr", record.id).status is batches.Status.VALIDATED


def test_an_open_quote_does_not_reach_into_the_next_batch(empty: Platform) -> None:
    first, second = send(empty, "departments", '1,"a\n'), send(empty, "departments", '2,b"\n3,c\n')
    assert (first.record.valid, second.record.valid) == (0, 1)
    seal(empty, ["departments"])
    found = rows_by_batch(empty, "departments")
    assert [row["_raw"] for row in found[first.record.id]] == ['1,"a']
    assert [(row["_rules"], row["id"]) for row in found[second.record.id]] == [(["record.malformed"], None), ([], 3)]


def test_the_balance_counts_batch_by_batch(empty: Platform) -> None:
    """By the csv module, which would otherwise read the second batch as a part of the first one's last field."""
    for text in ('1,"a\nb"\n', '2,"c""d"\n3,\n', "\r\n4,e\r\n"):
        send(empty, "departments", text)
    send(empty, "departments", [{"id": 5, "department": "f"}])
    seal(empty, ["departments"])
    [balance] = [one for one in balances(empty, ["hr"]) if one.table == "departments"]
    assert (balance.counted, balance.accepted, balance.rejected, balance.uncounted) == (5, 3, 2, 0)


def test_a_rejected_batch_is_kept_and_told(empty: Platform) -> None:
    good, bad = line(1), line(2, name="")
    send(empty, "hired_employees", line(3))
    record = send(empty, "hired_employees", good.replace(",2\n", ",\n") + bad + good, on_invalid="reject_batch").record
    assert record.written == 0
    seal(empty, ["hired_employees"])
    rows = rows_by_batch(empty, "hired_employees")[record.id]
    assert [row["_rules"] for row in rows] == [
        ["job_id.missing", "batch.rejected"],
        ["name.missing", "batch.rejected"],
        ["batch.rejected"],
    ]
    assert [row["_raw"] + "\n" for row in rows] == [good.replace(",2\n", ",\n"), bad, good]
    [state] = silver.states(empty, "hr", "hired_employees")
    assert state.published and state.published.rejected == 3, "more than a fifth: batches know no threshold"
    told = {group.rule: (group.count, group.message) for group in quarantine.groups(empty, ["hr"])}
    assert told["batch.rejected"][0] == 3 and "rejected as a whole" in told["batch.rejected"][1]


def test_a_rebuild_from_bronze_decides_alike(empty: Platform) -> None:
    """Also what could no longer be decided so: by now the parents are there."""
    rejected = send(empty, "hired_employees", line(1), on_invalid="reject_batch").record
    accepted = send(empty, "hired_employees", line(2) + line(3, name="")).record
    send(empty, "departments", "1,Bar\n")
    send(empty, "jobs", "2,Chef\n")
    seal(empty)
    before = rows_by_batch(empty, "hired_employees")
    for path in empty.layout("hr").silver("hired_employees").rglob("*.parquet"):
        path.unlink()
    silver.bring_up(empty, "hr", "hired_employees")
    assert rows_by_batch(empty, "hired_employees") == before
    assert [row["_rules"] for row in before[rejected.id]] == [["batch.rejected"]]
    assert [row["_rules"] for row in before[accepted.id]] == [[], ["name.missing"]]


def test_keys_of_facts_repeat_within_a_batch_but_not_across(tmp_path: Path) -> None:
    region = Region(tmp_path, FACTS)
    platform = region.platform
    a, b, c = (f'{{"id": "{name}", "note": "{n}"}}' for n, name in enumerate("aba"))
    taken = [
        send(platform, "facts", f"[{','.join(rows)}]", "eu", form="json", on_invalid=on_invalid).record
        for rows, on_invalid in (([a, b, c], "reject_rows"), ([c], "reject_rows"), ([a, c], "reject_batch"))
    ]
    repeated = ["record.repeated_key"]
    assert [rules(record) for record in taken] == [{3: repeated}, {}, {2: repeated}]
    sources.collect(platform, "eu", "facts")
    silver.bring_up(platform, "eu", "facts")
    found = rows_by_batch(platform, "facts", "eu")
    assert [[row["_rules"] for row in found[record.id]] for record in taken] == [
        [[], [], repeated],
        [[]],
        [["batch.rejected"], [*repeated, "batch.rejected"]],
    ]


def test_local_times_of_far_years_are_resolved(tmp_path: Path) -> None:
    platform = Region(tmp_path, FACTS).platform
    rows = [{"id": f"a{year}", "at": f"{year}-07-01 12:00:00"} for year in (1950, 2024, 2090)]
    assert send(platform, "facts", rows, "eu").record.valid == 3


def test_batches_and_files_of_one_day_stand_side_by_side(tmp_path: Path) -> None:
    region = Region(tmp_path, FACTS)
    region.deliver("id,at,amount,born,note\na,,,,from a file\n")
    send(region.platform, "facts", [{"id": "b", "note": "from a batch"}], "eu")
    sources.collect(region.platform, "eu", "facts")
    notes = {row["note"] for state in region.bring_up() for row in region.judged(state).accepted}
    assert notes == {"from a batch", "from a file"}


def test_a_manifest_from_before_there_were_batches_is_read() -> None:
    old = (
        '{"region": "eu", "table": "t", "day": "2024-03-31", "slot": "f.csv", "file_name": "f.csv", "origin": "o", '
        '"origin_version": null, "received_at": "2024-03-31T12:00:00Z", "size": 1, "sha256": "0", "record_count": null}'
    )
    assert Manifest.model_validate_json(old).series is None


def test_what_judging_leaves_behind(empty: Platform) -> None:
    send(empty, "jobs", '1,"Ch\r\nef"\n2,x,y\n')
    send(empty, "jobs", [{"id": 1, "job": "x"}])
    folder = empty.layout("hr").spool.parent
    assert {path.name.split("-")[0] for path in folder.iterdir()} == {"spool.db"}
