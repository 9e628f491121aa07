"""Every command on real deliveries, from landing folder to gold."""

import csv
import io
import json
import shutil
import signal
import subprocess
import sys
import time
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from clearer_platform_tests.cli.conftest import SALES, SECRET, text

SALES_DAY = ("--table", "transactions", "--region", "eu", "--day", "2024-03-31")


def grid(cli, *arguments):
    return {(c["region"], c["table"], c["day"]): c["state"] for c in cli.json("status", *arguments)}


def test_materialize_says_what_it_did(made):
    home, done = made
    assert f"eu: ignored {home}/eu/landing/transactions/notes.txt" in done.stderr
    eu, us, reason, *_ = done.stdout.splitlines()
    assert eu.startswith("eu: 2 days published in ")
    assert us.startswith("us: 1 day published, 1 day failed in ")
    assert "2024-03-31" in reason
    assert "total_amount" in reason
    assert "us: nothing has come for 2024-04-01 to " in done.stderr
    assert SECRET not in done.stdout + done.stderr


def test_materialize_again_has_nothing_to_do(own):
    again = own("materialize", "--only", "missing,changed")
    assert (again.stdout, again.stderr.splitlines()[-1]) == ("", "nothing to do")
    runs = own.json("materialize", "--only", "failed", code=3)["runs"]
    assert [(run["region"], run["days"]) for run in runs] == [("us", ["2024-03-31"])]
    assert [failure["day"] for failure in runs[0]["failed"]] == ["2024-03-31"]


def test_ctrl_c_in_a_run_is_130_and_the_next_run_goes_on(own):
    from clearer_platform.serving.opening import open_platform

    landed = own.home / "eu/landing/transactions/transactions-2024-04-01.csv"
    landed.write_bytes(text([SALES, "T99,01.04.2024 10:00:00,b1,Köln,C1,1|00,1,Completed,P1,1|00"], "eu"))
    validated = own.home / f"eu/silver/transactions/day=2024-04-01/{landed.name}.parquet"
    command = [sys.executable, "-m", "clearer_platform.cli", "materialize", "-r", "eu", "--home", str(own.home)]
    with open_platform(own.home).layout("eu").lock("gold"):
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        while not validated.exists():
            assert process.poll() is None
            time.sleep(0.1)
        time.sleep(1)  # From here on it waits for the lock that we hold.
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=60)
    assert (process.returncode, output, errors.splitlines()[-1]) == (130, "", "interrupted")
    assert grid(own)["eu", "transactions", "2024-04-01"] == "validated"
    assert "eu: 1 day published" in own("materialize", "--only", "missing,changed").stdout
    assert grid(own)["eu", "transactions", "2024-04-01"] == "published"


def test_status_grid(cli):
    states = grid(cli)
    assert states["eu", "customers", "2024-03-30"] == "rejected"
    assert states["eu", "products", "2024-03-30"] == "published"
    assert states["eu", "products", "2024-03-31"] == "not due"
    assert states["us", "transactions", "2024-03-30"] == "published"
    assert states["us", "transactions", "2024-03-31"] == "refused"
    assert grid(cli, "--from", "2024-04-01", "--to", "2024-04-01", "-t", "transactions") == {
        ("eu", "transactions", "2024-04-01"): "late",
        ("us", "transactions", "2024-04-01"): "late",
    }


def test_status_on_the_screen(cli):
    shown = cli("status").stdout
    assert [line.split() for line in shown.splitlines()[1:4]] == [["30", "31"], ["eu", "◉", "◉"], ["us", "●", "✗"]]
    assert "the newest delivery was refused as a whole" in shown
    one = cli("status", "--region", "us").stdout
    assert [line.split() for line in one.splitlines() if line.startswith("us")] == [
        ["us", "customers", "●", "·"],
        ["us", "products", "●", "·"],
        ["us", "transactions", "●", "✗"],
        ["us", "conversations", "●", "·"],
    ]


