"""Materialising a bronze partition fetches its window; one that fails is a failed partition, and stops no other."""

from datetime import date

import pytest

from clearer_platform.sources.http import client
from clearer_platform_tests.defs.conftest import REGISTRY, Graph, day, keys, sales
from clearer_platform_tests.sources.faulty_api import Answer, serving
from clearer_platform_tests.sources.service import Service

BRONZE, SILVER = "bronze/transactions", "silver/transactions"
ABSENT = {day(1)}


@pytest.fixture
def service(monkeypatch):
    """The API that has south's transactions, but for a day that it does not know."""
    monkeypatch.setattr(client, "pause", lambda seconds: None)
    absent = set(ABSENT)

    def respond(n: int, query: dict[str, str]) -> Answer:
        on = date.fromisoformat(running.api.paths[-1].removeprefix("/"))
        return Answer(b"", "text/plain", 404) if on in absent else Answer(sales(on).encode(), "text/csv")

    with serving() as (running, url):
        running.api = Service(respond)
        running.url, running.absent = url, absent
        yield running


@pytest.fixture
def platform(make_platform, service):
    entry = f'[regions.south.tables.transactions.http]\nurl = "{service.url}/{{day}}"\nformat = "csv"\n'
    return make_platform(REGISTRY + entry)


def test_a_bronze_partition_is_fetched_by_materialising_it(graph: Graph, service) -> None:
    days = keys("south", day(0), day(2))
    for key in days:
        assert graph.run("region_days", key, keys=[BRONZE]).success
    assert graph.status(BRONZE, *days) == "MM"
    assert service.api.paths == [f"/{day(0)}", f"/{day(2)}"]


def test_a_window_that_cannot_be_read_fails_its_day_and_no_other(graph: Graph, service) -> None:
    days = keys("south", *map(day, range(4)))
    result = graph.run("region_days", days[0], days[-1])
    assert not result.success
    assert graph.status(BRONZE, *days) == "MFMM"
    assert graph.status(SILVER, *days) == "MFMM"
    assert graph.status("gold/sales", *days) == "MFMM"
    (event,) = result.filter_events(lambda e: e.is_step_failure)
    assert "the server answered 404" in event.step_failure_data.user_failure_data.description
    service.absent.clear()
    assert graph.run("region_days", days[1]).success
    assert graph.status(BRONZE, *days) == graph.status("gold/sales", *days) == "MMMM"


def test_a_window_that_fails_later_leaves_what_was_delivered(graph: Graph, service) -> None:
    (key,) = keys("south", day(0))
    assert graph.run("region_days", key).success
    service.absent.add(day(0))
    assert not graph.run("region_days", key).success
    assert graph.status(BRONZE, key) == "F"
    assert graph.status(SILVER, key) == "M", "silver still stands on the delivery before"
