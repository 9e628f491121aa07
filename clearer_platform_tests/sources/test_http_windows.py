"""Which windows are due, and that the file which remembers polls decides of nothing but when."""

import json
from datetime import UTC, date, datetime, timedelta

import pytest

from clearer_platform.errors import RegistryError
from clearer_platform.sources import Failure, due, http
from clearer_platform.sources.http.windows import polls, remember
from clearer_platform_tests.sources.faulty_api import Answer
from clearer_platform_tests.sources.service import body, listed

START = date(2024, 3, 1)
NOW = datetime(2024, 3, 11, 3, 30, tzinfo=UTC)
"""Still the 10th in New York."""
TODAY = date(2024, 3, 10)


def days(*numbers: int) -> list[date]:
    return [date(2024, 3, number) for number in numbers]


def poll_all(api, at: datetime, fetched: bool = True) -> None:
    for day in due(api.platform, "us", at).get("conversations", ()):
        remember(api.platform.layout("us"), "conversations", day, at, fetched=fetched)


def test_at_first_every_day_since_the_start_is_due(api):
    api.serve(body("[]"))
    assert due(api.platform, "us", NOW) == {"conversations": days(*range(1, 11))}


def test_what_may_still_change_is_due_again_and_again(api):
    api.serve(body("[]"), lookback=2, every=300)
    poll_all(api, NOW)
    assert due(api.platform, "us", NOW + timedelta(seconds=299)) == {}
    assert due(api.platform, "us", NOW + timedelta(seconds=300)) == {"conversations": days(8, 9, 10)}


def test_a_day_is_read_once_more_when_its_lookback_has_ended(api):
    """However long nobody asked: what came after the last poll of a day is not lost."""
    api.serve(body("[]"), lookback=1, every=300)
    poll_all(api, NOW)
    for later in (NOW + timedelta(days=1), NOW + timedelta(days=9)):
        assert due(api.platform, "us", later)["conversations"][:2] == days(9, 10)
    poll_all(api, NOW + timedelta(days=1))
    assert due(api.platform, "us", NOW + timedelta(days=1, minutes=10)) == {"conversations": days(10, 11)}


def test_a_day_that_was_never_read_stays_due_however_old_it_is(api):
    api.serve(body("[]"), lookback=0, every=60)
    layout, later = api.platform.layout("us"), NOW + timedelta(days=5)
    poll_all(api, NOW)
    poll_all(api, later, fetched=False)
    for day in days(10, 11, 12, 14, 15):
        remember(layout, "conversations", day, later, fetched=True)
    assert due(api.platform, "us", later + timedelta(minutes=10)) == {"conversations": days(13, 15)}
    remember(layout, "conversations", days(14)[0], later, fetched=False)
    assert due(api.platform, "us", later + timedelta(minutes=10)) == {"conversations": days(13, 15)}, "read is read"


def test_a_clock_set_back_costs_one_more_fetch_and_nothing_else(api):
    api.serve(body("[]"), lookback=0)
    poll_all(api, NOW - timedelta(hours=1))
    for day in days(9, 10):
        remember(api.platform.layout("us"), "conversations", day, NOW + timedelta(minutes=20), fetched=True)
    assert due(api.platform, "us", NOW) == {"conversations": days(9, 10)}


def test_a_source_that_has_ended_is_not_read_beyond_its_end(api):
    api.serve(body("[]"), last="2024-03-03")
    assert due(api.platform, "us", NOW) == {"conversations": days(1, 2, 3)}
    poll_all(api, NOW)
    assert due(api.platform, "us", NOW + timedelta(days=9)) == {}
    assert http.collect(api.platform, "us", "conversations", days(4, 5)) == []


@pytest.mark.parametrize("damage", ["missing", "cut off"])
def test_a_lost_memory_costs_one_more_fetch_and_nothing_else(api, damage):
    service = api.serve(body("[]"), last="2024-03-03")
    assert [r.is_new for r in http.poll(api.platform, "us", datetime.now(UTC))] == [True] * 3
    assert http.poll(api.platform, "us", datetime.now(UTC)) == []
    memory = api.platform.layout("us").work / "http" / "conversations.json"
    memory.unlink() if damage == "missing" else memory.write_text(memory.read_text()[:40])
    assert [r.is_new for r in http.poll(api.platform, "us", datetime.now(UTC))] == [False] * 3
    assert len(service.paths) == 6


