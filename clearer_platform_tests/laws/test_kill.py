"""Law 2 under kill -9: whatever is killed, wherever, a re-run gives the state of a run that nobody killed.

Every change of the file system that the platform makes is a commit point; a child process is killed before and after
each. In gold, where a build takes seconds, these are what makes something seen (replace, rename); the rest of a
build, DuckDB's own writes included, is covered by kills at random moments.
"""

import itertools
import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import dbt.cli.main  # noqa: F401  imported before forking, so that a child does not pay for it
import duckdb
import pyarrow.parquet as pq
import pytest

from clearer_platform import gold
from clearer_platform.bronze import slots
from clearer_platform.platform import Platform
from clearer_platform.storage import PARTIAL, files
from clearer_platform_tests.conftest import EFFORT
from clearer_platform_tests.flow import bring_up, deliver

pytestmark = pytest.mark.forks

PUBLISHING = ("replace", "rename")
COMMITS = (*PUBLISHING, "link", "unlink", "mkdir")
FIRST, SECOND = date(2024, 3, 30), date(2024, 3, 31)
NOON = datetime(2024, 3, 31, 12, tzinfo=UTC)
HEADER = "transaction_id;ordered_at;branch_id;branch_name;customer_id;total_amount;status;status_value;product_id;price"
ROW = "{id};{day:%d.%m.%Y} 10:00:00;1;Central;c{id};{amount};0;Completed;p1;1,00"


def transactions(day: date, *rows: tuple[int, str]) -> str:
    return "\n".join([HEADER, *(ROW.format(id=i, day=day, amount=amount) for i, amount in rows)]) + "\n"


def first_wave(platform: Platform) -> None:
    deliver(platform, "eu", "transactions", transactions(FIRST, (1, "10,00"), (2, "20,00")), FIRST, received_at=NOON)
    deliver(platform, "eu", "fx_rates", "currency;day;rate\nUSD;30.03.2024;0,9\n", FIRST, received_at=NOON)


def second_wave(platform: Platform) -> None:
    later = NOON.replace(hour=13)
    changed = transactions(FIRST, (1, "11,00"), (3, "-5"), (4, "5,00"), (5, "6,00"), (6, "7,00"))
    deliver(platform, "eu", "transactions", changed, FIRST, received_at=later)
    deliver(platform, "eu", "transactions", "not;a;header\n1;2;3\n", SECOND, received_at=later)
    deliver(platform, "eu", "transactions", transactions(SECOND, (7, "70,00")), SECOND, "late.csv", received_at=later)


def silver_run(platform: Platform) -> None:
    second_wave(platform)
    bring_up(platform, "eu")


def gold_run(platform: Platform) -> None:
    gold.build(platform, "eu")
    gold.build_global(platform)


def in_child(
    work: Callable[[], None],
    kill_at: int | None = None,
    kill_after: float | None = None,
    commits: tuple[str, ...] = COMMITS,
) -> int:
    """Run `work` in a child, killed at its `kill_at`-th commit point or after some seconds; its wait status."""
    child = os.fork()
    if child == 0:
        try:
            if kill_at is not None:
                arm(kill_at, commits)
            work()
            os._exit(0)
        except BaseException as e:
            print(f"{type(e).__name__}: {e}", file=sys.stderr, flush=True)
            os._exit(1)
    if kill_after is not None:
        time.sleep(kill_after)
        os.kill(child, signal.SIGKILL)
    return os.waitpid(child, 0)[1]


def arm(kill_at: int, commits: tuple[str, ...]) -> None:
    points = itertools.count()

    def deadly(function):
        def call(*arguments, **named):
            if next(points) == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)
            result = function(*arguments, **named)
            if next(points) == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return call

    for name in commits:
        setattr(os, name, deadly(getattr(os, name)))


