"""`clearer backup`, `clearer backups` and `clearer restore`."""

import shutil
from pathlib import Path

import pytest

from clearer_platform_tests.cli.conftest import EU, REGISTRY, SECRET, Cli, text

TABLES = ("customers", "transactions")


@pytest.fixture
def home(empty):
    """A home to which eu has delivered two tables; gold has not been built."""
    for table in TABLES:
        name = f"{table}-2024-03-30.csv"
        file = empty.home / name
        file.write_bytes(text(EU[name], "eu"))
        empty("deliver", file, "--table", table, "--region", "eu", "--day", "2024-03-30")
    return empty


def test_from_backup_to_restore_and_back(home):
    (made,) = home.json("backup", "transactions", "--region", "eu")
    assert (made["table"], made["layer"], made["region"], made["rows"]) == ("transactions", "delivered", "eu", 1)
    assert len(made["sha256"]) == 64 and "gold" not in made
    first = made["id"]
    assert [b["id"] for b in home.json("backups", "list", "--table", "transactions")] == [first]
    assert first in home("backups", "list").stdout
    assert "is whole: 1 row" in home("backups", "verify", first, "--region", "eu").stdout

    name = "transactions-2024-03-31.csv"
    (home.home / name).write_bytes(text(EU[name], "eu"))
    home("deliver", home.home / name, "--table", "transactions", "--region", "eu", "--day", "2024-03-31")
    assert home.json("backup", "transactions", "--region", "eu")[0]["rows"] == 10  # T3 has no possible time
    said = home("restore", first, "--table", "transactions", "--region", "eu", "--yes").stdout
    assert "transactions eu: 1 row restored" in said and "clearer materialize --region eu" in said
    assert home.json("backup", "transactions", "--region", "eu")[0]["sha256"] == made["sha256"]
    home("backups", "prune", "--table", "transactions", "--region", "eu", "--keep", 1)
    assert len(home.json("backups", "list", "--table", "transactions")) == 1


def test_into_an_empty_platform_by_its_path(home, tmp_path):
    (made,) = home.json("backup", "customers", "--region", "eu")
    assert SECRET not in str(made)
    (tmp_path / "other").mkdir()
    (tmp_path / "other/regions.toml").write_text(REGISTRY)
    for suffix in (".avro", ".json"):
        shutil.copy(Path(made["file"]).with_name(made["id"] + suffix), tmp_path)
    other = Cli(tmp_path / "other")
    done = other.json("restore", tmp_path / f"{made['id']}.avro", "--table", "customers", "--region", "eu", "--yes")
    assert done["backup"]["id"] == made["id"]
    assert other.json("backup", "customers", "--region", "eu")[0]["sha256"] == made["sha256"]


def test_a_table_that_cannot_be_backed_up_stops_no_other(home):
    """Gold of eu has not been built."""
    assert "eu has no gold yet" in home.error("backup", "dim_branches", "customers", "--region", "eu")
    assert {b["table"] for b in home.json("backups", "list")} == {"customers"}


def test_gold_and_everything(own):
    made = own.json("backup", "--all", "--region", "us")
    assert {b["region"] for b in made} == {"us"} and {b["layer"] for b in made} == {"delivered", "gold"}
    by_table = {b["table"]: b["id"] for b in made}
    assert {"customers", "transactions", "branch_performance_daily"} <= set(by_table)
    assert own.json("restore", by_table["dim_branches"], "-t", "dim_branches", "-r", "us", "-y")["day"] is None


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["backup"], 2, "--all"),
        (["backup", "nothing"], 1, "'nothing'"),
        (["backup", "transactions", "--region", "mars"], 1, "'mars'"),
        (["restore", "x", "--table", "transactions", "--region", "eu"], 2, "--yes"),
        (["restore", "x", "--table", "transactions", "--region", "eu", "--yes"], 1, "is no id of a backup"),
        (["restore", "gone/t.avro", "--table", "transactions", "--region", "eu", "--yes"], 1, "there is no backup"),
        (["backups", "verify", "t-20240330T120000.000000Z-0123456789abcdef", "-r", "eu"], 1, "there is no backup"),
    ],
)
def test_what_cannot_be_is_said(empty, arguments, code, said):
    assert said in empty.error(*arguments, code=code)
