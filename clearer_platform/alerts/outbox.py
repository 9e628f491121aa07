"""The outbox: alerts wait here until every notifier has told of them; what was told is never told again.

`alerts/waiting/<key>.json` holds what is to be told, and `alerts/sent.jsonl`, appended to alone, what was: both in the
global work folder. The record is written after a notifier has told, so that a kill in between tells twice rather than
never; a record that is lost may repeat, and loses nothing.
"""

import json
import logging
import os
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from clearer_platform.alerts.alert import Alert
from clearer_platform.alerts.notifiers import Notifier, notifiers
from clearer_platform.platform import Platform
from clearer_platform.storage import PARTIAL, publish_bytes, remove, reported

LOGGER = logging.getLogger("clearer_platform.alerts")
POSTING, SENDING = "alerts-posting", "alerts-sending"
"""Two locks: a receiver that is slow to answer keeps nobody from posting."""


def post(platform: Platform, alerts: Iterable[Alert]) -> list[Alert]:
    """Put alerts into the outbox; those of causes that were told of, or wait to be, are left out. What was new."""
    alerts = list(alerts)
    if not alerts:
        return []
    with platform.global_layout.lock(POSTING):
        # In this order: what is told meanwhile is recorded before it stops waiting.
        known = {path.stem for path in _waiting(platform)}
        known |= {key for key, _ in _sent(platform)}
        new = list({alert.key: alert for alert in alerts if alert.key not in known}.values())
        for alert in new:
            publish_bytes(alert.model_dump_json().encode(), _folder(platform) / "waiting" / f"{alert.key}.json")
    return new


def send(platform: Platform, to: Sequence[Notifier] | None = None) -> int:
    """Tell every notifier what waits for it; the number of alerts that still wait. Nothing of it raises."""
    to = notifiers(platform.settings.notifiers) if to is None else to
    left = 0
    with platform.global_layout.lock(SENDING):
        waiting = _waiting(platform)
        sent = set(_sent(platform)) if waiting else set()
        failing: set[str] = set()
        for path in waiting:
            alert = Alert.model_validate_json(path.read_bytes())
            for notifier in to:
                if (alert.key, notifier.name) not in sent and notifier.name not in failing:
                    if _told(notifier, alert):
                        _record(platform, alert, notifier.name)
                        sent.add((alert.key, notifier.name))
                    else:
                        failing.add(notifier.name)  # It would only fail again; the next sending asks it anew.
            if all((alert.key, notifier.name) in sent for notifier in to):
                remove(path)
            else:
                left += 1
    return left


def _told(notifier: Notifier, alert: Alert) -> bool:
    try:
        notifier(alert)
    except Exception as e:  # A notifier may be somebody's code, and must not stand in the way of anything else.
        LOGGER.error(json.dumps({"notifier": notifier.name, "failed": str(e) or type(e).__name__, "alert": alert.key}))
        return False
    return True


def _folder(platform: Platform) -> Path:
    return platform.global_layout.work / "alerts"


def _waiting(platform: Platform) -> list[Path]:
    """The alerts to be told, the oldest first."""
    folder = _folder(platform) / "waiting"
    found = [path for path in folder.glob("*.json") if not path.name.startswith(PARTIAL)]
    return sorted(found, key=lambda path: path.stat().st_mtime_ns)


def _sent(platform: Platform) -> list[tuple[str, str]]:
    """Key and notifier of everything that was told; a line that a kill cut off was never told."""
    file = _folder(platform) / "sent.jsonl"
    found = []
    for line in file.read_text("utf-8").splitlines() if file.exists() else []:
        try:
            told = json.loads(line)
            found.append((told["key"], told["notifier"]))
        except (ValueError, KeyError, TypeError):
            continue
    return found


def _record(platform: Platform, alert: Alert, notifier: str) -> None:
    file = _folder(platform) / "sent.jsonl"
    told = {"key": alert.key, "notifier": notifier, "kind": alert.kind, "at": str(datetime.now(UTC))}
    with reported("write", file), file.open("a+b") as f:
        if f.tell() and not _ends_whole(f.fileno(), f.tell()):
            f.write(b"\n")
        f.write(json.dumps(told).encode() + b"\n")
        f.flush()
        os.fsync(f.fileno())


def _ends_whole(file: int, size: int) -> bool:
    """Whether the file's last line is whole: a kill may have cut it off, and the next must not be glued to it."""
    return os.pread(file, 1, size - 1) == b"\n"
