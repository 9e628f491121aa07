"""Builds by the warm process: the same as anybody's, without the import, and never in the way of one."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from clearer_platform import forking, gold
from clearer_platform.platform import Platform
from clearer_platform.settings import Settings
from clearer_platform_tests.gold.conftest import DAY, sale
from clearer_platform_tests.gold.silver_files import put
from clearer_platform_tests.gold.test_build import with_test

PARENT = Path(__file__).parents[2]
ASK = """
import sys
from clearer_platform import gold
from clearer_platform.platform import Platform
from clearer_platform.settings import Settings
for region in sys.argv[1:]:
    seen = []
    done = gold.warm.build(Platform.open(Settings()), region or None, lambda *at: seen.append(at))
    print(done.changed, *map(str, done.restated), len(done.tests) > 5, len(seen) > 5, "dbt" in sys.modules)
"""
SERVE = """
import sys
from importlib import import_module
from clearer_platform import forking, gold
from clearer_platform.settings import Settings
for loaded in sys.argv[1:]:
    import_module(loaded)
forking.serve(Settings().dagster_home, lambda: {gold.warm.BUILD: gold.warm.answer})
"""
LOOK = """
import sys
from datetime import date
from clearer_platform import gold
from clearer_platform.platform import Platform
from clearer_platform.settings import Settings
platform, day = Platform.open(Settings()), date.fromisoformat(sys.argv[1])
(model,) = [model for model in gold.models(platform) if model.name == "branch_performance"]
view = gold.view(platform, "eu", model, as_of_delivery=day)
rows = view.execute("select transactions from gold.branch_performance").fetchall()
gold.warm.build(platform, "eu", extent=gold.Extent(as_of=day))
print(rows, gold.served_as_of(platform, "eu"), "dbt" in sys.modules)
"""


def environment(settings: Settings) -> dict[str, str]:
    """What a process has in its environment that works on a home as we do."""
    where = {"CLEARER_HOME": f"{settings.home}", "CLEARER_DBT_PROJECT": f"{settings.dbt_project}"}
    return {**os.environ, **where, "PYTHONPATH": str(PARENT)}


def asked(platform: Platform, *regions: str) -> list[str]:
    """What a process says that asks for builds, each: changed, days, tests told, progress told, dbt imported."""
    command, where = [sys.executable, "-c", ASK, *regions], environment(platform.settings)
    done = subprocess.run(command, env=where, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


@contextmanager
def serving(home: Path, *loaded: str) -> Iterator[subprocess.Popen[bytes]]:
    """A warm process of the home in this folder, with these modules loaded."""
    settings = Settings(home=home, _env_file=None)  # type: ignore[call-arg]
    process = subprocess.Popen([sys.executable, "-c", SERVE, *loaded], env=environment(settings))
    try:
        until = time.monotonic() + 60
        while not place(settings).exists() and time.monotonic() < until:
            assert process.poll() is None
            time.sleep(0.05)
        yield process
    finally:
        process.kill()
        process.wait()


def place(settings: Settings) -> Path:
    """Where the warm process of a home says how it is reached."""
    return settings.dagster_home / forking.PLACE


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, subprocess.Popen[bytes]]]:
    """A home of no data, and its warm process: what a child builds is what it is asked for, wherever that stands."""
    home = tmp_path_factory.mktemp("warm")
    with serving(home, "dbt.cli.main") as process:
        yield home, process


@pytest.fixture
def warm(elsewhere: tuple[Path, subprocess.Popen[bytes]], branches: Platform) -> subprocess.Popen[bytes]:
    """The warm process, announced in the home of this test."""
    announced = place(branches.settings)
    announced.parent.mkdir(exist_ok=True)
    shutil.copy(place(Settings(home=elsewhere[0], _env_file=None)), announced)  # type: ignore[call-arg]
    return elsewhere[1]


def test_the_asking_process_gets_the_build_without_loading_dbt(
    branches: Platform, warm: subprocess.Popen[bytes]
) -> None:
    put(branches, "eu", "transactions", DAY, [sale(1, total_amount="12.00")])
    region, across, again = asked(branches, "eu", "", "eu")
    assert region == f"True {DAY} True True False"
    with gold.connect(branches, "eu") as connection:
        assert f"{connection.execute('select sum(revenue) from gold.branch_performance').fetchall()[0][0]}" == "12.00"
    assert across.startswith("True")
    assert again == "False False False False"


def test_it_builds_views_and_as_of_other_dates(branches: Platform, warm: subprocess.Popen[bytes]) -> None:
    put(branches, "eu", "transactions", DAY + timedelta(1), [sale(3)])
    command, where = [sys.executable, "-c", LOOK, f"{DAY}"], environment(branches.settings)
    done = subprocess.run(command, env=where, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"[(2,)] {DAY} False"


def test_a_failed_test_is_told_as_by_any_build(
    branches: Platform, warm: subprocess.Popen[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sql = "from {{ ref('branch_performance') }} where revenue > 11"
    strict = with_test(branches, tmp_path, "tests/never_above_11.sql", sql)
    put(branches, "eu", "transactions", DAY, [sale(1, total_amount="12.00")])
    with pytest.raises(gold.GoldFailed) as by_self:
        gold.build(strict, "eu")
    monkeypatch.setattr("clearer_platform.gold.warm._build", lambda *asked: pytest.fail("not by the warm process"))
    monkeypatch.delitem(sys.modules, "dbt")
    with pytest.raises(gold.GoldFailed) as by_warm:
        gold.warm.build(strict, "eu")
    assert str(by_warm.value) == str(by_self.value)
    assert set(by_warm.value.tests) == set(by_self.value.tests)


def test_without_it_or_when_it_was_killed_the_asking_process_builds(branches: Platform) -> None:
    put(branches, "eu", "transactions", DAY, [sale(1, total_amount="13.00")])
    with serving(branches.settings.home) as process:
        process.kill()
        process.wait()
        assert asked(branches, "eu") == [f"True {DAY} True True True"]


def test_a_builder_of_another_project_does_not_build(
    branches: Platform, warm: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its code is that of its start; what has changed since must not be built by it."""
    monkeypatch.setattr("clearer_platform.gold.project.BUILD_VERSION", "another")
    monkeypatch.setattr("clearer_platform.gold.warm.project_version", lambda platform: "another")
    monkeypatch.delitem(sys.modules, "dbt", raising=False)
    told = []
    monkeypatch.setattr("clearer_platform.gold.warm._build", lambda *asked: told.append(asked))
    gold.warm.build(branches, "eu")
    assert [region for _, region, *_ in told] == ["eu"]


