"""`clearer fetch` on a home whose conversations come from a server, and what `clearer check` says of its secret."""

from datetime import date

import pytest

from clearer_platform.sources.http import client
from clearer_platform_tests.cli.conftest import REGISTRY, Cli
from clearer_platform_tests.conftest import make_home
from clearer_platform_tests.sources.faulty_api import Answer, serving
from clearer_platform_tests.sources.service import Service, listed

SOURCE = """
[regions.us.tables.conversations.http]
url = "{url}/{{day}}"
records = "items"
total = "total"
token_env = "TALKS_TOKEN"
last = 2024-04-02
"""


@pytest.fixture
def served(tmp_path, monkeypatch, prepared_dbt):
    """`clearer` on such a home, and its server; nobody waits between attempts."""
    monkeypatch.setattr(client, "pause", lambda seconds: None)
    monkeypatch.setenv("TALKS_TOKEN", "s3cret")
    with serving() as (running, url):
        running.api = Service(lambda n, query: listed(1, 2, total=2))
        yield Cli(make_home(tmp_path / "home", REGISTRY + SOURCE.format(url=url), prepared_dbt)), running.api


def test_what_came_is_shown_and_the_second_time_there_is_no_news(served):
    cli, service = served
    said = cli("fetch").stdout
    days = ["2024-03-30", "2024-03-31", "2024-04-01", "2024-04-02"]
    assert [day for day in days if f"{day}" in said] == days
    assert said.count("a new delivery (2 records)") == 4
    assert "4 windows read: 4 new, 0 as before" in said
    assert cli.json("fetch") == [], "all of them are settled"
    again = cli.json("fetch", "--from", "2024-04-01", "--region", "us", "--table", "conversations")
    assert [(w["day"], w["is_new"], w["records"]) for w in again] == [
        ("2024-04-01", False, 2),
        ("2024-04-02", False, 2),
    ]
    assert len(service.paths) == 6


def test_a_window_that_fails_is_named_and_the_others_come(served):
    cli, service = served
    good = service.respond
    service.respond = lambda n, query: Answer(b"", "x", 404) if "2024-03-31" in service.paths[-1] else good(n, query)
    said = cli("fetch", code=3).stdout
    assert "FAILED: us conversations 2024-03-31: the server answered 404" in said
    assert "4 windows read: 3 new, 0 as before, 1 failed" in said
    (again,) = cli.json("fetch", code=3)
    assert (again["day"], "404" in again["error"]) == ("2024-03-31", True)


def test_nothing_to_fetch_and_names_that_nobody_knows(served):
    cli, service = served
    assert "no window to read" in cli("fetch", "--region", "eu").stderr
    assert "no window to read" in cli("fetch", "--to", "2024-03-29").stderr
    assert "unknown table 'weather'" in cli.error("fetch", "--table", "weather")
    assert "unknown region 'mars'" in cli.error("fetch", "--region", "mars")
    assert "swap --from and --to" in cli.error("fetch", "--from", "2024-04-01", "--to", "2024-03-01")
    assert service.paths == []


def test_days_that_have_not_begun_are_no_windows(served):
    cli, _ = served
    registry = cli.home / "regions.toml"
    registry.write_text(registry.read_text().replace("last = 2024-04-02\n", ""))
    found = cli.json("fetch", "--from", "2026-01-01", "--to", "2999-01-01")
    assert found and date.fromisoformat(found[-1]["day"]) <= date.today()


def test_check_says_which_secret_is_not_set(served, monkeypatch):
    cli, _ = served
    (part,) = [part for part in cli.json("check") if part["what"] == "Sources"]
    assert part == {
        "what": "Sources",
        "ok": True,
        "detail": "1 table read from APIs, 0 from database servers",
        "error": None,
        "warning": None,
    }
    monkeypatch.delenv("TALKS_TOKEN")
    said = cli("check").stdout
    assert "warning: not set in this environment: TALKS_TOKEN" in said
    assert "TALKS_TOKEN is not set" in cli("fetch", code=3).stdout
