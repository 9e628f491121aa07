"""Rows that wait for a parent: held back, released and held back again, by contract alone.

Each scenario is a region, so that all of them take three builds of one warehouse.
"""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from clearer_platform import gold
from clearer_platform.contracts import Reference
from clearer_platform.gold import warehouse
from clearer_platform.platform import Platform
from clearer_platform_tests.gold.histories import synthetic, waiting, winners
from clearer_platform_tests.gold.silver_files import open_platform, put, silver_path
from clearer_platform_tests.gold.test_histories import bring_up, check_against_plain_python, differences

MODULE = '''
from typing import Optional
import ibis.expr.datatypes as dt
import pandera.ibis as pa
from clearer_platform.contracts import Contract, LoadMode, Reference

class Grades(pa.DataFrameModel):
    """Grades, the same in every region."""
    grade: str = pa.Field(description="Grade.")
    level: dt.Int64 = pa.Field(description="Level.")

class Teams(pa.DataFrameModel):
    """Teams, some of them of a department."""
    id: dt.Int64 = pa.Field(description="Team.")
    department_id: dt.Int64 = pa.Field(nullable=True, description="Department.")
    is_deleted: Optional[bool] = pa.Field(nullable=True, description="Deletes.", metadata={"default": "false"})

class Badges(pa.DataFrameModel):
    """Badges of teams."""
    id: dt.Int64 = pa.Field(description="Badge.")
    team_id: dt.Int64 = pa.Field(description="Team.")
    grade: str = pa.Field(description="Grade.")
    level: dt.Int64 = pa.Field(description="Level.")

GRADES = Contract(name="grades", domain="hiring", model=Grades, key=("grade", "level"), shared=True)
TEAMS = Contract(
    name="teams", domain="hiring", model=Teams, key=("id",), tombstone="is_deleted",
    references=(Reference(("department_id",), "departments", waits=True),),
)
BADGES = Contract(
    name="badges", domain="hiring", model=Badges, key=("id",), load_mode=LoadMode.FULL,
    references=(Reference(("team_id",), "teams", waits=True), Reference(("grade", "level"), "grades", waits=True)),
)
'''
DAY = date(2024, 10, 27)
DEPARTMENT, JOB = "departments (department_id)", "jobs (job_id)"
TEAM, GRADE = "teams (team_id)", "grades (grade, level)"

Row = dict[str, Any]
Put = tuple[str, int, list[Row] | None]
"""A table, the day of its slot counted from the first, and the slot's rows; None: its file is gone."""


def hire(person: int, department: int = 1) -> Row:
    """A person hired for job 1."""
    at = datetime(2024, 5, 1, tzinfo=UTC)
    return {"id": person, "name": "N", "datetime": at, "department_id": department, "job_id": 1}


def department(number: int) -> Row:
    return {"id": number, "department": f"D{number}"}


JOBS: Put = ("jobs", 0, [{"id": 1, "job": "J"}])
BADGE = {"id": 1, "team_id": 1, "grade": "A", "level": 2}
SCENARIOS: dict[str, tuple[list[Put], list[Put], list[Put]]] = {
    "hire_first": ([("hired_employees", 0, [hire(1)])], [("departments", 1, [department(1)])], [("jobs", 2, JOBS[2])]),
    "withdrawn": (
        [JOBS, ("departments", 0, [department(1), department(2)])],
        [("hired_employees", 1, [hire(1), hire(2, 2)])],
        [("departments", 0, [department(2)])],
    ),
    "refused": (
        [JOBS, ("departments", 0, [department(1)]), ("hired_employees", 0, [hire(1)])],
        [("departments", 0, None)],
        [("departments", 0, [department(1)])],
    ),
    "newer_waits": (
        [JOBS, ("departments", 0, [department(1)]), ("hired_employees", 0, [hire(1)])],
        [("hired_employees", 1, [hire(1, 9)])],
        [("departments", 2, [department(9)])],
    ),
    "chain": (
        [("teams", 0, [{"id": 1, "department_id": 7}]), ("badges", 0, [BADGE])],
        [("departments", 1, [department(7)])],
        [],
    ),
    "deleted": (
        [("teams", 0, [{"id": 1, "department_id": None}]), ("badges", 0, [BADGE, {**BADGE, "id": 2, "level": 3}])],
        [("teams", 1, [{"id": 1, "department_id": None, "is_deleted": True}])],
        [],
    ),
    "everybody": ([], [], [("grades", 0, [{"grade": "A", "level": 2}])]),
}


@dataclass(frozen=True)
class Seen:
    """What a warehouse says after a build."""

    hires: dict[str, set[tuple[str, str]]]
    """Region -> person and department."""
    pending: dict[str, list[tuple[str, int, str]]]
    """Region -> table, day of the delivery counted from the first, and reference."""


def seen(target: Path) -> Seen:
    with warehouse.connect(target) as connection:
        hires = connection.execute(
            "select region, identifier, department from gold.fct_hires"
            " inner join clearer.pseudonyms as p using (region) where p.pseudonym = employee_key"
        ).fetchall()
        pending = connection.execute(
            "select region, table_name, day, reference from gold.pending_rows order by all"
        ).fetchall()
    return Seen(
        {name: {(p, d) for region, p, d in hires if region == name} for name in SCENARIOS},
        {name: [(t, (day - DAY).days, r) for region, t, day, r in pending if region == name] for name in SCENARIOS},
    )


