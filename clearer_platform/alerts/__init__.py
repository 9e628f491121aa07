"""Alerts: what somebody has to know, and telling whoever the settings name, once for each cause."""

from clearer_platform.alerts.alert import Alert, Kind
from clearer_platform.alerts.notifiers import Notifier, NotifierError, notifiers
from clearer_platform.alerts.outbox import post, send

__all__ = ["Alert", "Kind", "Notifier", "NotifierError", "notifiers", "post", "send"]
