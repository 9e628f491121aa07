"""SoftCart's real extracts, which have no header: no row is lost, and nothing is counted twice."""

import shutil
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from clearer_platform import gold, silver, sources
from clearer_platform.platform import Platform
from clearer_platform_tests.conftest import open_home

OLD, NEW = "sales_olddata.csv", "sales_newdata.csv"
DAY = date(2024, 12, 2)
REGION = """
[regions.softcart]
timezone = "UTC"
currency = "USD"
root = "softcart"
leaves = "pseudonyms"
start = 2024-12-01
[regions.softcart.csv]
header = false
datetime = "%Y-%m-%d %H:%M"
[regions.softcart.tables]
sales = { days = [] }
"""
TOTAL = (
    "select count(*), sum(total_price), count(distinct product_id), count(distinct customer_key) from gold.fct_sales"
)


def deliver(platform: Platform, real_data: Path, name: str, day: date) -> None:
    """Let an extract land for a day, and judge it."""
    landing = platform.settings.home / "softcart" / "landing" / "sales"
    landing.mkdir(parents=True, exist_ok=True)
    shutil.copy(real_data / "softcart" / name, landing / f"{name.removesuffix('.csv')}-{day}.csv")
    sources.collect(platform, "softcart", "sales")
    silver.bring_up(platform, "softcart", "sales")


def rows(platform: Platform, query: str) -> list[tuple[object, ...]]:
    with gold.connect(platform, "softcart") as connection:
        return connection.execute(query).fetchall()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, prepared_dbt: Path, real_data: Path) -> Path:
    """The home of a shop with both extracts."""
    home = tmp_path_factory.mktemp("softcart") / "home"
    platform = open_home(home, REGION, prepared_dbt)
    deliver(platform, real_data, OLD, DAY)
    deliver(platform, real_data, NEW, DAY + timedelta(1))
    gold.build(platform, "softcart")
    return home


@pytest.fixture(scope="module")
def shop(home: Path, prepared_dbt: Path) -> Platform:
    return open_home(home, REGION, prepared_dbt)


def test_no_row_is_lost_to_a_header_that_is_none(shop: Platform) -> None:
    counts = {
        s.slot.day: (s.published.delivered, s.published.accepted) for s in silver.states(shop, "softcart", "sales")
    }
    assert counts == {DAY: (1301, 1301), DAY + timedelta(1): (1304, 1304)}
    assert rows(shop, TOTAL) == [(2605, Decimal(19_321_151), 1534, 2516)]
    old = "select count(*), sum(total_price), min(sold_at), max(sold_at) from gold.fct_sales where year(day) = 2020"
    first, last = (datetime(2020, 9, 5, 16, minute, tzinfo=UTC) for minute in (20, 41))
    assert rows(shop, old) == [(1301, Decimal(9_676_882), first, last)]


def test_a_sale_without_a_time_counts_when_it_was_received(shop: Platform) -> None:
    (state,) = [s for s in silver.states(shop, "softcart", "sales") if s.slot.day == DAY + timedelta(1)]
    received = datetime.strptime(state.published.delivery[:22], "%Y%m%dT%H%M%S.%f").replace(tzinfo=UTC)
    new = "select count(*), sum(total_price), min(day), max(day) from gold.fct_sales where year(day) > 2020"
    assert rows(shop, new) == [(1304, Decimal(9_644_269), received.date(), received.date())]
    (times,) = rows(shop, "select min(sold_at), max(sold_at) from gold.fct_sales where year(day) > 2020")
    assert times[0] == times[1]
    assert abs(times[0] - received) < timedelta(seconds=1)


def test_every_fact_joins_its_dimension(shop: Platform) -> None:
    joined = "gold.fct_sales join gold.dim_dates as dates using (region, date_key) where dates.day = fct_sales.day"
    assert rows(shop, f"select count(*) from {joined}") == [(2605,)]
    grain = "select count(*), count(distinct date_key), max(day) - min(day) + 1 from gold.dim_dates"
    assert rows(shop, grain) == [(36525, 36525, 36525)]


def test_the_totals_of_the_cubes_are_those_of_the_facts(shop: Platform) -> None:
    for mart, groups in (("product", 1534), ("customer", 2516), ("day", 2)):
        total = f"select sales, revenue from gold.sales_by_{mart} where level = 'total'"
        assert rows(shop, total) == [(2605, Decimal(19_321_151))]
        assert rows(shop, f"select count(*) from gold.sales_by_{mart} where level = '{mart}'") == [(groups,)]


def test_twenty_deliveries_of_the_same_change_nothing(
    home: Path, tmp_path: Path, prepared_dbt: Path, real_data: Path
) -> None:
    """Neither in the slot that they had, nor as other files of other days: sales without a time do not move either."""
    shutil.copytree(home, tmp_path / "home", symlinks=True)
    platform = open_home(tmp_path / "home", REGION, prepared_dbt)
    before = rows(platform, "from gold.fct_sales order by rowid")
    for _ in range(2):
        deliver(platform, real_data, OLD, DAY)
    assert not gold.build(platform, "softcart").changed
    for number in range(20):
        deliver(platform, real_data, (OLD, NEW)[number % 2], DAY + timedelta(2 + number))
    assert gold.build(platform, "softcart").changed
    assert rows(platform, TOTAL) == [(2605, Decimal(19_321_151), 1534, 2516)]
    assert rows(platform, "from gold.fct_sales order by rowid") == before


def test_a_header_that_is_only_said_to_be_there_is_refused(tmp_path: Path, prepared_dbt: Path, real_data: Path) -> None:
    registry = REGION.replace("header = false", "header = true")
    platform = open_home(tmp_path / "home", registry, prepared_dbt)
    for number, name in enumerate((OLD, NEW)):
        deliver(platform, real_data, name, DAY + timedelta(number))
    for state in silver.states(platform, "softcart", "sales"):
        assert state.published is None
        (problem,) = state.refused[0].problems
        assert problem.rule in ("delivery.missing_column", "delivery.duplicate_column")
        assert "the first line looks like a record, not like a header" in problem.message
