"""A small sample that the tests of this folder share."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from clearer_platform import sample, sources
from clearer_platform.platform import Platform
from clearer_platform.sample.write import open_platform


def receive(platform: Platform, region: str, table: str) -> None:
    """Take in whatever there is of a table by now, whether it was read before or not. Its API must be running."""
    days = sources.http.windows(platform, region, table, datetime.now(UTC), start=platform.registry.start)
    received = sources.collect(platform, region, table, days or None)
    assert not [r for r in received if isinstance(r, sources.Failure)]


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with the first wave of a small sample. Tests must leave it as it is."""
    home = tmp_path_factory.mktemp("sample")
    sample.write(home, per_day=60)
    return home


@pytest.fixture(scope="session")
def platform(home: Path) -> Platform:
    """The platform of `home`."""
    return open_platform(home)


@pytest.fixture(scope="session")
def truth(home: Path) -> sample.Truth:
    """What is true of `home` after both waves."""
    return sample.expected(home)
