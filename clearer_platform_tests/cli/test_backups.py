"""`clearer backup`, `clearer backups` and `clearer restore`."""

from pathlib import Path

import pytest

from clearer_platform_tests.cli.conftest import SECRET


def test_from_backup_to_restore_and_back(own):
    made = own.json("backup", "transactions", "dim_branches", "--region", "eu")
    assert [(b["table"], b["layer"], b["region"]) for b in made] == [
        ("transactions", "delivered", "eu"),
        ("dim_branches", "gold", "eu"),
    ]
    assert made[0]["rows"] == 10 and len(made[0]["sha256"]) == 64  # T3 stood at a local time that does not exist
    first = made[0]["id"]
    assert [b["id"] for b in own.json("backups", "list", "--table", "transactions")] == [first]
    assert first in own("backups", "list").stdout
    assert "is whole: 10 rows" in own("backups", "verify", first, "--region", "eu").stdout

    own("deliver", late(own.home), "--table", "transactions", "--region", "eu", "--day", "2024-03-31")
    assert own.json("backup", "transactions", "--region", "eu")[0]["rows"] == 11
    said = own("restore", first, "--table", "transactions", "--region", "eu", "--yes").stdout
    assert "transactions eu: 10 rows restored" in said and "clearer materialize --region eu" in said
    assert own.json("backup", "transactions", "--region", "eu")[0]["sha256"] == made[0]["sha256"]
    assert own.json("restore", made[1]["id"], "-t", "dim_branches", "-r", "eu", "-y")["day"] is None
    own("backups", "prune", "--table", "transactions", "--region", "eu", "--keep", 1)
    assert len(own.json("backups", "list", "--table", "transactions")) == 1


def late(home: Path) -> Path:
    """One more transaction."""
    file = home / "late.csv"
    header = (home / "eu/landing/transactions/transactions-2024-03-30.csv").read_text("cp1252").splitlines()[0]
    file.write_text(f"{header}\nT99;31.03.2024 12:00:00;b1;Late;C1;1,00;1;Pending;P1;1,00\n")
    return file


def test_into_an_empty_platform_by_its_path(own, empty):
    (made,) = own.json("backup", "customers", "--region", "eu")
    assert SECRET not in str(made)
    done = empty.json("restore", made["file"], "--table", "customers", "--region", "eu", "--yes")
    assert done["backup"]["id"] == made["id"]
    assert empty.json("backup", "customers", "--region", "eu")[0]["sha256"] == made["sha256"]


def test_everything(own):
    made = own.json("backup", "--all", "--region", "us")
    assert {b["region"] for b in made} == {"us"} and {b["layer"] for b in made} == {"delivered", "gold"}
    assert {"customers", "transactions", "branch_performance_daily"} <= {b["table"] for b in made}


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
def test_what_cannot_be_is_said(cli, arguments, code, said):
    assert said in cli.error(*arguments, code=code)
