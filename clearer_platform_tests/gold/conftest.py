"""A small platform whose gold is built once; every test that changes something gets a copy of its home."""

import shutil
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from clearer_platform import gold
from clearer_platform.platform import Platform
from clearer_platform_tests.conftest import once
from clearer_platform_tests.gold.silver_files import open_platform, put

DAY = date(2024, 10, 27)
NAMES = ["Xylophagus Quill", "Zebulon Marrow"]
"""Names of people that may stand in no warehouse at all."""


def sale(number: int, **other: object) -> dict[str, object]:
    """A transaction, completed unless said otherwise."""
    row: dict[str, object] = {
        "transaction_id": f"t{number}",
        "ordered_at": datetime(2024, 10, 27, 12, tzinfo=UTC),
        "branch_id": "1",
        "branch_name": "North Gate",
        "customer_id": "customer-1",
        "total_amount": "10.00",
        "status_value": "Completed",
        "product_id": "p1",
        "price": "5.00",
        "quantity": 2,
    }
    return {**row, **other}


def deliver_all(platform: Platform, region: str) -> None:
    """One business day of every table of `region`."""
    people = [
        {
            "customer_id": f"customer-{n}",
            "customer_name": name,
            "gender": "x",
            "birth_date": date(1987, 5, 4),
            "area": "North",
        }
        for n, name in enumerate(NAMES, 1)
    ]
    put(platform, region, "customers", DAY, people)
    created = datetime(2024, 1, 1, tzinfo=UTC)
    product = {"product_id": "p1", "name": "Tea", "category_id": "1", "category_name": "Food", "base_price": "5.00"}
    put(platform, region, "products", DAY, [{**product, "created_at": created}])
    put(platform, region, "transactions", DAY, [sale(1), sale(2, customer_id="customer-2", status_value="Failed")])
    talk = {"conversation_id": "v1", "from_id": "f1", "message_id": "m1", "type": "COMMENT", "page_id": "1"}
    at = datetime(2024, 10, 27, 22, 30, tzinfo=UTC)
    put(platform, region, "conversations", DAY, [{**talk, "customer_id": "customer-1", "inserted_at": at}])


@pytest.fixture(scope="session")
def built_home(common: Path, prepared_dbt: Path) -> Path:
    """A home whose regions `eu` and `us` and what is common to them are built."""
    return once(common / "gold", lambda home: build(open_platform(home, prepared_dbt=prepared_dbt)))


def build(platform: Platform) -> None:
    """Deliver to both regions, and build their gold and what is common to them."""
    for region in ("eu", "us"):
        deliver_all(platform, region)
    put(platform, "eu", "fx_rates", DAY, [{"currency": "USD", "day": date(2024, 10, 26), "rate": "0.90000000"}])
    gold.build(platform, "eu")
    gold.build(platform, "us")
    gold.build_global(platform)


@pytest.fixture(scope="session")
def built(built_home: Path) -> Platform:
    """The platform in `built_home`; not to be changed."""
    return open_platform(built_home)


@pytest.fixture
def own(built_home: Path, tmp_path: Path) -> Platform:
    """A copy of the same, for one test alone."""
    shutil.copytree(built_home, tmp_path / "home", symlinks=True)
    return open_platform(tmp_path / "home")


@pytest.fixture(scope="session")
def branches_project(few_models: Callable[..., Path]) -> Path:
    """A dbt project that makes the performance of branches, and nothing else, of what was delivered."""
    return few_models("branch_performance", "global_branch_performance_daily")


@pytest.fixture(scope="session")
def branches_home(common: Path, prepared_dbt: Path, branches_project: Path) -> Path:
    """The same home, built with that project."""

    def make(home: Path) -> None:
        build(open_platform(home, prepared_dbt=prepared_dbt, dbt_project=branches_project))

    return once(common / "branches", make)


@pytest.fixture
def branches(branches_home: Path, branches_project: Path, tmp_path: Path) -> Platform:
    """A copy of it, for one test alone: of how a build goes about its work, whatever it builds."""
    shutil.copytree(branches_home, tmp_path / "home", symlinks=True)
    return open_platform(tmp_path / "home", dbt_project=branches_project)
