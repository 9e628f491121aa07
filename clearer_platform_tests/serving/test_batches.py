"""Taking batches: what is refused, what is invalid, what is remembered, and how far a batch has come."""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest

from clearer_platform import gold
from clearer_platform.bronze import Decision
from clearer_platform.errors import ClearerError, UnknownName
from clearer_platform.platform import Platform
from clearer_platform.serving import batches
from clearer_platform.serving.facts import gather
from clearer_platform.serving.plan import Only, plan
from clearer_platform.serving.rules import explain
from clearer_platform.sources.batches import (
    EmptyBatch,
    KeyReused,
    MalformedBatch,
    Status,
    TooManyRows,
    UnknownBatch,
    UnknownColumn,
    pending,
)
from clearer_platform_tests.batching import HIRING, NOON, employee, line, rows_by_batch, rules, seal, send
from clearer_platform_tests.conftest import REGIONS

NOT_A_NUMBER = "id.not_a_integer"
DEEP = '[{"id":' + "[" * 100_000


@pytest.fixture
def hiring(make_platform: Callable[..., Platform]) -> Platform:
    """A region that hires."""
    return make_platform(HIRING)


REFUSED: list[tuple[bytes | str | list, dict, type[ClearerError]]] = [
    ([], {}, EmptyBatch),
    ("", {}, EmptyBatch),
    ("\r\n\n", {}, EmptyBatch),
    ("id,name,datetime,department_id,job_id\n", {"header": True}, EmptyBatch),
    ([employee(n) for n in range(1001)], {}, TooManyRows),
    ("".join(map(line, range(1001))), {}, TooManyRows),
    ([employee(1), employee(2, salary=3)], {}, UnknownColumn),
    ([employee(1, Name="x")], {}, UnknownColumn),
    ("id,name,datetime,department_id,job,x\n" + line(1), {"header": True}, UnknownColumn),
    ("id,name,datetime,department_id\n1,n,2021-05-30T05:43:46Z,1\n", {"header": True}, UnknownColumn),
    ("id,id,name,datetime,department_id,job_id\n1,1,n,2021-05-30T05:43:46Z,1,2\n", {"header": True}, MalformedBatch),
    ('"id,name\n' + line(1), {"header": True}, MalformedBatch),
    ("{}", {"form": "json"}, MalformedBatch),
    ("[1]", {"form": "json"}, MalformedBatch),
    ('[{"id": 1},]', {"form": "json"}, MalformedBatch),
    ('[{"id": 1}] []', {"form": "json"}, MalformedBatch),
    ('[{"id": NaN}]', {"form": "json"}, MalformedBatch),
    ('[{"id": -Infinity}]', {"form": "json"}, MalformedBatch),
    ('[{"name": "a\x00b"}]', {"form": "json"}, MalformedBatch),
    (b'[{"name": "\xff"}]', {"form": "json"}, MalformedBatch),
    ("", {"form": "json"}, MalformedBatch),
    (DEEP, {"form": "json"}, MalformedBatch),
    ("1,2\n".encode("utf-16"), {}, MalformedBatch),
    (b"\x1f\x8b\x08" + line(1).encode(), {}, MalformedBatch),
]


@pytest.mark.parametrize(("content", "how", "error"), REFUSED, ids=lambda value: getattr(value, "__name__", ""))
def test_what_is_refused_leaves_nothing(
    hiring: Platform, content: object, how: dict, error: type[ClearerError]
) -> None:
    with pytest.raises(error) as refused:
        send(hiring, "hired_employees", content, **how)  # type: ignore[arg-type]
    assert type(refused.value) is error
    assert batches.listed(hiring, "hr") == [] and pending(hiring, "hr") == {}
    assert list(hiring.layout("hr").spool.parent.glob("*.data")) == []


def test_a_thousand_rows_are_taken(hiring: Platform) -> None:
    assert send(hiring, "hired_employees", [employee(n) for n in range(1000)]).record.valid == 1000
    assert send(hiring, "hired_employees", "".join(map(line, range(1000)))).record.valid == 1000


