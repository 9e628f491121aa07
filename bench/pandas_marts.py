"""The second half of the pandas job: from its Parquet files to the marts, one Parquet file each.

Money is summed as whole numbers of its last place, which pandas does quickly and exactly, and written as decimals.
"""

import hashlib
import hmac
import secrets
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow
import pyarrow.compute as pc

from bench.figures import text

CURRENCY = "EUR"
STATES = {"completed": "Completed", "pending": "Pending", "failed": "Failed"}
SALES = ["transaction_id", "ordered_at", "branch_name", "branch_id", "customer_id", "product_id", "status_value",
         "status", "quantity", "price", "total_amount"]  # fmt: skip
TALKS = ["conversation_id", "inserted_at", "customer_id", "from_id", "message_id", "type", "page_id", "has_phone",
         "is_hidden", "is_removed", "like_count"]  # fmt: skip
SOLD = ["transaction_id", "customer_id", "product_id", "branch", "day", "status_value", "total_amount", "price",
        "total_value", "total_value_original", "conversations"]  # fmt: skip
CENTS = {"total_amount", "price", "revenue", "gross_amount", "pending_amount", "failed_amount", "total_value",
         "total_value_original"}  # fmt: skip
COUNTS = [
    "transactions",
    "customers",
    "products",
    "units",
    "conversing_customers",
    "quantity",
    "conversations",
    "branches",
]


def accepted(output: Path, table: str, columns: list[str]) -> pd.DataFrame:
    """The accepted rows of every file of a table, in the order in which they win: the last one counts."""
    files = sorted((output / table).glob("*.parquet"))
    good = pc.field("_rules").is_null()
    return pd.concat([pd.read_parquet(f, columns=columns, filters=good) for f in files], ignore_index=True)


def scaled(amounts: pd.Series, places: int) -> pd.Series:
    """Exact decimals as whole numbers of their last place."""
    exact = pc.multiply(pyarrow.array(amounts), pyarrow.scalar(10**places)).cast(pyarrow.int64())
    return pd.Series(exact.to_numpy(zero_copy_only=False), amounts.index)


def sales_of(output: Path) -> pd.DataFrame:
    """The latest version of each transaction, with its amount in the reporting currency."""
    sales = accepted(output, "transactions", [*SALES, "_event_day"])
    sales = sales[~sales.duplicated("transaction_id", keep="last")].rename(
        columns={"branch_name": "branch", "_event_day": "day"}
    )
    for name in ("branch", "branch_id", "status_value", "status", "product_id", "customer_id"):
        sales[name] = sales[name].astype("category")
    for name in ("price", "total_amount"):
        sales[name] = scaled(sales[name], 2)
    rates = accepted(output, "fx_rates", ["currency", "day", "rate"]).drop_duplicates(["currency", "day"], keep="last")
    rates = rates[rates["currency"] == CURRENCY].sort_values("day")
    rates = rates.assign(rate=scaled(rates["rate"], 8), rate_day=rates["day"])[["day", "rate", "rate_day"]]
    days = pd.merge_asof(pd.DataFrame({"day": np.sort(sales["day"].unique())}), rates, on="day")
    sales = sales.merge(days, on="day", how="left")
    sales["reporting_amount"] = sales["total_amount"] * sales["rate"]
    return sales.assign(fx_is_carried=sales["rate_day"] < sales["day"])


def pseudonymised(rows: pd.DataFrame, columns: list[str], key: bytes) -> pd.DataFrame:
    """The same with keyed pseudonyms in place of identifiers."""
    for name in columns:
        people = rows[name].astype("category")
        hashed = [hmac.digest(key, person.encode(), hashlib.sha256).hex()[:32] for person in people.cat.categories]
        rows[name] = people.cat.rename_categories(hashed)
    return rows


