"""Law 3: gold is a function of the deliveries, not of when, in which order or how often anything ran."""

import os
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import duckdb
import pytest

from clearer_platform import gold
from clearer_platform.gold import warehouse
from clearer_platform_tests.gold.histories import (
    HIRING,
    SALES,
    Histories,
    expected_branch_performance_daily,
    expected_conversation_sales,
    expected_hires_by_quarter,
    expected_pending,
    synthetic,
    winners,
)

REGIONS = int(os.environ.get("CLEARER_TEST_HISTORIES", "30"))
SEED = int(os.environ.get("CLEARER_TEST_SEED", "20241027"))
STEPS = 3
SAME_EVERYWHERE = ("gold", "intermediate", "clearer")


def bring_up(
    histories: Histories, target: Path, *, as_of: date | None = None, full_refresh: bool = False
) -> gold.Build:
    """Build one warehouse of all regions at `target`."""
    return gold.build_warehouse(
        histories.platform,
        histories.regions,
        target,
        target.parent / f"work-{target.stem}",
        current=target if target.exists() else None,
        extent=gold.Extent(as_of=as_of),
        full_refresh=full_refresh,
    )


def differences(one: Path, other: Path, least: int = 16) -> dict[str, int]:
    """Table -> number of rows that only one of two warehouses has; there are at `least` so many tables."""
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute(f"attach '{one}' as one (read_only); attach '{other}' as other (read_only)")
        tables = connection.execute(
            "select schema_name, table_name from duckdb_tables() where database_name = 'one' and schema_name in ?",
            [SAME_EVERYWHERE],
        ).fetchall()
        assert len(tables) >= least
        found = {}
        for schema, table in tables:
            both = f"select *, 1 as n from one.{schema}.{table} union all select *, -1 from other.{schema}.{table}"
            each = f"select * exclude (n), sum(n) as n from ({both}) group by all"
            count = connection.execute(f"select coalesce(sum(abs(n)), 0) from ({each})").fetchall()[0][0]
            if count:
                found[table] = count
        return found


def check_against_plain_python(histories: Histories, target: Path) -> None:
    """Compare what gold says with what the rows mean."""
    with warehouse.connect(target) as connection:
        daily = connection.execute(
            "select * exclude (currency, reporting_currency) from gold.branch_performance_daily"
        ).fetchall()
        sales = connection.execute(
            "select region, transaction_id, branch_name, created_date, status_value, total_value, total_value_original,"
            " conversations from gold.conversation_sales"
        ).fetchall()
        pending = connection.execute(
            "select region, table_name, reference, count(*) from gold.pending_rows group by all"
        ).fetchall()
    assert {row[:3]: row[3:] for row in daily} == expected_branch_performance_daily(histories)
    assert len(daily) == len({row[:3] for row in daily})
    assert {row[:2]: row[2:] for row in sales} == expected_conversation_sales(histories)
    assert len(sales) == len({row[:2] for row in sales})
    assert {row[:3]: row[3] for row in pending} == expected_pending(histories)


@pytest.fixture(scope="module")
def played(
    tmp_path_factory: pytest.TempPathFactory, prepared_dbt: Path
) -> tuple[Histories, Path, Sequence[dict[str, int]]]:
    """Histories of several steps, the warehouse that followed them, and how it differed from a rebuild after each."""
    folder = tmp_path_factory.mktemp("histories")
    histories = synthetic(folder / "home", REGIONS, SEED, prepared_dbt, {**SALES, **HIRING})
    followed, rebuilt = folder / "followed.duckdb", folder / "rebuilt.duckdb"
    found = []
    for step in range(STEPS):
        histories.step(10 if step == 0 else 4)
        bring_up(histories, followed)
        bring_up(histories, rebuilt, full_refresh=True)
        found.append(differences(followed, rebuilt))
    return histories, followed, found


def test_incremental_equals_rebuild_after_every_step(played: tuple[Histories, Path, Sequence[dict[str, int]]]) -> None:
    """Late, corrected, withdrawn, repeated, deleted and refused deliveries, and other rates."""
    assert list(played[2]) == [{}] * STEPS


def test_figures_equal_plain_python(played: tuple[Histories, Path, Sequence[dict[str, int]]]) -> None:
    """The same figures from the same rows without SQL."""
    histories, followed, _ = played
    assert len(expected_branch_performance_daily(histories)) > 2 * REGIONS
    assert len(expected_conversation_sales(histories)) > REGIONS
    check_against_plain_python(histories, followed)


def test_hires_equal_plain_python(played: tuple[Histories, Path, Sequence[dict[str, int]]]) -> None:
    """Those who wait for a department or a job are no hires, whatever came in which order."""
    histories, followed, _ = played
    with warehouse.connect(followed) as connection:
        quarters = "unpivot gold.hires_by_quarter on q1, q2, q3, q4 into name quarter value hired"
        found = connection.execute(f"select * from ({quarters}) where hired > 0").fetchall()
    expected = expected_hires_by_quarter(histories)
    assert {(*names, int(quarter[1])): hired for *names, quarter, hired in found} == expected
    assert min(len(expected), expected_pending(histories).total()) > REGIONS / 2


def test_pictures_equal_plain_python(played: tuple[Histories, Path, Sequence[dict[str, int]]], tmp_path: Path) -> None:
    """What is backed up of a delivered table is what its rows mean, restored backups among them."""
    histories, compared = played[0], 0
    for table in ("transactions", "customers"):
        (key,) = histories.platform.contract(table).key
        for region in histories.regions[:8]:
            with gold.picture(histories.platform, region, table, tmp_path) as (connection, query):
                rows = {row[key]: row for row in connection.execute(query).to_arrow_table().to_pylist()}
            expected = {row[key]: row for (of, _), row in winners(histories, table).items() if of == region}
            assert rows.keys() == expected.keys()
            for name, row in expected.items():
                said = {column: f"{value}" for column, value in row.items() if column != "region" and value is not None}
                assert {column: f"{rows[name][column]}" for column in said} == said
            compared += len(rows)
    assert compared > 20


@pytest.mark.slow
def test_order_of_processing_does_not_matter(played: tuple[Histories, Path, Sequence[dict[str, int]]]) -> None:
    """The same files, coming in an order of their own over several builds, make the same warehouse."""
    histories, followed, _ = played
    slots = list(histories.files.items())
    histories.random.shuffle(slots)
    for slot, _ in slots:
        histories.place(slot, None)
    shuffled = followed.with_name("shuffled.duckdb")
    half = len(slots) // 2
    for part in (slots[:half], slots[half:]):
        for slot, file in part:
            histories.place(slot, file)
        bring_up(histories, shuffled)
    assert differences(followed, shuffled) == {}
