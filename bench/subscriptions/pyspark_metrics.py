"""The second half of the job in PySpark: from the elements to the six metric tables."""

from datetime import date

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as f

REASONS = {
    "reactivated_stores": ("startType", "CUSTOMER_REACTIVATED"),
    "reopened_stores": ("startType", "CUSTOMER_REOPENED"),
    "cancelled_stores": ("endType", "CUSTOMER_CANCELLED"),
    "closed_stores": ("endType", "CUSTOMER_CLOSED"),
}


def build_metrics(intervals: DataFrame, periods: DataFrame, as_of: date) -> dict[str, DataFrame]:
    """Every metric table."""
    begun = _neighbours(intervals, as_of).cache()
    periods = periods.cache()
    return {
        "store_lifespan": _lifespans(begun, as_of),
        "store_lifespan_original": _original_lifespans(begun, as_of),
        "revenue_by_day": _revenue(periods, as_of),
        "revenue_by_day_original": _original_revenue(periods),
        "activity_by_day": _activity(begun, as_of),
        "activity_by_day_original": _original_activity(begun),
    }


def _neighbours(intervals: DataFrame, as_of: date) -> DataFrame:
    """The intervals, each with what it means beside the one before and after it in the same store."""
    now = f.lit(as_of)
    begins = f.col("first_day") <= now
    so_far = Window.partitionBy("store_id", begins).orderBy("first_day", f.asc_nulls_last("last_day"), "position")
    reach = f.coalesce("last_day", f.date_add(now, 1))
    before, next_day = f.lag(reach).over(so_far), f.lead("first_day").over(so_far)
    return intervals.withColumns({
        "has_begun": begins,
        "is_new": before.isNull(),
        "is_return": f.coalesce(f.col("first_day") > f.date_add(before, 1), f.lit(False)),
        "touches": f.coalesce(f.col("first_day") == before, f.lit(False)),
        "leaves": (f.col("last_day") <= now) & (next_day.isNull() | (next_day > f.date_add("last_day", 1))),
        "until": f.least(reach, now),
    })  # fmt: skip


def _lifespans(intervals: DataFrame, as_of: date) -> DataFrame:
    days = f.datediff("until", "first_day") + 1 - f.col("touches").cast("int")
    return intervals.filter("has_begun").groupBy("store_id").agg(
        f.min("first_day").alias("first_day"),
        f.max("until").alias("last_day"),
        f.sum(days).alias("active_days"),
        _original(as_of).alias("lifespan_days_original"),
        f.count_if("is_return").alias("gaps"),
        f.bool_or(f.col("last_day").isNull() | (f.col("last_day") > f.lit(as_of))).alias("is_installed"),
    )  # fmt: skip


def _original_lifespans(intervals: DataFrame, as_of: date) -> DataFrame:
    return intervals.groupBy("store_id").agg(_original(as_of).alias("lifespan_days"))


def _original(as_of: date) -> Column:
    return f.datediff(f.max(f.coalesce("last_day", f.lit(as_of))), f.min("first_day"))


def _revenue(periods: DataFrame, as_of: date) -> DataFrame:
    moves = _stacked(
        _by_day(periods, "first_day", started=f.count("*"), revenue=f.sum("price")),
        _by_day(periods, "last_day", ended=f.count("*"), lost=f.sum("price")),
    )
    so_far = Window.orderBy("day")
    net, money = f.col("started") - f.col("ended"), f.col("revenue") - f.col("lost")
    return _calendar(moves, as_of).select(
        "day",
        f.col("started").alias("subscriptions_started"),
        "revenue",
        f.sum(net).over(so_far).alias("subscriptions"),
        f.sum(money).over(so_far).alias("recurring_revenue"),
    )


def _original_revenue(periods: DataFrame) -> DataFrame:
    order = f.struct("fromDate", "position")
    first = periods.groupBy("store_id").agg(f.min_by(f.struct("first_day", "price"), order).alias("first"))
    return first.groupBy(f.col("first.first_day").alias("day")).agg(f.sum("first.price").alias("revenue"))


def _activity(intervals: DataFrame, as_of: date) -> DataFrame:
    begun = intervals.filter("has_begun")
    reasons = {
        day: {
            n: f.countDistinct(f.when(f.col(c) == value, f.col("store_id")))
            for n, (c, value) in REASONS.items()
            if c == column
        }
        for column, day in (("startType", "first_day"), ("endType", "last_day"))
    }
    arrived = {"new_stores": f.count_if("is_new"), "returned_stores": f.count_if("is_return")}
    moves = _stacked(
        _by_day(begun, "first_day", **arrived, **reasons["first_day"]),
        _by_day(begun, "last_day", churned_stores=f.count_if("leaves"), **reasons["last_day"]),
    )
    net = f.col("new_stores") + f.col("returned_stores") - f.col("churned_stores")
    active = f.sum(net).over(Window.orderBy("day")) + f.col("churned_stores")
    return _calendar(moves, as_of).withColumn("active_stores", active)


def _original_activity(intervals: DataFrame) -> DataFrame:
    a_day = intervals.groupBy("store_id", f.col("first_day").alias("day")).agg(
        f.bool_or(f.col("last_day").isNull()).alias("active"),
        f.bool_or(f.col("last_day").isNotNull()).alias("new"),
        f.bool_or(f.col("endType").eqNullSafe("CUSTOMER_CANCELLED")).alias("uninstalls"),
    )
    return a_day.groupBy("day").agg(*(f.count_if(name).alias(name) for name in ("active", "new", "uninstalls")))


def _by_day(rows: DataFrame, day: str, **measures: Column) -> DataFrame:
    return rows.groupBy(f.col(day).alias("day")).agg(*(value.alias(name) for name, value in measures.items()))


def _stacked(*tables: DataFrame) -> DataFrame:
    """One row a day, with what all tables say of it."""
    stacked = tables[0].unionByName(tables[1], allowMissingColumns=True)
    return stacked.groupBy("day").agg(*(f.sum(c).alias(c) for c in stacked.columns if c != "day"))


def _calendar(moves: DataFrame, as_of: date) -> DataFrame:
    """Every day from the first one to `as_of`, with zeros where nothing moved."""
    days = moves.select(f.explode(f.sequence(f.min("day"), f.lit(as_of))).alias("day"))
    return days.join(moves, "day", "left").fillna(0)
