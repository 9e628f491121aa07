"""The yardstick: what a good engineer would write for this one delivery, by hand, on DuckDB.

CSV to one Parquet file a table with every element, typed, with the rules it broke and its text where it broke any; then
the six metric tables. It knows nothing of the platform: no formats, zones (the file's days are taken as they stand),
contracts or further deliveries to allow for; and it does not write the stores' JSON texts out once more.

A store whose arrays are written as the sender writes them, and hold nothing but good values, is read by DuckDB alone.
Any other (one in a hundred) is looked at element by element.

    python -m bench.subscriptions.handwritten_duckdb DELIVERY AS_OF OUTPUT
"""

import sys
from pathlib import Path

import duckdb
import pandas  # noqa: F401  (duckdb looks for it with the first values from Python: a part of its start-up)

from bench.phases import report, started
from bench.subscriptions.handwritten_careful import add_doubted
from bench.subscriptions.handwritten_metrics import METRICS, VIEWS
from bench.subscriptions.handwritten_tables import ID, INTERVALS, PERIODS, Table
from bench.subscriptions.twice import twice

PARQUET = "FORMAT parquet, PARQUET_VERSION v2, COMPRESSION zstd, COMPRESSION_LEVEL 1"


def read(database: duckdb.DuckDBPyConnection, delivery: Path) -> None:
    """The delivery's records, judged, and whether their arrays are sound. Anything wrong with the CSV ends it all."""
    database.execute(f"""
        CREATE TEMP TABLE stores AS
        SELECT *, CASE WHEN store_id IS NULL THEN ['store_id.missing']
                WHEN NOT regexp_matches(store_id, '{ID}') THEN ['store_id.str_matches']
                WHEN install_history IS NULL THEN ['install_history.missing'] END AS _rules,
            _rules IS NULL AND regexp_full_match(install_history, '{INTERVALS.sound}') AS sound_install_history,
            _rules IS NULL AND (subscription_history = '[]'
                OR regexp_full_match(subscription_history, '{PERIODS.sound}')) AS sound_subscription_history
        FROM read_csv('{delivery}', auto_detect = false, header = true, strict_mode = true, columns = {{
            store_id: 'VARCHAR', install_history: 'VARCHAR', subscription_history: 'VARCHAR'}})""")


def judge(database: duckdb.DuckDBPyConnection, table: Table) -> None:
    """All elements of a table; a store with anything doubtful among them is taken out, to be looked at with care."""
    next_day = "unnest(list[2:]).fromDate::DATE" if table.is_spanning else "NULL::DATE"
    database.execute(f"""
        CREATE TEMP TABLE {table.name} AS
        SELECT _line, store_id, position, {", ".join(f"element.{f.key} AS {f.name}" for f in table.fields)}, next_day,
            NULL::VARCHAR[] AS _rules, NULL::VARCHAR AS _raw
        FROM (
            SELECT _line, store_id, generate_subscripts(list, 1) AS position, unnest(list) AS element,
                {next_day} AS next_day
            FROM (SELECT rowid + 2 AS _line, store_id, from_json({table.column}, '{table.structure}') AS list
                  FROM stores WHERE sound_{table.column} AND {table.column} <> '[]'))""")
    doubts = list(table.breaches.values())
    if table.is_spanning:
        doubts.append("coalesce(to_date::DATE, 'infinity'::DATE) > next_day")
    is_doubtful = " OR ".join(f"({doubt})" for doubt in doubts)
    database.execute(f"""
        CREATE OR REPLACE TEMP TABLE doubted AS SELECT DISTINCT _line FROM {table.name} WHERE {is_doubtful};
        DELETE FROM {table.name} WHERE _line IN (FROM doubted)""")
    add_doubted(database, table)


def run(delivery: Path, as_of: str, output: Path) -> None:
    """CSV to silver, silver to metrics."""
    for layer in ("silver", "gold"):
        (output / layer).mkdir(parents=True)
    with duckdb.connect() as database:
        read(database, delivery)
        for table in (INTERVALS, PERIODS):
            judge(database, table)
            database.execute(
                f"COPY (SELECT * EXCLUDE (next_day) FROM {table.name}) "
                f"TO '{output}/silver/{table.name}.parquet' ({PARQUET})"
            )
        database.execute(
            f"COPY (SELECT rowid + 2 AS _line, store_id, _rules FROM stores) "
            f"TO '{output}/silver/stores.parquet' ({PARQUET})"
        )
        database.execute(VIEWS.format(as_of=as_of))
        for name, query in METRICS.items():
            database.execute(f"COPY ({query.format(as_of=as_of)}) TO '{output}/gold/{name}.parquet' ({PARQUET})")


if __name__ == "__main__":
    started()
    delivery, as_of, output = sys.argv[1:]
    twice(lambda folder: run(Path(delivery), as_of, folder), Path(output))
    report({})
