"""A small sample that the tests of this folder share."""

from pathlib import Path

import pytest

from clearer_platform import sample
from clearer_platform.platform import Platform
from clearer_platform.sample.write import open_platform


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
