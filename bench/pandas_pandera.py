"""The other yardstick: the same job in pandas and pandera, a file at a time, as their documentation would have it.

Text by pandas' quickest CSV engine, values column by column, a pandera schema judged lazily so that every failure of a
row is known, exact decimals and strings by Arrow, Parquet by pandas; then the marts from what the Parquet files hold.

    python -m bench.pandas_pandera DELIVERIES OUTPUT
"""

import hashlib
import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pandera.pandas as pa
import pyarrow
import pyarrow.csv
import pyarrow.parquet
from pandera.errors import SchemaErrors

from bench.pandas_marts import build_marts, figures
from bench.phases import phase, report, started

REGION, ZONE = "bench", "Europe/Berlin"
ID = pa.Check.str_matches(r"^[^\s](?:.*[^\s])?$", error="str_matches")
NOT_NEGATIVE = pa.Check.ge(0, error="greater_than_or_equal_to")


def one_of(*values: str) -> pa.Check:
    """The column holds one of these texts."""
    return pa.Check.isin(values, error="isin")


# column: (kind, may be null, checks)
Columns = dict[str, tuple[str, bool, list[pa.Check]]]
TABLES: dict[str, tuple[list[str], str, Columns]] = {
    # table: key, event time, columns
    "transactions": (["transaction_id"], "ordered_at", {
        "transaction_id": ("text", False, [ID]), "ordered_at": ("timestamp", False, []),
        "branch_id": ("text", False, []), "branch_name": ("text", False, []), "customer_id": ("text", False, [ID]),
        "total_amount": ("decimal 18 2", False, [NOT_NEGATIVE]), "status": ("text", True, []),
        "status_value": ("text", False, [one_of("Pending", "Completed", "Failed")]),
        "product_id": ("text", False, [ID]), "price": ("decimal 18 2", False, [NOT_NEGATIVE]),
        "quantity": ("integer", True, [pa.Check.ge(1, error="greater_than_or_equal_to")])}),
    "customers": (["customer_id"], "", {
        "customer_id": ("text", False, [ID]), "customer_name": ("text", False, []), "gender": ("text", True, []),
        "birth_date": ("date", True, [pa.Check.ge(pd.Timestamp(1900, 1, 1), error="greater_than_or_equal_to")]),
        "area": ("text", False, [one_of("North", "South", "East", "West")]),
        "email": ("text", True, [pa.Check.str_matches(r"^[^@\s]+@[^@\s]+$", error="str_matches")])}),
    "products": (["product_id"], "", {
        "product_id": ("text", False, [ID]), "name": ("text", False, []), "category_id": ("text", False, []),
        "category_name": ("text", False, []), "base_price": ("decimal 18 2", False, [NOT_NEGATIVE]),
        "unit": ("text", True, []), "weight": ("decimal 12 3", True, [NOT_NEGATIVE]),
        "created_at": ("timestamp", False, [])}),
    "conversations": (["conversation_id"], "inserted_at", {
        "conversation_id": ("text", False, [ID]), "from_id": ("text", False, []), "from_name": ("text", True, []),
        "from_email": ("text", True, []), "message_id": ("text", False, []), "message": ("text", True, []),
        "type": ("text", False, []), "inserted_at": ("timestamp", False, []), "has_phone": ("boolean", True, []),
        "phone_info": ("text", True, []), "is_hidden": ("boolean", True, []), "is_removed": ("boolean", True, []),
        "like_count": ("integer", True, [NOT_NEGATIVE]), "page_id": ("text", False, []),
        "customer_id": ("text", False, [ID])}),
    "fx_rates": (["currency", "day"], "day", {
        "currency": ("text", False, [pa.Check.str_matches(r"^[A-Z]{3}$", error="str_matches")]),
        "day": ("date", False, []), "rate": ("decimal 18 8", False, [pa.Check.gt(0, error="greater_than")])}),
}  # fmt: skip


@cache
def schema(table: str) -> pa.DataFrameSchema:
    """The pandera schema of a table's values."""
    columns = TABLES[table][2]
    return pa.DataFrameSchema(
        {name: pa.Column(None, checks, nullable=null) for name, (_, null, checks) in columns.items()}
    )


def values(kind: str, texts: pd.Series) -> pd.Series:
    """A column of texts as values; null where a text is none of the kind."""
    name, *size = kind.split()
    if name == "decimal":
        digits, scale = map(int, size)
        shape = rf"-?\d{{1,{digits - scale}}}(?:\.\d{{1,{scale}}})?"
        exact = pd.ArrowDtype(pyarrow.decimal128(digits, scale))
        return texts.where(texts.str.fullmatch(shape, na=False)).astype(exact)
    if name == "integer":
        return texts.where(texts.str.fullmatch(r"-?\d{1,18}", na=False)).astype("Int64")
    if name == "timestamp":
        return pd.to_datetime(texts, format="%Y-%m-%d %H:%M:%S", errors="coerce")
    if name == "date":
        return pd.to_datetime(texts, format="%Y-%m-%d", errors="coerce")
    return texts.map({"true": True, "false": False}) if name == "boolean" else texts


