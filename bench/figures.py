"""What every competitor must come to: counts and exact sums by which their results are compared."""

from decimal import Decimal
from pathlib import Path

import duckdb

TABLES = ("transactions", "customers", "products", "conversations", "fx_rates")
DAILY = (
    "transactions completed_transactions pending_transactions failed_transactions customers products units "
    "conversing_customers revenue gross_amount pending_amount failed_amount reporting_revenue reporting_gross_amount"
)
SUMS = {
    "fct_transactions": "total_amount reporting_amount price quantity",
    "fct_conversations": "like_count",
    "dim_customers": "birth_decade",
    "dim_products": "base_price",
    "dim_products_history": "base_price",
    "dim_branches": "ids",
    "branch_performance_daily": DAILY,
    "branch_performance": f"{DAILY} active_days days_with_fewest_units revenue_rank customers_rank",
    "customer_distribution": "customers transactions revenue",
    "product_performance": "transactions units revenue reporting_revenue branches revenue_rank",
    "branch_activity_gap": "transactions_per_customer",
    "conversation_sales": "total_value total_value_original conversations",
}


def of_marts(database: duckdb.DuckDBPyConnection, schema: str) -> dict[str, str]:
    """Rows of every mart, and the sums of its figures."""
    found: dict[str, str] = {}
    for mart, columns in SUMS.items():
        names = columns.split()
        sums = ", ".join(f"sum({name})" for name in names)
        values = database.execute(f"SELECT count(*), {sums} FROM {schema}.{mart}").fetchall()[0]
        for name, value in zip(["rows", *names], values, strict=True):
            found[f"{mart}.{name}"] = text(value)
    return found


def of_silver(folder: Path) -> dict[str, str]:
    """Records and broken rules of every table, from Parquet files below `folder` with a column `_rules`."""
    found: dict[str, str] = {}
    for table in TABLES:
        files = f"read_parquet('{folder}/{table}/**/*.parquet', hive_partitioning = false)"
        with duckdb.connect() as database:
            found[f"{table}.records"] = text(database.execute(f"SELECT count(*) FROM {files}").fetchall()[0][0])
            for rule, count, lines, texts in database.execute(
                "SELECT rule, count(*), sum(_line), sum(hash(_raw)::HUGEINT) FROM "
                f"(SELECT unnest(_rules) AS rule, _line, _raw FROM {files} WHERE len(_rules) > 0) GROUP BY rule"
            ).fetchall():
                found[f"{table}.{rule}"] = f"{count} at lines that add up to {lines}, texts to {texts}"
    return found


def text(value: Decimal | float) -> str:
    """A figure as text that is the same whatever the type: no trailing zeros, floats to nine digits."""
    if isinstance(value, float):
        return f"{value:.9g}"
    return (
        f"{Decimal(value):f}".rstrip("0").rstrip(".")
        if isinstance(value, Decimal) and value % 1 != 0
        else f"{int(value)}"
    )
