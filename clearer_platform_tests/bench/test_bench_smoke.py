"""The benchmark at a small size: the platform against two jobs written apart from it, on the same deliveries."""

import hashlib
from pathlib import Path

import pytest

from bench import generate, handwritten_duckdb, pandas_pandera, platform_run, runner

SIZE = generate.Size(rows=20_000)


@pytest.fixture(scope="module")
def deliveries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty days of a region."""
    return generate.generate(tmp_path_factory.mktemp("bench"), SIZE)


@pytest.fixture(scope="module")
def expected(deliveries: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the hand-written script comes to."""
    output = tmp_path_factory.mktemp("script") / "out"
    handwritten_duckdb.run(deliveries, output)
    return handwritten_duckdb.figures(output)


def test_platform_comes_to_the_hand_written_scripts_figures(
    deliveries: Path, expected: dict[str, str], tmp_path: Path, prepared_dbt: Path
) -> None:
    platform = platform_run.opened(deliveries, tmp_path / "home")
    (tmp_path / "home" / "dbt").symlink_to(prepared_dbt)
    platform_run.run(platform)
    assert platform_run.figures(platform) == expected


def test_deliveries_have_what_the_rules_are_about(expected: dict[str, str]) -> None:
    assert expected["transactions.records"] == f"{SIZE.rows}"
    rules = {name.removeprefix("transactions.") for name in expected if name.startswith("transactions.")}
    assert rules >= {
        "record.malformed",
        "transaction_id.missing",
        "ordered_at.not_a_timestamp",
        "ordered_at.nonexistent_local_time",
        "customer_id.str_matches",
        "total_amount.not_a_decimal",
        "total_amount.greater_than_or_equal_to",
        "status_value.isin",
        "product_id.missing",
        "quantity.greater_than_or_equal_to",
    }
    assert int(expected["fct_transactions.rows"]) < SIZE.rows * 0.99  # rejected and superseded rows are gone
    assert 0 < int(expected["conversation_sales.rows"]) < int(expected["fct_transactions.rows"])


def test_pandas_comes_to_the_same(deliveries: Path, expected: dict[str, str], tmp_path: Path) -> None:
    found = pandas_pandera.run(deliveries, tmp_path / "out")
    common = found.keys() & expected.keys()
    assert len(common) > 40
    assert {name: found[name] for name in common} == {name: expected[name] for name in common}


def test_the_same_seed_makes_the_same_bytes(tmp_path: Path) -> None:
    def made(place: str, seed: int) -> dict[str, str]:
        folder = generate.generate(tmp_path / place, generate.Size(rows=300, seed=seed))
        files = sorted(folder.rglob("*.csv"))
        return {f"{f.relative_to(folder)}": hashlib.sha256(f.read_bytes()).hexdigest() for f in files}

    assert made("a", 1) == made("b", 1)
    assert made("a", 1) != made("c", 2)


def test_unequal_results_are_told() -> None:
    def result(name: str, revenue: str) -> runner.Run:
        return runner.Run(name, 10, 1.0, 1.0, 1, {}, {}, {"branch_performance.revenue": revenue})

    assert runner.differences([result("script", "10.5"), result("platform", "10.5")]) == []
    told = runner.differences([result("script", "10.5"), result("platform", "10.6")])
    assert told == ["branch_performance.revenue: script has 10.5, platform has 10.6"]
