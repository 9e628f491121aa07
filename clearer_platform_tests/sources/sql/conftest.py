"""A home that reads a table of a real server, and what silver makes of it."""

from collections.abc import Callable

import pytest
from sqlalchemy import URL

from clearer_platform import silver
from clearer_platform.platform import Platform
from clearer_platform.serving.reading import read
from clearer_platform.sources.sql.reading import fetch
from clearer_platform_tests.sources.sql.shops import registry


class Home:
    """A platform whose region eu reads `orders` from a server."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform

    def fetch(self, compare=None):
        """What one reading delivers."""
        return [receipt.delivery for receipt in fetch(self.platform, "eu", "orders", compare=compare)]

    def silver(self):
        """Every accepted row in the order of arrival, after bringing silver up."""
        states = silver.bring_up(self.platform, "eu", "orders")
        assert not [state.refused for state in states if state.refused]
        wanted = ["id", "note", "amount", "paid", "placed_at", "due", "gone"]
        return read(self.platform, "orders", region="eu", columns=wanted).to_pylist() if states else []

    def silver_after(self):
        """What one reading brings into silver."""
        self.fetch()
        return self.silver()

    def current(self):
        """The current rows by id, as the contract resolves them: latest wins, tombstones delete."""
        latest = {row["id"]: row for row in self.silver()}
        return {key: row for key, row in latest.items() if not row["gone"]}


@pytest.fixture
def make_home(make_platform: Callable[..., Platform], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Home]:
    """A function that makes a home for a server's table."""

    def make(url: URL, entry: str = "", **how: str) -> Home:
        monkeypatch.setenv("SHOP_PASSWORD", url.password or "none")
        modules = ("clearer_platform_tests.sources.sql.shops",)
        return Home(make_platform(registry(url, entry=entry, **how), contract_modules=modules))

    return make
