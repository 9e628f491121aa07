"""Runs that got lost are asked for again, and what could only go wrong again is not."""

from collections.abc import Callable, Iterator

import pytest

from clearer_platform import sources
from clearer_platform.defs.requests import AGAIN, ATTEMPT, ATTEMPTS, requests
from clearer_platform.errors import StorageError
from clearer_platform.platform import Platform
from clearer_platform_tests.defs.conftest import REGISTRY, Gold, Graph, day, sales
from clearer_platform_tests.defs.desk import END, START, Desk


@pytest.fixture
def platform(make_platform: Callable[..., Platform]) -> Platform:
    """Files are complete at first sight: how long they must rest is tested where they are watched."""
    return make_platform(REGISTRY, settle=0)


@pytest.fixture
def desk(graph: Graph) -> Iterator[Desk]:
    return Desk(graph)


def test_a_killed_run_is_asked_for_again_but_not_for_ever(desk: Desk) -> None:
    """Even where the delivery was received already: the manifests alone would not tell."""
    desk.land("south", day(0))
    (request,) = desk.tick()
    sources.collect(desk.platform, "south", "transactions")
    runs = [desk.kill(request)]
    for attempt in range(2, ATTEMPTS + 1):
        (request,) = desk.tick()
        assert (request.tags[AGAIN], request.tags[ATTEMPT]) == (runs[-1].run_id, str(attempt))
        assert (request.tags[START], request.tags[END]) == (f"{day(0)}|south", f"{day(0)}|south")
        assert len(desk.tick()) == 1, "until there is a run"
        queued = desk.queue(request)
        assert desk.tick() == []
        assert desk.fresh() and desk.tick() == []
        desk.instance.report_run_failed(queued, "its process is gone")
        runs.append(queued)
    assert desk.tick() == []
    assert desk.fresh() and desk.tick() == []


def test_a_lost_run_whose_file_was_not_received_is_asked_for_once(desk: Desk) -> None:
    desk.land("south", day(0))
    (request,) = desk.tick()
    desk.kill(request)
    desk.now += 10_000
    (again,) = desk.tick()
    assert AGAIN in again.tags


def test_a_lost_run_that_another_has_made_good_is_not_asked_for_again(desk: Desk) -> None:
    """Found lost in the middle of a tick: its file was asked for as news before the next tick saw that it was lost."""
    desk.land("south", day(0))
    desk.land("south", day(1))
    (request,) = desk.tick()
    desk.kill(request)
    one, other = requests({"south": [day(0)]}), requests({"south": [day(1)]})
    desk.queue(next(one))
    assert AGAIN in desk.tick()[0].tags, "half of it is not all of it"
    desk.queue(next(other))
    assert desk.tick() == []


def test_a_run_that_failed_by_itself_is_not_asked_for_again(desk: Desk, built: Gold) -> None:
    """What the contract refuses it would refuse again."""
    desk.land("south", day(0), sales(day(0), bad=4))
    (request,) = desk.tick()
    assert not desk.run(request).success
    assert desk.tick() == []
    assert desk.fresh() and desk.tick() == []


def test_a_run_that_the_user_ended_is_not_asked_for_again(desk: Desk) -> None:
    desk.land("south", day(0))
    (request,) = desk.tick()
    sources.collect(desk.platform, "south", "transactions")
    run = desk.queue(request)
    desk.instance.report_run_canceled(run)
    assert desk.tick() == []


def test_a_file_that_no_run_can_receive_is_asked_for_less_and_less_often(
    desk: Desk, built: Gold, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object, **__: object) -> None:
        raise StorageError("cannot read it")

    desk.land("south", day(0))
    monkeypatch.setattr("clearer_platform.sources.files.receive", gone)
    times = []
    for second in range(0, 400, 5):
        desk.now = float(second)
        if found := desk.tick():
            times.append(second)
            desk.run(found[0])
    assert times == [0, 20, 60, 140, 300]
    path = desk.land("south", day(0), sales(day(0), count=9))
    assert path.exists() and len(desk.tick()) == 1, "a new version is asked for at once"