def test_a_process_that_has_dbt_loaded_asks_nobody(branches: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that was forked from the warm process itself, above all."""
    import dbt  # noqa: F401

    monkeypatch.setattr(forking, "ask", lambda *asked: pytest.fail("it can build as fast by itself"))
    put(branches, "eu", "transactions", DAY, [sale(1, total_amount="14.00")])
    assert gold.warm.build(branches, "eu").changed


def test_the_build_ends_with_whoever_asked(branches: Platform, warm: subprocess.Popen[bytes]) -> None:
    put(branches, "eu", "transactions", DAY, [sale(1, total_amount="14.00")])
    children = Path(f"/proc/{warm.pid}/task/{warm.pid}/children")
    before = set(children.read_text().split())
    asking = subprocess.Popen(
        [sys.executable, "-c", ASK, "eu"], env=environment(branches.settings), stdout=subprocess.DEVNULL
    )
    until = time.monotonic() + 60
    while not (new := set(children.read_text().split()) - before) and time.monotonic() < until:
        time.sleep(0.005)
    (child,) = map(int, new)
    asking.send_signal(signal.SIGKILL)
    asking.wait()
    while Path(f"/proc/{child}").exists() and time.monotonic() < until:
        time.sleep(0.01)
    assert not Path(f"/proc/{child}").exists()
    assert asked(branches, "eu") == [f"True {DAY} True True False"]
