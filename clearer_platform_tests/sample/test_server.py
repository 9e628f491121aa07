"""The sample's service: it serves what was written, page by page, to those who know its secret, and fails when told."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from clearer_platform import sample
from clearer_platform.sample.mark import TOKEN_ENV, read_mark
from clearer_platform.sample.server import running

DAY = {"since": "2024-11-03T04:00:00Z", "until": "2024-11-04T05:00:00Z"}
"""The day of 25 hours in New York."""


@pytest.fixture(scope="module")
def at(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home of its own, for the second wave is brought to it."""
    home = tmp_path_factory.mktemp("service") / "home"
    sample.write(home, per_day=200)
    return home


@pytest.fixture
def ask(at: Path) -> Iterator[httpx.Client]:
    with running(at):
        headers = {"Authorization": os.environ[TOKEN_ENV]}
        base = f"http://127.0.0.1:{read_mark(at).port}/us"
        with httpx.Client(base_url=base, headers=headers, trust_env=False) as client:
            yield client


def lines(at: Path, day: str) -> list[dict]:
    path = at / f"regions/us/served/conversations/conversations-{day}.jsonl"
    return [json.loads(line) for line in path.read_text("utf-8", "surrogateescape").splitlines()]


def read(answer: httpx.Response) -> dict:
    """An answer's JSON, in which some byte may be no text."""
    return json.loads(answer.content.decode("utf-8", "surrogateescape"))


def test_a_window_by_cursor_and_by_page_is_the_days_file(at: Path, ask: httpx.Client) -> None:
    expected = lines(at, "2024-11-03")
    assert len(expected) > 10
    by_cursor, cursor = [], None
    while True:
        body = read(ask.get("/conversations", params={**DAY, "limit": 3, **({"cursor": cursor} if cursor else {})}))
        by_cursor += body["data"]
        assert len(body["data"]) <= 3 and body["total"] == len(expected)
        if (cursor := body["next_cursor"]) is None:
            break
    pages = (read(ask.get("/conversations", params={**DAY, "limit": 4, "page": n})) for n in range(1, 99))
    by_page = [record for page in pages for record in page["data"]]
    assert by_cursor == by_page == expected


def test_a_cursor_goes_on_over_what_there_was_when_it_began(at: Path, ask: httpx.Client) -> None:
    before = len(lines(at, "2024-11-03"))
    first = read(ask.get("/conversations", params={**DAY, "limit": 2}))
    sample.second_wave(at)
    assert len(lines(at, "2024-11-03")) > before
    assert read(ask.get("/conversations", params={"cursor": first["next_cursor"]}))["total"] == before
    assert read(ask.get("/conversations", params=DAY))["total"] > before
    assert ask.get("/conversations", params={"cursor": "old.2"}).status_code == 410


def test_it_is_closed_to_others(at: Path, ask: httpx.Client) -> None:
    assert ask.get("/conversations", params=DAY, headers={"Authorization": "Bearer guess"}).status_code == 401
    assert ask.get("/weather", params=DAY).status_code == 404


def test_it_fails_when_told_to_the_same_way_for_the_same_seed(at: Path) -> None:
    def statuses(seed: int) -> list[int]:
        with running(at), httpx.Client(headers={"Authorization": os.environ[TOKEN_ENV]}, trust_env=False) as client:
            url = f"http://127.0.0.1:{read_mark(at).port}/us/conversations"
            return [client.get(url, params={**DAY, "faults": seed}).status_code for _ in range(60)]

    assert statuses(1) == statuses(1) != statuses(2)
    assert {*statuses(1), *statuses(2)} == {200, 429, 503}


def test_it_is_gone_afterwards_and_so_is_its_secret(at: Path) -> None:
    with running(at):
        with running(at):
            pass  # It runs already, so that this one leaves it alone.
        assert httpx.get(f"http://127.0.0.1:{read_mark(at).port}/us/x", trust_env=False).status_code == 401
    assert TOKEN_ENV not in os.environ
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{read_mark(at).port}/us/x", trust_env=False)
    with running(at):
        pass


def test_any_other_home_has_none(tmp_path: Path) -> None:
    assert sample.environment(tmp_path) == {} and not sample.is_marked(tmp_path)
