"""Parts of gold that nobody delivers for: their tables stand empty, until somebody does and when nobody does again."""

from collections.abc import Callable, Iterable
from datetime import date, timedelta
from pathlib import Path

import pytest

from clearer_platform import gold
from clearer_platform.gold import warehouse
from clearer_platform.platform import Platform
from clearer_platform_tests.gold.conftest import DAY, deliver_all, sale
from clearer_platform_tests.gold.silver_files import open_platform, put, silver_path
from clearer_platform_tests.gold.store_pictures import Store, put_picture, remove_picture
from clearer_platform_tests.gold.test_build import with_test
from clearer_platform_tests.gold.test_histories import differences
from clearer_platform_tests.gold.test_part_by_part import WITH_STORES, rows

ECOMMERCE = ("customers", "products", "transactions", "conversations")
OTHERS = ("departments", "jobs", "hired_employees", "sales")
COLUMNS = """
select table_name, column_name, data_type from duckdb_columns()
where schema_name = 'gold' order by table_name, column_index
"""


@pytest.fixture
def eu(tmp_path: Path, prepared_dbt: Path) -> Platform:
    """A region that nothing has been built for."""
    return open_platform(tmp_path / "home", WITH_STORES, prepared_dbt)


@pytest.fixture
def few(tmp_path: Path, prepared_dbt: Path, few_models: Callable[..., Path]) -> Platform:
    """The same, with a mart of each of three domains."""
    project = few_models("branch_performance_daily_in", "fct_hires", "fct_sales")
    return open_platform(tmp_path / "home", WITH_STORES, prepared_dbt, dbt_project=project)


def withdraw(platform: Platform, tables: Iterable[str], day: date = DAY) -> None:
    for table in tables:
        silver_path(platform, "eu", table, day, "a.csv").unlink()


def same_as_a_rebuild(platform: Platform, tmp_path: Path) -> bool:
    """Whether what is served is what building everything anew comes to, to the last row and table."""
    anew = tmp_path / "anew.duckdb"
    gold.build_warehouse(platform, ["eu"], anew, tmp_path / "anew")
    served = warehouse.serving_copy(platform.layout("eu"))
    assert served
    return differences(served, anew) == differences(anew, served) == {}


def test_a_table_that_stands_empty_is_as_dbt_makes_it(eu: Platform) -> None:
    """Held against what dbt makes of deliveries without a row."""
    deliver_all(eu, "eu")
    gold.build(eu, "eu")
    undelivered = rows(eu, COLUMNS)
    for table in OTHERS:
        put(eu, "eu", table, DAY, [])
    put_picture(eu, "eu", DAY, [])
    withdraw(eu, ECOMMERCE)
    gold.build(eu, "eu", full_refresh=True)
    assert rows(eu, COLUMNS) == undelivered
    assert {"fct_sales", "fct_hires", "store_lifespan", "branch_performance"} <= {table for table, _, _ in undelivered}


def test_what_is_read_by_zone_can_be_read_of_a_region_without_sales(few: Platform) -> None:
    put(few, "eu", "sales", DAY, [])
    gold.build(few, "eu")
    assert rows(few, "from gold.branch_performance_daily_in('Asia/Ho_Chi_Minh')") == []
    deliver_all(few, "eu")
    gold.build(few, "eu")
    assert rows(few, "select day, transactions from gold.branch_performance_daily_in('Asia/Ho_Chi_Minh')") == [(DAY, 2)]


def test_what_does_not_say_its_columns_is_built_on_nothing(few: Platform, tmp_path: Path) -> None:
    sql = "{{ config(contract={'enforced': false}) }} select rowid from {{ source('silver', 'sales') }}"
    loose = with_test(few, tmp_path, "models/marts/softcart/loose.sql", sql)
    put(loose, "eu", "departments", DAY, [])
    gold.build(loose, "eu")
    assert rows(loose, "select count(*) from gold.loose") == [(0,)]
    put(loose, "eu", "jobs", DAY, [])
    assert "fct_sales" not in {test.model for test in gold.build(loose, "eu").tests}


def test_a_domain_that_begins_ends_and_begins_again_equals_a_rebuild(eu: Platform, tmp_path: Path) -> None:
    deliver_all(eu, "eu")
    gold.build(eu, "eu")
    put_picture(eu, "eu", DAY + timedelta(1), [Store("s1")])
    put(eu, "eu", "transactions", DAY + timedelta(1), [sale(3)])
    done = gold.build(eu, "eu")
    assert (done.restated, rows(eu, "select count(*) from gold.fct_transactions")) == ((DAY,), [(3,)])

    withdraw(eu, [*ECOMMERCE])
    withdraw(eu, ["transactions"], DAY + timedelta(1))
    done = gold.build(eu, "eu")
    assert (done.restated, done.rows["fct_transactions"], done.rows["dim_branches"]) == ((DAY,), 0, 0)  # type: ignore[index]
    assert same_as_a_rebuild(eu, tmp_path)

    deliver_all(eu, "eu")
    remove_picture(eu, "eu", DAY + timedelta(1), "a.csv")
    done = gold.build(eu, "eu")
    assert (done.restated, rows(eu, "select count(*) from gold.fct_transactions")) == ((DAY,), [(2,)])
    put(eu, "eu", "transactions", DAY, [sale(1, total_amount="12.00")])
    assert gold.build(eu, "eu").restated == (DAY,)
    assert same_as_a_rebuild(eu, tmp_path)