def test_a_long_status_is_as_wide_as_the_terminal(cli, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    shown = cli("status", "--from", "2024-03-30", "--to", "2024-06-30").stdout
    assert max(len(line) for line in shown.splitlines() if line.startswith(("eu", "us"))) <= 60
    days = sum(len(line.split()) - 1 for line in shown.splitlines() if line.startswith("eu"))
    assert days == (date(2024, 6, 30) - date(2024, 3, 30)).days + 1


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
    assert "12.50" in cli(*load).stdout
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
    elsewhere = {"stores", "install_intervals", "subscription_periods", "departments", "jobs", "hired_employees"}
    for table in cli.json("tables"):
        if table["name"] in elsewhere:
            assert "unknown table" in cli.error("load", table["name"], "--region", "eu")
            continue
        region = [] if table["layer"] == "global" else ["--region", "eu"]
        rows = json.loads(cli("load", table["name"], *region, "-f", "json").stdout)
        if rows and table["layer"] != "silver":
            assert list(rows[0]) == [column["name"] for column in table["columns"]], table["name"]


def test_deliver_as_the_architecture_shows_it(own, tmp_path):
    path = tmp_path / "sales.csv"
    good = [f"N{n},31.03.2024 12:00:00,b1,Köln,C1,1|00,1,Pending,P1,1|00" for n in range(18)]
    bad = [
        "X1,31.03.2024 02:30:00,b1,Köln,C1,1|00,1,Pending,P1,1|00",
        "X2,31.03.2024 12:00:00,b1,Köln,C1,1.00,1,Pending,P1,1|00",
    ]
    path.write_bytes(text([SALES, *good, *bad], "eu"))
    done = own("deliver", path, *SALES_DAY).stdout.splitlines()
    assert done[0] == "transactions eu 2024-03-31: 20 records, 18 accepted, 2 rejected (10.00 %)"
    assert done[1].split()[:3] == ["line", "20", "ordered_at"]
    assert "Europe/Berlin" in done[1]
    assert done[2].split()[:3] == ["line", "21", "total_amount"]
    assert "','" in done[2]
    assert done[-1] == "publish: clearer materialize --region eu --from 2024-03-31 --to 2024-03-31"
    assert "nothing has changed" in own("deliver", path, *SALES_DAY).stdout
    said = own.json("deliver", path, *SALES_DAY)
    assert (said["is_new"], said["delivered"], said["accepted"], said["rejected"]) == (False, 20, 18, 2)
    assert grid(own)["eu", "transactions", "2024-03-31"] == "validated"


def test_deliver_refused(own, tmp_path):
    shutil.rmtree(own.home / "eu/landing")  # In a copied home they are other files than those that were received.
    path = tmp_path / "transactions-2024-03-31.csv"
    path.write_bytes(text(["a,b", "1,2"], "eu"))
    error = own.error("deliver", path, *SALES_DAY)
    assert error.startswith(f"error: {path} (line 1): refused as a whole: ")
    assert "transaction_id" in error
    assert "the last good version stays" in error
    assert own.json("deliver", path, *SALES_DAY, code=1)["status"] == "refused"
    assert grid(own)["eu", "transactions", "2024-03-31"] == "refused"
    assert "nothing of this slot is published" in own.error("deliver", path, *SALES_DAY, "--slot", "other.csv")


def test_quarantine_lists_lines_and_no_values(cli):
    found = {(g["region"], g["table"], g["rule"]): g for g in cli.json("quarantine")}
    assert found["eu", "customers", "area.isin"]["lines"] == [3]
    assert found["eu", "transactions", "ordered_at.nonexistent_local_time"]["count"] == 1
    assert found["us", "transactions", "delivery.missing_column"]["is_whole_file"]
    assert len(found) == 3
    shown = cli("quarantine", "--region", "eu").stdout
    assert "area.isin" in shown
    assert "nothing was rejected" in cli("quarantine", "--from", "2024-04-01").stdout
    assert len(cli.json("quarantine", "list", "--rule", "area.isin")) == 1
    assert SECRET not in shown + json.dumps(cli.json("quarantine"))


def test_quarantine_explains(cli):
    said = cli("quarantine", "explain", "--region", "eu").stdout
    assert "area has to be one of East, North, South, West" in said
    assert "ordered_at is a local time that does not exist in Europe/Berlin" in said
    assert 'set gap = "forward"' in said
    assert SECRET not in said
    line = cli.json("quarantine", "explain", "-r", "eu", "-t", "transactions", "-d", "2024-03-31", "--line", "3")
    assert [rule["rule"] for rule in line["rules"]] == ["ordered_at.nonexistent_local_time"]
    assert "nothing was rejected here" in cli("quarantine", "explain", "-r", "eu", "--line", "2").stdout


@pytest.mark.parametrize("form", ["csv", "json", "parquet"])
def test_quarantine_exports(own, tmp_path, form):
    out = tmp_path / f"rejected.{form}"
    said = own("quarantine", "export", "--region", "eu", "--out", out)
    assert f"2 rejected records of eu written to {out}" in said.stdout
    assert "personal data of eu" in said.stderr
    (line, raw), _ = duckdb.sql(f"SELECT _line, _raw FROM '{out}' ORDER BY _table").fetchall()
    assert (line, raw) == (3, f"C2;{SECRET};F;1990-01-01;Nowhere;c@d.de")


def test_quarantine_export_stays_in_its_region_by_default(own):
    own("quarantine", "export", "--region", "eu", "--table", "customers", "--from", "2024-03-30", "--to", "2024-03-30")
    holding = [p for p in own.home.rglob("*") if p.is_file() and SECRET.encode() in p.read_bytes()]
    assert own.home / "eu/work/exports/quarantine.csv" in holding
    assert all(path.is_relative_to(own.home / "eu") for path in holding)


def test_revalidate_runs_what_a_mended_entry_changes_and_only_that(own):
    assert "everything is judged" in own("revalidate").stdout
    registry = own.home / "regions.toml"
    mended = registry.read_text().replace(
        "start = 2024-03-30\n[regions.eu.csv]", 'start = 2024-03-30\ngap = "forward"\n[regions.eu.csv]'
    )
    registry.write_text(mended)
    changes = {(c["table"], c["day"]): c for c in own.json("revalidate", "--table", "transactions")}
    assert set(changes) == {("transactions", "2024-03-30"), ("transactions", "2024-03-31")}
    change = changes["transactions", "2024-03-31"]
    assert [(change[when]["accepted"], change[when]["rejected"]) for when in ("before", "after")] == [(9, 1), (10, 0)]
    assert "everything is judged" in own("revalidate", "-t", "transactions").stdout
    said = own("revalidate", "--region", "eu").stdout
    assert "customers eu 2024-03-30 customers-2024-03-30.csv: 6 accepted, 1 rejected -> 6 accepted, 1 rejected" in said
    assert "4 slots judged again" in said


def test_sample(tmp_path):
    from clearer_platform_tests.cli.conftest import Cli

    sample = Cli(tmp_path / "new")
    assert "files landed" in sample("sample", "--days", "1", "--per-day", "3").stdout
    assert sample("sample", "--days", "1", "--per-day", "3").stdout.startswith("0 files landed")
    assert "another size" in sample.error("sample", "--days", "2", "--per-day", "3")
    assert sample("sample", "--second-wave").exit_code == 0


def test_sample_leaves_another_home_alone(empty, monkeypatch):
    before = (empty.home / "regions.toml").read_text()
    assert "is not the sample's registry" in empty.error("sample")
    assert "is not the sample's registry" in empty.error("demo")
    assert (empty.home / "regions.toml").read_text() == before
    monkeypatch.setenv("CLEARER_REGIONS_FILE", str(Path("elsewhere.toml")))
    assert "unset CLEARER_REGIONS_FILE" in empty.error("sample")


def test_check(cli, monkeypatch):
    assert [(part["what"], part["ok"]) for part in cli.json("check")] == [
        ("settings", True),
        ("registry", True),
        ("contracts", True),
        ("registry and contracts together", True),
        ("HTTP sources", True),
        ("dbt project", True),
        ("asset definitions", True),
    ]
    monkeypatch.setenv("CLEARER_CONTRACT_MODULES", '["no_such_module"]')
    monkeypatch.setenv("CLEARER_DBT_PROJECT", "nowhere")
    said = cli("check", code=1).stdout
    assert "✓ registry" in said
    assert "✗ contracts: cannot import the contracts in no_such_module" in said
    monkeypatch.delenv("CLEARER_CONTRACT_MODULES")
    assert "✗ dbt project: there is no dbt project at nowhere" in cli("check", code=1).stdout
