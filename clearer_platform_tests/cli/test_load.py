"""`clearer load` and `clearer tables`: what there is, in every format, range and zone."""

import csv
import io
import json
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from clearer_platform.cli.load import show


def test_load_in_every_format(cli, tmp_path):
    load = ("load", "branch_performance_daily", "--region", "eu")
    rows = list(csv.DictReader(io.StringIO(cli(*load, "--format", "csv").stdout)))
    assert [(row["day"], row["branch"], Decimal(row["revenue"])) for row in rows] == [
        ("2024-03-30", "Köln", Decimal("12.50")),
        ("2024-03-31", "Köln", Decimal("7.25")),
    ]
    assert [row["day"] for row in json.loads(cli(*load, "--format", "json").stdout)] == ["2024-03-30", "2024-03-31"]
    out = tmp_path / "out.parquet"
    assert f"2 rows written to {out}" in cli(*load, "--out", out).stderr
    assert pq.read_table(out).column("revenue").to_pylist() == [Decimal("12.50"), Decimal("7.25")]
    shown = cli(*load).stdout
    assert "12.50" in shown and "0.0000000000" in shown, "what is pending, in the reporting currency"
    assert "0E-10" not in shown
    assert [p.name for p in tmp_path.iterdir()] == ["out.parquet"]


def test_load_a_range(cli):
    load = ("load", "branch_performance_daily", "-r", "eu", "-f", "json", "--columns", "day,units")
    assert json.loads(cli(*load, "--from", "2024-03-31", "--to", "2024-03-31").stdout) == [
        {"day": "2024-03-31", "units": 1}
    ]
    assert json.loads(cli(*load, "--to", "2024-03-29").stdout) == []


def test_load_across_regions(cli):
    rows = json.loads(cli("load", "branch_performance", "-f", "json").stdout)
    assert {row["region"] for row in rows} == {"eu", "us"}


def test_load_in_another_zone(cli):
    load = ("load", "branch_performance_daily", "-r", "us", "-f", "json", "--columns", "day,transactions")
    assert json.loads(cli(*load).stdout) == [{"day": "2024-03-30", "transactions": 1}]
    assert json.loads(cli(*load, "-z", "Asia/Ho_Chi_Minh").stdout) == [{"day": "2024-03-31", "transactions": 1}]
    instants = ("load", "fct_transactions", "-r", "us", "-f", "json", "--columns", "ordered_at")
    assert json.loads(cli(*instants).stdout) == [{"ordered_at": "2024-03-31 01:00:00+00"}]
    assert json.loads(cli(*instants, "-z", "Asia/Ho_Chi_Minh").stdout) == [{"ordered_at": "2024-03-31 08:00:00+07"}]


def test_load_accepted_records(cli):
    rows = json.loads(cli("load", "customers", "-r", "eu", "-f", "json").stdout)
    assert [(row["_line"], row["customer_name"]) for row in rows] == [
        (2, "Ännchen"),
        *[(line, "Other") for line in range(4, 9)],
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nonsense", "-r", "eu"], "unknown table 'nonsense'"),
        (["fx_rates", "-r", "us"], "unknown table 'fx_rates'"),
        (["dim_customers"], "name a region: eu, us"),
        (["dim_customers", "-r", "xx"], "unknown region 'xx'"),
        (["branch_performance", "-r", "eu", "--from", "2024-03-30"], "has no day"),
        (["branch_performance_daily", "-r", "eu", "-z", "Europe/Berlln"], "did you mean Europe/Berlin?"),
        (["branch_performance_daily", "-z", "Asia/Tokyo"], "or name a region"),
        (["branch_performance", "-r", "eu", "-z", "Asia/Tokyo"], "holds no instants"),
        (["dim_dates", "-r", "eu", "--columns", "day,nonsense"], "unknown column of dim_dates 'nonsense'"),
        (["dim_dates", "-r", "eu", "--out", "dates.xlsx"], "no known format"),
        (["dim_dates", "-r", "eu", "--out", "none/dates.csv"], "there is no folder none"),
        (["dim_dates", "-r", "eu", "--out", "/", "-f", "csv"], "it is a folder"),
        (["dim_dates", "-r", "eu", "--out", "/dev/full", "-f", "csv"], "No space left on device"),
    ],
)
def test_load_refuses(cli, arguments, message):
    assert message in cli.error("load", *arguments)


def test_load_before_anything_is_built(own):
    for warehouse in own.home.rglob("warehouse.duckdb"):
        warehouse.unlink()
    assert "clearer materialize" in own.error("load", "branch_performance", "-r", "eu")
    assert "clearer materialize" in own.error("load", "branch_performance")


def test_reading_does_not_wait_for_a_writer(cli):
    """A writer works on a copy; even one that holds the lock of gold keeps no reader waiting."""
    from clearer_platform.serving.opening import open_platform

    with open_platform(cli.home).layout("eu").lock("gold"):
        assert json.loads(cli("load", "branch_performance", "-r", "eu", "-f", "json").stdout)


def test_tables(cli):
    found = {(t["name"], t["layer"]): t for t in cli.json("tables")}
    assert {layer for _, layer in found} == {"gold", "global", "silver"}
    assert ("branch_performance_daily_in", "gold") not in found
    assert found["branch_performance_daily", "gold"]["is_zoned"]
    assert all(t["description"] and t["columns"] for t in found.values())
    assert all(column["description"] for t in found.values() for column in t["columns"])
    assert "Distinct customers" in cli("tables", "branch_performance_daily").stdout
    assert "unknown table 'x'" in cli.error("tables", "x")


def test_every_table_that_is_listed_can_be_loaded(cli):
    elsewhere = {
        "stores",
        "install_intervals",
        "subscription_periods",
        "departments",
        "jobs",
        "hired_employees",
        "sales",
    }
    for table in cli.json("tables"):
        if table["name"] in elsewhere:
            assert "unknown table" in cli.error("load", table["name"], "--region", "eu")
            continue
        region = [] if table["layer"] == "global" else ["--region", "eu"]
        rows = json.loads(cli("load", table["name"], *region, "-f", "json").stdout)
        if rows and table["layer"] != "silver":
            assert list(rows[0]) == [column["name"] for column in table["columns"]], table["name"]


def test_days_that_python_does_not_have_are_shown(capsys):
    rows = pa.table({"day": pa.array([2932897, 0, None], pa.int32()).cast(pa.date32()), "n": [1, 2, 3]})
    show(rows, "days")
    assert [line.split() for line in capsys.readouterr().out.splitlines()[4:7]] == [
        ["10000-01-01", "1"],
        ["1970-01-01", "2"],
        ["3"],
    ]
