"""The four real e-commerce deliveries, unchanged, through a region block that maps their headers.

The figures are the specification's (the original's published ones), not ours.
"""

import csv
from datetime import date
from decimal import Decimal

import pytest

from clearer_platform import silver
from clearer_platform.sources import deliver_file
from clearer_platform_tests.conftest import open_home
from clearer_platform_tests.flow import query, run

FILES = {
    "customers": "customerdb.csv",
    "products": "product.csv",
    "transactions": "transaction.csv",
    "conversations": "conversation.csv",
}
REGISTRY = """
reporting_currency = "VND"
[regions.vn]
timezone = "Asia/Ho_Chi_Minh"
currency = "VND"
root = "vn"
leaves = "pseudonyms"
start = 2024-01-01
[regions.vn.tables.customers]
columns = { birth_date = "birthDate", area = "Region" }
[regions.vn.tables.products]
[regions.vn.tables.products.columns]
category_id = "categoryId"
category_name = "categoryName"
base_price = "basePrice"
created_at = "createdDate"
[regions.vn.tables.transactions]
[regions.vn.tables.transactions.columns]
ordered_at = "orderDate"
branch_id = "branchId"
branch_name = "branchName"
total_amount = "totalAmount"
status_value = "statusValue"
[regions.vn.tables.conversations]
"""
DAY = date(2024, 1, 2)


@pytest.fixture(scope="module")
def delivered(tmp_path_factory, prepared_dbt, real_data):
    platform = open_home(tmp_path_factory.mktemp("real") / "home", REGISTRY, prepared_dbt)
    for table, name in FILES.items():
        deliver_file(platform, real_data / "ecommerce" / name, table=table, region="vn", day=DAY)
    run(platform, "vn")
    return platform


def test_conversation_sales_gives_the_published_figures(delivered):
    row = query(
        delivered,
        "vn",
        """
        select count(*) as transactions, count(distinct customer_key) as customers,
               count(distinct product_id) as products, sum(total_value) as total_value,
               sum(total_value_original) as total_value_original
        from gold.conversation_sales
        """,
    ).to_pylist()[0]
    assert (row["transactions"], row["customers"], row["products"]) == (635, 393, 473)
    assert row["total_value"] == Decimal("161838583.72")
    assert row["total_value_original"] == Decimal("161838583.71")


def test_all_records_are_accounted_for(delivered, real_data):
    for table, name in FILES.items():
        with (real_data / "ecommerce" / name).open(newline="", encoding="utf-8") as f:
            rows = sum(1 for _ in csv.DictReader(f))
        (state,) = silver.states(delivered, "vn", table)
        assert (state.published.delivered, rows) == (1000, 1000)
        assert state.published.accepted + state.published.rejected == 1000
        assert state.published.rules == {}


def test_what_the_data_contradicts_is_warned_about_and_drops_nothing(delivered):
    (state,) = silver.states(delivered, "vn", "conversations")
    assert state.published.warnings["record.phone_flag_agrees_with_phone_info"] == 526
    branches = query(delivered, "vn", "select branch, len(branch_ids) as ids from gold.dim_branches").to_pylist()
    assert len(branches) == 5 and {b["ids"] for b in branches} == {10}


def test_branch_performance_equals_a_plain_computation(delivered, real_data):
    revenue: dict[str, Decimal] = {}
    with (real_data / "ecommerce" / "transaction.csv").open(newline="", encoding="utf-8") as f:
        for row in csv.DictReader(f):
            if row["statusValue"] == "Completed":
                amount = Decimal(row["totalAmount"])
                revenue[row["branchName"]] = revenue.get(row["branchName"], Decimal(0)) + amount
    found = query(delivered, "vn", "select branch, revenue from gold.branch_performance").to_pylist()
    assert {row["branch"]: row["revenue"] for row in found} == revenue
