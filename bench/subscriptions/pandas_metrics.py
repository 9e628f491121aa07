"""The second half of the job in pandas: from the accepted elements to the six metric tables."""

from decimal import Decimal

import pandas as pd

DAY = pd.Timedelta(days=1)
REASONS = {
    "reactivated_stores": ("start_type", "CUSTOMER_REACTIVATED"),
    "reopened_stores": ("start_type", "CUSTOMER_REOPENED"),
    "cancelled_stores": ("end_type", "CUSTOMER_CANCELLED"),
    "closed_stores": ("end_type", "CUSTOMER_CLOSED"),
}


def build_metrics(
    install_intervals: pd.DataFrame, subscription_periods: pd.DataFrame, as_of: pd.Timestamp
) -> dict[str, pd.DataFrame]:
    """Every metric table."""
    intervals, periods = _dated(install_intervals), _dated(subscription_periods)
    periods["cents"] = (periods["price"] * 100).astype("int64")
    intervals = intervals.sort_values(["_line", "first_day", "last_day", "position"])
    begun = _neighbours(intervals[intervals["first_day"] <= as_of], as_of)
    return {
        "store_lifespan": _lifespans(begun, as_of),
        "store_lifespan_original": _original_lifespans(intervals, as_of),
        "revenue_by_day": _revenue(periods, as_of),
        "revenue_by_day_original": _original_revenue(periods),
        "activity_by_day": _activity(begun, as_of),
        "activity_by_day_original": _original_activity(intervals),
    }


def _dated(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(first_day=rows["from_date"].dt.floor("D"), last_day=rows["to_date"].dt.floor("D"))


def _neighbours(intervals: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    """The intervals in order, each with the one before and after it in the same store."""
    line, last = intervals["_line"], intervals["last_day"].fillna(as_of + DAY)
    next_day = intervals["first_day"].shift(-1).where(line == line.shift(-1))
    reach_before = last.shift().where(line == line.shift())
    return intervals.assign(
        is_new=reach_before.isna(),
        is_return=intervals["first_day"] > reach_before + DAY,
        leaves=(intervals["last_day"] <= as_of) & (next_day.isna() | (next_day > last + DAY)),
        until=last.clip(upper=as_of),
        touches=intervals["first_day"] == reach_before,
    )


def _lifespans(begun: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    days = (begun["until"] - begun["first_day"]).dt.days + 1 - begun["touches"]
    open_end = begun["last_day"].isna() | (begun["last_day"] > as_of)
    rows = begun.assign(days=days, is_open=open_end, end=begun["last_day"].fillna(as_of))
    found = rows.groupby("store_id", sort=False).agg(
        first_day=("first_day", "min"),
        last_day=("until", "max"),
        active_days=("days", "sum"),
        end=("end", "max"),
        gaps=("is_return", "sum"),
        is_installed=("is_open", "any"),
    )
    found["lifespan_days_original"] = (found.pop("end") - found["first_day"]).dt.days
    return found.reset_index()


def _original_lifespans(intervals: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    rows = intervals.assign(end=intervals["last_day"].fillna(as_of))
    found = rows.groupby("store_id", sort=False).agg(first_day=("first_day", "min"), end=("end", "max"))
    return (found["end"] - found["first_day"]).dt.days.rename("lifespan_days").reset_index()


def _revenue(periods: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    days = pd.date_range(periods["first_day"].min(), as_of, name="day")

    def summed(day: str) -> pd.DataFrame:
        return periods.groupby(day)["cents"].agg(["count", "sum"]).reindex(days, fill_value=0)

    started, ended = summed("first_day"), summed("last_day")
    found = pd.DataFrame({
        "subscriptions_started": started["count"],
        "revenue": _money(started["sum"]),
        "subscriptions": (started["count"] - ended["count"]).cumsum(),
        "recurring_revenue": _money((started["sum"] - ended["sum"]).cumsum()),
    })  # fmt: skip
    return found.reset_index()


def _money(cents: pd.Series) -> pd.Series:
    """Exact amounts; pandas cannot sum them up day by day."""
    return cents.map(lambda number: Decimal(number).scaleb(-2))


def _original_revenue(periods: pd.DataFrame) -> pd.DataFrame:
    first = periods.sort_values(["from_date", "position"]).drop_duplicates("store_id")
    return _money(first.groupby("first_day")["cents"].sum()).rename("revenue").rename_axis("day").reset_index()


def _activity(begun: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    days = pd.date_range(begun["first_day"].min(), as_of, name="day")

    def counted(rows: pd.DataFrame, day: str) -> pd.Series:
        return rows.groupby(day)["store_id"].nunique().reindex(days, fill_value=0)

    found = pd.DataFrame({
        "new_stores": counted(begun[begun["is_new"]], "first_day"),
        "returned_stores": counted(begun[begun["is_return"]], "first_day"),
        "churned_stores": counted(begun[begun["leaves"]], "last_day"),
    })  # fmt: skip
    for name, (column, reason) in REASONS.items():
        found[name] = counted(begun[begun[column] == reason], "first_day" if column == "start_type" else "last_day")
    net = found["new_stores"] + found["returned_stores"] - found["churned_stores"]
    found["active_stores"] = net.cumsum() + found["churned_stores"]
    return found.reset_index()


def _original_activity(intervals: pd.DataFrame) -> pd.DataFrame:
    rows = pd.DataFrame({
        "store_id": intervals["store_id"],
        "day": intervals["first_day"],
        "active": intervals["last_day"].isna(),
        "new": intervals["last_day"].notna(),
        "uninstalls": intervals["end_type"] == "CUSTOMER_CANCELLED",
    })  # fmt: skip
    a_day = rows.groupby(["store_id", "day"], sort=False).any()
    return a_day.groupby("day").sum().reset_index()
