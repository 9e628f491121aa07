"""What PySpark does with `validated`: every element judged like the others do it, and all of them kept as Parquet.

A file read by Spark has no line numbers, so that a rejected element is told by its store and position.
"""

from pathlib import Path

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as f

ID = r"^[^\s](.*[^\s])?$"
TIME = r"^[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{1,6}$"
SHAPES = {"timestamp": TIME, "decimal(18,2)": r"^-?[0-9]+(\.[0-9]{1,2})?$", "boolean": "^(true|false)$"}
KEYS = {
    # key: (column, type, may be null)
    "installHistory": {
        "toNow": ("to_now", "boolean", False), "startType": ("start_type", "string", True),
        "fromDate": ("from_date", "timestamp", False), "endType": ("end_type", "string", True),
        "toDate": ("to_date", "timestamp", True),
    },
    "subscriptionHistory": {
        "price": ("price", "decimal(18,2)", False), "planName": ("plan_name", "string", False),
        "fromDate": ("from_date", "timestamp", False), "toDate": ("to_date", "timestamp", True),
        "billingOnDate": ("billing_on_date", "timestamp", True),
    },
}  # fmt: skip
HOLDS = {
    "install_history": {
        "start_type.isin": "start_type in ('CUSTOMER_REACTIVATED', 'CUSTOMER_REOPENED')",
        "end_type.isin": "end_type in ('CUSTOMER_CANCELLED', 'CUSTOMER_CLOSED')",
        "record.ends_after_it_starts": "to_date >= from_date",
        "record.open_exactly_when_installed": "to_now = (to_date is null)",
    },
    "subscription_history": {
        "price.greater_than_or_equal_to": "price >= 0",
        "plan_name.str_matches": rf"plan_name rlike r'{ID}'",
        "record.ends_after_it_starts": "to_date >= from_date",
    },
}


def judged(stores: DataFrame, silver: Path) -> tuple[DataFrame, DataFrame]:
    """The accepted intervals and periods, by the keys that the sender gives them; all elements are written."""
    stores = stores.withColumn("_rules", _listed({
        "store_id.missing": f.col("store_id").isNull(),
        "store_id.str_matches": ~f.col("store_id").rlike(ID),
        "install_history.missing": f.col("installHistory").isNull(),
    }))  # fmt: skip
    stores.select("store_id", "_rules").write.parquet(f"{silver}/stores.parquet")
    intervals = _without_overlaps(_elements(stores, "installHistory", "install_history"))
    periods = _elements(stores, "subscriptionHistory", "subscription_history")
    found = []
    for name, rows, key in (
        ("install_intervals", intervals, "installHistory"),
        ("subscription_periods", periods, "subscriptionHistory"),
    ):
        rows = rows.withColumn("_raw", f.when(f.size("_rules") > 0, f.col("_raw"))).cache()
        rows.write.parquet(f"{silver}/{name}.parquet")
        accepted = rows.filter(f.size("_rules") == 0)
        keys = {column: key for key, (column, _, _) in KEYS[key].items()}
        days = {"first_day": f.to_date("from_date"), "last_day": f.to_date("to_date")}
        found.append(accepted.withColumns(days).withColumnsRenamed(keys))
    return found[0], found[1]


def _elements(stores: DataFrame, key: str, column: str) -> DataFrame:
    """A row for every element, typed, with the rules that it broke."""
    columns = KEYS[key]
    texts = f.from_json(key, "array<string>")
    whole = f.when(texts.isNull(), f.array(f.lit(None).cast("string"))).otherwise(texts)
    rows = (
        stores.filter((f.size("_rules") == 0) & f.col(key).isNotNull())
        .withColumn("malformed", f.when(texts.isNull(), f.lit(f"{column}.malformed")))
        .select("store_id", key, "malformed", f.posexplode(whole).alias("index", "text"))
    )
    keys, is_object = f.json_object_keys("text"), f.col("text").startswith("{")
    is_broken = ~is_object | (f.size(keys) != f.size(f.array_distinct(keys)))
    fields = ", ".join(f"{name} string" for name in columns)
    rows = rows.withColumns({
        "malformed": f.when(f.col("malformed").isNull() & is_broken, "record.malformed").otherwise(f.col("malformed")),
        "position": f.when(f.col("malformed").isNull(), f.col("index") + 1),
        "_raw": f.coalesce("text", key),
        "t": f.from_json("text", fields),
    })  # fmt: skip
    rows = rows.withColumns({name: _value(f.col(f"t.{own}"), kind) for own, (name, kind, _) in columns.items()})
    rules = {f"{name}.missing": f.col(f"t.{own}").isNull() for own, (name, _, null) in columns.items() if not null}
    for own, (name, kind, _) in columns.items():
        if kind in SHAPES:
            rules[f"{name}.not_a_{kind.split('(')[0]}"] = f.col(f"t.{own}").isNotNull() & f.col(name).isNull()
    rules |= {rule: ~f.expr(holds) for rule, holds in HOLDS[column].items()}
    found = f.when(f.col("malformed").isNull(), _listed(rules)).otherwise(f.array("malformed"))
    names = [name for name, _, _ in columns.values()]
    return rows.withColumn("_rules", found).select("store_id", "position", *names, "_rules", "_raw")


def _value(text: Column, kind: str) -> Column:
    return f.when(text.rlike(SHAPES[kind]), text.try_cast(kind)) if kind in SHAPES else text


def _listed(rules: dict[str, Column]) -> Column:
    """The rules that a row breaks; NULL breaks none."""
    return f.array_compact(f.array(*(f.when(breaks, f.lit(rule)) for rule, breaks in rules.items())))


def _without_overlaps(rows: DataFrame) -> DataFrame:
    """Refuse what breaks into an accepted interval of the store that comes before it."""
    rows = rows.cache()
    span = f.struct(
        f.to_date("from_date").alias("first"),
        f.coalesce(f.to_date("to_date"), f.lit("9999-12-31").cast("date")).alias("last"),
        "position",
    )
    good = rows.filter(f.size("_rules") == 0).select("store_id", span.alias("span"))
    reach = f.lag("span.last").over(Window.partitionBy("store_id").orderBy("span"))
    doubted = good.withColumn("reach", reach).filter(f.col("span.first") < f.col("reach")).select("store_id").distinct()
    spans = (
        good.join(f.broadcast(doubted), "store_id")
        .groupBy("store_id")
        .agg(f.sort_array(f.collect_list("span")).alias("spans"))
    )
    settled = spans.select("store_id", f.explode(f.expr(SETTLED)).alias("refused"))
    refused = settled.select("store_id", "refused.*")
    rules = f.when(f.col("rule").isNull(), f.col("_rules")).otherwise(f.array("rule"))
    found = rows.join(f.broadcast(refused), ["store_id", "position"], "left")
    return found.withColumn("_rules", rules).drop("rule")


SETTLED = """
    aggregate(
        spans,
        named_struct('reach', date'0001-01-01',
            'refused', cast(array() as array<struct<position: int, rule: string>>)),
        (state, span) -> if(span.first < state.reach,
            named_struct('reach', state.reach, 'refused', array_append(state.refused, named_struct(
                'position', span.position, 'rule', if(span.last = date'9999-12-31' and state.reach = span.last,
                    'record.second_open', 'record.overlaps')))),
            named_struct('reach', span.last, 'refused', state.refused)),
        state -> state.refused)
"""
"""Which spans of a store, in order, break into an accepted one before them."""