def test_unknown_names(hiring: Platform) -> None:
    with pytest.raises(UnknownName, match="'salaries'"):
        send(hiring, "salaries", [employee(1)])
    with pytest.raises(UnknownName, match="'mars'"):
        send(hiring, "departments", [employee(1)], region="mars")
    for find in (lambda: batches.find(hiring, "hr", "x"), lambda: batches.listed(hiring, "hr", after="x")):
        with pytest.raises(UnknownBatch):
            find()


def test_a_refused_header_does_not_say_what_stood_in_it(hiring: Platform) -> None:
    with pytest.raises(UnknownColumn) as refused:
        send(hiring, "hired_employees", "1,Harold Vogt,2021-11-07T02:48:42Z,2,96\n", header=True)
    assert "field 1 of the header" in str(refused.value) and "Vogt" not in str(refused.value)


INVALID = [
    ("departments", '[{"id": 1, "id": 2, "department": "x"}]', "json", {1: ["record.malformed"]}),
    ("departments", '[{"id": 1, "department": "a\\u0000"}]', "json", {1: ["record.malformed"]}),
    ("departments", '[{"id": 1, "department": "\\ud800"}]', "json", {1: ["record.malformed"]}),
    ("departments", '[{"id": 1, "department": ' + "[" * 200 + "]" * 200 + "}]", "json", {1: ["record.malformed"]}),
    ("departments", '[{"id": 1.5, "department": "x"}, {"id": "2", "department": 3}]', "json", {1: [NOT_A_NUMBER]}),
    ("departments", '[{"id": "a", "department": null}]', "json", {1: [NOT_A_NUMBER, "department.missing"]}),
    ("departments", '[{"id": 99999999999999999999, "department": "x"}]', "json", {1: [NOT_A_NUMBER]}),
    ("departments", '[{}]', "json", {1: ["id.missing", "department.missing"]}),
    ("departments", "1,x,y\n2,y\n", "csv", {1: ["record.malformed"]}),
    ("departments", '1,"x\n2,y\n', "csv", {1: ["record.malformed"]}),
    ("departments", b"1,\xff\n2,y\n", "csv", {1: ["record.undecodable"]}),
    ("departments", "1,a\0b\n2,y\n", "csv", {1: ["record.malformed"]}),
    ("departments", "1,x\r\n\r\n2,\r\n", "csv", {2: ["department.missing"]}),
    ("departments", "1,x\r2,\r", "csv", {2: ["department.missing"]}),
]  # fmt: skip


@pytest.mark.parametrize(("table", "content", "form", "broken"), INVALID)
def test_what_is_invalid_is_said_by_row_and_rule(
    hiring: Platform, table: str, content: str, form: str, broken: dict[int, list[str]]
) -> None:
    for on_invalid in ("reject_rows", "reject_batch"):
        record = send(hiring, table, content, form=form, on_invalid=on_invalid).record
        assert rules(record) == broken
        assert record.invalid == len(broken) == record.rows - record.valid
        assert record.decision is (Decision.ACCEPTED if on_invalid == "reject_rows" else Decision.REJECTED)
        assert record.written == (record.valid if on_invalid == "reject_rows" else 0)


def test_a_huge_field_is_only_a_field(hiring: Platform) -> None:
    huge = "x" * 3_000_000
    assert send(hiring, "departments", [{"id": 1, "department": huge}, {"id": 2, "department": "y"}]).record.valid == 2
    assert send(hiring, "departments", f"1,{huge}\n2,y\n").record.valid == 2


def test_lines_are_those_of_the_text_that_was_sent(hiring: Platform) -> None:
    text = '\ufeffjob_id,id,name,datetime,department_id\r\n2,1,"two\r\nlines",2021-05-30T05:43:46Z,1\r\n2,,n,x,1\r\n'
    record = send(hiring, "hired_employees", text, header=True).record
    assert [(one.row, one.line, one.column, one.rule) for one in record.invalid_rows] == [
        (2, 4, "id", "id.missing"),
        (2, 4, "datetime", "datetime.not_a_timestamp"),
    ]
    assert all("x" not in one.message.split() for one in record.invalid_rows)


