"""What is unusual about a day beside the days before it."""

from collections.abc import Callable
from datetime import date, timedelta

import pytest

from clearer_platform import silver
from clearer_platform.platform import Platform
from clearer_platform.silver.history import DayHistory, _usual, history
from clearer_platform_tests.flow import deliver

REGISTRY = """
[regions.one]
timezone = "UTC"
currency = "EUR"
root = "one"
[regions.one.tables.customers]
[regions.one.tables.transactions]
"""
FIRST = date(2024, 3, 4)
SALES = (
    "transaction_id,ordered_at,branch_id,branch_name,customer_id,total_amount,status,status_value,product_id,price,"
    "is_deleted"
)
PEOPLE = "customer_id,customer_name,gender,birth_date,area,email,is_deleted"


def bring(platform: Platform, table: str, day: date, lines: list[str]) -> None:
    """Deliver lines under the table's header, and validate them."""
    header = SALES if table == "transactions" else PEOPLE
    deliver(platform, "one", table, "\n".join([header, *lines, ""]), day)
    silver.bring_up(platform, "one", table, [day])


def sale(number: int, customer: str, deleted: str = "") -> str:
    """A sale to a customer."""
    return f"T{number},2024-03-04 10:00:00,B,Main,{customer},1.00,1,Completed,P1,1.00,{deleted}"


def person(customer: str, deleted: str = "") -> str:
    """A customer."""
    return f"{customer},Name,f,2000-01-01,North,a@b.c,{deleted}"


@pytest.fixture
def platform(make_platform: Callable[..., Platform]) -> Platform:
    """One region that delivers customers and transactions, and no products."""
    return make_platform(REGISTRY)


def test_rows_whose_parent_nobody_delivered_are_counted_by_day(platform: Platform) -> None:
    """A parent that was deleted since is none; a row that deletes names none; a parent may come later."""
    later = FIRST + timedelta(days=1)
    bring(platform, "customers", FIRST, [person("A"), person("B"), person("C")])
    bring(platform, "customers", later, [person("B", "true"), person("D")])
    bring(
        platform, "transactions", FIRST, [sale(1, "A"), sale(2, "B"), sale(3, "D"), sale(4, "X", "true"), sale(5, "X")]
    )
    bring(platform, "transactions", later, [sale(6, "C")])
    found = history(platform, "one", "transactions", [FIRST, later])
    assert found[FIRST].orphans == {"customers (customer_id)": 2, "products (product_id)": 4}
    assert found[later].orphans == {"customers (customer_id)": 0, "products (product_id)": 1}


def test_a_day_without_anything_published_has_no_history(platform: Platform) -> None:
    """There is nothing to compare."""
    assert history(platform, "one", "transactions", [FIRST]) == {}
    assert history(platform, "one", "transactions", []) == {}


def test_volume_is_compared_with_the_days_before_it_alone() -> None:
    """The same weekday where there are enough of them, else the last days; later days do not count."""
    records = {FIRST + timedelta(days=n): (500 if n % 7 == 0 else 100) for n in range(35)}
    same = _usual(records, FIRST + timedelta(days=28))
    assert same == (500.0, "median of 4 (same weekday)")
    assert _usual(records, FIRST + timedelta(days=5)) == (100.0, "median of 5 (days before)")
    assert _usual(records, FIRST + timedelta(days=2))[0] is None
    assert DayHistory(10).is_usual


@pytest.mark.parametrize(("records", "usual"), [(50, True), (49, False), (200, True), (201, False), (0, False)])
def test_half_to_double_the_usual_is_usual(records: int, usual: bool) -> None:
    """Less or more is worth a warning."""
    assert DayHistory(records, 100.0).is_usual is usual


def test_parents_are_looked_for_in_a_bucket_as_well(make_platform: Callable[..., Platform]) -> None:
    """Where there are several files, of which the engine is told one by one."""
    bucket = make_platform(REGISTRY.replace('root = "one"', 'root = "memory://history/one"'))
    bring(bucket, "customers", FIRST, [person("C1")])
    for number in range(2):
        bring(bucket, "transactions", FIRST + timedelta(number), [sale(number, "C1"), sale(number + 5, "C2")])
    found = history(bucket, "one", "transactions", [FIRST, FIRST + timedelta(1)])
    assert [some.orphans["customers (customer_id)"] for some in found.values()] == [1, 1]