def test_a_poll_may_be_forced_and_kept_to_some_tables(api):
    api.serve(body("[]"), last="2024-03-10")
    for day in days(*range(1, 11)):
        remember(api.platform.layout("us"), "conversations", day, NOW, fetched=True)
    assert http.poll(api.platform, "us", NOW, force=True, tables=["customers"]) == []
    assert [r.delivery.day for r in http.poll(api.platform, "us", NOW, force=True)] == days(8, 9, 10)


def test_a_failed_poll_waits_for_its_turn_as_well(api):
    api.serve(lambda n, query: Answer(b"", "x", 404), last="2024-03-01")
    (failure,) = http.poll(api.platform, "us", datetime.now(UTC))
    assert isinstance(failure, Failure) and failure.day == START and "404" in failure.error.message
    assert http.poll(api.platform, "us", datetime.now(UTC)) == []
    assert due(api.platform, "us", datetime.now(UTC) + timedelta(seconds=301)) == {"conversations": [START]}


def test_a_window_counts_as_read_when_its_reading_began(api):
    """What comes to the server while a window is read must not be taken for read."""
    asked: list[datetime] = []

    def respond(n: int, query: dict[str, str]) -> Answer:
        asked.append(datetime.now(UTC))
        return listed()

    api.serve(respond, records="items")
    api.fetch(START)
    poll = polls(api.platform.layout("us"), "conversations")[START]
    assert poll.fetched and poll.fetched < asked[0]


def test_days_that_have_not_begun_are_not_asked_for(api):
    service = api.serve(lambda n, query: listed(), records="items")
    assert http.collect(api.platform, "us", "conversations", [date.today() + timedelta(days=3)]) == []
    assert http.collect(api.platform, "us", "customers", days(1)) == []
    assert service.paths == []


def test_a_range_names_every_window_of_it_that_there_is(api):
    api.serve(body("[]"), last="2024-03-09")
    poll_all(api, NOW)

    def windows(start: date | None, end: date | None) -> list[date]:
        return http.windows(api.platform, "us", "conversations", NOW, start, end)

    assert windows(date(2024, 2, 1), date(2024, 3, 2)) == days(1, 2)
    assert windows(date(2024, 3, 8), None) == days(8, 9)
    assert windows(None, date(2024, 3, 1)) == days(1)
    assert http.windows(api.platform, "us", "customers", NOW, START, TODAY) == []


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ({"url": "ftp://x/{day}"}, "not an http"),
        ({"url": "https://me:s3cret@x/{day}"}, "token_env"),
        ({"url": "/talks/{day}"}, "not an http"),
        ({"url": "https://x"}, "nothing tells one day from another"),
        ({"url": "https://x", "since": "a"}, "nothing tells one day from another"),
        ({"style": "cursor"}, "next"),
        ({"format": "csv", "records": "items"}, "csv has no paths"),
        ({"page_size": 10}, "size and page_size"),
        ({"size": "n", "page_size": 0}, "greater than or equal to 1"),
        ({"attempts": 0}, "greater than or equal to 1"),
        ({"colour": "red"}, "colour"),
        ({"last": "soon"}, "last"),
    ],
)
def test_an_entry_that_cannot_be_is_refused_when_it_is_read(api, entry, says):
    with pytest.raises(RegistryError) as caught:
        api.serve(body("[]"), **entry)
    assert says in str(caught.value) and "us" in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_what_a_regions_tables_share_is_said_once(api, make_platform):
    api.serve(body("[]"))
    shared = {"url": "https://api.example.com/v2/", "token_env": "TOKEN", "timeout": 3}
    lines = "\n".join(f"{name} = {json.dumps(value)}" for name, value in shared.items())
    written = (
        (api.platform.settings.home / "regions.toml").read_text().replace(f'"{api.url}/v1/{{day}}"', '"/talks/{day}"')
    )
    region = make_platform(f"{written}\ntimeout = 4\n[regions.us.http]\n{lines}\n").region("us")
    source = region.http_source("conversations")
    assert (source.url, source.token_env, source.timeout) == ("https://api.example.com/v2/talks/{day}", "TOKEN", 4)
    assert region.http_source("customers") is None
