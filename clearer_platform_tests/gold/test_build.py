"""Building one region: what is served, when it changes, and what happens when a build fails or is killed."""

import os
import shutil
import signal
import threading
import time
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pytest

from clearer_platform import gold
from clearer_platform.errors import BuildError
from clearer_platform.gold import region, warehouse
from clearer_platform.platform import Platform
from clearer_platform.settings import PROJECT
from clearer_platform.silver import Damaged
from clearer_platform.storage import local
from clearer_platform_tests.gold.conftest import DAY, NAMES, sale
from clearer_platform_tests.gold.silver_files import open_platform, put, silver_path

MENDED = [sale(1, total_amount="12.00"), sale(2, customer_id="customer-2", status_value="Failed")]


def served(platform: Platform, query: str, region: str | None = "eu") -> list[tuple[object, ...]]:
    """What the published warehouse answers."""
    with gold.connect(platform, region) as connection:
        return connection.execute(query).fetchall()


def revenue(platform: Platform) -> list[str]:
    return [f"{amount}" for (amount,) in served(platform, "select revenue from gold.branch_performance")]


def test_figures_in_the_reporting_currency_say_that_a_rate_was_carried(built: Platform) -> None:
    columns = "revenue, currency, reporting_revenue, reporting_currency, fx_is_carried, day, conversing_customers"
    (row,) = served(built, f"select {columns} from gold.branch_performance_daily", "us")
    assert [str(value) for value in row] == ["10.00", "USD", "9.0000000000", "EUR", "True", "2024-10-27", "1"]


def test_days_follow_the_zone_that_is_asked_for(built: Platform) -> None:
    """12:00 UTC is the 28th in Kiritimati, 22:30 UTC still the 27th in Berlin."""
    days = "select day, conversing_customers from gold.branch_performance_daily_in('{}')"
    assert served(built, days.format("Pacific/Kiritimati")) == [(date(2024, 10, 28), 1)]
    assert served(built, days.format("UTC")) == [(date(2024, 10, 27), 1)]
    everything = "select * from gold.branch_performance_daily"
    assert served(built, everything) == served(built, f"{everything}_in('Europe/Berlin')")


def test_nothing_new_is_nothing_done_at_once(branches: Platform) -> None:
    gold.build(branches, "eu")
    before = local(branches.layout("eu").warehouse).stat()
    started = time.perf_counter()
    done = gold.build(branches, "eu")
    assert (done.changed, done.published, done.restated) == (False, False, ())
    assert time.perf_counter() - started < 1  # 0.05 s on an idle machine
    assert local(branches.layout("eu").warehouse).stat() == before


def test_only_touched_days_are_restated(branches: Platform) -> None:
    late, told = DAY - timedelta(3), []
    put(branches, "eu", "transactions", DAY + timedelta(1), [sale(9, ordered_at=sale(1)["ordered_at"] - timedelta(3))])
    assert gold.build(branches, "eu", progress=lambda done, total: told.append((done, total))).restated == (late,)
    assert [done for done, _ in told] == list(range(1, told[0][1] + 1))
    moved = sale(9, ordered_at=sale(1)["ordered_at"] - timedelta(5))
    put(branches, "eu", "transactions", DAY + timedelta(2), [moved])
    assert gold.build(branches, "eu").restated == (DAY - timedelta(5), late)
    assert served(branches, "select count(*) from gold.fct_transactions") == [(3,)]


def test_a_withdrawn_tombstone_brings_its_key_back(branches: Platform) -> None:
    put(branches, "eu", "transactions", DAY + timedelta(1), [{"transaction_id": "t1", "is_deleted": True}])
    gold.build(branches, "eu")
    assert revenue(branches) == ["0.00"]
    put(branches, "eu", "transactions", DAY + timedelta(1), [])
    gold.build(branches, "eu")
    assert revenue(branches) == ["10.00"]


def test_no_identifier_and_no_direct_personal_data_in_marts(own: Platform) -> None:
    """Names stand in no table at all; identifiers only in that of pseudonyms. A withdrawn person's goes with them."""
    path = local(own.layout("eu").warehouse)
    with warehouse.connect(path) as connection:
        tables = connection.execute("select schema_name, table_name from duckdb_tables()").fetchall()
        assert len(tables) > 20
        for schema, table in tables:
            text = str(connection.execute(f"select * from {schema}.{table}").fetchall())
            assert not [name for name in NAMES if name in text], table
            assert "customer-1" not in text or (schema, table) == ("clearer", "pseudonyms")
    put(own, "eu", "transactions", DAY, [sale(1)])
    put(own, "eu", "customers", DAY, [])
    gold.build(own, "eu")
    assert served(own, "select identifier from clearer.pseudonyms order by 1") == [("customer-1",), ("f1",)]


