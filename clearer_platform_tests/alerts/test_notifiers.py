"""Log, webhook and whatever a module makes: against a real receiver."""

import hashlib
import hmac
import json
import logging
import socket
import sys
from datetime import date

import pytest

from clearer_platform.alerts import Alert, Kind, NotifierError, notifiers
from clearer_platform.alerts.webhook import ATTEMPTS, SIGNATURE, Webhook
from clearer_platform.errors import ClearerError

ALERT = Alert(kind=Kind.DELIVERY_LATE, cause="eu 2024-03-31", title="late", region="eu", day=date(2024, 3, 31))


def webhook(url, secret=None, timeout=5.0):
    """A webhook that notes its waits and does not wait."""
    waits: list[float] = []
    return Webhook(url, secret, timeout, waits.append), waits


def test_a_webhook_posts_the_alert_as_json(receiver):
    webhook(receiver.url)[0](ALERT)
    ((headers, body),) = receiver.received
    assert headers["Content-Type"] == "application/json"
    assert headers["Idempotency-Key"] == ALERT.key
    assert SIGNATURE not in headers
    told = json.loads(body)
    assert (told["kind"], told["region"], told["day"]) == ("delivery_late", "eu", "2024-03-31")
    assert Alert.model_validate_json(body) == ALERT


def test_it_is_signed_with_the_secret_of_the_environment(receiver, monkeypatch):
    monkeypatch.setenv("CLEARER_WEBHOOK_SECRET", "k3y")
    monkeypatch.setenv("WHERE", receiver.url)
    (made,) = notifiers(["webhook:$WHERE"])
    made(ALERT)
    ((headers, body),) = receiver.received
    assert headers[SIGNATURE] == "sha256=" + hmac.new(b"k3y", body, hashlib.sha256).hexdigest()
    assert "s3cret" not in made.name and "k3y" not in made.name


@pytest.mark.parametrize("answers", [[500, 503], [429], [0], [408, 0]])
def test_what_may_pass_is_tried_again_after_growing_waits(receiver, answers):
    receiver.answers = list(answers)
    made, waits = webhook(receiver.url)
    made(ALERT)
    assert receiver.received[-1][1] == ALERT.model_dump_json().encode()
    assert len(waits) == len(answers)
    assert all(0.25 * 2**n <= wait <= 0.5 * 2**n for n, wait in enumerate(waits))


@pytest.mark.parametrize("code", [400, 401, 404, 302])
def test_what_cannot_pass_is_not_tried_again(receiver, code):
    receiver.answers = [code]
    made, waits = webhook(receiver.url)
    with pytest.raises(NotifierError, match=f"answered {code}"):
        made(ALERT)
    assert (len(receiver.received), waits) == (1, [])


def test_it_gives_up_and_names_no_secret(receiver):
    receiver.answers = [500] * 9
    made, _ = webhook(receiver.url)
    with pytest.raises(NotifierError) as error:
        made(ALERT)
    assert len(receiver.received) == ATTEMPTS
    assert "s3cret" not in str(error.value)


def test_nobody_listens_or_nobody_answers():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}/"
        with pytest.raises(NotifierError, match="cannot be reached"):
            webhook(url)[0](ALERT)
        probe.listen()
        with pytest.raises(NotifierError, match="cannot be reached"):
            webhook(url, timeout=0.05)[0](ALERT)


def test_the_log_has_one_line_of_json(caplog):
    with caplog.at_level(logging.WARNING, "clearer_platform.alerts"):
        notifiers(["log"])[0](ALERT)
    assert Alert.model_validate_json(caplog.messages[0]) == ALERT


def test_a_module_may_make_one(tmp_path, monkeypatch):
    (tmp_path / "pager_of_mine.py").write_text(
        "TOLD = []\n"
        "class Pager:\n    name = 'pager'\n    def __call__(self, alert):\n        TOLD.append(alert)\n"
        "def broken():\n    raise ZeroDivisionError\n"
        "def nothing():\n    return 7\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    (made,) = notifiers(["pager_of_mine:Pager"])
    made(ALERT)
    assert sys.modules["pager_of_mine"].TOLD == [ALERT]
    for text in ("pager_of_mine:broken", "pager_of_mine:nothing", "pager_of_mine:", "no_such:thing", "mail"):
        with pytest.raises(ClearerError, match=text):
            notifiers([text])
    for text in ("webhook:", "webhook:ftp://x", "webhook:$NOT_SET_ANYWHERE"):
        with pytest.raises(ClearerError, match="webhook"):
            notifiers([text])


def test_the_same_cause_has_the_same_key_whenever_it_is_noticed():
    again = ALERT.model_copy(update={"title": "still late"})
    assert Alert.model_validate({**again.model_dump(), "at": "2030-01-01T00:00:00Z"}).key == ALERT.key
    assert ALERT.model_copy(update={"kind": Kind.RUN_FAILED}).key != ALERT.key
    assert ALERT.model_copy(update={"cause": "eu 2024-04-01"}).key != ALERT.key
