"""The three real hiring files, sent in batches. The figures are the specification's, not ours."""

from collections.abc import Callable
from pathlib import Path

import pytest

from clearer_platform.platform import Platform
from clearer_platform.serving import batches
from clearer_platform.sources.batches import Form
from clearer_platform_tests.batching import HIRING, send

WRITTEN = {10: 1409, 50: 350, 100: 100, 500: 0, 1000: 0}
"""Rows by the size of batches of which an invalid row rejects the whole."""
BAD = {"name.missing": 19, "datetime.missing": 14, "department_id.missing": 21, "job_id.missing": 16}


@pytest.fixture
def staffed(make_platform: Callable[..., Platform], real_data: Path) -> Platform:
    """The region with its departments and jobs."""
    platform = make_platform(HIRING)
    for table, rows in (("departments", 12), ("jobs", 183)):
        [taken] = sent(platform, table, lines(real_data, table), 1000)
        assert taken == rows
    return platform


def lines(folder: Path, table: str) -> list[bytes]:
    return (folder / "hiring" / f"{table}.csv").read_bytes().splitlines(keepends=True)


def sent(platform: Platform, table: str, rows: list[bytes], size: int, **how: object) -> list[int]:
    """The rows written of each batch."""
    pieces = [b"".join(rows[at : at + size]) for at in range(0, len(rows), size)]
    return [send(platform, table, piece, **how).record.written for piece in pieces]


def test_reject_batch_writes_the_batches_without_an_invalid_row(staffed: Platform, real_data: Path) -> None:
    rows = lines(real_data, "hired_employees")
    for size, written in WRITTEN.items():
        assert sum(sent(staffed, "hired_employees", rows, size, on_invalid="reject_batch")) == written, size


def test_reject_rows_writes_every_valid_row(staffed: Platform, real_data: Path) -> None:
    rows = lines(real_data, "hired_employees")
    for size in (50, 400, 1000):
        assert sum(sent(staffed, "hired_employees", rows, size)) == 1929, size
    total = batches.summary(staffed, "hr", table="hired_employees")
    assert (total.rows, total.invalid, total.rejected) == (3 * 1999, 3 * 70, 0)
    assert total.rules == {rule: 3 * count for rule, count in BAD.items()}


def test_one_by_one_a_row_rejects_nothing_but_itself(staffed: Platform, real_data: Path) -> None:
    rows = lines(real_data, "hired_employees")
    some = [row for row in rows if b",," in row or row.endswith(b",\r\n")] + rows[:100]
    whole = sum(all(row.strip(b"\r\n").split(b",")) for row in some)
    assert sum(sent(staffed, "hired_employees", some, 1, on_invalid="reject_batch")) == whole


@pytest.mark.slow
def test_every_row_one_by_one(staffed: Platform, real_data: Path) -> None:
    rows = lines(real_data, "hired_employees")
    assert sum(sent(staffed, "hired_employees", rows, 1, on_invalid="reject_batch")) == 1929


def test_json_and_csv_are_judged_alike(staffed: Platform, real_data: Path) -> None:
    """The same rows as JSON: numbers as numbers, what is not there as null."""
    names = ["id", "name", "datetime", "department_id", "job_id"]
    rows = [
        dict(zip(names, row.decode().strip().split(","), strict=True)) for row in lines(real_data, "hired_employees")
    ]
    typed = [{k: (int(v) if k.endswith("id") else v) if v else None for k, v in row.items()} for row in rows]
    written = [send(staffed, "hired_employees", typed[at : at + 1000], form=Form.JSON).record for at in (0, 1000)]
    assert sum(record.written for record in written) == 1929
