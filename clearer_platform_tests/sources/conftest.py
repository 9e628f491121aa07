"""Fixtures of several tests of sources."""

import pytest

from clearer_platform.sources.http import client
from clearer_platform_tests.sources.faulty_api import serving
from clearer_platform_tests.sources.service import Place


@pytest.fixture(scope="module")
def server():
    """A running server without an API, and its address."""
    with serving() as found:
        yield found


@pytest.fixture
def api(server, make_platform, monkeypatch) -> Place:
    """A platform whose conversations come from that server; nobody waits between attempts."""
    waits: list[float] = []
    monkeypatch.setattr(client, "pause", waits.append)
    return Place(*server, make_platform, waits)