def judge(table: str, texts: pd.DataFrame) -> pd.DataFrame:
    """The typed rows, with the rules that each broke and what is to be noted of it."""
    key, event_time, columns = TABLES[table]
    rows = pd.DataFrame({name: values(kind, texts[name]) for name, (kind, _, _) in columns.items()})
    broken: list[pd.DataFrame] = []
    for name, (kind, null, _) in columns.items():
        if kind != "text":
            wrong = texts.index[texts[name].notna() & rows[name].isna()]
            broken.append(pd.DataFrame({"index": wrong, "rule": f"{name}.not_a_{kind.split()[0]}"}))
        if not null:
            broken.append(pd.DataFrame({"index": texts.index[texts[name].isna()], "rule": f"{name}.missing"}))
    try:
        schema(table).validate(rows, lazy=True)
    except SchemaErrors as e:
        failed = e.failure_cases[e.failure_cases["check"] != "not_nullable"]
        broken.append(pd.DataFrame({"index": failed["index"], "rule": failed["column"] + "." + failed["check"]}))
    noted = [np.array([], np.int64)]
    if event_time:
        rows["_event_day"] = rows[event_time].dt.floor("D")
    for name in (name for name, (kind, _, _) in columns.items() if kind == "timestamp"):
        local = rows[name]
        earlier = np.ones(len(local), bool)
        instants = local.dt.tz_localize(ZONE, ambiguous=earlier, nonexistent="NaT")
        certain = local.dt.tz_localize(ZONE, ambiguous="NaT", nonexistent="NaT")
        skipped = rows.index[local.notna() & instants.isna()]
        broken.append(pd.DataFrame({"index": skipped, "rule": f"{name}.nonexistent_local_time"}))
        noted.append(rows.index[instants.notna() & certain.isna()])
        rows[name] = instants.dt.tz_convert("UTC")
    rules = pd.concat(broken).groupby("index")["rule"].agg(list)
    rows["_rules"] = rules.reindex(rows.index)
    rows["_fold"] = rows.index.isin(np.concatenate(noted))
    if "quantity" in rows:
        rows["quantity"] = rows["quantity"].fillna(1)
    joined = f"{REGION}\x1f{table}\x1f" + texts[key[0]].str.cat([texts[k] for k in key[1:]], sep="\x1f")
    rows["_key"] = [hashlib.md5(k.encode()).digest() if isinstance(k, str) else None for k in joined]
    return rows


def to_silver(table: str, path: Path, output: Path) -> None:
    """Judge one delivery and write its Parquet file."""
    columns = list(TABLES[table][2])
    lines = path.read_text("utf-8").split("\n")[:-1]
    malformed: list[str] = []

    def keep(row: Any) -> str:
        malformed.append(row.text)
        return "skip"

    texts = pd.read_csv(path, dtype=str, engine="pyarrow", keep_default_na=False, na_values=[""], on_bad_lines=keep)
    if list(texts.columns) != columns:
        raise SystemExit(f"{path}: unexpected header")
    bad = set(malformed)
    at = [number for number, line in enumerate(lines) if line in bad] if bad else []
    if len(texts) + len(at) != len(lines) - 1:
        raise SystemExit(f"{path}: {len(lines) - 1} records, but {len(texts)} rows and {len(at)} malformed ones")
    rows = judge(table, texts)
    rows["_line"] = np.delete(np.arange(1, len(lines)), np.array(at, int) - 1) + 1
    rest = pd.DataFrame({"_line": np.array(at, int) + 1, "_rules": [["record.malformed"]] * len(at)})
    rows = pd.concat([rows, rest], ignore_index=True) if at else rows
    refused = rows["_rules"].notna()
    rows["_raw"] = pd.Series([lines[n - 1] for n in rows.loc[refused, "_line"]], rows.index[refused], dtype=str)
    rows["_region"], rows["_day"], rows["_slot"] = REGION, pd.Timestamp(path.stem[-10:]), path.name
    target = output / table / f"{path.stem}.parquet"
    rows.to_parquet(f"{target}.tmp", compression="zstd", compression_level=3, index=False, row_group_size=122_880)
    Path(f"{target}.tmp").rename(target)


def records(folder: Path) -> int:
    """Records in the Parquet files of one table."""
    return sum(pyarrow.parquet.read_metadata(path).num_rows for path in folder.glob("*.parquet"))


def run(deliveries: Path, output: Path) -> dict[str, str]:
    """CSV to silver, silver to marts; the figures that the competitors are compared by."""
    with phase("silver"):
        for table in TABLES:
            (output / table).mkdir(parents=True)
            for path in sorted((deliveries / table).glob("*.csv")):
                to_silver(table, path, output)
    with phase("gold"):
        marts = build_marts(output)
    with phase("figures"):
        return {f"{table}.records": str(records(output / table)) for table in TABLES} | figures(marts)


if __name__ == "__main__":
    started()
    report(run(Path(sys.argv[1]), Path(sys.argv[2])))
