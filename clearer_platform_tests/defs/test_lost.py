"""Runs that got lost are asked for again, and what could only go wrong again is not."""

from contextlib import suppress
from itertools import cycle, product

import dagster as dg
import pytest
from dagster._core.errors import DagsterExecutionInterruptedError

from clearer_platform import sources
from clearer_platform.defs.alive import end_gone
from clearer_platform.defs.requests import AGAIN, AT_ONCE, ATTEMPT, patience, requests
from clearer_platform.errors import StorageError
from clearer_platform_tests.defs.conftest import Gold, day, sales
from clearer_platform_tests.defs.desk import END, START, Desk


def test_a_killed_run_is_asked_for_again_and_after_some_times_less_and_less_often(desk: Desk) -> None:
    """Even where the delivery was received already: the manifests alone would not tell. It is never given up."""
    desk.land("south", day(0))
    (request,) = desk.tick()
    sources.collect(desk.platform, "south", "transactions")
    killed, waits = desk.kill(request), []
    for attempt in range(2, AT_ONCE + 5):
        before = desk.now
        while not (found := desk.tick()):
            desk.now += 5
        waits.append(desk.now - before)
        (request,) = found
        assert (request.tags[AGAIN], request.tags[ATTEMPT]) == (killed.run_id, str(attempt))
        assert (request.tags[START], request.tags[END]) == (f"{day(0)}|south", f"{day(0)}|south")
        assert len(desk.tick()) == 1, "until there is a run"
        killed = desk.queue(request)
        assert desk.tick() == []
        assert desk.fresh() and desk.tick() == []
        desk.instance.report_run_failed(killed, "its process is gone")
    assert waits == [0.0] * (AT_ONCE - 1) + [20.0, 40.0, 80.0, 160.0]


def test_a_run_that_was_told_to_end_is_asked_for_again_at_once_however_often(
    desk: Desk, built: Gold, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by the end of `clearer up`, and where DuckDB makes an error of its own of the signal."""
    kinds = cycle(product((DagsterExecutionInterruptedError, KeyboardInterrupt), (False, True)))

    def told_to_end(*_: object, **__: object) -> None:
        interrupt, is_an_error = next(kinds)
        try:
            raise interrupt
        except interrupt as e:
            if is_an_error:
                raise RuntimeError("Query interrupted") from e
            raise

    desk.land("south", day(0))
    (request,) = desk.tick()
    sources.collect(desk.platform, "south", "transactions")
    monkeypatch.setattr("clearer_platform.silver.bring_up", told_to_end)
    for _ in range(max(AT_ONCE + 2, 4)):
        with suppress(DagsterExecutionInterruptedError, KeyboardInterrupt):
            desk.run(request)
        (newest,) = desk.instance.get_run_records(limit=1)
        (request,) = desk.tick()
        assert (request.tags[AGAIN], request.tags[ATTEMPT]) == (newest.dagster_run.run_id, "1")


def test_a_run_that_went_with_all_of_up_is_asked_for_again_at_once_however_often(desk: Desk) -> None:
    desk.land("south", day(0))
    (request,) = desk.tick()
    for _ in range(AT_ONCE + 2):
        run = desk.queue(request, dg.DagsterRunStatus.STARTING)
        end_gone(desk.instance, is_first=True)
        (request,) = desk.tick()
        assert (request.tags[AGAIN], request.tags[ATTEMPT]) == (run.run_id, "1")


def test_patience_has_an_end() -> None:
    assert [patience(times) for times in (1, 2, 8, 9, 10_000)] == [20.0, 40.0, 2560.0, 3600.0, 3600.0]


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