def with_test(platform: Platform, tmp_path: Path, name: str, sql: str) -> Platform:
    """The same platform with one more dbt test or model."""
    project = tmp_path / "dbt"
    shutil.copytree(platform.settings.dbt_project, project, ignore=shutil.ignore_patterns("target", "logs"))
    (project / name).parent.mkdir(parents=True, exist_ok=True)
    (project / name).write_text(sql)
    return Platform.open(platform.settings.model_copy(update={"dbt_project": project}))


def test_a_failing_test_leaves_what_is_served_as_it_was(branches: Platform, tmp_path: Path) -> None:
    strict = with_test(
        branches, tmp_path, "tests/never_above_11.sql", "from {{ ref('branch_performance') }} where revenue > 11"
    )
    put(branches, "eu", "transactions", DAY, MENDED)
    before = local(branches.layout("eu").warehouse).read_bytes()
    with pytest.raises(gold.GoldFailed) as raised:
        gold.build(strict, "eu")
    assert "test never_above_11 of branch_performance failed (1 rows)" in raised.value.message
    assert "run `clearer materialize` again" in (raised.value.hint or "")
    assert [test.name for test in raised.value.tests if not test.passed and test.severity == "error"] == [
        "never_above_11"
    ]
    assert local(branches.layout("eu").warehouse).read_bytes() == before
    assert not list((branches.layout("eu").work / "gold").glob("build-*"))
    gold.build(branches, "eu")
    assert revenue(branches) == ["12.00"]


def test_failing_sql_names_the_model_and_no_value(branches: Platform, tmp_path: Path) -> None:
    broken = with_test(
        branches, tmp_path, "models/marts/ecommerce/counts.sql",
        "{{ config(contract={'enforced': false}) }}"
        " select cast(customer_id as integer) as n from {{ current_versions('transactions') }}",
    )  # fmt: skip
    with pytest.raises(gold.GoldFailed) as raised:
        gold.build(broken, "eu")
    assert "model counts could not be built (Conversion Error" in raised.value.message
    assert "customer-" not in str(raised.value)
    assert revenue(branches) == ["10.00"]


def test_a_dbt_project_that_cannot_be_read_says_so(branches: Platform, tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="no_such_model"):
        gold.build(with_test(branches, tmp_path, "models/marts/x.sql", "from {{ ref('no_such_model') }}"), "eu")


def test_a_fork_of_a_process_that_has_read_a_project_can_read_another(tmp_path: Path) -> None:
    """As a run that is forked from the warm process after a model has changed."""

    def read(number: int) -> None:
        project = tmp_path / f"dbt{number}"
        shutil.copytree(PROJECT / "dbt", project, ignore=shutil.ignore_patterns("target", "logs", "models", "tests"))
        (project / "models").mkdir()
        settings = "{{ config(materialized='table') }} {{ config(tags=['x']) }}"
        (project / "models" / "one.sql").write_text(f"{settings} select {number} as n")
        gold.prepare(open_platform(tmp_path / "home", dbt_project=project))

    read(1)
    child = os.fork()
    if not child:
        try:
            read(2)
            os._exit(0)
        finally:
            os._exit(1)
    until = time.monotonic() + 120
    while (ended := os.waitpid(child, os.WNOHANG))[0] == 0 and time.monotonic() < until:
        time.sleep(0.02)
    if not ended[0]:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    assert ended == (child, 0)


@pytest.mark.parametrize("name", ["manifest.json", "partial_parse.msgpack"])
def test_a_damaged_prepared_project_is_named(tmp_path: Path, few_models: Callable[..., Path], name: str) -> None:
    """What the hint says is done, and then gold is built."""
    platform = open_platform(tmp_path / "home", dbt_project=few_models("dim_products"))
    put(platform, "eu", "products", DAY, [])
    prepared = gold.prepare(platform)
    path = prepared.folder / "target" / name
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(BuildError, match=f"{prepared.folder} cannot be read") as raised:
        gold.build(platform, "eu")
    assert "remove this folder" in (raised.value.hint or "")
    shutil.rmtree(prepared.folder)
    assert gold.build(platform, "eu").published


