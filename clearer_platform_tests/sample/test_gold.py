"""Gold, brought up wave by wave, says of every branch and day what the generator knows to be true."""

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from clearer_platform import gold, sample, silver
from clearer_platform.platform import Platform
from clearer_platform.sample.server import running
from clearer_platform.sample.write import open_platform
from clearer_platform_tests.conftest import share_dbt
from clearer_platform_tests.sample.conftest import receive

REGION = "us"


def test_branch_performance_is_true_after_each_wave(tmp_path: Path, prepared_dbt: Path) -> None:
    sample.write(share_dbt(tmp_path, prepared_dbt), per_day=40)
    platform = open_platform(tmp_path)
    with running(tmp_path):
        assert materialised(platform) == figures(sample.expected(tmp_path, waves=1))
        sample.second_wave(tmp_path)
        assert materialised(platform) == figures(sample.expected(tmp_path, waves=2))


def materialised(platform: Platform) -> dict[tuple[str, date], dict[str, Any]]:
    """Everything landed, through silver and gold: branch_performance_daily by branch and day."""
    for region, table in (("eu", "fx_rates"), *((REGION, table) for table in platform.region(REGION).tables)):
        receive(platform, region, table)
        silver.bring_up(platform, region, table)
    assert gold.build(platform, REGION).published
    connection = gold.connect(platform, REGION)
    try:
        rows = connection.sql("SELECT * FROM gold.branch_performance_daily").to_arrow_table().to_pylist()
    finally:
        connection.close()
    return {(row.pop("branch"), row.pop("day")): row for row in rows}


def figures(truth: sample.Truth) -> dict[tuple[str, date], dict[str, Any]]:
    """The same rows as the truth has them."""
    found = {}
    for (branch, day), true in truth.branch_days(REGION).items():
        rate = truth.rate("USD", day)
        assert isinstance(rate, Decimal)
        amounts = {
            "revenue": true.revenue,
            "gross_amount": true.gross,
            "pending_amount": true.pending,
            "failed_amount": true.failed,
        }
        found[branch, day] = {
            "region": REGION,
            "currency": "USD",
            "reporting_currency": "EUR",
            "transactions": true.transactions,
            **{f"{s.lower()}_transactions": true.statuses[s] for s in ("Completed", "Pending", "Failed")},
            "customers": len(true.customers),
            "products": len(true.products),
            "units": true.units,
            "conversing_customers": len(true.conversing),
            **amounts,
            **{f"reporting_{name}": amount * rate for name, amount in amounts.items()},
            "fx_is_carried": day.weekday() >= 5 or day == date(2024, 11, 1),  # no rates on weekends and that holiday
        }
    return found