@pytest.fixture(scope="module")
def modules(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, ...]]:
    """The further contracts."""
    folder = tmp_path_factory.mktemp("contracts")
    (folder / "waiting_tables.py").write_text(MODULE)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        yield ("waiting_tables",)
    sys.modules.pop("waiting_tables", None)


def opened(home: Path, registry: str, prepared_dbt: Path, modules: tuple[str, ...]) -> Platform:
    """A platform with the further contracts, in which sales wait for customers too; their marts are built by days."""
    platform = open_platform(home, registry, prepared_dbt, contract_modules=modules)
    sales = platform.contract("transactions")
    references = (Reference(("customer_id",), "customers", waits=True), *sales.references[1:])
    return replace(platform, contracts={**platform.contracts, "transactions": replace(sales, references=references)})


@pytest.fixture(scope="module")
def phases(
    tmp_path_factory: pytest.TempPathFactory, prepared_dbt: Path, modules: tuple[str, ...]
) -> tuple[Sequence[Seen], Sequence[gold.Build]]:
    """The scenarios played: what gold said after each of their steps."""
    home = tmp_path_factory.mktemp("pending")
    tables = "\n".join(f"{table} = {{}}" for table in ("departments", "jobs", "hired_employees", "teams", "badges"))
    regions = "[calendar]\nfirst = 2024-01-01\nlast = 2024-12-31\n" + "".join(
        f'[regions.{name}]\ntimezone = "UTC"\ncurrency = "EUR"\nroot = "{name}"\n[regions.{name}.tables]\n{tables}\n'
        + ("grades = {}\n" if name == "everybody" else "")
        for name in SCENARIOS
    )
    platform = opened(home, regions, prepared_dbt, modules)
    target = home / "all.duckdb"
    found, builds = [], []
    for step in range(3):
        for region, steps in SCENARIOS.items():
            for table, day, rows in steps[step]:
                at = DAY + timedelta(day)
                if rows is None:
                    silver_path(platform, region, table, at, "a.csv").unlink()
                else:
                    put(platform, region, table, at, rows)
        current = target if step else None
        builds.append(gold.build_warehouse(platform, [*SCENARIOS], target, home / "work", current=current))
        found.append(seen(target))
    return found, builds


@pytest.mark.parametrize(
    ("scenario", "hires", "pending"),
    [
        (
            "hire_first",
            [set(), set(), {("1", "D1")}],
            [[("hired_employees", 0, DEPARTMENT), ("hired_employees", 0, JOB)], [("hired_employees", 0, JOB)], []],
        ),
        (
            "withdrawn",
            [set(), {("1", "D1"), ("2", "D2")}, {("2", "D2")}],
            [[], [], [("hired_employees", 1, DEPARTMENT)]],
        ),
        ("refused", [{("1", "D1")}, set(), {("1", "D1")}], [[], [("hired_employees", 0, DEPARTMENT)], []]),
        ("newer_waits", [{("1", "D1")}, set(), {("1", "D9")}], [[], [("hired_employees", 1, DEPARTMENT)], []]),
        (
            "chain",
            [set()] * 3,
            [[("badges", 0, GRADE), ("badges", 0, TEAM), ("teams", 0, DEPARTMENT)], [("badges", 0, GRADE)], []],
        ),
        (
            "deleted",
            [set()] * 3,
            [
                [("badges", 0, GRADE)] * 2,
                [("badges", 0, GRADE)] * 2 + [("badges", 0, TEAM)] * 2,
                [("badges", 0, GRADE)] + [("badges", 0, TEAM)] * 2,
            ],
        ),
    ],
)
def test_a_row_is_in_gold_exactly_while_its_parents_are_there(
    phases: tuple[Sequence[Seen], object], scenario: str, hires: list[object], pending: list[object]
) -> None:
    assert [step.pending[scenario] for step in phases[0]] == pending
    assert [step.hires[scenario] for step in phases[0]] == hires


def test_how_many_wait_is_warned_about(phases: tuple[Sequence[Seen], Sequence[gold.Build]]) -> None:
    """The dbt test is the check that the UI shows."""
    found, builds = phases
    warned = [next(test for test in build.tests if test.name == "nothing_waits_for_a_parent") for build in builds]
    assert [test.failures for test in warned] == [sum(map(len, step.pending.values())) for step in found]
    assert {test.severity for test in warned} == {"warn"}


@pytest.mark.slow
def test_marts_by_day_restate_the_days_of_what_is_held_back_or_released(
    tmp_path: Path, prepared_dbt: Path, modules: tuple[str, ...]
) -> None:
    """Random histories of sales that wait for customers, who come, are withdrawn and are deleted."""
    histories = synthetic(home := tmp_path / "home", 15, 20241027, prepared_dbt)
    platform = opened(home, (home / "regions.toml").read_text(), prepared_dbt, modules)
    histories = replace(histories, platform=platform)
    followed, rebuilt = tmp_path / "followed.duckdb", tmp_path / "rebuilt.duckdb"
    histories.step(12)
    bring_up(histories, followed)
    before = waiting(histories, "transactions")
    histories.step(4)
    bring_up(histories, followed)
    bring_up(histories, rebuilt)
    assert differences(followed, rebuilt) == {}
    check_against_plain_python(histories, followed)
    same = before.keys() & winners(histories, "transactions").keys()
    after = waiting(histories, "transactions").keys()
    assert same - after, "some were released"
    assert after - before.keys(), "some are held back"
