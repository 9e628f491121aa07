"""The yardstick: what a good engineer would write for this one region and these five tables, by hand, on DuckDB.

It does the benchmark's job and no more: CSV to one Parquet file a delivery (every record, typed, with its line, the
rules it broke and its original text where it broke any; counted independently), then the latest version of each key and
the marts. It knows nothing of the platform: no formats, regions, contracts or later deliveries to allow for.

    python -m bench.handwritten_duckdb DELIVERIES OUTPUT
"""

import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import numpy as np
import pyarrow as pa

from bench.figures import of_marts, of_silver
from bench.handwritten_marts import build_marts
from bench.phases import phase, report, started

REGION, ZONE, WORKERS = "bench", ZoneInfo("Europe/Berlin"), 2
PARQUET = (
    "FORMAT parquet, PARQUET_VERSION v2, COMPRESSION zstd, COMPRESSION_LEVEL 1, ROW_GROUP_SIZE 122880, "
    "DICTIONARY_SIZE_LIMIT 100"
)


@dataclass(frozen=True)
class Field:
    """A column: its type, its text (`t_<name>`) as a value, and what a good value fulfils."""

    name: str
    type: str = "VARCHAR"
    value: str = ""
    wrong_type: str = ""
    check: str = ""
    holds: str = ""
    null: bool = False
    default: str = ""


def shaped(name: str, shape: str, kind: str) -> str:
    """SQL for a text as a value of `kind`, NULL where the text is not of the shape or names no value."""
    return rf"CASE WHEN regexp_full_match(t_{name}, '{shape}') THEN try_cast(t_{name} AS {kind}) END"


def text(name: str, check: str = "", holds: str = "", null: bool = False) -> Field:
    """A text column."""
    return Field(name, "VARCHAR", f"t_{name}", "", check, holds, null)


def identifier(name: str) -> Field:
    """A text column without outer spaces."""
    return text(name, "str_matches", rf"regexp_matches({name}, '^[^\s](?:.*[^\s])?$')")


def one_of(name: str, *values: str) -> Field:
    """A text column that holds one of `values`."""
    return text(name, "isin", f"{name} IN ({', '.join(repr(v) for v in values)})")


def decimal(name: str, digits: int, scale: int, null: bool = False, check: str = "") -> Field:
    """An exact decimal, not negative; no more places than its scale, so that nothing is rounded."""
    kind = f"DECIMAL({digits},{scale})"
    value = shaped(name, rf"-?\d{{1,{digits - scale}}}(?:\.\d{{1,{scale}}})?", kind)
    holds = f"{name} > 0" if check else f"{name} >= 0"
    return Field(name, kind, value, "not_a_decimal", check or "greater_than_or_equal_to", holds, null)


def integer(name: str, least: int, default: str = "") -> Field:
    """A whole number that may be absent."""
    value = shaped(name, r"-?\d{1,18}", "BIGINT")
    return Field(
        name, "BIGINT", value, "not_a_integer", "greater_than_or_equal_to", f"{name} >= {least}", True, default
    )


def calendar_day(name: str, check: str = "", holds: str = "", null: bool = False) -> Field:
    """A date."""
    return Field(name, "DATE", shaped(name, r"\d{4}-\d\d-\d\d", "DATE"), "not_a_date", check, holds, null)


def flag(name: str) -> Field:
    """True or false, or absent."""
    value = f"CASE WHEN t_{name} IN ('true', 'false') THEN t_{name} = 'true' END"
    return Field(name, "BOOLEAN", value, "not_a_boolean", null=True)


def instant(name: str) -> Field:
    """A local time; it is made an instant (UTC) when it is written."""
    value = shaped(name, r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "TIMESTAMP")
    return Field(
        name, "TIMESTAMPTZ", value, "not_a_timestamp", "nonexistent_local_time", f"NOT ({within('skipped', name)})"
    )


@cache
def transitions() -> list[tuple[datetime, timedelta, timedelta]]:
    """When (UTC) the zone's offset changes in 2023 to 2025, and the offsets before and after."""
    hours = [datetime(2023, 1, 1, tzinfo=UTC) + timedelta(hours=h) for h in range(3 * 366 * 24)]
    offsets = [hour.astimezone(ZONE).utcoffset() or timedelta() for hour in hours]
    changes = zip(hours[1:], offsets, offsets[1:], strict=False)
    return [(hour.replace(tzinfo=None), before, after) for hour, before, after in changes if before != after]