def test_formats_and_names_are_the_regions(platform: Platform) -> None:
    """The region eu writes `;`, decimal commas and dates its own way; JSON has numbers of its own."""
    row = {"currency": "USD", "day": "30.03.2024", "rate": 0.9}
    assert rules(send(platform, "fx_rates", [row, {**row, "day": "2024-03-30"}], "eu").record) == {
        2: ["day.not_a_date"]
    }
    assert send(platform, "fx_rates", "currency;day;rate\nUSD;30.03.2024;0,9\n", "eu", header=True).record.valid == 1
    assert rules(send(platform, "fx_rates", "USD;30.03.2024;0.9\n", "eu").record) == {1: ["rate.not_a_decimal"]}


def test_a_renamed_column_has_the_files_name_in_csv_and_the_contracts_in_json(
    make_platform: Callable[..., Platform],
) -> None:
    renamed = HIRING.replace("[regions.hr.tables.jobs]\n", '[regions.hr.tables.jobs]\ncolumns = { job = "puesto" }\n')
    platform = make_platform(renamed)
    assert send(platform, "jobs", "puesto,id\nChef,1\n", header=True).record.valid == 1
    assert send(platform, "jobs", "1,Chef\n").record.valid == 1
    assert send(platform, "jobs", [{"id": 1, "job": "Chef"}]).record.valid == 1
    for content, how in (("job,id\nChef,1\n", {"header": True}), ([{"id": 1, "puesto": "Chef"}], {})):
        with pytest.raises(UnknownColumn):
            send(platform, "jobs", content, **how)
    seal(platform)
    assert [row["job"] for rows in rows_by_batch(platform, "jobs").values() for row in rows] == ["Chef"] * 3


def test_a_known_key_gives_the_first_answer(hiring: Platform) -> None:
    first = send(hiring, "departments", [{"id": 1, "department": "x"}], idempotency_key="k")
    again = send(
        hiring, "departments", [{"id": 1, "department": "x"}], idempotency_key="k", clock=lambda: datetime.now(UTC)
    )
    assert (first.is_new, again.is_new) == (True, False) and again.record == first.record
    for content, how in (
        (([{"id": 2, "department": "x"}]), {}),
        ([{"id": 1, "department": "x"}], {"on_invalid": "reject_batch"}),
    ):
        with pytest.raises(KeyReused):
            send(hiring, "departments", content, idempotency_key="k", **how)
    assert send(hiring, "jobs", [{"id": 1, "job": "x"}], idempotency_key="k").is_new, "keys are those of a table"
    assert len(batches.listed(hiring, "hr")) == 2
    assert "k" not in first.record.model_dump_json(include={"key_hash"})[13:], "a key may say who somebody is"
    seal(hiring)
    assert send(hiring, "departments", [{"id": 1, "department": "x"}], idempotency_key="k").record == first.record


def test_a_batch_that_may_not_wait_needs_its_parents_at_once(hiring: Platform) -> None:
    rows = [employee(1), employee(2, department_id=7), employee(3, department_id=None)]
    assert send(hiring, "hired_employees", rows[:2]).record.valid == 2, "otherwise they wait in gold"
    none_yet = send(hiring, "hired_employees", rows, on_invalid="reject_batch").record
    missing = {1: ["department_id.no_parent", "job_id.no_parent"], 2: ["department_id.no_parent", "job_id.no_parent"]}
    assert rules(none_yet) == {**missing, 3: ["department_id.missing"]}
    send(hiring, "jobs", "2,Chef\n")
    send(hiring, "departments", "1,Kitchen\n7,\n")
    rejected = send(hiring, "departments", "8,Bar\n9,\n", on_invalid="reject_batch").record
    assert rejected.decision is Decision.REJECTED
    for state in ("in a batch", "in silver"):
        assert send(hiring, "hired_employees", rows[:1], on_invalid="reject_batch").record.written == 1, state
        for department in (7, 8):
            orphan = send(hiring, "hired_employees", [employee(2, department_id=department)], on_invalid="reject_batch")
            assert rules(orphan.record) == {1: ["department_id.no_parent"]}, state
        seal(hiring)
        hiring.layout("hr").spool.unlink()
        hiring = Platform.open(hiring.settings)


