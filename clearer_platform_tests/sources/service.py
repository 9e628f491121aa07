"""A platform whose conversations come from a server that answers as a test says."""

import json
from collections.abc import Callable
from datetime import date
from urllib.parse import parse_qs, urlsplit

import pytest

from clearer_platform.bronze import Receipt
from clearer_platform.errors import DeliveryError
from clearer_platform.platform import Platform
from clearer_platform.sources.http import fetch
from clearer_platform_tests.sources.faulty_api import Answer

DAY = date(2024, 3, 31)


class Service:
    """Answers by a function of the request's number (from 0) and its query; remembers what was asked."""

    def __init__(self, respond: Callable[[int, dict[str, str]], Answer | None]) -> None:
        self.respond = respond
        self.paths: list[str] = []
        self.queries: list[dict[str, str]] = []
        self.headers: list[dict[str, str]] = []

    def answer(self, target: str, headers: dict[str, str]) -> Answer | None:
        parts = urlsplit(target)
        self.paths.append(parts.path)
        self.queries.append({name: values[0] for name, values in parse_qs(parts.query).items()})
        self.headers.append(headers)
        return self.respond(len(self.paths) - 1, self.queries[-1])


class Place:
    """A platform whose us conversations come from a server."""

    def __init__(self, running, url: str, make_platform, waits: list[float]) -> None:
        self.running, self.url, self.make_platform, self.waits = running, url, make_platform, waits
        self.platform: Platform | None = None

    def serve(self, respond, **entry: object) -> Service:
        service = self.running.api = Service(respond)
        entry = {"url": f"{self.url}/v1/{{day}}", **entry}
        lines = [f"{name} = {json.dumps(value)}" for name, value in entry.items()]
        text = REGISTRY + "\n".join(["[regions.us.tables.conversations.http]", *lines])
        self.platform = self.make_platform(text)
        return service

    def fetch(self, day: date = DAY) -> Receipt:
        return fetch(self.platform, "us", "conversations", day)

    def text(self, day: date = DAY) -> str:
        return self.fetch(day).delivery.content.read_text("utf-8")

    def refused(self) -> str:
        with pytest.raises(DeliveryError) as caught:
            self.fetch()
        return str(caught.value)


REGISTRY = """
[regions.us]
timezone = "America/New_York"
currency = "USD"
root = "us"
start = 2024-03-01
[regions.us.tables.customers]
[regions.us.tables.conversations]
"""


def listed(*records: object, **rest: object) -> Answer:
    return Answer(json.dumps({"items": records, **rest}).encode(), "application/json")


def body(text: str | bytes) -> Callable[[int, dict[str, str]], Answer]:
    return lambda n, query: Answer(text if isinstance(text, bytes) else text.encode(), "application/json")
