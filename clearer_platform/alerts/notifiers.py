"""Who is told: `log`, `webhook:<URL>`, or whatever `<module>:<factory>` makes; chosen by CLEARER_NOTIFIERS."""

import importlib
import logging
from collections.abc import Iterable
from typing import Protocol, runtime_checkable

from clearer_platform.alerts.alert import Alert
from clearer_platform.alerts.webhook import NotifierError, Webhook
from clearer_platform.errors import ClearerError

LOGGER = logging.getLogger("clearer_platform.alerts")


@runtime_checkable
class Notifier(Protocol):
    """Tells somebody of an alert, or raises: the alert is then kept and told again later."""

    name: str
    """Tells one notifier from another, in the record of what was sent; it holds no secret."""

    def __call__(self, alert: Alert) -> None:
        """Tell of `alert`."""


class Log:
    """Writes each alert as one line of JSON to the log `clearer_platform.alerts`."""

    name = "log"

    def __call__(self, alert: Alert) -> None:
        """Write the line."""
        LOGGER.warning("%s", alert.model_dump_json())


def notifiers(chosen: Iterable[str]) -> list[Notifier]:
    """The notifiers that the settings name. Raises ClearerError for one that cannot be."""
    return [_made(text) for text in chosen]


def _made(text: str) -> Notifier:
    kind, _, rest = text.partition(":")
    if text == "log":
        return Log()
    if kind == "webhook":
        return Webhook.to(rest)
    hint = "use log, webhook:<URL or $VARIABLE>, or module:factory"
    try:
        made = getattr(importlib.import_module(kind), rest)()
    except Exception as e:  # A factory is somebody's code: whatever it raises is what is wrong with it.
        raise ClearerError(f"the notifier {text!r} cannot be made: {type(e).__name__}", hint=hint) from e
    if not isinstance(made, Notifier):
        raise ClearerError(f"what {text!r} makes is no notifier: it has no name or cannot be called", hint=hint)
    return made


__all__ = ["Log", "Notifier", "NotifierError", "notifiers"]