def within(kind: str, name: str) -> str:
    """SQL that holds for a local time that was `skipped`, or for one that occurs twice (`repeated`)."""
    spans = []
    for at, before, after in transitions():
        start, end = (at + before, at + after) if kind == "skipped" else (at + after, at + before)
        if start < end:
            spans.append(f"({name} >= TIMESTAMP '{start}' AND {name} < TIMESTAMP '{end}')")
    return " OR ".join(spans)


def to_utc(name: str) -> str:
    """SQL for the instant of a local time; of two instants that read alike the earlier."""
    arms = "".join(
        f"WHEN {name} < TIMESTAMP '{at + max(before, after)}' THEN {before.seconds} "
        for at, before, after in transitions()
    )
    offset = f"CASE {arms}ELSE {transitions()[-1][2].seconds} END"
    return f"make_timestamptz(epoch_us({name}) - 1000000 * ({offset})::BIGINT)"


TABLES: dict[str, tuple[list[str], str, list[Field]]] = {
    # table: key columns, event time, columns
    "transactions": (["transaction_id"], "ordered_at", [
        identifier("transaction_id"), instant("ordered_at"), text("branch_id"), text("branch_name"),
        identifier("customer_id"), decimal("total_amount", 18, 2), text("status", null=True),
        one_of("status_value", "Pending", "Completed", "Failed"), identifier("product_id"), decimal("price", 18, 2),
        integer("quantity", 1, default="1")]),
    "customers": (["customer_id"], "", [
        identifier("customer_id"), text("customer_name"), text("gender", null=True),
        calendar_day("birth_date", "greater_than_or_equal_to", "birth_date >= DATE '1900-01-01'", null=True),
        one_of("area", "North", "South", "East", "West"),
        text("email", "str_matches", r"regexp_matches(email, '^[^@\s]+@[^@\s]+$')", null=True)]),
    "products": (["product_id"], "", [
        identifier("product_id"), text("name"), text("category_id"), text("category_name"),
        decimal("base_price", 18, 2), text("unit", null=True), decimal("weight", 12, 3, null=True),
        instant("created_at")]),
    "conversations": (["conversation_id"], "inserted_at", [
        identifier("conversation_id"), text("from_id"), text("from_name", null=True), text("from_email", null=True),
        text("message_id"), text("message", null=True), text("type"), instant("inserted_at"), flag("has_phone"),
        text("phone_info", null=True), flag("is_hidden"), flag("is_removed"), integer("like_count", 0),
        text("page_id"), identifier("customer_id")]),
    "fx_rates": (["currency", "day"], "day", [
        text("currency", "str_matches", "regexp_matches(currency, '^[A-Z]{3}$')"), calendar_day("day"),
        decimal("rate", 18, 8, check="greater_than")]),
}  # fmt: skip


def judge_sql(table: str, path: Path) -> str:
    """The query that reads one file and judges each of its rows."""
    key, event_time, fields = TABLES[table]
    columns = ", ".join(f"'t_{f.name}': 'VARCHAR'" for f in fields)
    good, broken = [], []
    for f in fields:
        holds = f"{f.name} IS NOT NULL" + (f" AND {f.holds}" if f.holds else "")
        good.append(f"(t_{f.name} IS NULL OR ({holds}))" if f.null else f"({holds})")
        if not f.null:
            broken.append(f"CASE WHEN t_{f.name} IS NULL THEN '{f.name}.missing' END")
        if f.wrong_type:
            broken.append(f"CASE WHEN t_{f.name} IS NOT NULL AND {f.name} IS NULL THEN '{f.name}.{f.wrong_type}' END")
        if f.check:
            broken.append(f"CASE WHEN {f.name} IS NOT NULL AND NOT ({f.holds}) THEN '{f.name}.{f.check}' END")
    twice = [
        f"CASE WHEN {within('repeated', f.name)} THEN ['{f.name}.fold_earlier'] ELSE []::VARCHAR[] END"
        for f in fields if f.type == "TIMESTAMPTZ"
    ]  # fmt: skip
    warnings = " || ".join(twice)
    if table == "conversations":
        agrees = "has_phone = (phone_info <> '[None]')"
        warnings += f" || CASE WHEN {agrees} THEN []::VARCHAR[] ELSE ['record.phone_flag_agrees_with_phone_info'] END"
    outputs = [to_utc(f.name) if f.type == "TIMESTAMPTZ" else f"coalesce({f.name}, {f.default})" if f.default
               else f.name for f in fields]  # fmt: skip
    return f"""
    SELECT CASE WHEN {" AND ".join(good)} THEN []::VARCHAR[]
            ELSE list_filter([{", ".join(broken)}], lambda r: r IS NOT NULL) END AS _rules,
        {warnings or "[]::VARCHAR[]"} AS _warnings,
        md5(concat_ws(chr(31), '{REGION}', '{table}', {", ".join(key)}))::UUID AS _key,
        {f"{event_time}::DATE" if event_time else "NULL::DATE"} AS _event_day,
        {", ".join(f"{sql} AS {f.name}" for sql, f in zip(outputs, fields, strict=True))}
    FROM (SELECT *, {", ".join(f"{f.value} AS {f.name}" for f in fields)}
          FROM read_csv('{path}', auto_detect = false, header = true, columns = {{{columns}}}, strict_mode = true,
                        store_rejects = true, rejects_limit = 0, new_line = '\\n',
                        rejects_table = 'errors', rejects_scan = 'scans'))"""


