"""Windows of APIs that are due: what was never read is run, what was read before only where it has news."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta

import dagster as dg
import pytest

from clearer_platform import bronze
from clearer_platform.platform import Platform
from clearer_platform.sources import http
from clearer_platform.sources.http import client
from clearer_platform.sources.http.windows import polls, remember
from clearer_platform_tests.defs.conftest import REGISTRY, Gold, day, sales
from clearer_platform_tests.defs.desk import END, START, Desk
from clearer_platform_tests.sources.faulty_api import Answer, serving
from clearer_platform_tests.sources.service import Service

TABLE = "transactions"


class Sales:
    """What the API of south's transactions answers, and what it was asked for."""

    def __init__(self) -> None:
        self.counts: dict[date, int] = {}
        self.is_gone = False
        self.service = Service(self.respond)

    def respond(self, number: int, query: dict[str, str]) -> Answer:
        on = date.fromisoformat(self.service.paths[-1].removeprefix("/"))
        if self.is_gone:
            return Answer(b"", "text/plain", 404)
        return Answer(sales(on, self.counts.get(on, 4)).encode(), "text/csv")

    @property
    def asked(self) -> list[str]:
        return self.service.paths


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Sales, str]]:
    monkeypatch.setattr(client, "pause", lambda seconds: None)
    found = Sales()
    with serving() as (running, url):
        running.api = found.service
        yield found, url


@pytest.fixture
def platform(make_platform: Callable[..., Platform], api: tuple[Sales, str]) -> Platform:
    """The API has two days, which may change for ever."""
    entry = f'url = "{api[1]}/{{day}}"\nformat = "csv"\nlast = "{day(1)}"\nlookback = 36500\n'
    return make_platform(f"{REGISTRY}[regions.south.tables.transactions.http]\n{entry}", settle=0)


@pytest.fixture
def read(desk: Desk, built: Gold, api: tuple[Sales, str]) -> Desk:
    """Both windows have been read and run."""
    (request,) = desk.tick()
    assert (request.tags[START], request.tags[END]) == (f"{day(0)}|south", f"{day(1)}|south")
    assert api[0].asked == [], "what was never read is read by its run"
    assert desk.run(request).success
    assert desk.tick() == [], "it was polled a moment ago"
    api[0].asked.clear()
    return desk


def let_time_pass(desk: Desk) -> None:
    """Both windows are due again."""
    layout = desk.platform.layout("south")
    for on, poll in polls(layout, TABLE).items():
        remember(layout, TABLE, on, datetime.now(UTC) - timedelta(hours=1), fetched=poll.fetched is not None)


def looked(desk: Desk) -> list[dg.RunRequest]:
    """What is asked for once the windows that are due have been read."""
    assert desk.tick() == []
    wait(desk)
    return desk.tick()


def wait(desk: Desk) -> None:
    while desk.landing._windows.is_busy("south"):
        time.sleep(0.01)


def test_a_window_without_news_is_read_and_not_run(read: Desk, api: tuple[Sales, str]) -> None:
    let_time_pass(read)
    assert looked(read) == []
    assert api[0].asked == [f"/{day(0)}", f"/{day(1)}"]
    assert looked(read) == [] and len(api[0].asked) == 2, "and only when it is due"


def test_a_window_with_news_is_run_once(read: Desk, api: tuple[Sales, str]) -> None:
    let_time_pass(read)
    api[0].counts[day(1)] = 7
    (request,) = looked(read)
    assert (request.tags[START], request.tags[END]) == (f"{day(1)}|south", f"{day(1)}|south")
    assert read.run(request).success
    let_time_pass(read)
    assert looked(read) == []


def test_a_window_that_cannot_be_read_is_run_so_that_somebody_sees_it(read: Desk, api: tuple[Sales, str]) -> None:
    let_time_pass(read)
    api[0].is_gone = True
    assert [(r.tags[START], r.tags[END]) for r in looked(read)] == [(f"{day(0)}|south", f"{day(1)}|south")]


def test_news_that_no_run_was_asked_for_are_found_by_the_next_reading(read: Desk, api: tuple[Sales, str]) -> None:
    """The process was killed after it had received them."""
    let_time_pass(read)
    api[0].counts[day(0)] = 7
    assert sum(received.is_new for received in http.poll(read.platform, "south", datetime.now(UTC))) == 1
    read.fresh()
    let_time_pass(read)
    assert [(r.tags[START], r.tags[END]) for r in looked(read)] == [(f"{day(0)}|south", f"{day(0)}|south")]
    assert len(bronze.history(read.platform.layout("south"), TABLE, day(0), f"{TABLE}-{day(0)}.csv")) == 2


def test_while_a_run_of_the_region_goes_on_nothing_is_read_or_told(read: Desk, api: tuple[Sales, str]) -> None:
    let_time_pass(read)
    api[0].counts[day(1)] = 7
    read.tick()
    wait(read)
    running = read.created({"dagster/partition": f"{day(0)}|south"}, dg.DagsterRunStatus.STARTED)
    assert read.tick() == []
    api[0].asked.clear()
    let_time_pass(read)
    assert read.tick() == [] and api[0].asked == []
    read.instance.report_run_canceled(running)
    assert read.asked() == [(f"{day(1)}|south", f"{day(1)}|south")], "it is not forgotten"
