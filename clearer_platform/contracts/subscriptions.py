"""The subscriptions domain: stores that install an app and subscribe to plans.

One delivery is the whole picture: a record a store, with its install intervals and its subscription periods as JSON
arrays. Source of the definitions: the analysis that these metrics continue; its readings are kept beside ours in gold.
"""

from datetime import UTC, datetime
from typing import Any, Optional

import ibis.expr.datatypes as dt
import pandera.ibis as pa

from clearer_platform.contracts.contract import Contract, LoadMode, Nested, Spans
from clearer_platform.contracts.fields import ID, Instant, Money

STORE = "The store's id."
POSITION = "Place of the element in the store's array, from 1."

EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
"""What begins earlier has a date that stands for none, such as 0001-01-01: metrics have a row for every day since."""


class Stores(pa.DataFrameModel):
    """Stores that installed the app at least once, with what became of them; a delivery replaces the whole picture."""

    store_id: str = pa.Field(str_matches=ID, description=STORE)
    install_history: str = pa.Field(description="JSON array of the times in which the app was installed.")
    subscription_history: str = pa.Field(nullable=True, description="JSON array of the plans that the store paid for.")

    @pa.dataframe_check(raise_warning=True, name="was_installed")
    @classmethod
    def was_installed(cls, data: Any) -> Any:
        """A store that never installed the app is none, but its other elements count."""
        return data.table.install_history != "[]"


class InstallIntervals(pa.DataFrameModel):
    """A time in which a store had the app installed; a store's intervals do not overlap, but may leave gaps."""

    store_id: str = pa.Field(description=STORE)
    position: dt.Int64 = pa.Field(ge=1, description=POSITION)
    to_now: bool = pa.Field(description="Whether the app is still installed.")
    start_type: str = pa.Field(
        nullable=True,
        isin=["CUSTOMER_REACTIVATED", "CUSTOMER_REOPENED"],
        description="How it began, where it was not by installing: CUSTOMER_REACTIVATED or CUSTOMER_REOPENED.",
    )
    from_date: Instant = pa.Field(ge=EARLIEST, description="When it began (UTC).")
    end_type: str = pa.Field(
        nullable=True,
        isin=["CUSTOMER_CANCELLED", "CUSTOMER_CLOSED"],
        description="How it ended: CUSTOMER_CANCELLED (uninstalled) or CUSTOMER_CLOSED (the store closed), if told.",
    )
    to_date: Instant = pa.Field(nullable=True, description="When it ended (UTC); none while the app is installed.")

    @pa.dataframe_check(name="ends_after_it_starts")
    @classmethod
    def ends_after_it_starts(cls, data: Any) -> Any:
        """An interval may be as short as an instant, but not shorter."""
        return data.table.to_date >= data.table.from_date

    @pa.dataframe_check(name="open_exactly_when_installed")
    @classmethod
    def open_exactly_when_installed(cls, data: Any) -> Any:
        """There is no end exactly when the app is still installed."""
        return data.table.to_now == data.table.to_date.isnull()


class SubscriptionPeriods(pa.DataFrameModel):
    """A time for which a store subscribed to a plan at a price."""

    store_id: str = pa.Field(description=STORE)
    position: dt.Int64 = pa.Field(ge=1, description=POSITION)
    price: Money = pa.Field(ge=0, description="Price of the plan for a billing period, in the region's currency.")
    plan_name: str = pa.Field(str_matches=ID, description="Name of the plan.")
    from_date: Instant = pa.Field(ge=EARLIEST, description="When the subscription began (UTC).")
    to_date: Instant = pa.Field(nullable=True, description="When it ended (UTC); none while it goes on.")
    billing_on_date: Optional[Instant] = pa.Field(nullable=True, description="Next billing (UTC), where told.")

    @pa.dataframe_check(name="ends_after_it_starts")
    @classmethod
    def ends_after_it_starts(cls, data: Any) -> Any:
        """A subscription does not end before it begins."""
        return data.table.to_date >= data.table.from_date


STORES = Contract(name="stores", domain="subscriptions", model=Stores, key=("store_id",), load_mode=LoadMode.FULL)
INSTALL_INTERVALS = Contract(
    name="install_intervals",
    domain="subscriptions",
    model=InstallIntervals,
    key=("store_id", "position"),
    load_mode=LoadMode.FULL,
    nested=Nested("stores", "install_history"),
    spans=Spans(("store_id",), "from_date", "to_date"),
)
SUBSCRIPTION_PERIODS = Contract(
    name="subscription_periods",
    domain="subscriptions",
    model=SubscriptionPeriods,
    key=("store_id", "position"),
    load_mode=LoadMode.FULL,
    nested=Nested("stores", "subscription_history"),
)
