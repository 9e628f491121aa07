"""What the HTTP source asks a server, and when it asks again: one promise a test, against a real server."""

from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime

import pytest

from clearer_platform.bronze import Receipt, history
from clearer_platform.sources import Failure, collect
from clearer_platform.sources.http import client
from clearer_platform_tests.sources.faulty_api import Answer, serving
from clearer_platform_tests.sources.service import DAY, Service, body, listed

SPRING = date(2024, 3, 10)
"""The day of 23 hours in New York."""


def test_a_window_is_the_business_day_in_the_regions_zone(api):
    service = api.serve(body("[]"), url=f"{api.url}/talks?kind=all", since="from", until="to")
    api.fetch(SPRING)
    assert service.queries == [{"kind": "all", "from": "2024-03-10T05:00:00Z", "to": "2024-03-11T04:00:00Z"}]
    assert history(api.platform.layout("us"), "conversations", SPRING, "conversations-2024-03-10.jsonl")


def test_the_day_may_stand_in_the_url_and_the_page_has_its_size(api):
    service = api.serve(body("[]"), style="page", page="p", first_page=0, size="n", page_size=7)
    api.fetch()
    assert (service.paths, service.queries) == (["/v1/2024-03-31"], [{"p": "0", "n": "7"}])


def test_the_secret_goes_into_its_header_and_nowhere_else(api, monkeypatch):
    monkeypatch.setenv("TALKS_TOKEN", "Bearer s3cret")
    service = api.serve(body("[]"), header="X-Api-Key", token_env="TALKS_TOKEN")
    receipt = api.fetch()
    assert service.headers[0]["x-api-key"] == "Bearer s3cret"
    home = api.platform.settings.home
    assert not [p for p in home.rglob("*") if p.is_file() and "dbt" not in p.parts and b"s3cret" in p.read_bytes()]
    assert receipt.delivery.manifest.origin == f"{api.url}/v1/2024-03-31"


@pytest.mark.parametrize("value", [None, "", "two\nlines", " outer", "Bearer ü"])
def test_a_secret_that_is_not_there_or_cannot_be_sent(api, monkeypatch, value):
    monkeypatch.delenv("TALKS_TOKEN", raising=False)
    if value is not None:
        monkeypatch.setenv("TALKS_TOKEN", value)
    service = api.serve(body("[]"), token_env="TALKS_TOKEN")
    message = api.refused()
    assert "TALKS_TOKEN" in message and not (value and value.strip() in message)
    assert service.paths == []


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 204, 301])
def test_what_waiting_does_not_mend_is_not_tried_again(api, status):
    service = api.serve(lambda n, query: Answer(b"", "application/json", status), token_env="HOME")
    message = api.refused()
    assert f"us conversations 2024-03-31: the server answered {status}" in message
    assert (len(service.paths), api.waits) == (1, [])
    assert ("check the secret in HOME" in message) == (status in (401, 403))


# When it is asked again


def test_waits_grow_and_are_jittered(api):
    service = api.serve(lambda n, query: Answer(b"", "text/plain", 503), attempts=9, deadline=100_000)
    assert "503" in api.refused()
    assert len(service.paths) == 9 and len(set(api.waits)) == 8
    assert all(0 <= wait <= min(60, 0.5 * 2 ** (n + 1)) for n, wait in enumerate(api.waits))
    assert max(api.waits[4:]) > max(api.waits[:2])


def test_a_server_that_says_when_is_asked_then(api):
    at = format_datetime(datetime.now(UTC) + timedelta(seconds=20), usegmt=True)
    asked = ["7", at, "Wed, 21 Oct 2015 07:28:00 GMT", "soon"]
    api.serve(lambda n, query: Answer(b"", "x", 429, {"Retry-After": asked[n]}) if n < 4 else listed(), records="items")
    api.fetch()
    assert api.waits[0] == 7 and 15 < api.waits[1] <= 20 and api.waits[2] == 0 and 0 < api.waits[3] <= 8


def test_nobody_waits_beyond_the_deadline(api):
    service = api.serve(lambda n, query: Answer(b"", "x", 429, {"Retry-After": "3600"}), deadline=60)
    assert "429" in api.refused()
    assert (len(service.paths), api.waits) == (1, [])


def test_an_endless_answer_ends_with_the_deadline(api, monkeypatch):
    ticks = iter(range(0, 10_000, 5))
    monkeypatch.setattr(client, "clock", lambda: next(ticks))
    service = api.serve(
        lambda n, query: listed(n, next=f"c{n}"), records="items", style="cursor", next="next", deadline=90
    )
    assert "time is over" in api.refused()
    assert len(service.paths) < 40


def test_a_server_that_is_gone_is_not_asked_for_the_other_days(api):
    api.serve(body("[]"), url="http://127.0.0.1:9/{day}", attempts=2)
    folder = api.platform.layout("us").landing("conversations")
    folder.mkdir(parents=True)
    (folder / "by-hand-2024-03-30.csv").write_bytes(b"A")
    days = [DAY - timedelta(days=n) for n in range(5)]
    file, *failures = collect(api.platform, "us", "conversations", days)
    assert isinstance(file, Receipt) and file.delivery.slot == "by-hand-2024-03-30.csv"
    assert [f.day for f in failures if isinstance(f, Failure)] == sorted(days)
    assert all("did not answer" in f.error.message and f.error.may_pass for f in failures)
    assert len(api.waits) == 1, "two attempts for the first day, and none for the others"


def test_one_bad_day_does_not_stop_the_others(api):
    bad = DAY - timedelta(days=1)
    api.serve(
        lambda n, query: listed() if f"{bad}" not in service.paths[-1] else Answer(b"", "x", 404), records="items"
    )
    service = api.running.api
    found = collect(api.platform, "us", "conversations", [DAY, bad, DAY - timedelta(days=2)])
    assert [f.day if isinstance(f, Failure) else f.delivery.day for f in found if isinstance(f, Failure)] == [bad]
    assert len(found) == 3


def test_redirects_stay_with_the_server(api):
    def respond(n, query):
        return Answer(b"", "x", 307, {"Location": "/moved"}) if n == 0 else listed(1)

    service = api.serve(respond, records="items", token_env="HOME")
    assert api.text() == "1\n"
    assert service.paths == ["/v1/2024-03-31", "/moved"]


def test_redirects_to_others_are_not_followed(api):
    with serving() as (other, url):
        other.api = elsewhere = Service(lambda n, query: listed(1))
        api.serve(lambda n, query: Answer(b"", "x", 302, {"Location": f"{url}/x"}), records="items", token_env="HOME")
        assert "redirected to another host" in api.refused()
        assert elsewhere.paths == []
