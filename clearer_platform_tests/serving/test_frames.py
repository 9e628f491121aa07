"""The Python face: kinds of frames, exact figures, and an import that costs nothing."""

import subprocess
import sys
from datetime import UTC, date, datetime
from decimal import Decimal

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import clearer_platform as cp
from clearer_platform.errors import ClearerError
from clearer_platform.serving.frames import to_pandas
from clearer_platform.serving.reading import in_zone

TABLE = pa.table(
    {
        "amount": pa.array([Decimal("0.10"), None], pa.decimal128(18, 2)),
        "whole": pa.array([2**53 + 1, 3], pa.int64()),
        "gaps": pa.array([2**53 + 1, None], pa.int64()),
        "at": pa.array([datetime(2024, 10, 27, 0, 30, tzinfo=UTC), None], pa.timestamp("us", tz="UTC")),
        "day": pa.array([date(2024, 10, 27), None], pa.date32()),
        "text": pa.array(["Köln", None]),
        "listed": pa.array([["a"], None], pa.list_(pa.string())),
    }
)


def test_pandas_loses_no_digit():
    frame = to_pandas(TABLE)
    assert list(frame.columns) == TABLE.column_names
    assert frame["amount"][0] == Decimal("0.10")
    assert frame["whole"][0] == frame["gaps"][0] == 2**53 + 1
    assert frame["gaps"].dtype == "Int64"
    assert frame["at"][0] == pd.Timestamp("2024-10-27 00:30", tz="UTC")
    assert frame["day"][0] == pd.Timestamp("2024-10-27")
    assert frame["text"][0] == "Köln"
    assert to_pandas(TABLE.slice(0, 0)).shape == (0, 7)


def test_a_zone_changes_how_instants_are_shown_and_not_which_they_are():
    shown = in_zone(TABLE, "Europe/Berlin")
    assert shown.schema.field("at").type.tz == "Europe/Berlin"
    assert shown["at"].cast("int64") == TABLE["at"].cast("int64")
    assert f"{shown['at'][0].as_py()}" == "2024-10-27 02:30:00+02:00"
    assert shown["day"] == TABLE["day"]


def test_the_import_costs_nothing():
    script = (
        "import sys, clearer_platform; print(sorted(m for m in ('pandas', 'duckdb', 'pydantic') if m in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True).stdout == "[]\n"
    assert {"load", "tables"} <= set(dir(cp))
    with pytest.raises(AttributeError):
        _ = cp.nonsense


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"as_": "spark"}, "as_='spark' is unknown"),
        ({"start": "2024-02-30"}, "start='2024-02-30' is not a day"),
        ({"region": "xx"}, "unknown region 'xx'"),
    ],
)
def test_wrong_arguments(platform, arguments, message):
    with pytest.raises(ClearerError, match=message):
        cp.load("branch_performance_daily", home=platform.settings.home, **arguments)


def test_kinds(built_home):
    load = {"table": "branch_performance_daily", "region": "eu", "home": built_home}
    frame, arrow, polars = (cp.load(**load, as_=kind) for kind in ("pandas", "arrow", "polars"))
    assert isinstance(frame, pd.DataFrame)
    assert isinstance(arrow, pa.Table)
    assert isinstance(polars, pl.DataFrame)
    assert (
        frame["revenue"].tolist() == arrow["revenue"].to_pylist() == polars["revenue"].to_list() == [Decimal("12.50")]
    )
    assert polars.schema["revenue"] == pl.Decimal(38, 2)
    assert list(cp.load(**load, columns=["branch"]).columns) == ["branch"]
    assert cp.load(**load, start="2024-04-02").empty
    assert len(cp.load(**load, start=date(2024, 4, 1), end="2024-04-01")) == 1


def test_tables(built_home):
    frame = cp.tables(home=built_home)
    daily = frame[(frame["table"] == "branch_performance_daily") & (frame["layer"] == "gold")].iloc[0]
    assert daily["day_column"] == "day"
    assert "revenue" in daily["columns"]
    assert daily["description"]
