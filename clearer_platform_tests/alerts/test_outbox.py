"""Each alert is told at least once, and not again for the same cause; a failing notifier stands in nobody's way."""

import json
import logging
import threading

import pytest

from clearer_platform.alerts import Alert, Kind, post, send


def alert(cause: str, title: str = "refused") -> Alert:
    return Alert(kind=Kind.DELIVERY_REFUSED, cause=cause, title=title, region="eu", table="transactions")


class Ear:
    """A notifier that hears, or fails as often as it is told to."""

    def __init__(self, name: str = "ear", failures: int = 0) -> None:
        self.name, self.failures, self.heard = name, failures, []

    def __call__(self, alert: Alert) -> None:
        if self.failures:
            self.failures -= 1
            raise RuntimeError("deaf")
        self.heard.append(alert.cause)


def test_each_cause_is_told_once(platform):
    ear = Ear()
    assert len(post(platform, [alert("a"), alert("b"), alert("a")])) == 2
    assert post(platform, [alert("a")]) == [], "it waits already"
    assert send(platform, [ear]) == 0
    assert ear.heard == ["a", "b"]
    assert post(platform, [alert("a", "again"), alert("c")])[0].cause == "c"
    assert send(platform, [ear]) == 0
    assert send(platform, [ear]) == 0
    assert ear.heard == ["a", "b", "c"]


def test_a_failing_notifier_is_logged_and_asked_again_and_the_others_hear_once(platform, caplog):
    good, bad = Ear("good"), Ear("bad", failures=2)
    post(platform, [alert("a"), alert("b")])
    with caplog.at_level(logging.ERROR, "clearer_platform.alerts"):
        assert send(platform, [bad, good]) == 2
    assert (good.heard, bad.heard) == (["a", "b"], [])
    (line,) = caplog.messages
    assert json.loads(line) == {"notifier": "bad", "failed": "deaf", "alert": alert("a").key}
    assert send(platform, [bad, good]) == 2, "it fails once more"
    assert send(platform, [bad, good]) == 0
    assert (good.heard, bad.heard) == (["a", "b"], ["a", "b"])


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_kill_while_telling_tells_again_rather_than_never(platform, monkeypatch, moment):
    post(platform, [alert("a")])

    class Killed(Ear):
        def __call__(self, alert: Alert) -> None:
            if moment == "after":
                super().__call__(alert)
            raise KeyboardInterrupt

    first, second = Killed(), Ear()
    with pytest.raises(KeyboardInterrupt):
        send(platform, [first])
    assert send(platform, [second]) == 0
    assert second.heard == ["a"]


def test_a_lost_record_may_repeat_but_loses_nothing(platform):
    ear = Ear()
    post(platform, [alert("a")])
    send(platform, [ear])
    record = platform.global_layout.work / "alerts" / "sent.jsonl"
    whole = record.read_bytes()
    record.write_bytes(whole[:-5])  # As a power cut leaves it.
    post(platform, [alert("a"), alert("b")])
    assert send(platform, [ear]) == 0
    assert ear.heard == ["a", "a", "b"]
    assert post(platform, [alert("a"), alert("b")]) == [], "what was written after the broken line counts"


def test_alerts_posted_at_once_by_many_are_each_told_once(platform):
    ear = Ear()
    threads = [threading.Thread(target=post, args=(platform, [alert(str(n % 5))])) for n in range(20)]
    for thread in threads:
        thread.start()
    senders = [threading.Thread(target=send, args=(platform, [ear])) for _ in range(3)]
    for thread in (*senders, *threads):
        if thread in senders:
            thread.start()
        thread.join()
    send(platform, [ear])
    assert sorted(ear.heard) == ["0", "1", "2", "3", "4"]


def test_the_settings_choose(make_platform, caplog):
    platform = make_platform(notifiers=("log",))
    post(platform, [alert("a")])
    with caplog.at_level(logging.WARNING, "clearer_platform.alerts"):
        assert send(platform) == 0
    assert json.loads(caplog.messages[0])["cause"] == "a"


def test_through_the_webhook_to_a_real_receiver(make_platform, receiver):
    platform = make_platform(notifiers=(f"webhook:{receiver.url}",))
    receiver.answers = [404]
    post(platform, [alert("a")])
    assert send(platform) == 1
    assert send(platform) == 0
    assert send(platform) == 0
    assert [json.loads(body)["cause"] for _, body in receiver.received] == ["a", "a"]
    record = (platform.global_layout.work / "alerts" / "sent.jsonl").read_text()
    assert "s3cret" not in record
