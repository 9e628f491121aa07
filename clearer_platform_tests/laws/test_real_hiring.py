"""The three real hiring files, unchanged, from their landing folders to the two reports: in each of the six orders in
which they can come, a region and three business days an order.

The published figures are the specification's, not ours; the rest is plain Python over the files.
"""

import csv
import shutil
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from itertools import permutations
from pathlib import Path

import pytest

from clearer_platform import gold, silver, sources
from clearer_platform.gold import warehouse
from clearer_platform.platform import Platform
from clearer_platform.serving.facts import gather
from clearer_platform.serving.plan import plan
from clearer_platform.serving.reading import read
from clearer_platform.serving.status import State, cells
from clearer_platform_tests.conftest import open_home

TABLES = ("departments", "jobs", "hired_employees")
ORDERS = {"_".join(table[0] for table in order): order for order in permutations(TABLES)}
"""Region -> the order in which it delivers."""
FIRST = date(2024, 12, 2)
REGION = """
[regions.{name}]
timezone = "UTC"
currency = "EUR"
root = "{name}"
start = 2024-12-01
[regions.{name}.csv]
header = false
datetime = "%Y-%m-%dT%H:%M:%SZ"
[regions.{name}.tables]
departments = {{ days = [] }}
jobs = {{ days = [] }}
hired_employees = {{ days = [] }}
"""
"""All that a region says to deliver them."""

Rows = Mapping[str, list[list[str]]]


@pytest.fixture(scope="module")
def files(real_data) -> Rows:
    """The records of each file."""
    found = {}
    for table in TABLES:
        with (real_data / "hiring" / f"{table}.csv").open(newline="", encoding="utf-8") as f:
            found[table] = list(csv.reader(f))
    return found


@pytest.fixture(scope="module")
def delivered(tmp_path_factory, prepared_dbt, real_data) -> Platform:
    """The regions with all files, and a warehouse of all of them, brought up to date after every file."""
    home = tmp_path_factory.mktemp("hiring") / "home"
    platform = open_home(home, "".join(REGION.format(name=name) for name in ORDERS), prepared_dbt)
    for step in range(len(TABLES)):
        for region, order in ORDERS.items():
            landing = home / region / "landing" / order[step]
            landing.mkdir(parents=True)
            name = f"{order[step]}-{FIRST + timedelta(days=step)}.csv"
            shutil.copy(real_data / "hiring" / f"{order[step]}.csv", landing / name)
            sources.collect(platform, region, order[step])
            silver.bring_up(platform, region, order[step])
        current = everything(platform) if step else None
        gold.build_warehouse(platform, [*ORDERS], everything(platform), home / "work", current=current)
    gold.build(platform, "d_j_h")
    return platform


def everything(platform: Platform) -> Path:
    return platform.settings.home / "everything.duckdb"


def test_70_of_1999_hires_miss_a_field(delivered):
    for region in ORDERS:
        (state,) = silver.states(delivered, region, "hired_employees")
        assert (state.published.delivered, state.published.accepted, state.published.rejected) == (1999, 1929, 70)
        missing = {"name": 19, "datetime": 14, "department_id": 21, "job_id": 16}
        assert state.published.rules == {f"{column}.missing": number for column, number in missing.items()}
        for table, number in (("departments", 12), ("jobs", 183)):
            (state,) = silver.states(delivered, region, table)
            assert (state.published.delivered, state.published.accepted) == (number, number)


def test_the_reports_of_2021_are_the_published_ones(delivered):
    quarters = [row for row in read(delivered, "hires_by_quarter", region="d_j_h").to_pylist() if row["year"] == 2021]
    assert len(quarters) == 933
    assert [sum(row[f"q{n}"] for row in quarters) for n in (1, 2, 3, 4)] == [249, 454, 453, 487]
    names = [(row["department"], row["job"]) for row in quarters]
    assert names == sorted(names)
    above = [r for r in read(delivered, "departments_above_mean", region="d_j_h").to_pylist() if r["year"] == 2021]
    assert [(row["department"], row["id"], row["hired"]) for row in above] == [
        ("Support", 8, 216),
        ("Engineering", 5, 205),
        ("Human Resources", 6, 201),
        ("Services", 7, 200),
        ("Business Development", 4, 185),
        ("Research and Development", 3, 148),
        ("Marketing", 9, 142),
    ]
    hires = Counter(row["department_id"] for row in read(delivered, "fct_hires", region="d_j_h").to_pylist()
                    if row["year"] == 2021)  # fmt: skip
    assert round(hires.total() / len(hires), 3) == 136.917


def test_every_year_equals_plain_python(delivered, files):
    departments, jobs = dict(files["departments"]), dict(files["jobs"])
    hires = [row for row in files["hired_employees"] if all(row)]
    quarters = Counter((int(at[:4]), departments[d], jobs[j], (int(at[5:7]) + 2) // 3) for _, _, at, d, j in hires)
    found = read(delivered, "hires_by_quarter", region="d_j_h").to_pylist()
    assert {
        (row["year"], row["department"], row["job"], n): row[f"q{n}"]
        for row in found
        for n in (1, 2, 3, 4)
        if row[f"q{n}"]
    } == quarters
    above = []
    for year in sorted({at[:4] for _, _, at, _, _ in hires}):
        counts = Counter(d for _, _, at, d, _ in hires if at[:4] == year)
        above += [
            (int(year), int(d), number)
            for d, number in sorted(counts.items(), key=lambda item: (-item[1], int(item[0])))
            if number > counts.total() / len(counts)
        ]
    found = read(delivered, "departments_above_mean", region="d_j_h").to_pylist()
    assert [(row["year"], row["id"], row["hired"]) for row in found] == above


def test_every_order_of_the_files_gives_the_same_gold(delivered):
    """Nobody waits in the end; but for the pseudonyms, which each region makes by its own key."""
    with warehouse.connect(everything(delivered)) as connection:
        assert connection.execute("from gold.pending_rows").fetchall() == []
        for mart in ("fct_hires", "hires_by_quarter", "departments_above_mean"):
            left_out = "region, employee_key" if mart == "fct_hires" else "region"
            rows = {
                region: connection.execute(
                    f"select * exclude ({left_out}) from gold.{mart} where region = ? order by all", [region]
                ).fetchall()
                for region in ORDERS
            }
            assert rows["d_j_h"] and all(found == rows["d_j_h"] for found in rows.values()), mart


def test_what_is_due_on_no_day_is_never_late_nor_missing(delivered):
    now = datetime.now(UTC)
    facts = gather(delivered, ["d_j_h"], now)
    states = Counter(cell.state for cell in cells(facts, now))
    assert set(states) == {State.NOT_DUE, State.PUBLISHED, State.REJECTED}
    assert (states[State.PUBLISHED], states[State.REJECTED]) == (2, 1)
    wanted = plan(facts, now)
    assert (wanted.absent, wanted.silent) == ({}, {})
    assert wanted.days == {"d_j_h": tuple(FIRST + timedelta(days=n) for n in range(3))}
