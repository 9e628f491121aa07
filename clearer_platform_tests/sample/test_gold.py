"""Gold, brought up wave by wave, says of every branch, day and hire what the generator knows to be true."""

from collections import Counter
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from clearer_platform import gold, sample, silver
from clearer_platform.platform import Platform
from clearer_platform.sample.server import running
from clearer_platform.sample.write import open_platform
from clearer_platform.serving.reading import read
from clearer_platform_tests.conftest import share_dbt
from clearer_platform_tests.sample.conftest import receive

REGION = "us"


def test_gold_is_true_after_each_wave(tmp_path: Path, prepared_dbt: Path, few_models: Callable[..., Path]) -> None:
    sample.write(share_dbt(tmp_path, prepared_dbt), per_day=40)
    compared = few_models("branch_performance_daily", "hires_by_quarter", "pending_rows")
    platform = Platform.open(open_platform(tmp_path).settings.model_copy(update={"dbt_project": compared}))
    with running(tmp_path):
        truth = sample.expected(tmp_path, waves=1)
        assert materialised(platform) == figures(truth)
        assert hired(platform) == hires(truth)
        before = truth.held_back(REGION, "hired_employees")
        sample.second_wave(tmp_path)
        truth = sample.expected(tmp_path, waves=2)
        assert materialised(platform) == figures(truth)
        assert hired(platform) == hires(truth)
    assert before.keys() > truth.held_back(REGION, "hired_employees").keys() > set()


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


def hired(platform: Platform) -> tuple[Counter[tuple[int, int, str, str]], dict[tuple[str, str], int]]:
    """How many were hired by year, quarter, department and job; how many rows wait for what."""
    found: Counter[tuple[int, int, str, str]] = Counter()
    for row in read(platform, "hires_by_quarter", region=REGION).to_pylist():
        for n in range(1, 5):
            found[row["year"], n, row["department"], row["job"]] += row[f"q{n}"]
    return +found, gold.pending(platform, REGION)


def hires(truth: sample.Truth) -> tuple[Counter[tuple[int, int, str, str]], dict[tuple[str, str], int]]:
    """The same as the truth has it."""
    zone = truth.platform.region(REGION).zone
    departments, jobs = truth.latest(REGION, "departments"), truth.latest(REGION, "jobs")
    waiting = truth.held_back(REGION, "hired_employees")
    found: Counter[tuple[int, int, str, str]] = Counter()
    for key, row in truth.latest(REGION, "hired_employees").items():
        if key not in waiting:
            at = row.values["datetime"]
            assert isinstance(at, datetime)
            day, names = at.astimezone(zone), departments[row.values["department_id"],].values
            job = jobs[row.values["job_id"],].values
            found[day.year, (day.month + 2) // 3, str(names["department"]), str(job["job"])] += 1
    return found, Counter(("hired_employees", name) for names in waiting.values() for name in names)


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
