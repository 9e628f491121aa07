"""The real delivery of stores, unchanged, through silver and gold: what was published, and the rest in plain Python.

The published figures are the specification's (the original analysis's), as of 2025-01-01, not ours.
"""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from clearer_platform import gold, silver
from clearer_platform.platform import Platform
from clearer_platform.sources import deliver_file
from clearer_platform_tests.conftest import open_home
from clearer_platform_tests.flow import query, run
from clearer_platform_tests.gold.store_pictures import sample
from clearer_platform_tests.gold.subscriptions_by_hand import METRICS, Picture, Row
from clearer_platform_tests.silver.nesting import ENTRY

REGISTRY = """
reporting_currency = "EUR"
[regions.world]
timezone = "UTC"
currency = "EUR"
root = "world"
start = 2024-12-01
[regions.world.csv]
datetime = "%Y-%m-%d %H:%M:%S.%f"
""" + ENTRY.format(region="world")
AS_OF = date(2025, 1, 1)
FILE = Path("subscriptions", "dataset_sample.csv")

Tables = Mapping[str, list[Row]]
"""Mart -> its rows, without region and as_of."""


def of_gold(platform: Platform) -> Tables:
    """What gold says of the region."""
    found = {}
    for metric in METRICS:
        table = query(platform, "world", f"from gold.{metric.__name__}")
        kept = [name for name in table.column_names if name not in ("region", "as_of")]
        found[metric.__name__] = [tuple(row.values()) for row in table.select(kept).to_pylist()]
    return found


def of_python(real_data: Path, as_of: date) -> Tables:
    """What follows from the file without the platform."""
    picture = Picture(sample(real_data / FILE), ZoneInfo("UTC"), as_of)
    return {metric.__name__: metric(picture) for metric in METRICS}


@pytest.fixture(scope="module")
def delivered(tmp_path_factory, prepared_dbt, real_data) -> Platform:
    """The delivery of 2025-01-01, which is the as-of date where none is asked for."""
    platform = open_home(tmp_path_factory.mktemp("real") / "home", REGISTRY, prepared_dbt)
    deliver_file(platform, real_data / FILE, table="stores", region="world", day=AS_OF)
    run(platform, "world")
    return platform


@pytest.fixture(scope="module", params=["gold", "plain Python"])
def tables(request, delivered, real_data) -> Tables:
    """Both ways have to meet what was published."""
    return of_gold(delivered) if request.param == "gold" else of_python(real_data, AS_OF)


def test_every_record_and_every_element_is_accepted(delivered):
    for table, number in (("stores", 1000), ("install_intervals", 1470), ("subscription_periods", 528)):
        (state,) = silver.states(delivered, "world", table)
        assert (state.published.delivered, state.published.accepted, state.published.rules) == (number, number, {})


def test_published_lifespans(tables):
    published = {"Store_5407": 947, "Store_5125": 288, "Store_4938": 960, "Store_4435": 977, "Store_5133": 25}
    lifespans = dict(tables["store_lifespan_original"])
    assert published.items() <= lifespans.items() and lifespans["Store_4902"] == 0
    assert sum(lifespans.values()) == 419_544
    assert sum(row[3] for row in tables["store_lifespan"]) == 402_405
    assert {row[0]: row[4] for row in tables["store_lifespan"]} == lifespans


def test_published_revenue(tables):
    revenue = dict(tables["revenue_by_day_original"])
    published = {"04": "19.0", "09": "148.2", "10": "218.0", "16": "308.2", "26": "601.0"}
    assert {day: revenue[date(2022, 5, int(day))] for day in published} == {d: Decimal(p) for d, p in published.items()}
    assert (len(revenue), sum(revenue.values())) == (112, Decimal("12988.80"))
    assert sum(row[2] for row in tables["revenue_by_day"]) == Decimal("25192.55")


def test_published_activity(tables):
    activity = {day: counts for day, *counts in tables["activity_by_day_original"]}
    assert activity[date(2022, 4, 29)] == [3, 7, 2]
    assert activity[date(2022, 5, 4)] == [8, 43, 9]
    assert activity[date(2022, 5, 16)] == [9, 33, 10]
    assert activity[date(2022, 5, 18)] == [8, 37, 7]
    assert len(activity) == 307
    assert sum(row[1] for row in tables["activity_by_day"]) == 402_405


@pytest.mark.parametrize("as_of", [AS_OF, date(2022, 5, 31), date(2023, 7, 15)])
def test_every_metric_equals_plain_python(delivered, real_data, as_of):
    gold.build(delivered, "world", as_of=as_of)
    found, expected = of_gold(delivered), of_python(real_data, as_of)
    for name in expected:
        assert sorted(found[name]) == sorted(expected[name]), name
    assert min(map(len, expected.values())) > 2
