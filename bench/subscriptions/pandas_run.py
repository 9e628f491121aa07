"""The same job in pandas: every array through Python's json, columns judged one after the other, Parquet by pandas.

python -m bench.subscriptions.pandas_run DELIVERY AS_OF OUTPUT
"""

import sys
from itertools import groupby
from operator import itemgetter
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow

from bench.phases import report, started
from bench.subscriptions.pandas_metrics import build_metrics
from bench.subscriptions.strict_json import DECODER, MALFORMED, elements
from bench.subscriptions.twice import twice

ID = r"[^\s](?:.*[^\s])?"
MONEY = pd.ArrowDtype(pyarrow.decimal128(18, 2))
FLAGS = {True: True, False: False, "true": True, "false": False}
EARLIEST = pd.Timestamp("1970-01-01")
NEVER = pd.Timestamp("2262-01-01")
NAMES = ["store_id", "install_history", "subscription_history"]
TABLES = {
    # table: (its column of the stores, {column: (key, kind, may be null)})
    "install_intervals": ("install_history", {
        "to_now": ("toNow", "boolean", False), "start_type": ("startType", "text", True),
        "from_date": ("fromDate", "timestamp", False), "end_type": ("endType", "text", True),
        "to_date": ("toDate", "timestamp", True),
    }),
    "subscription_periods": ("subscription_history", {
        "price": ("price", "decimal", False), "plan_name": ("planName", "text", False),
        "from_date": ("fromDate", "timestamp", False), "to_date": ("toDate", "timestamp", True),
        "billing_on_date": ("billingOnDate", "timestamp", True),
    }),
}  # fmt: skip
Broken = dict[str, pd.Series]
"""Which rows break a rule."""


def read(delivery: Path) -> pd.DataFrame:
    """The delivery's records, judged."""
    stores = pd.read_csv(delivery, dtype=str, keep_default_na=False, na_values=[""], names=NAMES, header=0)
    stores["_line"] = np.arange(2, len(stores) + 2)
    ids = stores["store_id"]
    stores["_rules"] = listed({
        "store_id.missing": ids.isna(),
        "store_id.str_matches": ids.notna() & ~ids.str.fullmatch(ID, na=False),
        "install_history.missing": stores["install_history"].isna(),
    })  # fmt: skip
    return stores


def exploded(stores: pd.DataFrame, table: str) -> pd.DataFrame:
    """A row for every element, its values as they stand in the JSON; a row without a position for what is no array."""
    column, columns = TABLES[table]
    good = stores.loc[stores["_rules"].isna() & stores[column].notna(), ["_line", "store_id", column]]
    arrays = good[column].map(decoded)
    good["element"] = arrays
    good["malformed"] = np.where(arrays.isna(), f"{column}.malformed", None)
    rows = good[arrays.isna() | (arrays.str.len() > 0)].explode("element", ignore_index=True)
    rows["position"] = (rows.groupby("_line").cumcount() + 1).where(rows["malformed"].isna()).astype("Int64")
    is_object = rows["element"].map(lambda element: isinstance(element, dict))
    rows.loc[~is_object & rows["malformed"].isna(), "malformed"] = MALFORMED
    records = rows["element"].where(is_object, None).map(lambda record: record or {})
    for name, (key, _, _) in columns.items():
        rows[f"t_{name}"] = [record.get(key) for record in records]
    return rows.drop(columns="element").rename(columns={column: "array"})


def decoded(text: str) -> list[object] | None:
    """The array that a text is, if it is one."""
    try:
        found = DECODER.decode(text)
    except ValueError:
        return None
    return found if isinstance(found, list) else None


def values(kind: str, texts: pd.Series) -> pd.Series:
    """A column of texts as values; null where a text is none of the kind."""
    if kind == "decimal":
        return texts.where(texts.str.fullmatch(r"-?\d+(?:\.\d{1,2})?", na=False)).astype(MONEY)
    if kind == "timestamp":
        return pd.to_datetime(texts, format="%Y-%m-%d %H:%M:%S.%f", errors="coerce")
    return texts.map(FLAGS).astype("boolean") if kind == "boolean" else texts


def judge(rows: pd.DataFrame, table: str) -> None:
    """Add to the elements their typed values, the rules that they broke, and how a broken one is written."""
    columns = TABLES[table][1]
    for name, (_, kind, _) in columns.items():
        rows[name] = values(kind, rows[f"t_{name}"])
    broken: Broken = {f"{n}.missing": rows[f"t_{n}"].isna() for n, (_, _, null) in columns.items() if not null}
    for name, (_, kind, _) in columns.items():
        if kind != "text":
            broken[f"{name}.not_a_{kind}"] = rows[f"t_{name}"].notna() & rows[name].isna()
    broken |= checked(rows, table)
    whole = rows["malformed"].isna()
    rows["_rules"] = listed({rule: is_broken & whole for rule, is_broken in broken.items()})
    rows.loc[~whole, "_rules"] = rows.loc[~whole, "malformed"].map(lambda rule: [rule])
    if table == "install_intervals":
        refuse_overlaps(rows)
    rejected = rows.loc[rows["_rules"].notna(), ["array", "position"]]
    raw = [written(array, position) for array, position in rejected.itertuples(index=False)]
    rows["_raw"] = pd.Series(raw, rejected.index, dtype=object)