def to_silver(connection: duckdb.DuckDBPyConnection, table: str, path: Path, output: Path) -> None:
    """Judge one delivery and write its Parquet file."""
    content = path.read_bytes()
    header = content[: content.index(b"\n")].decode()
    if header != ",".join(f.name for f in TABLES[table][2]):
        raise SystemExit(f"{path}: unexpected header {header}")
    ends = np.flatnonzero(np.frombuffer(content, np.uint8) == 10)
    records = len(ends) - 1
    connection.execute(f"CREATE OR REPLACE TEMP TABLE judged AS {judge_sql(table, path)}")
    errors = connection.execute("SELECT DISTINCT line_byte_position AS at FROM errors").fetchnumpy()["at"]
    connection.execute("DROP TABLE errors; DROP TABLE scans")
    malformed = np.sort(np.searchsorted(ends, errors))  # index of the line; the header is line 0
    lines = np.concatenate([np.delete(np.arange(1, records + 1), malformed - 1), malformed])
    (rows,) = connection.execute("SELECT count(*) FROM judged").fetchone() or (0,)
    if rows + len(malformed) != records:
        raise SystemExit(f"{path}: {records} records, but {rows} rows and {len(malformed)} malformed ones")
    if len(malformed):
        connection.execute(
            "INSERT INTO judged BY NAME "
            "SELECT ['record.malformed'] AS _rules, []::VARCHAR[] AS _warnings FROM range(?)",
            [len(malformed)],
        )
    broken = connection.execute("SELECT rowid FROM judged WHERE len(_rules) > 0").fetchnumpy()["rowid"]
    raw = np.full(records, None, object)
    for row in broken:
        line = lines[row]
        raw[row] = content[ends[line - 1] + 1 : ends[line]].decode()
    beside = pa.table({"_line": lines + 1, "_raw": pa.array(raw, pa.string())})
    connection.register("beside", beside)
    target = output / table / f"{path.stem}.parquet"
    day, received = path.stem[-10:], datetime.now(UTC)
    connection.execute(f"""
        COPY (SELECT '{REGION}' AS _region, DATE '{day}' AS _day, '{path.name}' AS _slot,
                TIMESTAMPTZ '{received}' AS _received_at, beside.*, judged.* FROM judged POSITIONAL JOIN beside)
        TO '{target}.tmp' ({PARQUET})""")
    connection.unregister("beside")
    Path(f"{target}.tmp").rename(target)


def run(deliveries: Path, output: Path) -> None:
    """CSV to silver, silver to marts."""
    jobs = []
    # Whole files side by side, each on one thread, leave less to wait for than one file on all threads.
    one_thread = {"threads": 1}
    with phase("silver"), duckdb.connect(config=one_thread) as database, ThreadPoolExecutor(WORKERS) as pool:
        database.execute("SET GLOBAL TimeZone = 'UTC'")
        for table in TABLES:
            (output / table).mkdir(parents=True)
            for path in sorted((deliveries / table).glob("*.csv")):
                jobs.append(pool.submit(to_silver, database.cursor(), table, path, output))
        for job in jobs:
            job.result()
    with phase("gold"):
        build_marts(output)


def figures(output: Path) -> dict[str, str]:
    """What came of it, from its Parquet files and its marts."""
    with duckdb.connect(output / "warehouse.duckdb", read_only=True) as database:
        return of_silver(output) | of_marts(database, "main")


def main(deliveries: Path, output: Path) -> None:
    """The measured job, and the figures that prove it."""
    run(deliveries, output)
    with phase("figures"):
        found = figures(output)
    report(found)


if __name__ == "__main__":
    started()
    main(Path(sys.argv[1]), Path(sys.argv[2]))
