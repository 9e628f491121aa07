"""Across regions: only what a region lets leave, read again only where its gold changed."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from clearer_platform import gold
from clearer_platform.errors import BuildError
from clearer_platform.gold import warehouse
from clearer_platform.gold.leaving import leaving
from clearer_platform.gold.project import prepare
from clearer_platform.governance import Pseudonyms
from clearer_platform.platform import Platform
from clearer_platform.storage import local
from clearer_platform_tests.gold.conftest import DAY, sale
from clearer_platform_tests.gold.silver_files import REGIONS, open_platform, put
from clearer_platform_tests.gold.test_build import served, with_test


def test_branches_of_all_regions_are_compared_in_the_reporting_currency(built: Platform) -> None:
    rows = served(
        built,
        'select region, revenue, reporting_revenue, revenue_rank from "global".branch_performance order by 1',
        None,
    )
    assert rows == [("eu", Decimal(10), Decimal(10), 1), ("us", Decimal(10), Decimal(9), 2)]


def test_only_what_a_region_lets_leave_is_there(built: Platform) -> None:
    """The eu lets pseudonyms leave, the us aggregates alone; no identifier is in the file."""
    named = {"dim_customers", "fct_sales", "sales_by_customer"}
    assert {m.name for m in leaving(built, "eu")} - {m.name for m in leaving(built, "us")} == named
    assert served(built, "select distinct region from gold.dim_customers", None) == [("eu",)]
    assert served(built, "select distinct region from gold.branch_performance order by 1", None) == [("eu",), ("us",)]
    key = Pseudonyms.of(built.layout("eu"))
    assert (key("customer-1"),) in served(built, 'select customer_key::varchar from "global".customers', None)
    content = local(built.global_layout.warehouse).read_bytes()
    assert b"customer-1" not in content
    assert b"fct_transactions" not in content


def test_permission_that_is_withdrawn_takes_the_rows_away(own: Platform) -> None:
    stricter = open_platform(own.settings.home, REGIONS.replace('"pseudonyms"', '"aggregates"'))
    assert gold.build_global(stricter).changed
    assert served(stricter, 'select count(*) from "global".customers', None) == [(0,)]
    assert not gold.build_global(stricter).changed


def test_what_may_leave_no_more_is_known_before_it_is_gone(own: Platform) -> None:
    """A permission that was given since then takes nothing away."""
    state = warehouse.state(local(own.global_layout.warehouse))
    assert state is not None and gold.withdrawn(own, state) == []
    for registry, regions in (
        (REGIONS.replace('"pseudonyms"', '"aggregates"'), ["eu"]),
        (REGIONS.replace('"aggregates"', '"pseudonyms"'), []),
        (REGIONS[: REGIONS.index("[regions.us]")], ["us"]),
    ):
        assert gold.withdrawn(open_platform(own.settings.home, registry), state) == regions


def test_only_changed_regions_are_read(own: Platform) -> None:
    put(own, "us", "transactions", DAY + timedelta(1), [sale(5, ordered_at=sale(1)["ordered_at"] + timedelta(1))])
    assert not gold.build_global(own).changed  # it is silver's, not gold's yet
    assert not gold.global_is_behind(own)
    gold.build(own, "us")
    assert gold.global_is_behind(own)
    read = gold.build_global(own)
    assert not gold.global_is_behind(own)
    assert read.restated == (DAY + timedelta(1),)
    assert read.rows is not None and read.rows["branch_performance_daily"] == 3
    assert not list(own.layout("us").work.glob("leaving/*"))


def test_a_region_that_is_gone_from_the_registry_is_gone_from_global(own: Platform) -> None:
    without = open_platform(own.settings.home, REGIONS[: REGIONS.index("[regions.us]")])
    gold.build_global(without)
    assert served(without, 'select distinct region from "global".branch_performance', None) == [("eu",)]


def test_a_project_decides_itself_what_is_compared_across_regions(
    own: Platform, few_models: Callable[..., Path]
) -> None:
    """One that has nothing by day across regions, for instance."""
    other = open_platform(own.settings.home, dbt_project=few_models("global_product_performance"))
    gold.build(other, "eu")
    done = gold.build_global(other)
    assert done.rows is not None and list(done.rows) == ["product_performance"]
    assert served(other, 'select count(*) > 0 from "global".product_performance', None) == [(True,)]


def test_a_global_model_may_not_read_what_never_leaves(own: Platform, tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="model nosy reads fct_transactions, which never leaves its region"):
        prepare(with_test(own, tmp_path, "models/global/nosy.sql", "from {{ ref('fct_transactions') }}"))
