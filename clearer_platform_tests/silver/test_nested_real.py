"""The real delivery of stores, unchanged: its elements are those that Python's csv and json modules read in it.

The numbers are the specification's, not ours.
"""

import csv
import json
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from clearer_platform_tests.silver.judging import DAY
from clearer_platform_tests.silver.nesting import INTERVALS, PERIODS, STRICT, StoreRegion


@pytest.fixture(scope="module")
def source(real_data: Path) -> Path:
    return real_data / "subscriptions" / "dataset_sample.csv"


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory, source: Path) -> StoreRegion:
    region = StoreRegion(tmp_path_factory.mktemp("real") / "home", STRICT)
    region.deliver(source.read_bytes(), "stores.csv")
    region.bring_up()
    return region


def by_hand(source: Path, column: str) -> list[dict[str, Any]]:
    """Every element of a column with its place."""
    with source.open(newline="", encoding="utf-8") as f:
        return [
            {"_line": line, "store_id": row["store_id"], "position": position, **element}
            for line, row in enumerate(csv.DictReader(f), 2)
            for position, element in enumerate(json.loads(row[column], parse_float=Decimal), 1)
        ]


def local(instant: datetime | None) -> str | None:
    return instant and f"{instant:%Y-%m-%d %H:%M:%S.%f}"


def test_the_counts(stores: StoreRegion) -> None:
    """And nothing in it breaks a rule: 209 intervals begin on the day on which another ends, which is no overlap."""
    outcomes = [stores.state(table).published for table in ("stores", INTERVALS, PERIODS)]
    assert [(o.delivered, o.accepted, o.rules) for o in outcomes] == [
        (1000, 1000, {}),
        (1470, 1470, {}),
        (528, 528, {}),
    ]
    days: dict[str, list[tuple[date, date | None]]] = {}
    for row in stores.rows(INTERVALS):
        span = (row["from_date"].date(), row["to_date"] and row["to_date"].date())
        days.setdefault(row["store_id"], []).append(span)
    touching = [
        any(first == last for other, (_, last) in enumerate(own) if other != number)
        for own in days.values()
        for number, (first, _) in enumerate(own)
    ]
    assert sum(touching) == 209


def test_every_interval(stores: StoreRegion, source: Path) -> None:
    found = [
        {
            "_line": row["_line"],
            "store_id": row["store_id"],
            "position": row["position"],
            "toNow": row["to_now"],
            "startType": row["start_type"],
            "fromDate": local(row["from_date"]),
            "endType": row["end_type"],
            "toDate": local(row["to_date"]),
        }
        for row in stores.rows(INTERVALS)
    ]
    assert found == by_hand(source, "installHistory")


def test_every_period(stores: StoreRegion, source: Path) -> None:
    found = [
        {
            "_line": row["_line"],
            "store_id": row["store_id"],
            "position": row["position"],
            "price": row["price"],
            "planName": row["plan_name"],
            "fromDate": local(row["from_date"]),
            "toDate": local(row["to_date"]),
            "billingOnDate": local(row["billing_on_date"]),
        }
        for row in stores.rows(PERIODS)
    ]
    assert found == by_hand(source, "subscriptionHistory")
    assert {row["_day"] for row in stores.rows(PERIODS)} == {DAY}