def test_a_damaged_serving_copy_is_rebuilt(branches: Platform) -> None:
    path = local(branches.layout("eu").warehouse)
    path.write_bytes(b"not a database")
    assert gold.build(branches, "eu").published
    assert revenue(branches) == ["10.00"]


def test_a_damaged_silver_file_is_named_and_blocks(branches: Platform) -> None:
    path = silver_path(branches, "eu", "transactions", DAY, "a.csv")
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(Damaged, match=r"a\.csv\.parquet is damaged") as raised:
        gold.build(branches, "eu")
    assert "remove it" in (raised.value.hint or "")
    assert revenue(branches) == ["10.00"]


@pytest.mark.parametrize("part", [0.1, 0.3, 0.6])
def test_bits_that_flipped_in_a_silver_file_are_no_fault_of_a_model(branches: Platform, part: float) -> None:
    """In its rows, and in what it says of its columns."""
    path = silver_path(branches, "eu", "transactions", DAY, "a.csv")
    data = path.read_bytes()
    at = int(len(data) * part)
    path.unlink()  # builds may hold a link to it
    path.write_bytes(data[:at] + bytes(byte ^ 0xFF for byte in data[at : at + 40]) + data[at + 40 :])
    with pytest.raises(Damaged, match=r"a\.csv\.parquet is damaged") as raised:
        gold.build(branches, "eu", full_refresh=True)
    assert "remove it" in (raised.value.hint or "")
    assert revenue(branches) == ["10.00"]


def test_readers_see_the_old_or_the_new_state(branches: Platform) -> None:
    seen: set[tuple[str, ...]] = set()
    stop = threading.Event()
    errors: list[BaseException] = []

    def read() -> None:
        while not stop.is_set():
            try:
                seen.add(tuple(revenue(branches)))
            except BaseException as e:
                errors.append(e)

    open_all_along = gold.connect(branches, "eu")
    reader = threading.Thread(target=read)
    reader.start()
    put(branches, "eu", "transactions", DAY, MENDED)
    gold.build(branches, "eu")
    time.sleep(0.2)
    stop.set()
    reader.join()
    assert not errors
    assert seen == {("10.00",), ("12.00",)}
    assert str(open_all_along.execute("select revenue from gold.branch_performance").fetchall()[0][0]) == "10.00"
    assert revenue(branches) == ["12.00"]


def killed(platform: Platform, point: str) -> int:
    """How a child ends that builds and is killed at `point`."""
    if child := os.fork():
        return os.waitpid(child, 0)[1]

    def kill(*_: object, **__: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    try:
        publish = region.publish_file
        if point == "while publishing":
            os.replace = kill  # type: ignore[assignment]
        else:
            region.publish_file = lambda *asked: (publish(*asked), kill())  # type: ignore[assignment,func-returns-value]
        gold.build(platform, "eu")
    finally:
        os._exit(1)


@pytest.mark.parametrize("point", ["while publishing", "after publication"])
def test_a_killed_build_is_made_up_for(branches: Platform, point: str) -> None:
    """What is served is the old or the new state, and the next build tidies up. Every point is killed at in laws/."""
    put(branches, "eu", "transactions", DAY, MENDED)
    assert killed(branches, point) == signal.SIGKILL
    assert revenue(branches) == (["12.00"] if point == "after publication" else ["10.00"])
    assert gold.build(branches, "eu").changed == (point != "after publication")
    assert revenue(branches) == ["12.00"]
    left = [p for p in branches.layout("eu").work.rglob("*") if "build-" in p.name] + list(
        branches.settings.home.glob("eu/.partial-*")
    )
    assert left == []


def test_a_file_that_goes_while_it_is_listed_is_no_error(branches: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    from clearer_platform.gold import inputs

    put(branches, "eu", "transactions", DAY + timedelta(1), [sale(7)])
    link: Callable[[Path, Path], None] = inputs._link

    def link_late(source: Path, place: Path) -> None:
        silver_path(branches, "eu", "transactions", DAY + timedelta(1), "a.csv").unlink(missing_ok=True)
        link(source, place)

    monkeypatch.setattr(inputs, "_link", link_late)
    gold.build(branches, "eu")
    assert ("transactions", DAY + timedelta(1), "a.csv") not in gold.contained(branches, "eu")
    assert ("transactions", DAY, "a.csv") in gold.contained(branches, "eu")


def test_without_gold_there_is_a_hint(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="run `clearer materialize` first"):
        gold.connect(open_platform(tmp_path), "eu")
