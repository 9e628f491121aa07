"""What tests of several packages share: a small platform in a temporary home."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from clearer_platform.platform import Platform
from clearer_platform.settings import Settings

REGIONS = """
reporting_currency = "EUR"

[regions.eu]
timezone = "Europe/Berlin"
currency = "EUR"
root = "eu"
leaves = "pseudonyms"
start = 2024-03-01
[regions.eu.csv]
encoding = "cp1252"
delimiter = ";"
decimal = ","
thousands = "."
date = "%d.%m.%Y"
datetime = "%d.%m.%Y %H:%M:%S"
[regions.eu.tables.customers]
[regions.eu.tables.products]
[regions.eu.tables.transactions]
[regions.eu.tables.conversations]
[regions.eu.tables.fx_rates]
days = ["mon", "tue", "wed", "thu", "fri"]

[regions.us]
timezone = "America/New_York"
currency = "USD"
root = "us"
start = 2024-03-01
[regions.us.tables.customers]
[regions.us.tables.transactions]
[regions.us.tables.conversations]
"""


@pytest.fixture
def make_platform(tmp_path: Path) -> Callable[..., Platform]:
    """A function that writes a registry into a temporary home and opens the platform there."""

    def make(regions: str = REGIONS, **settings: object) -> Platform:
        home = tmp_path / "home"
        home.mkdir(exist_ok=True)
        (home / "regions.toml").write_text(regions, "utf-8")
        return Platform.open(Settings(home=home, _env_file=None, **settings))  # type: ignore[arg-type]

    return make


@pytest.fixture
def platform(make_platform: Callable[..., Platform]) -> Platform:
    """Two regions that differ in zone, currency and format."""
    return make_platform()


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real deliveries; a test that needs it is reported as not run where it is not named."""
    folder = os.environ.get("CLEARER_REAL_DATA")
    if not folder:
        pytest.skip("not run: CLEARER_REAL_DATA does not name the folder of real deliveries")
    return Path(folder)
