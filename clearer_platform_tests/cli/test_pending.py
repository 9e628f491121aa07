"""`clearer status` and `clearer quarantine` tell of accepted rows that are not in gold yet."""

import pytest

from clearer_platform_tests.cli.conftest import Cli

WAITING = {
    "eu": {("hired_employees", "departments (department_id)"): 1200, ("teams", "jobs (job_id)"): 1},
    "us": {("hired_employees", "jobs (job_id)"): 3},
}


@pytest.fixture
def waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gold in which rows wait."""
    monkeypatch.setattr("clearer_platform.gold.pending", lambda _, region: WAITING[region])


def lines(said: str) -> list[str]:
    return [line.strip() for line in said.splitlines() if "held back" in line]


def test_status_tells_how_many_rows_wait_and_for_what(cli: Cli, waiting: None) -> None:
    result = cli("status")
    assert lines(result.stdout) == [
        "eu hired_employees: 1,200 accepted rows held back until departments (department_id) has come",
        "eu teams: 1 accepted row held back until jobs (job_id) has come",
        "us hired_employees: 3 accepted rows held back until jobs (job_id) has come",
    ]
    assert "clearer load pending_rows" in result.stderr
    assert len(lines(cli("status", "--region", "us").stdout)) == 1
    assert not lines(cli("status", "--json").stdout)


def test_quarantine_tells_of_the_regions_and_tables_asked_for(cli: Cli, waiting: None) -> None:
    assert len(lines(cli("quarantine").stdout)) == 3
    assert len(lines(cli("quarantine", "list", "--region", "eu", "--table", "transactions").stdout)) == 0
    assert len(lines(cli("quarantine", "list", "--region", "eu", "--table", "hired_employees").stdout)) == 1
    assert not lines(cli("quarantine", "--json").stdout)


def test_nothing_is_said_where_nothing_waits_or_nothing_is_built(cli: Cli, empty: Cli) -> None:
    for each in (cli, empty):
        assert not lines(each("status").stdout) and not lines(each("quarantine").stdout)