def checked(rows: pd.DataFrame, table: str) -> Broken:
    """What the values themselves tell."""
    ends_before = (rows["to_date"] < rows["from_date"]).fillna(False)
    too_early = (rows["from_date"] < EARLIEST).fillna(False)
    if table == "subscription_periods":
        plans = rows["plan_name"]
        return {
            "price.greater_than_or_equal_to": (rows["price"] < 0).fillna(False).astype(bool),
            "from_date.greater_than_or_equal_to": too_early,
            "plan_name.str_matches": plans.notna() & ~plans.str.fullmatch(ID, na=False),
            "record.ends_after_it_starts": ends_before,
        }
    start, end = rows["start_type"], rows["end_type"]
    return {
        "from_date.greater_than_or_equal_to": too_early,
        "start_type.isin": start.notna() & ~start.isin(["CUSTOMER_REACTIVATED", "CUSTOMER_REOPENED"]),
        "end_type.isin": end.notna() & ~end.isin(["CUSTOMER_CANCELLED", "CUSTOMER_CLOSED"]),
        "record.ends_after_it_starts": ends_before,
        "record.open_exactly_when_installed": (rows["to_now"] != rows["to_date"].isna()).fillna(False).astype(bool),
    }


def refuse_overlaps(rows: pd.DataFrame) -> None:
    """Refuse what breaks into an accepted interval of the store that comes before it."""
    good = rows.loc[rows["_rules"].isna(), ["_line", "position", "from_date", "to_date"]]
    first, last = good["from_date"].dt.floor("D"), good["to_date"].dt.floor("D").fillna(NEVER)
    spans = pd.DataFrame({"_line": good["_line"], "first": first, "last": last, "position": good["position"]})
    spans = spans.sort_values(["_line", "first", "last", "position"])
    before = spans.shift()
    doubted = spans.loc[(spans["_line"] == before["_line"]) & (spans["first"] < before["last"]), "_line"].unique()
    some = spans[spans["_line"].isin(doubted)]
    for _, own in groupby(some.itertuples(), itemgetter(1)):
        reach, is_open = pd.Timestamp.min, False
        for span in own:
            if span.first < reach:
                rule = "record.second_open" if is_open and span.last == NEVER else "record.overlaps"
                rows.at[span.Index, "_rules"] = [rule]
            else:
                reach, is_open = span.last, span.last == NEVER


def listed(broken: Broken) -> pd.Series:
    """For each row the rules that it broke, or nothing."""
    pairs = [pd.DataFrame({"row": is_broken.index[is_broken], "rule": rule}) for rule, is_broken in broken.items()]
    rules = pd.concat(pairs).groupby("row")["rule"].agg(list)
    return rules.reindex(next(iter(broken.values())).index).astype(object).where(lambda found: found.notna(), None)


def written(array: str, position: int | None) -> str:
    """How a rejected element stands in its array; the array itself, where it is none."""
    return array if pd.isna(position) else (elements(array) or [])[position - 1].raw


def run(delivery: Path, as_of: str, output: Path) -> None:
    """CSV to silver, silver to metrics."""
    for layer in ("silver", "gold"):
        (output / layer).mkdir(parents=True)
    stores = read(delivery)
    write(stores[["_line", "store_id", "_rules"]], output / "silver" / "stores.parquet")
    tables = {}
    for table, (_, columns) in TABLES.items():
        rows = exploded(stores, table)
        judge(rows, table)
        tables[table] = rows[["_line", "store_id", "position", *columns, "_rules", "_raw"]]
        write(tables[table], output / "silver" / f"{table}.parquet")
    accepted = {name: rows[rows["_rules"].isna()] for name, rows in tables.items()}
    for name, metric in build_metrics(**accepted, as_of=pd.Timestamp(as_of)).items():
        write(metric, output / "gold" / f"{name}.parquet")


def write(rows: pd.DataFrame, path: Path) -> None:
    """As Parquet."""
    rows.to_parquet(path, compression="zstd", compression_level=1, index=False)


if __name__ == "__main__":
    started()
    delivery, as_of, output = sys.argv[1:]
    twice(lambda folder: run(Path(delivery), as_of, folder), Path(output))
    report({})
