"""A step is tried again where that can help, and only there."""

from collections.abc import Callable
from pathlib import Path

import pytest

from clearer_platform import storage
from clearer_platform.errors import Busy, ClearerError, StorageError, Unreachable
from clearer_platform.gold import GoldFailed
from clearer_platform.storage import reported
from clearer_platform_tests.defs.conftest import Gold, Graph, day, keys, sales

Deliver = Callable[..., None]
pytestmark = pytest.mark.usefixtures("at_once")


class Flaky:
    """Fails as often as it is told to, then does what it stands for."""

    def __init__(self, real: Callable[..., object], error: ClearerError, failures: int) -> None:
        self.real, self.error, self.left, self.calls = real, error, failures, 0

    def __call__(self, *args: object, **kwargs: object) -> object:
        self.calls += 1
        if self.left:
            self.left -= 1
            raise self.error
        return self.real(*args, **kwargs)


@pytest.mark.parametrize("error", [Unreachable("the server is gone"), Busy("another process holds it")])
def test_what_may_pass_is_tried_again_and_then_all_is_published(
    graph: Graph, delivered: Deliver, monkeypatch: pytest.MonkeyPatch, error: ClearerError
) -> None:
    flaky = Flaky(__import__("clearer_platform.silver").silver.bring_up, error, 2)
    monkeypatch.setattr("clearer_platform.silver.bring_up", flaky)
    delivered("south", day(0))
    result = graph.run("region_days", *keys("south", day(0)))
    assert result.success
    assert graph.status("silver/transactions", *keys("south", day(0))) == "M"
    assert graph.status("gold/sales", *keys("south", day(0))) == "M"
    assert len([e for e in result.all_events if e.is_step_up_for_retry]) == 2


def test_it_gives_up_and_still_says_which_days_failed_and_why(
    graph: Graph, delivered: Deliver, built: Gold, monkeypatch: pytest.MonkeyPatch
) -> None:
    flaky = Flaky(lambda *_: None, Unreachable("the server is gone"), 99)
    monkeypatch.setattr("clearer_platform.silver.bring_up", flaky)
    delivered("south", day(0))
    result = graph.run("silver_only", *keys("south", day(0), day(0)))
    assert not result.success
    assert flaky.calls == 3
    (event,) = result.filter_events(lambda e: e.is_step_failure)
    named = event.step_failure_data.user_failure_data.metadata["troubles"].value
    assert {(t["day"], t["reason"]) for t in named} == {(str(day(0)), "the server is gone")}


@pytest.mark.parametrize(
    "error", [StorageError("no permission"), GoldFailed("its tests failed", [], (), "look"), ClearerError("no")]
)
def test_what_cannot_pass_is_not_tried_again(
    graph: Graph, delivered: Deliver, built: Gold, error: ClearerError
) -> None:
    delivered("south", day(0))
    built.error = error
    result = graph.run("region_days", *keys("south", day(0)))
    assert not result.success
    assert built.builds.count("south") == 1


def test_a_refused_delivery_is_not_tried_again(graph: Graph, delivered: Deliver, built: Gold) -> None:
    delivered("south", day(0), sales(day(0), bad=4))
    result = graph.run("region_days", *keys("south", day(0)))
    assert not result.success
    assert not [e for e in result.all_events if e.is_step_up_for_retry]


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (ConnectionResetError(104, "reset"), True),
        (TimeoutError("timed out"), True),
        (OSError(5, "Input/output error"), True),
        (OSError(28, "No space left on device"), False),
        (PermissionError(13, "Permission denied"), False),
        (FileNotFoundError(2, "No such file"), False),
        (FileExistsError(17, "File exists"), False),
    ],
)
def test_what_a_disk_or_server_says_may_pass_or_not(error: OSError, passes: bool) -> None:
    with pytest.raises(StorageError) as raised, reported("read", Path("x")):
        raise error
    assert raised.value.may_pass is passes


def test_a_bucket_whose_server_is_gone_may_pass() -> None:
    """The store's own client says it in its own way; ours says what to do."""
    from upath import UPath

    options = {"endpoint_url": "http://127.0.0.1:9", "key": "x", "secret": "x"}
    options["config_kwargs"] = {"retries": {"max_attempts": 0}, "connect_timeout": 1}  # type: ignore[assignment]
    with pytest.raises(StorageError) as raised:
        storage.listing(UPath("s3://gone/landing", **options))
    assert raised.value.may_pass
