"""What the tests of nested tables share: a region that delivers stores, and what comes of the elements in them."""

import csv
import io
import json
import tomllib
from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

from clearer_platform import silver
from clearer_platform.contracts import Contract
from clearer_platform.contracts.subscriptions import INSTALL_INTERVALS, STORES, SUBSCRIPTION_PERIODS
from clearer_platform.platform import Platform
from clearer_platform.regions import Registry
from clearer_platform_tests.silver.judging import DAY, Region, rows_of

INTERVALS, PERIODS = "install_intervals", "subscription_periods"
HEADER = ("store_id", "installHistory", "subscriptionHistory")
ENTRY = """
[regions.{region}.tables.stores.columns]
install_history = "installHistory"
subscription_history = "subscriptionHistory"
[regions.{region}.tables.stores.nested.install_intervals]
to_now = "toNow"
start_type = "startType"
from_date = "fromDate"
end_type = "endType"
to_date = "toDate"
[regions.{region}.tables.stores.nested.subscription_periods]
plan_name = "planName"
from_date = "fromDate"
to_date = "toDate"
billing_on_date = "billingOnDate"
"""
"""What the registry says of stores: how whoever delivers them calls their columns and their elements' members."""
TABLE = tomllib.loads(ENTRY.format(region="eu"))["regions"]["eu"]["tables"]["stores"]
TOLERANT = tuple(replace(contract, max_rejected=1.0) for contract in (STORES, INSTALL_INTERVALS, SUBSCRIPTION_PERIODS))
STRICT = (STORES, INSTALL_INTERVALS, SUBSCRIPTION_PERIODS)

Row = tuple[str, str, str]
"""store_id and the two arrays, as they stand in the file."""


class StoreRegion(Region):
    """A region that delivers stores; however much of one is rejected, it is published, unless told otherwise."""

    def __init__(self, home: Path, contracts: Iterable[Contract] = TOLERANT, **entry: Any) -> None:
        self.contracts = {contract.name: contract for contract in contracts}
        given = {"timezone": "UTC", "csv": {"datetime": "%Y-%m-%d %H:%M:%S.%f"}, "table": TABLE, **entry}
        super().__init__(home, self.contracts["stores"], **given)

    @property
    def platform(self) -> Platform:
        """The platform with the entry and the contracts as they are now."""
        one = super().platform
        registry = Registry.model_validate(one.registry.model_dump())
        return Platform(one.settings, registry, self.contracts)

    def judge_stores(self, *rows: Row, slot: str = "stores.csv", day: date = DAY) -> None:
        """Deliver these stores and validate them."""
        self.deliver(file_of(*rows), slot, day)
        assert all(state.is_current for state in self.bring_up())

    def state(self, table: str, slot: str = "stores.csv") -> silver.SlotState:
        """The state of a slot in a table."""
        [state] = [s for s in silver.states(self.platform, "eu", table) if s.slot.name == slot]
        return state

    def rows(self, table: str, slot: str = "stores.csv") -> list[dict[str, Any]]:
        """The published rows of a table, by line and position."""
        path = self.platform.layout("eu").silver_file(table, DAY, slot)
        return sorted(rows_of(path), key=lambda row: (row["_line"], row.get("position") or 0))

    def found(self, table: str) -> list[tuple[int | None, list[str]]]:
        """Position and broken rules of every element of a table."""
        return [(row["position"], row["_rules"]) for row in self.rows(table)]


def file_of(*rows: Row) -> bytes:
    """A delivery of stores."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([HEADER, *rows])
    return text.getvalue().encode()


def interval(first: str, last: str | None, **changed: Any) -> str:
    """An install interval from day to day."""
    fields = {
        "toNow": last is None,
        "startType": None,
        "fromDate": f"{first} 00:00:00.000000",
        "endType": None,
        "toDate": last and f"{last} 23:59:59.999000",
    }
    return json.dumps({**fields, **changed}, separators=(",", ":"))


def period(first: str = "2022-05-30", last: str | None = "2022-06-30", price: str = "19.0", **changed: Any) -> str:
    """A subscription period; the price as it is to stand there."""
    fields = {
        "planName": "regular_1",
        "fromDate": f"{first} 01:10:17.000000",
        "toDate": last and f"{last} 00:16:06.378000",
        "billingOnDate": None,
    }
    return f'{{"price":{price},{json.dumps({**fields, **changed}, separators=(",", ":"))[1:]}'


def array(*elements: str) -> str:
    """An array of elements."""
    return f"[{','.join(elements)}]"
