"""Regions with one small table."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clearer_platform.contracts import Contract
from clearer_platform_tests.silver.judging import THINGS, Region


@pytest.fixture
def make_region(tmp_path: Path) -> Callable[..., Region]:
    """A function that makes a region with one table, each time in a new home."""
    made = 0

    def make(contract: Contract = THINGS, **entry: Any) -> Region:
        nonlocal made
        made += 1
        return Region(tmp_path / f"home{made}", contract, **entry)

    return make


@pytest.fixture
def region(make_region: Callable[..., Region]) -> Region:
    """Europe/Berlin, UTF-8, commas, decimal points, ISO dates."""
    return make_region()
