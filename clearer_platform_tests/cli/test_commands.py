"""Commands that bring deliveries in and up: materialize, deliver, sample, check."""

import json
import resource
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from clearer_platform.errors import Unreachable
from clearer_platform_tests.cli.conftest import SALES, SECRET, grid, text

SALES_DAY = ("--table", "transactions", "--region", "eu", "--day", "2024-03-31")


def test_materialize_says_what_it_did(made):
    stdout, stderr = ((made / name).read_text("utf-8") for name in ("stdout", "stderr"))
    assert f"eu: ignored {made}/home/eu/landing/transactions/notes.txt" in stderr
    eu, us, reason, *_ = stdout.splitlines()
    assert eu.startswith("eu: 2 days published in ")
    assert us.startswith("us: 1 day published, 1 day failed in ")
    assert "2024-03-31" in reason
    assert "total_amount" in reason
    assert "us: nothing has come for 2024-04-01 to " in stderr
    assert SECRET not in stdout + stderr


def test_materialize_again_has_nothing_to_do(own):
    again = own("materialize", "--only", "missing,changed")
    assert (again.stdout, again.stderr.splitlines()[-1]) == ("", "nothing to do")
    runs = own.json("materialize", "--only", "failed", code=3)["runs"]
    assert [(run["region"], run["days"]) for run in runs] == [("us", ["2024-03-31"])]
    assert [failure["day"] for failure in runs[0]["failed"]] == ["2024-03-31"]


def test_what_spans_regions_is_built_by_the_next_run_where_one_ended_before_it(own):
    """As after a kill between the last region and what spans them."""
    spanning = own.home / "global" / "warehouse.duckdb"
    spanning.unlink()
    assert ": 1 day published in " in own("materialize", "--only", "missing,changed").stdout
    assert spanning.exists()
    assert own("materialize", "--only", "missing,changed").stdout == ""


def test_a_region_that_cannot_be_looked_at_stops_no_other(own):
    """A manifest of us cannot be read; eu has something new."""
    landed = own.home / "eu/landing/transactions/transactions-2024-04-01.csv"
    landed.write_bytes(text([SALES, "T99,01.04.2024 10:00:00,b1,Köln,C1,1|00,1,Completed,P1,1|00"], "eu"))
    next((own.home / "us/bronze/transactions").rglob("*.json")).write_text("{")
    done = own("materialize", "--only", "missing,changed", code=1)
    assert done.stdout.startswith("eu: 1 day published")
    assert f"error: us was left out: {own.home}/us/bronze/transactions/2024-03-3" in done.stderr
    seen = own("status", code=1)
    assert "\neu " in seen.stdout
    assert "\nus " not in seen.stdout
    assert "error: us was left out: " in seen.stderr
    assert "error: " in own.error("materialize", "--region", "us")


def test_one_region_is_planned_where_another_cannot_say_what_it_serves(own, monkeypatch):
    def fails(platform):
        raise Unreachable("the bucket of us does not answer")

    monkeypatch.setattr("clearer_platform.gold.global_is_behind", fails)
    done = own("materialize", "--region", "eu", "--only", "missing,changed")
    assert done.stderr.splitlines()[-1] == "nothing to do"


def test_a_table_that_is_delivered_no_more_leaves_gold_with_the_next_run(own):
    registry = own.home / "regions.toml"
    block = '[regions.eu.tables.conversations]\ndays = ["sat"]\n'
    assert block in registry.read_text()
    registry.write_text(registry.read_text().replace(block, ""))
    talks = ("load", "fct_conversations", "-r", "eu", "-f", "json")
    assert json.loads(own(*talks).stdout)
    own("materialize", "--only", "missing,changed")
    assert json.loads(own(*talks).stdout) == []
    assert own("materialize", "--only", "missing,changed").stderr.splitlines()[-1] == "nothing to do"


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


