"""The demo, small: two waves through everything, and what it says of them."""

import re

import pytest

from clearer_platform_tests.cli.conftest import Cli
from clearer_platform_tests.conftest import share_dbt


@pytest.mark.timeout(300)
def test_demo(tmp_path, prepared_dbt):
    cli = Cli(share_dbt(tmp_path / "demo", prepared_dbt))
    said = cli("demo", "--days", "7", "--per-day", "8").stdout
    first, second = said.split("3  Second wave")
    assert "7 days of records new in an API" in first
    assert "7 windows read: 0 new, 7 as before" in second
    assert re.search(r"jp: 6 days published, 1 day failed", first), "a truncated archive"
    assert re.search(r"jp: 1 day published", second), "sent again"
    assert "failed" not in second
    branches = second.split("4  Branch performance")[1].split("5  Subscriptions")[0]
    assert {line.split()[1] for line in branches.splitlines()[4:] if line.strip()} == {"eu", "us", "jp", "vn"}
    stores = second.split("5  Subscriptions")[1].split("6  Hiring")[0]
    assert [line.split()[0] for line in stores.splitlines()[4:] if line.strip()] == ["eu", "us"]
    hiring = second.split("6  Hiring")[1].split("7  Reconciliation")[0]
    assert {line.split()[0] for line in hiring.splitlines()[4:] if line.strip()} == {"us"}
    balances = second.split("7  Reconciliation")[1].split("8  What was rejected")[0]
    rows = [line.split() for line in balances.splitlines() if re.match(r" (eu|us|jp|vn|all) ", line)]
    assert len(rows) == 27
    for *_, delivered, accepted, rejected, balanced, refused in rows:
        figures = [int(figure.replace(",", "")) for figure in (delivered, accepted, rejected)]
        assert figures[0] == figures[1] + figures[2]
        assert (balanced, refused) == ("yes", "0")
    rejected = second.split("8  What was rejected")[1].split("9  Where")[0]
    assert "created_at is a local time that does not exist in America/New_York" in rejected
    assert f"clearer up --home {cli.home}" in second
    again = cli("demo", "--days", "7", "--per-day", "8").stdout
    assert again.split("4  Branch")[1].split("done in")[0] == second.split("4  Branch")[1].split("done in")[0]
