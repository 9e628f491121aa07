"""Dropped files: every record of what lands is in one batch, once, whatever is killed, changed or wrong on the way."""

import gzip
import json
import os
import re
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from clearer_platform import silver, sources
from clearer_platform.bronze import is_intact
from clearer_platform.errors import DeliveryError
from clearer_platform.platform import Platform
from clearer_platform.serving import batches, dropped
from clearer_platform.serving.facts import gather
from clearer_platform.sources import Failure
from clearer_platform.sources.batches import BatchRecord
from clearer_platform.sources.batches.spool import Spool
from clearer_platform_tests.batching import HIRING, NOON, deliveries, employee, line, rows_by_batch, sealed
from clearer_platform_tests.laws import test_kill_batches
from clearer_platform_tests.laws.test_kill import ends_like_a_clean_run

DAY = NOON.date()
unjudged = test_kill_batches.unjudged
TABLES = ("departments", "jobs", "hired_employees")


def registry(*, size: int = 2, on_invalid: str = "reject_rows", header: bool = False, more: str = "") -> str:
    """Everything that is dropped is sent through, in batches of `size`."""
    how = f'days = []\nbatches = {{ size = {size}, on_invalid = "{on_invalid}" }}'
    said = f"[regions.hr.csv]\nheader = {str(header).lower()}\n{more}"
    return HIRING.replace("days = []", how).replace("[regions.hr.csv]\n", said)


@pytest.fixture
def hiring(make_platform: Callable[..., Platform]) -> Platform:
    """A region whose files have no header, in batches of two."""
    return make_platform(registry(), settle=0)


def drop(platform: Platform, content: str | bytes, name: str = "people.csv", table: str = "hired_employees") -> Path:
    path = Path(str(platform.layout("hr").landing(table) / name))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def ticking(start: int = 0) -> Callable[[], Any]:
    """A clock that goes on by a second each time, so that no two batches have the same moment."""
    moments = iter(NOON + timedelta(seconds=n) for n in range(start, start + 10_000))
    return lambda: next(moments)


def collect(platform: Platform, table: str = "hired_employees", start: int = 0) -> list[Failure]:
    found = dropped.collect(platform, "hr", table, clock=ticking(start))
    return [one for one in found if isinstance(one, Failure)]


def records(platform: Platform) -> list[BatchRecord]:
    return batches.listed(platform, "hr")


def bronze_lines(platform: Platform, table: str = "hired_employees") -> list[bytes]:
    """Every line that came, in the order of receipt."""
    found = sorted(deliveries(platform, table), key=lambda d: d.manifest.received_at)
    assert all(is_intact(delivery) for delivery in found)
    return [row for delivery in found for row in delivery.content.read_bytes().splitlines(keepends=True)]


def test_a_file_becomes_batches_of_the_day_of_receipt_and_is_then_no_news(hiring: Platform) -> None:
    text = "".join(line(n) for n in range(5))
    path = drop(hiring, text)
    (today,) = {a.day for a in sources.changed(hiring, "hr", "hired_employees")}
    assert today == hiring.region("hr").today(dropped.now())
    assert dropped.collect(hiring, "hr", "hired_employees", [today - timedelta(1)]) == [], "another day's run"
    assert collect(hiring) == []
    found = records(hiring)
    assert [(r.rows, r.day, r.client, r.origin) for r in found] == [(n, DAY, "landing", str(path)) for n in (2, 2, 1)]
    assert [(r.part.first, r.part.is_last) for r in found if r.part] == [(0, False), (2, False), (4, True)]
    assert b"".join(bronze_lines(hiring)) == text.encode()
    assert len(deliveries(hiring, "hired_employees")) == 1
    assert sources.changed(hiring, "hr", "hired_employees") == [] and collect(hiring) == []
    assert len(records(hiring)) == 3


def test_without_the_entry_a_file_is_a_delivery(make_platform: Callable[..., Platform]) -> None:
    platform = make_platform(HIRING)
    drop(platform, "id,name,datetime,department_id,job_id\n" + line(1), f"people-{DAY}.csv")
    assert collect(platform) == [] and not Spool(platform, "hr").is_there
    assert [d.slot for d in deliveries(platform, "hired_employees")] == [f"people-{DAY}.csv"]


