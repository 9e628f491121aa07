"""Tables nested in another on the command line."""

import json
from pathlib import Path

import pytest

from clearer_platform_tests.cli.conftest import Cli
from clearer_platform_tests.conftest import make_home
from clearer_platform_tests.defs.test_nested import REGISTRY
from clearer_platform_tests.silver.nesting import array, file_of, interval, period

GOOD, SECOND = interval("2022-05-30", None), interval("2022-08-01", None)
PLENTY = [(f"s{n}", array(GOOD), array(period())) for n in range(9)]
PLACE = ("--table", "stores", "--region", "south", "--day", "2024-03-01")


@pytest.fixture
def south(tmp_path: Path, prepared_dbt: Path) -> Cli:
    """`clearer` on a home whose region delivers stores."""
    return Cli(make_home(tmp_path / "home", REGISTRY, prepared_dbt))


def test_a_delivery_is_told_of_in_every_table(south: Cli, tmp_path: Path) -> None:
    path = tmp_path / "stores.csv"
    path.write_bytes(file_of(*PLENTY, ("x", array(GOOD, SECOND), "[]")))
    said = south("deliver", path, *PLACE).stdout.splitlines()
    assert said[:4] == [
        "stores south 2024-03-01: 10 records, 10 accepted, 0 rejected (0.00 %)",
        "install_intervals south 2024-03-01: 11 elements, 10 accepted, 1 rejected (9.09 %)",
        "  line 11, element 2    it has no end, and neither has an earlier one",
        "subscription_periods south 2024-03-01: 9 elements, 9 accepted, 0 rejected (0.00 %)",
    ]
    assert "--table install_intervals" in said[4]
    told = south.json("deliver", path, *PLACE)
    assert [(o["table"], o["accepted"], o["rejected"]) for o in (told, *told["nested"])] == [
        ("stores", 10, 0),
        ("install_intervals", 10, 1),
        ("subscription_periods", 9, 0),
    ]
    assert "11/2" in south("quarantine").stdout
    (group,) = south.json("quarantine", "--table", "install_intervals")
    assert (group["rule"], group["lines"], group["positions"]) == ("record.second_open", [11], [2])
    rows = json.loads(south("load", "install_intervals", "--region", "south", "-f", "json").stdout)
    assert (len(rows), rows[0]["store_id"], rows[0]["position"]) == (10, "s0", 1)
    assert "1 table delivered by the regions, 2 nested in them" in south("check").stdout


def test_a_refused_one_says_which_table_and_where(south: Cli, tmp_path: Path) -> None:
    path = tmp_path / "stores.csv"
    path.write_bytes(file_of(("x", array(GOOD, SECOND), "[]")))
    result = south("deliver", path, *PLACE, code=1)
    assert "refused as a whole: install_intervals: 1 of 2 elements are rejected (50.0%)" in result.stderr
    assert "line 2, element 2" in result.stdout


def test_a_nested_table_is_not_delivered_by_itself(south: Cli, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("store_id\n")
    error = south.error("deliver", tmp_path / "x.csv", "--table", "install_intervals", *PLACE[2:])
    assert "install_intervals" in error and "stores" in error
