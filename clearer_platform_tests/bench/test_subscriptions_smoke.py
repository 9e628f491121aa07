"""The subscriptions benchmark at a small size: everyone's figures, and that a wrong one would be told."""

import shutil
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from bench.subscriptions import (
    figures,
    generate,
    handwritten_duckdb,
    pandas_run,
    platform_run,
    pyspark_env,
    report,
    runner,
)

SIZE = generate.Size(stores=200, dirt=0.16)
AS_OF = f"{generate.DAY}"


@pytest.fixture(scope="module")
def deliveries(tmp_path_factory: pytest.TempPathFactory) -> generate.Deliveries:
    return generate.generate(tmp_path_factory.mktemp("stores"), SIZE)


@pytest.fixture(scope="module")
def script(deliveries: generate.Deliveries, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the hand-written script left its result."""
    output = tmp_path_factory.mktemp("script") / "out"
    handwritten_duckdb.run(deliveries.delivered, AS_OF, output)
    return output


@pytest.fixture(scope="module")
def expected(script: Path) -> dict[str, str]:
    return figures.of_files(script)


def test_platform_comes_to_the_hand_written_scripts_figures(
    deliveries: generate.Deliveries, expected: dict[str, str], tmp_path: Path, prepared_dbt: Path
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "dbt").symlink_to(prepared_dbt)
    platform = platform_run.opened(home)
    platform_run.deliver(platform, deliveries.before, generate.BEFORE)
    platform_run.deliver(platform, deliveries.delivered, generate.DAY)
    assert platform_run.of_home(home).items() >= expected.items()


def test_pandas_comes_to_the_same(deliveries: generate.Deliveries, expected: dict[str, str], tmp_path: Path) -> None:
    pandas_run.run(deliveries.delivered, AS_OF, tmp_path / "out")
    assert figures.of_files(tmp_path / "out") == expected


@pytest.mark.parametrize("name", ["pyspark", "pyspark-validated"])
def test_pyspark_comes_to_the_same(
    name: str, deliveries: generate.Deliveries, expected: dict[str, str], tmp_path: Path
) -> None:
    if not pyspark_env.is_there():
        pytest.skip("not run: python -m bench.subscriptions --only pyspark makes its environment")
    found = runner.run(name, deliveries, tmp_path, is_once=True)
    assert len(found.figures) >= len(figures.METRICS) * 3
    own = runner.Run("duckdb", SIZE.stores, 0, 0, 0, {}, {}, expected)
    assert runner.unequal([own, found], [deliveries]) == []


def test_deliveries_have_what_the_rules_are_about(expected: dict[str, str]) -> None:
    told = {name.removesuffix(".records") for name in expected if name.endswith(".records")}
    assert told == {
        "stores.store_id.missing",
        *(f"install_intervals.{rule}" for rule in (
            "install_history.malformed", "record.malformed", "to_now.missing", "to_now.not_a_boolean",
            "start_type.isin", "end_type.isin", "from_date.missing", "from_date.not_a_timestamp",
            "to_date.not_a_timestamp", "record.ends_after_it_starts", "record.open_exactly_when_installed",
            "record.overlaps", "record.second_open",
        )),
        *(f"subscription_periods.{rule}" for rule in (
            "subscription_history.malformed", "record.malformed", "price.missing", "price.not_a_decimal",
            "price.greater_than_or_equal_to", "plan_name.missing", "plan_name.str_matches", "from_date.missing",
            "from_date.not_a_timestamp", "to_date.not_a_timestamp", "billing_on_date.not_a_timestamp",
            "record.ends_after_it_starts",
        )),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("metric", "wrong"),
    [
        ("store_lifespan", "SELECT * REPLACE (active_days + (store_id = 'Store_5')::INTEGER AS active_days) FROM"),
        ("store_lifespan_original", "SELECT * REPLACE (store_id || ' ' AS store_id) FROM"),
        ("revenue_by_day", "SELECT * REPLACE (revenue + if(day = (SELECT max(day) FROM it), 0.01, 0) AS revenue) FROM"),
        ("revenue_by_day_original", "SELECT day + 1 AS day, revenue FROM"),
        (
            "activity_by_day",
            "SELECT * REPLACE (closed_stores AS cancelled_stores, cancelled_stores AS closed_stores) FROM",
        ),
        ("activity_by_day_original", "SELECT * FROM (FROM it LIMIT 1) UNION ALL FROM"),
    ],
)
def test_a_wrong_figure_is_told(
    metric: str, wrong: str, script: Path, expected: dict[str, str], tmp_path: Path
) -> None:
    broken = tmp_path / "out"
    shutil.copytree(script, broken)
    file = broken / "gold" / f"{metric}.parquet"
    with duckdb.connect() as database:
        database.execute(f"CREATE TABLE it AS FROM '{file}'")
        database.execute(f"COPY ({wrong} it) TO '{file}' (FORMAT parquet)")
    runs = [result("duckdb", expected), result("pandas", figures.of_files(broken))]
    told = runner.unequal(runs, [])
    assert told
    assert all(line.startswith(f"{metric}.") for line in told)


def test_a_rule_that_is_not_judged_is_told(
    deliveries: generate.Deliveries, expected: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pandas_run, "refuse_overlaps", lambda rows: None)
    pandas_run.run(deliveries.delivered, AS_OF, tmp_path / "out")
    runs = [result("duckdb", expected), result("pandas", figures.of_files(tmp_path / "out"))]
    assert any(line.startswith("install_intervals.accepted: ") for line in runner.unequal(runs, []))


def test_who_does_not_validate_is_held_against_the_clean_delivery(deliveries: generate.Deliveries) -> None:
    clean = runner.on_clean(deliveries).figures
    assert runner.unequal([result("pyspark", clean)], [deliveries]) == []
    wrong = {**clean, "store_lifespan.rows": "1"}
    assert runner.unequal([result("pyspark", wrong)], [deliveries]) == [
        f"store_lifespan.rows: duckdb has {clean['store_lifespan.rows']}, pyspark has 1"
    ]


def result(name: str, found: dict[str, str]) -> runner.Run:
    return runner.Run(name, SIZE.stores, 1.0, 1.0, 1, {}, {}, found)


PUBLISHED = {
    "SELECT count(*), sum(revenue) FROM revenue_by_day_original": ("112", "12988.80"),
    "SELECT count(*) FROM activity_by_day_original": ("307",),
    "SELECT sum(revenue) FROM revenue_by_day": ("25192.55",),
    "SELECT sum(lifespan_days) FROM store_lifespan_original": ("419544",),
    "SELECT sum(active_days) FROM store_lifespan": ("402405",),
    "SELECT lifespan_days FROM store_lifespan_original WHERE store_id = 'Store_4435'": ("977",),
    "SELECT revenue FROM revenue_by_day_original WHERE day = '2022-05-26'": ("601.00",),
    "SELECT active, new, uninstalls FROM activity_by_day_original WHERE day = '2022-05-16'": ("9", "33", "10"),
}
"""Figures of the real sample as of 2025-01-01, from the specification."""


@pytest.mark.parametrize("run", [handwritten_duckdb.run, pandas_run.run], ids=["duckdb", "pandas"])
def test_competitors_meet_the_published_figures(run: Callable[..., None], real_data: Path, tmp_path: Path) -> None:
    run(real_data / "subscriptions" / "dataset_sample.csv", "2025-01-01", tmp_path / "out")
    with duckdb.connect() as database:
        for name in figures.METRICS:
            database.execute(f"CREATE VIEW {name} AS FROM '{tmp_path}/out/gold/{name}.parquet'")
        found = {query: tuple(map(str, database.execute(query).fetchall()[0])) for query in PUBLISHED}
    assert found == PUBLISHED


def line(name: str, total: float, work: float | None, again: float | None) -> report.Line:
    return report.Line(name, 1_000, 1, total, None, work, again, 1.0, 1.0, 3 * 2**30)


def test_verdicts_are_those_of_the_targets() -> None:
    beside = [line("duckdb", 1.0, 0.4, 0.3), line("pyspark", 9.0, 5.0, 2.0)]
    good = [line("platform", 6.0, 3.0, 0.45), line("command", 4.5, None, None)]
    bad = [line("platform", 6.0, 3.0, 0.51), line("command", 4.6, None, None)]
    assert [is_met for is_met, _ in report.verdicts([*good, *beside])] == [True, True, True, True]
    assert [is_met for is_met, _ in report.verdicts([*bad, *beside])] == [False, False, False, True]


def test_the_same_seed_makes_the_same_bytes_and_another_one_others(tmp_path: Path) -> None:
    def made(place: str, seed: int) -> list[bytes]:
        found = generate.generate(tmp_path / place, generate.Size(stores=300, seed=seed))
        return [found.before.read_bytes(), found.delivered.read_bytes(), found.clean.read_bytes()]

    assert made("a", 1) == made("b", 1)
    assert all(one != other for one, other in zip(made("a", 1), made("c", 2), strict=True))