def test_what_is_waiting_is_planned_for_today(hiring: Platform) -> None:
    drop(hiring, line(1))
    now = dropped.now()
    today = hiring.region("hr").today(now)
    new = [fact.day for fact in gather(hiring, ["hr"], now, tables=["hired_employees"]) if fact.has_new_file]
    assert new == [today]


@pytest.mark.parametrize(
    ("name", "packed"),
    [
        ("p.csv", lambda data: data),
        ("P.CSV.GZ", gzip.compress),
        ("p.csv.zst", lambda data: pa.Codec("zstd").compress(data, asbytes=True)),
    ],
)
def test_headers_encodings_and_compression_are_as_for_any_landing_file(
    make_platform: Callable[..., Platform], name: str, packed: Callable[[bytes], bytes]
) -> None:
    platform = make_platform(registry(header=True, more='encoding = "cp1252"\ndelimiter = ";"\n'))
    rows = ["id;department", "1;Café", '2;"Zwei; ""teils"""', "", "x;Müll", "4;Vier"]
    drop(platform, packed("\r\n".join(rows).encode("cp1252")), name, "departments")
    assert collect(platform, "departments") == []
    silver.bring_up(platform, "hr", "departments")
    kept = [row for some in rows_by_batch(platform, "departments").values() for row in some if not row["_rules"]]
    assert [(row["id"], row["department"]) for row in kept] == [(1, "Café"), (2, 'Zwei; "teils"'), (4, "Vier")]
    assert [(r.rows, r.invalid) for r in records(platform)] == [(2, 0), (2, 1)]
    (broken,) = [one for record in records(platform) for one in record.invalid_rows]
    assert (broken.row, broken.line, broken.rule) == (1, 5, "id.not_a_integer"), "the line is the file's"


def test_json_lines_are_sent_through_and_lines_are_the_files(hiring: Platform) -> None:
    rows = [employee(1), employee(2), employee(3, name=None)]
    drop(hiring, "\n".join([json.dumps(rows[0]), "", *(json.dumps(row) for row in rows[1:])]), "p.jsonl")
    assert collect(hiring) == []
    assert [json.loads(row)["id"] for row in bronze_lines(hiring)] == [1, 2, 3]
    (broken,) = [one for record in records(hiring) for one in record.invalid_rows]
    assert (broken.row, broken.line, broken.rule) == (1, 4, "name.missing")


def test_every_batch_has_the_columns_of_the_file(make_platform: Callable[..., Platform]) -> None:
    """A headerless file may lack optional columns at its end; a short record in its middle is that record's fault."""
    tables = "[regions.hr.tables.customers]\ndays = []\nbatches = { size = 1 }\n"
    platform = make_platform(registry() + tables)
    columns = [column.name for column in platform.contract("customers").columns]
    most = max(n for n, column in enumerate(platform.contract("customers").columns, 1) if column.required)
    assert len(columns) > most, "it has optional columns at its end"
    full = ["c1", *["x"] * (len(columns) - 1)]
    drop(platform, f"{','.join(full)}\n{','.join(full[:most])}\n", table="customers")
    assert collect(platform, "customers") == []
    kinds = {entry.columns for entry in Spool(platform, "hr").entries("customers")}
    assert kinds == {tuple(columns)}


def test_a_changed_file_is_sent_again_and_a_touched_one_is_not(hiring: Platform) -> None:
    """A, B, A: the latest wins by arrival, even where the store's version of the first and the third is the same."""
    for number, text in enumerate(("1,A\n2,B\n3,C\n", "1,X\n", "1,A\n2,B\n3,C\n")):
        path = drop(hiring, text, "d.csv", "departments")
        os.utime(path, ns=(1, 1))
        assert collect(hiring, "departments", 60 * number) == []
        os.utime(path, ns=(2, 2))
        assert sources.changed(hiring, "hr", "departments") == [] and collect(hiring, "departments") == []
    assert [record.rows for record in records(hiring)] == [2, 1, 1, 2, 1]
    assert bronze_lines(hiring, "departments") == [b"1,A\n", b"2,B\n", b"3,C\n", b"1,X\n", b"1,A\n", b"2,B\n", b"3,C\n"]


