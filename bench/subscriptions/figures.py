"""What every competitor must come to: counts, exact sums and a fingerprint of every row of every table."""

from collections.abc import Mapping
from pathlib import Path

import duckdb

from bench.figures import text

STAMP, MONEY = "TIMESTAMP", "DECIMAL(18,2)"
ELEMENTS = {
    "install_intervals": {
        "store_id": "VARCHAR", "position": "BIGINT", "to_now": "BOOLEAN", "start_type": "VARCHAR", "from_date": STAMP,
        "end_type": "VARCHAR", "to_date": STAMP,
    },
    "subscription_periods": {
        "store_id": "VARCHAR", "position": "BIGINT", "price": MONEY, "plan_name": "VARCHAR", "from_date": STAMP,
        "to_date": STAMP, "billing_on_date": STAMP,
    },
}  # fmt: skip
METRICS = {
    "store_lifespan": {
        "store_id": "VARCHAR", "first_day": "DATE", "last_day": "DATE", "active_days": "BIGINT",
        "lifespan_days_original": "BIGINT", "gaps": "BIGINT", "is_installed": "BOOLEAN",
    },
    "store_lifespan_original": {"store_id": "VARCHAR", "lifespan_days": "BIGINT"},
    "revenue_by_day": {
        "day": "DATE", "subscriptions_started": "BIGINT", "revenue": MONEY, "subscriptions": "BIGINT",
        "recurring_revenue": MONEY,
    },
    "revenue_by_day_original": {"day": "DATE", "revenue": MONEY},
    "activity_by_day": {
        "day": "DATE", "active_stores": "BIGINT", "new_stores": "BIGINT", "returned_stores": "BIGINT",
        "churned_stores": "BIGINT", "reactivated_stores": "BIGINT", "reopened_stores": "BIGINT",
        "cancelled_stores": "BIGINT", "closed_stores": "BIGINT",
    },
    "activity_by_day_original": {"day": "DATE", "active": "BIGINT", "new": "BIGINT", "uninstalls": "BIGINT"},
}  # fmt: skip

PLACES = {
    "lines": ("_line", "sum(_line)"),
    "stores": ("store_id", "sum(hash(store_id)::HUGEINT)"),
    "positions": ("position", "sum(position)"),
    "texts": ("_raw", "sum(hash(_raw)::HUGEINT)"),
}
"""How it is told which records or elements broke a rule, and by which column; Spark has no line numbers."""


def of_files(output: Path) -> dict[str, str]:
    """The figures of a competitor that wrote `silver/<table>.parquet` (unless it does not validate) and `gold/`."""
    silver = {name: _parquet(output / "silver" / f"{name}.parquet") for name in ("stores", *ELEMENTS)}
    with duckdb.connect() as database:
        found = of_metrics(database, {name: _parquet(output / "gold" / f"{name}.parquet") for name in METRICS})
        return found | (of_silver(database, silver) if (output / "silver").exists() else {})


def of_metrics(database: duckdb.DuckDBPyConnection, relations: Mapping[str, str]) -> dict[str, str]:
    """Rows of every metric table, the sums of its figures, and a fingerprint of its contents."""
    found: dict[str, str] = {}
    for name, columns in METRICS.items():
        summed = [column for column, kind in columns.items() if kind in ("BIGINT", MONEY)]
        sums = ", ".join(f"sum({column})" for column in summed)
        values = _row(
            database, f"SELECT count(*), {sums}, {_contents(columns)} FROM {_typed(relations[name], columns)}"
        )
        found |= {f"{name}.{what}": _text(v) for what, v in zip(["rows", *summed, "contents"], values, strict=True)}
    return found


def of_silver(database: duckdb.DuckDBPyConnection, relations: Mapping[str, str]) -> dict[str, str]:
    """Records and elements: how many, what the accepted ones hold, and of each rule where and by what it is broken."""
    found: dict[str, str] = {}
    for name, relation in relations.items():
        is_accepted = "coalesce(len(_rules), 0) = 0"
        total, accepted = _row(database, f"SELECT count(*), count(*) FILTER ({is_accepted}) FROM {relation}")
        found |= {f"{name}.delivered": _text(total), f"{name}.accepted": _text(accepted)}
        kept = {column for column, *_ in database.execute(f"DESCRIBE FROM {relation}").fetchall()}
        told = {"records": "count(*)"} | {what: sql for what, (needs, sql) in PLACES.items() if needs in kept}
        if name in ELEMENTS:
            columns = ELEMENTS[name]
            source = f"(FROM {relation} WHERE {is_accepted})"
            (contents,) = _row(database, f"SELECT {_contents(columns)} FROM {_typed(source, columns)}")
            found[f"{name}.contents"] = _text(contents)
        for rule, *values in database.execute(
            f"SELECT rule, {', '.join(told.values())} "
            f"FROM (SELECT *, unnest(_rules) AS rule FROM {relation}) GROUP BY rule"
        ).fetchall():
            found |= {f"{name}.{rule}.{what}": _text(value) for what, value in zip(told, values, strict=True)}
    return found


def _parquet(path: Path) -> str:
    return f"read_parquet('{path / '*.parquet' if path.is_dir() else path}')"


def _typed(relation: str, columns: Mapping[str, str]) -> str:
    return f"(SELECT {', '.join(f'{name}::{kind} AS {name}' for name, kind in columns.items())} FROM {relation})"


def _contents(columns: Mapping[str, str]) -> str:
    return f"sum(hash({', '.join(columns)})::HUGEINT)"


def _row(database: duckdb.DuckDBPyConnection, query: str) -> tuple[object, ...]:
    database.execute("SET TimeZone = 'UTC'")
    return database.execute(query).fetchall()[0]


def _text(value: object) -> str:
    return "none" if value is None else text(value)  # type: ignore[arg-type]