def bronze_and_silver(platform: Platform) -> list[object]:
    layout = platform.layout("eu")
    deliveries = [
        (d.id, d.content.read_bytes())
        for t in platform.region("eu").tables
        for s in slots(layout, t)
        for d in s.deliveries
    ]
    silver = [
        (str(p.relative_to(layout.root)), pq.read_table(p).to_pylist())
        for folder in ("silver", "refused")
        for p in files(layout.root / folder, ".parquet")
    ]
    refusals = [(p.name, p.read_text()) for p in files(layout.root / "refused", ".json")]
    return [deliveries, silver, refusals]


def marts(database: Path) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every served table, sorted."""
    with duckdb.connect(str(database), read_only=True) as connection:
        connection.execute("set timezone = 'UTC'")
        names = connection.sql(
            "select table_schema || '.' || table_name from information_schema.tables "
            "where table_type = 'BASE TABLE' and table_schema in ('gold', 'global')"
        ).fetchall()
        return {
            name: sorted(connection.sql(f"select columns(*)::varchar from {name}").fetchall(), key=str)
            for (name,) in names
        }


def restored(platform: Platform, copy: Path) -> None:
    home = platform.settings.home
    shutil.rmtree(home)
    shutil.copytree(copy, home, symlinks=True)


def leftovers(platform: Platform) -> list[Path]:
    home = platform.settings.home
    spool = [p for p in home.rglob("spool/*") if p.is_file()]
    return [*home.rglob(f"{PARTIAL}*"), *spool]


def ends_like_a_clean_run(
    platform: Platform,
    tmp_path: Path,
    work: Callable[[], None],
    state: Callable[[], object],
    least: int,
    commits: tuple[str, ...] = COMMITS,
) -> None:
    """Kill `work` at each of its commit points in turn, run it again, and compare with a run that nobody killed."""
    before = tmp_path / "before"
    shutil.copytree(platform.settings.home, before, symlinks=True)
    assert in_child(work) == 0
    clean = state()
    for point in itertools.count():
        restored(platform, before)
        ended = in_child(work, kill_at=point, commits=commits)
        if ended == 0:
            assert point >= least, f"only {point} commit points were met: the law was not tested"
            return
        assert os.WIFSIGNALED(ended), f"the run itself failed at commit point {point}"
        assert in_child(work) == 0, f"the re-run after a kill at commit point {point} failed"
        assert state() == clean, f"another state after a kill at commit point {point}"
        assert leftovers(platform) == [], f"left behind after a kill at commit point {point}"


@pytest.mark.timeout(300)
def test_a_kill_at_any_commit_point_of_bronze_and_silver(platform, tmp_path):
    first_wave(platform)
    bring_up(platform, "eu")
    ends_like_a_clean_run(
        platform, tmp_path, lambda: silver_run(platform), lambda: bronze_and_silver(platform), least=30
    )


def served(platform: Platform) -> list[object]:
    return [marts(platform.layout("eu").warehouse), marts(platform.global_layout.warehouse)]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_kill_at_any_commit_point_of_gold(platform, tmp_path):
    first_wave(platform)
    bring_up(platform, "eu")
    assert in_child(lambda: gold_run(platform)) == 0
    silver_run(platform)
    ends_like_a_clean_run(
        platform, tmp_path, lambda: gold_run(platform), lambda: served(platform), least=6, commits=PUBLISHING
    )


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_kills_at_random_moments_of_a_build(platform, tmp_path):
    first_wave(platform)
    bring_up(platform, "eu")
    assert in_child(lambda: gold_run(platform)) == 0
    old = served(platform)
    silver_run(platform)
    shutil.copytree(platform.settings.home, tmp_path / "before", symlinks=True)
    began = time.monotonic()
    assert in_child(lambda: gold_run(platform)) == 0
    length, new = time.monotonic() - began, served(platform)
    moments = random.Random(7)
    for _ in range(3 * EFFORT):
        restored(platform, tmp_path / "before")
        in_child(lambda: gold_run(platform), kill_after=moments.uniform(0.05, length))
        assert marts(platform.layout("eu").warehouse) in (old[0], new[0]), "a reader would see half a publication"
        assert in_child(lambda: gold_run(platform)) == 0
        assert served(platform) == new
