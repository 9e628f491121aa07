"""Watching landing folders: what is complete, what is news; a lost memory, other clocks and rewrites lose nothing."""

import os
import time
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pytest

from clearer_platform.platform import Platform
from clearer_platform.sources.files import collect as receive_files
from clearer_platform.sources.watch import Watch

NAME = "t-2024-03-31.csv"


class Clock:
    """A clock that goes on only when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def platform(make_platform: Callable[..., Platform]) -> Platform:
    """One in which files settle in a second."""
    return make_platform(settle=1.0)


@pytest.fixture
def watch(platform: Platform, clock: Clock) -> Watch:
    return Watch(platform, "eu", clock)


def land(platform: Platform, data: bytes, name: str = NAME, region: str = "eu", table: str = "transactions") -> Path:
    folder = platform.layout(region).landing(table)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)
    return Path(folder / name)


def news(watch: Watch, clock: Clock, wait: float = 1.0) -> list[str]:
    """What is news after two looks that are `wait` apart."""
    watch.look()
    clock.now += wait
    return [arrival.slot for arrival in watch.news(watch.look().arrivals)]


def test_a_file_is_complete_once_it_has_not_changed_for_a_while(platform, watch, clock):
    path = land(platform, b"A")
    assert watch.look().arrivals == []
    for text in (b"AB", b"ABC"):
        clock.now += 0.9
        path.write_bytes(text)
        os.utime(path, ns=(1, 1))  # Only its size tells it.
        assert watch.look().arrivals == []
    clock.now += 0.9
    assert watch.look().arrivals == []
    clock.now += 0.1
    assert [a.slot for a in watch.look().arrivals] == [NAME]


def test_a_rewrite_of_the_same_size_is_seen_by_its_time(platform, watch, clock):
    path = land(platform, b"A")
    os.utime(path, ns=(5, 5))
    watch.look()
    clock.now += 0.9
    path.write_bytes(b"B")
    os.utime(path, ns=(6, 6))
    watch.look()
    clock.now += 0.9
    assert watch.look().arrivals == []


@pytest.mark.parametrize("hours", [-48, 48])
def test_what_the_clock_says_of_a_file_does_not_matter(platform, watch, clock, hours):
    path = land(platform, b"A")
    moment = time.time() + hours * 3600
    os.utime(path, (moment, moment))
    assert news(watch, clock) == [NAME]


def test_a_marker_makes_a_file_complete_at_once_but_an_old_one_does_not(platform, watch, clock):
    path = land(platform, b"A")
    land(platform, b"", NAME + ".done")
    assert [a.slot for a in watch.look().arrivals] == [NAME]
    os.utime(path.with_name(NAME + ".done"), ns=(1, 1))
    path.write_bytes(b"AB")
    assert watch.look().arrivals == []


def test_a_marker_is_no_stray_and_waits_for_its_file(platform, watch, clock):
    land(platform, b"", NAME + ".done")
    watch.look()
    clock.now += 10
    looked = watch.look()
    assert (looked.arrivals, looked.strays) == ([], [])


def test_what_was_received_is_no_news_and_neither_is_what_was_only_touched(platform, watch, clock):
    path = land(platform, b"A")
    assert news(watch, clock) == [NAME]
    assert news(watch, clock) == [NAME], "it is news until bronze has it"
    receive_files(platform, "eu", "transactions")
    assert news(watch, clock) == []
    os.utime(path, ns=(1, 1))
    assert news(watch, clock) == []
    assert watch.look().arrivals == [], "what is known to be old is not looked at again"


def test_a_b_a_under_one_name_is_news_three_times(platform, watch, clock):
    for data in (b"A", b"B", b"A"):
        land(platform, data)
        assert news(watch, clock) == [NAME]
        receive_files(platform, "eu", "transactions")
        assert news(watch, clock) == []


def test_a_b_a_where_b_was_received_by_somebody_else_between_two_looks(platform, watch, clock):
    """The file is then as it was when it was last looked at, to the nanosecond; its slot is not."""
    path = land(platform, b"A")
    os.utime(path, ns=(7, 7))
    receive_files(platform, "eu", "transactions")
    assert news(watch, clock) == []
    path.write_bytes(b"B")
    receive_files(platform, "eu", "transactions")
    path.write_bytes(b"A")
    os.utime(path, ns=(7, 7))
    assert news(watch, clock) == [NAME]


def test_a_new_process_comes_to_the_same_answers(platform, watch, clock):
    land(platform, b"A")
    receive_files(platform, "eu", "transactions")
    land(platform, b"B", "u-2024-03-31.csv")
    assert news(watch, clock) == ["u-2024-03-31.csv"]
    assert news(Watch(platform, "eu", clock), clock) == ["u-2024-03-31.csv"]


def test_a_link_to_nothing_is_not_there(platform, watch, clock):
    land(platform, b"A").unlink()
    (platform.layout("eu").landing("transactions") / NAME).symlink_to("gone")
    assert news(watch, clock) == []


def test_strays_are_told_once_they_are_complete(platform, watch, clock):
    land(platform, b"A", "no day.csv")
    assert watch.look().strays == []
    clock.now += 1
    (stray,) = watch.look().strays
    assert (stray.region, stray.path.name) == ("eu", "no day.csv")


def test_objects_of_a_bucket_are_complete_at_once(bucket_platform, clock):
    watch = Watch(bucket_platform, "eu", clock)
    path = bucket_platform.layout("eu").landing("transactions") / NAME
    path.fs.pipe_file(path.path, b"A")
    assert [a.slot for a in watch.news(watch.look().arrivals)] == [NAME]
    receive_files(bucket_platform, "eu", "transactions", [date(2024, 3, 31)])
    assert watch.news(watch.look().arrivals) == []
    assert watch.look().arrivals == []


def test_ten_thousand_files_are_looked_at_in_less_than_a_second(platform, watch, clock, monkeypatch):
    folder = platform.layout("eu").landing("transactions")
    folder.mkdir(parents=True)
    for n in range(10_000):
        (folder / f"t{n}-{date(2024, 3, 1) + timedelta(days=n % 300)}.csv").write_bytes(b"A")
    assert len(news(watch, clock)) == 10_000
    began = time.process_time()
    arrivals = watch.look().arrivals
    assert len(arrivals) == 10_000
    assert time.process_time() - began < 1.0
    monkeypatch.setattr("clearer_platform.sources.watch.news", lambda *_: [])
    assert watch.news(arrivals) == []
    began = time.process_time()
    assert watch.look().arrivals == []
    assert time.process_time() - began < 0.5, "what is known costs a look at its folder and no more"
