"""`clearer quarantine` and `clearer revalidate`: what was rejected, why, and what judges it anew."""

import json

import duckdb
import pytest

from clearer_platform_tests.cli.conftest import SECRET


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