def test_the_day_is_that_of_receipt_in_the_regions_zone(make_platform: Callable[..., Platform]) -> None:
    platform = make_platform(HIRING.replace('"UTC"', '"Asia/Tokyo"'))
    for hour, day in ((14, date(2024, 3, 31)), (15, date(2024, 4, 1))):
        record = send(
            platform, "jobs", "1,Chef\n", clock=lambda h=hour: datetime(2024, 3, 31, h, 30, tzinfo=UTC)
        ).record
        assert record.day == day
    assert {day: some.batches for day, some in pending(platform, "hr")["jobs"].items()} == {
        date(2024, 3, 31): 1,
        date(2024, 4, 1): 1,
    }


def test_a_batch_is_followed_to_gold(hiring: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    record = send(hiring, "jobs", "1,Chef\n2,\n").record
    status = lambda: batches.find(hiring, "hr", record.id).status  # noqa: E731
    assert status() is Status.RECEIVED
    from clearer_platform import silver, sources

    sources.collect(hiring, "hr", "jobs")
    assert status() is Status.SEALED
    [state] = silver.bring_up(hiring, "hr", "jobs")
    assert status() is Status.VALIDATED
    assert state.published is not None
    served = {("jobs", state.slot.day, state.slot.name): state.published.fingerprint}
    monkeypatch.setattr(gold, "contained", lambda platform, region: served)
    assert status() is Status.PUBLISHED
    assert batches.batch_at(hiring, "hr", "jobs", record.day, state.slot.name, 2).id == record.id
    with pytest.raises(UnknownBatch):
        batches.batch_at(hiring, "hr", "jobs", record.day, state.slot.name, 3)


def test_listing_and_summing(hiring: Platform) -> None:
    ids = [send(hiring, "jobs", f"{n},Chef\n{n},\n").record.id for n in range(5)]
    ids.append(send(hiring, "departments", "1,\n", on_invalid="reject_batch").record.id)
    assert [record.id for record in batches.listed(hiring, "hr")] == ids
    assert [record.id for record in batches.listed(hiring, "hr", after=ids[1], limit=2)] == ids[2:4]
    assert [record.id for record in batches.listed(hiring, "hr", table="departments")] == ids[5:]
    seal(hiring, ["jobs"])
    assert [r.id for r in batches.listed(hiring, "hr", status=Status.VALIDATED, after=ids[0], limit=2)] == ids[1:3]
    assert [r.id for r in batches.listed(hiring, "hr", status=Status.RECEIVED, limit=1)] == ids[5:]
    total = batches.summary(hiring, "hr")
    assert total.statuses == {Status.VALIDATED: 5, Status.RECEIVED: 1}
    figures = json.loads(total.model_dump_json(exclude={"statuses", "region", "table"}))
    assert figures == {
        "batches": 6,
        "accepted": 5,
        "rejected": 1,
        "rows": 11,
        "valid": 5,
        "invalid": 6,
        "written": 5,
        "rules": {"department.missing": 1, "job.missing": 5},
    }
    assert batches.summary(hiring, "hr", table="departments").written == 0


def test_a_plan_has_the_days_of_batches_that_wait(hiring: Platform) -> None:
    send(hiring, "jobs", "1,Chef\n")
    now = NOON + timedelta(days=1)
    waiting = [fact for fact in gather(hiring, ["hr"], now) if fact.has_new_file]
    assert [(fact.table, fact.day, fact.is_due) for fact in waiting] == [("jobs", NOON.date(), False)]
    for only in ((), (Only.MISSING,), (Only.CHANGED,)):
        assert plan(gather(hiring, ["hr"], now), now, only).days == {"hr": (NOON.date(),)}
    seal(hiring, ["jobs"])
    assert not any(fact.has_new_file for fact in gather(hiring, ["hr"], now))


def test_what_a_rejected_batch_broke_is_explained(hiring: Platform) -> None:
    said = explain("batch.rejected", hiring.contract("jobs"), hiring.source("hr", "jobs"))
    assert "reject_batch" in said.meaning and "log" in said.remedy


def test_regions_keep_their_batches_apart(make_platform: Callable[..., Platform]) -> None:
    platform = make_platform(REGIONS)
    send(platform, "fx_rates", "USD;30.03.2024;0,9\n", "eu")
    assert batches.listed(platform, "us") == [] and len(batches.listed(platform, "eu")) == 1