class Stopped(BaseException):
    """The process ends."""


def stop_after(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Die before the batch after so many."""
    taken, take = iter(range(number)), batches.take

    def dying(*about: Any, **how: Any) -> Any:
        if next(taken, None) is None:
            raise Stopped
        return take(*about, **how)

    monkeypatch.setattr(dropped, "take", dying)


@pytest.mark.parametrize("loses", [False, True])
def test_after_a_break_it_goes_on_with_the_next_record_whatever_the_size_is_by_then(
    hiring: Platform, make_platform: Callable[..., Platform], monkeypatch: pytest.MonkeyPatch, loses: bool
) -> None:
    """Also where what was taken had been sealed, and the spool was lost since: the manifests know it."""
    text = "".join(line(n) for n in range(9))
    path = drop(hiring, text)
    with monkeypatch.context() as patch:
        stop_after(patch, 2)
        with pytest.raises(Stopped):
            collect(hiring)
    if loses:
        sources.collect(hiring, "hr", "hired_employees")
        Spool(hiring, "hr").path.unlink()
    os.utime(path, ns=(1, 1))
    other = make_platform(registry(size=3))
    assert collect(other, start=60) == []
    assert [record.rows for record in records(other)] == [2, 2, 3, 2]
    assert b"".join(bronze_lines(other)) == text.encode()


def test_a_file_that_changes_in_the_middle_is_sent_from_its_beginning(
    hiring: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop(hiring, "".join(line(n) for n in range(5)))
    with monkeypatch.context() as patch:
        stop_after(patch, 1)
        with pytest.raises(Stopped):
            collect(hiring)
    drop(hiring, "".join(line(n) for n in (7, 8, 9)))
    assert collect(hiring, start=60) == []
    assert b"".join(bronze_lines(hiring)) == "".join(line(n) for n in (0, 1, 7, 8, 9)).encode()


def test_a_kill_at_any_commit_point(hiring: Platform, unjudged: None, tmp_path: Path) -> None:
    path = drop(hiring, "1,a\n2,b\n3,c\n4,d\n5,e\n", "d.csv", "departments")
    os.utime(path, ns=(1, 1))

    def state() -> list[object]:
        about = {"id", "delivery", "key_hash", "received_at"}
        spooled = [entry.record.model_dump(exclude=about) for entry in Spool(hiring, "hr").entries()]
        return [bronze_lines(hiring, "departments"), spooled, sources.changed(hiring, "hr", "departments")]

    ends_like_a_clean_run(hiring, tmp_path, lambda: must(hiring, "departments"), state, least=12)


def must(platform: Platform, table: str) -> None:
    assert collect(platform, table) == []


def test_processes_at_one_file_take_each_batch_once(hiring: Platform, unjudged: None) -> None:
    """Even without the lock: a key follows from the part and from the batch before it."""
    drop(hiring, "".join(f"{n},d\n" for n in range(24)), "d.csv", "departments")
    children = []
    for _ in range(3):
        if (child := os.fork()) == 0:
            try:
                dropped.collect(hiring, "hr", "departments")
                os._exit(0)
            finally:
                os._exit(1)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0, 0]
    assert len(records(hiring)) == 12 and len(sealed(hiring, "departments")) == 12
    assert sorted(bronze_lines(hiring, "departments")) == sorted(f"{n},d\n".encode() for n in range(24))


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        (
            "p.csv.gz",
            gzip.compress(b"1,a\n2,b\n" * 999, mtime=0)[:-20],
            r"p\.csv\.gz: the gzip data ends early after .*line \d+",
        ),
        ("p.csv", "1,a\n".encode("utf-16"), r"p\.csv: a UTF-16 byte-order mark in a file that should be utf-8"),
        ("p.csv", b"", r"p\.csv: it has no record"),
        ("p.csv", b"\n\r\n", r"p\.csv: it has no record"),
        ("p.csv", b"1,a,b,c\n", r"p\.csv: the first record has 4 fields"),
        ("p.jsonl", b'{"id": 1, "department": "a"}\n\n[1]\n', r"p\.jsonl: line 3 is no JSON object"),
        (
            "p.jsonl",
            b'{"id": 1, "department": "a"}\n' * 3 + b'{"id": 4, "division": "d"}\n',
            r"p\.jsonl: the batch that begins on line 3: .* is no column of departments",
        ),
    ],
)
def test_what_cannot_be_cut_fails_by_name_and_keeps_no_other_waiting(
    hiring: Platform, name: str, content: bytes, says: str
) -> None:
    bad = drop(hiring, content, name, "departments")
    drop(hiring, "7,g\n", "z.csv", "departments")
    (failure,) = collect(hiring, "departments")
    assert isinstance(failure.error, DeliveryError) and failure.day == hiring.region("hr").today(dropped.now())
    assert re.search(says, failure.error.message)
    assert [record.rows for record in records(hiring)] == [1], "nothing of the bad file was taken"
    assert [a.path for a in sources.changed(hiring, "hr", "departments")] == [bad], "it stays until it changes"
    assert len(collect(hiring, "departments")) == 1
    assert list((hiring.layout("hr").work / "dropped").iterdir()) == []
    bad.unlink()
    assert sources.changed(hiring, "hr", "departments") == []


def test_logs_and_the_summary_lie_beside_the_file_and_are_neither_deliveries_nor_strays(hiring: Platform) -> None:
    path = drop(hiring, line(1) + line(2, name="") + line(3))
    assert collect(hiring) == []
    (log,) = path.with_name(f"{path.name}.batches").iterdir()
    said = json.loads(log.read_text())
    assert (said["id"], said["invalid_rows"][0]["line"]) == (records(hiring)[0].id, 2)
    total = json.loads(path.with_name(f"{path.name}.summary.json").read_text())
    assert {k: total[k] for k in ("batches", "rows", "written", "rules")} == {
        "batches": 2,
        "rows": 3,
        "written": 2,
        "rules": {"name.missing": 1},
    }
    arrivals, strays = sources.landed(hiring, "hr")
    assert [a.path for a in arrivals] == [path] and strays == []


def test_parents_that_come_in_the_same_run_are_there_for_batches_that_must_name_them(
    make_platform: Callable[..., Platform],
) -> None:
    """They are files as any other, and validated only because the batches ask for them."""
    mixed = registry(on_invalid="reject_batch", size=1)
    for table in ("departments", "jobs"):
        start = mixed.index(f"[regions.hr.tables.{table}]")
        mixed = mixed[:start] + mixed[start:].replace('\nbatches = { size = 1, on_invalid = "reject_batch" }', "", 1)
    platform = make_platform(mixed)
    today = platform.region("hr").today(dropped.now())
    drop(platform, "1,a\n", f"d-{today}.csv", "departments")
    drop(platform, "2,b\n", f"j-{today}.csv", "jobs")
    drop(platform, line(1) + line(2, department_id=5))
    for table in TABLES:
        assert dropped.collect(platform, "hr", table, [today])
    assert [record.written for record in records(platform)] == [1, 0]


REAL = [("reject_batch", 10, 1409, 59), ("reject_rows", 1000, 1929, 0)]


@pytest.mark.parametrize(("on_invalid", "size", "written", "rejected"), REAL)
def test_the_real_files_through_the_folder(
    make_platform: Callable[..., Platform], real_data: Path, on_invalid: str, size: int, written: int, rejected: int
) -> None:
    """The numbers of the specification."""
    platform = make_platform(registry(size=size, on_invalid=on_invalid))
    for table in TABLES:
        folder = Path(str(platform.layout("hr").landing(table)))
        folder.mkdir(parents=True)
        shutil.copy(real_data / "hiring" / f"{table}.csv", folder)
        assert collect(platform, table) == []
    silver.bring_up(platform, "hr", "hired_employees")
    (state,) = silver.states(platform, "hr", "hired_employees")
    assert state.published and (state.published.delivered, state.published.accepted) == (1999, written)
    summary = batches.summary(platform, "hr", table="hired_employees")
    assert (summary.rows, summary.invalid, summary.written, summary.rejected) == (1999, 70, written, rejected)