def test_a_disk_that_takes_no_more_is_an_error_and_the_next_run_goes_on(own):
    """No file may grow beyond 100 kB, as if the disk were full."""
    served = own.home / "eu" / "warehouse.duckdb"
    served.unlink()
    command = [sys.executable, "-m", "clearer_platform.cli", "materialize", "-r", "eu", "--home", str(own.home)]
    full = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, preexec_fn=full)
    assert done.returncode == 1
    assert f"error: Dagster's records in {own.home / 'dagster'} cannot be used" in done.stderr
    assert "free disk space and run again" in done.stderr
    assert not served.exists()
    own("materialize", "-r", "eu")
    assert served.exists()


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
        ("Sources", True),
        ("queues", True),
        ("dbt project", True),
        ("targets", True),
        ("roles", True),
        ("asset definitions", True),
    ]
    monkeypatch.setenv("CLEARER_CONTRACT_MODULES", '["no_such_module"]')
    monkeypatch.setenv("CLEARER_DBT_PROJECT", "nowhere")
    said = cli("check", code=1).stdout
    assert "✓ registry" in said
    assert "✗ contracts: cannot import the contracts in no_such_module" in said
    monkeypatch.delenv("CLEARER_CONTRACT_MODULES")
    assert "✗ dbt project: there is no dbt project at nowhere" in cli("check", code=1).stdout


def test_check_names_what_is_likely_a_setting_misspelt(cli, monkeypatch):
    monkeypatch.setenv("CLEARER_MEMRY_LIMIT", "4GB")
    monkeypatch.setenv("CLEARER_PSEUDONYM_KEY_EU", "a key of sixteen bytes")
    settings = cli.json("check")[0]
    assert settings["ok"]
    assert settings["warning"] == "CLEARER_MEMRY_LIMIT is no setting; did you mean CLEARER_MEMORY_LIMIT?"


@pytest.mark.parametrize(
    ("limit", "why"), [("lots", "is no amount of memory"), ("1KB", "is too little: at least 64MB")]
)
def test_an_impossible_setting_is_named_with_its_variable(cli, monkeypatch, limit, why):
    monkeypatch.setenv("CLEARER_MEMORY_LIMIT", limit)
    said = cli.error("status")
    assert f"settings: CLEARER_MEMORY_LIMIT: '{limit}' {why}" in said


def test_check_hashes_deliveries_where_it_is_asked_to(own):
    def found(**how) -> dict[str, Any]:
        return {part["what"]: part for part in own.json("check", "--deliveries", **how)}["deliveries"]

    contents = [path for path in own.home.glob("*/bronze/*/*/*/*") if path.suffix != ".json"]
    size = sum(path.stat().st_size for path in contents)
    assert found()["detail"] == f"{len(contents)} of {size:,} bytes, which hash to what was delivered"
    changed, lost = contents[:2]
    changed.write_bytes(changed.read_bytes().swapcase())
    lost.unlink()
    error = found(code=1)["error"]
    assert error.startswith(f"2 of {len(contents)} are no longer what was delivered: ")
    assert str(changed) in error and str(lost) in error


def test_check_holds_the_roles_against_the_tables(cli, tmp_path, monkeypatch):
    (tmp_path / "roles.toml").write_text(
        '[roles.clerk]\ndescription = "x"\n[[roles.clerk.grants]]\nmay = ["read"]\non = ["gold.nothing"]\n'
    )
    monkeypatch.setenv("CLEARER_ROLES_FILE", str(tmp_path / "roles.toml"))
    findings = {finding["what"]: finding for finding in cli.json("check", code=1)}
    assert "there is no table gold.nothing" in findings["roles"]["error"]


def test_days_before_a_start_that_was_moved_on_are_named_and_not_run(own):
    registry = own.home / "regions.toml"
    registry.write_text(registry.read_text().replace("start = 2024-03-30", "start = 2024-03-31"))
    done = own("materialize", "-r", "us", code=3)
    assert "us: 1 day before 2024-03-31, the registry's first, cannot be run" in done.stderr
    assert "2024-03-31  transactions: transactions-2024-03-31.csv was refused" in done.stdout
