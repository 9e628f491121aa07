"""A platform whose tables have a column of every type; silver is made by hand, so that any row can stand in it."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from clearer_platform.platform import Platform
from clearer_platform.regions import load_registry
from clearer_platform.serving.backups import Restored
from clearer_platform.settings import Settings
from clearer_platform_tests.serving.backups.kinds import CONTRACTS, REGISTRY

DAY = date(2024, 3, 30)


def open_kinds(home: Path) -> Platform:
    """The platform in the folder `home`."""
    home.mkdir(parents=True, exist_ok=True)
    (home / "regions.toml").write_text(REGISTRY, "utf-8")
    settings = Settings(home=home, _env_file=None, threads=1)
    return Platform(settings, load_registry(settings.registry_path), {c.name: c for c in CONTRACTS})


@pytest.fixture
def kinds(tmp_path: Path) -> Platform:
    """The platform, empty."""
    return open_kinds(tmp_path / "home")


class Clock:
    """Tells another minute each time."""

    def __init__(self) -> None:
        self.at = datetime(2024, 4, 2, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        """The next minute."""
        self.at += timedelta(minutes=1)
        return self.at


@pytest.fixture
def clock() -> Clock:
    """A clock of the test's own."""
    return Clock()


def brought_back(platform: Platform, done: Restored) -> list[dict[str, Any]]:
    """The rows in silver of the delivery that restored a backup, in their order, with what was found wrong."""
    assert done.day and done.slot
    path = platform.layout(done.backup.region).silver_file(done.backup.table, done.day, done.slot)
    return pq.read_table(path).to_pylist()