def performance(sales: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Money and counts by status."""
    named = {"transactions": ("total_amount", "size"), "gross_amount": ("total_amount", "sum"),
             "reporting_gross_amount": ("reporting_amount", "sum"), "customers": ("customer_id", "nunique"),
             "products": ("product_id", "nunique")}  # fmt: skip
    found = sales.groupby(by, observed=True).agg(**named)
    for state, value in STATES.items():
        rows = sales[sales["status_value"] == value].groupby(by, observed=True)
        money = "revenue" if state == "completed" else f"{state}_amount"
        found[f"{state}_transactions"] = rows.size()
        found[money], found[f"reporting_{money}"] = rows["total_amount"].sum(), rows["reporting_amount"].sum()
        if state == "completed":
            found["units"] = rows["quantity"].sum()
    found["conversing_customers"] = sales[sales["converses"]].groupby(by, observed=True)["customer_id"].nunique()
    return found.fillna(0).astype("int64").reset_index()


def conversation_sales(sales: pd.DataFrame, talks: pd.DataFrame) -> pd.DataFrame:
    """Sales to customers who converse, with their value to cents: exactly, and as binary floating point has it."""
    numbers = talks.groupby("customer_id", observed=True).size()
    sold = sales[sales["customer_id"].isin(numbers.index)]
    sold = sold.assign(conversations=numbers.reindex(sold["customer_id"].astype(str)).to_numpy())
    sold["total_value"] = (sold["total_amount"] * sold["price"] + 50) // 100
    product = (sold["total_amount"] / 100) * (sold["price"] / 100)
    shortest = pyarrow.array(product).cast(pyarrow.string()).cast(pyarrow.decimal128(38, 17))
    cents = pc.round(shortest, 2, "half_towards_infinity").cast(pyarrow.decimal128(18, 2))
    sold["total_value_original"] = scaled(pd.Series(pd.arrays.ArrowExtensionArray(cents), sold.index), 2)
    return sold[SOLD]


def written(mart: pd.DataFrame, path: Path) -> None:
    """Write a mart with its region and currency, money as exact decimals."""
    mart = mart.assign(region=pd.Categorical(["bench"] * len(mart)))
    for name in mart.columns.intersection(["reporting_amount", *CENTS]):
        places = 10 if name == "reporting_amount" else 2
        one = pyarrow.scalar(Decimal(1).scaleb(-places), pyarrow.decimal128(11, places))
        whole = pyarrow.array(mart[name]).cast(pyarrow.decimal128(19, 0))
        mart[name] = pd.Series(pd.arrays.ArrowExtensionArray(pc.multiply(whole, one)), mart.index)
        mart["currency"] = pd.Categorical([CURRENCY] * len(mart))
    mart.to_parquet(path, compression="zstd", index=False)


def build_marts(output: Path) -> dict[str, pd.DataFrame]:
    """Build and write every mart."""
    key = secrets.token_bytes(32)
    sales = pseudonymised(sales_of(output), ["customer_id"], key)
    talks = accepted(output, "conversations", [*TALKS, "_event_day"])
    talks = pseudonymised(talks.drop_duplicates("conversation_id", keep="last"), ["customer_id", "from_id"], key)
    customers = accepted(output, "customers", ["customer_id", "gender", "birth_date", "area"])
    customers = pseudonymised(customers.drop_duplicates("customer_id", keep="last"), ["customer_id"], key)
    customers["birth_decade"] = customers["birth_date"].dt.year // 10 * 10
    history = accepted(
        output,
        "products",
        ["product_id", "name", "category_id", "category_name", "base_price", "unit", "weight", "_day"],
    )
    history = history.drop_duplicates(["product_id", "_day"], keep="last").sort_values(["product_id", "_day"])
    changed = history["base_price"].ne(history.groupby("product_id")["base_price"].shift())
    products = history.drop_duplicates("product_id", keep="last")
    first = talks.groupby("customer_id", observed=True)["_event_day"].min()
    first_days = first.reindex(sales["customer_id"].cat.categories).to_numpy()[sales["customer_id"].cat.codes]
    sales["converses"] = ~np.isnan(first_days) & (first_days <= sales["day"].to_numpy())
    daily = performance(sales, ["branch", "day"])
    sales["converses"] = ~np.isnan(first_days)
    total = performance(sales, ["branch"])
    sold = sales.assign(revenue=sales["total_amount"].where(sales["status_value"] == "Completed", 0))
    buyers = sold.groupby(["branch", "customer_id"], observed=True).agg(
        transactions=("revenue", "size"), revenue=("revenue", "sum")
    )
    areas = buyers.reset_index().merge(customers[["customer_id", "area"]].astype(str), on="customer_id", how="left")
    by_area = areas.fillna({"area": "unknown"}).groupby(["branch", "area"], observed=True)
    marts = {
        "fct_transactions": sales,
        "fct_conversations": talks,
        "dim_customers": customers.drop(columns="birth_date"),
        "dim_products": products,
        "dim_products_history": history[changed],
        "dim_branches": sales.groupby("branch", observed=True)["branch_id"].unique().map(list).reset_index(),
        "branch_performance_daily": daily,
        "branch_performance": total,
        "branch_activity_gap": total.assign(transactions_per_customer=total["transactions"] / total["customers"]),
        "customer_distribution": by_area.agg(
            customers=("transactions", "size"), transactions=("transactions", "sum"), revenue=("revenue", "sum")
        ).reset_index(),
        "product_performance": sold.groupby("product_id", observed=True).agg(
            transactions=("revenue", "size"), revenue=("revenue", "sum"), branches=("branch", "nunique")
        ).reset_index().merge(products, on="product_id", how="left"),
        "conversation_sales": conversation_sales(sales, talks),
    }  # fmt: skip
    for name, mart in marts.items():
        written(mart, output / f"{name}.parquet")
    return marts


def figures(marts: dict[str, pd.DataFrame]) -> dict[str, str]:
    """Rows of every mart, and the sums of those figures that stand in it under the same name."""
    found: dict[str, str] = {}
    for mart, rows in marts.items():
        found[f"{mart}.rows"] = str(len(rows))
        for name in (n for n in rows.columns if n in CENTS or n in COUNTS):
            total = int(rows[name].sum())
            found[f"{mart}.{name}"] = text(in_units(total, 2)) if name in CENTS else str(total)
    return found


def in_units(number: int, places: int) -> Decimal:
    """A whole number of the last place as a decimal."""
    return Decimal(number).scaleb(-places)
