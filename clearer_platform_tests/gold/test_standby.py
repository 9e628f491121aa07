"""A command's own warm process: the same builds without loading dbt, and nothing left of it in the end."""

import subprocess
import sys
import tempfile
import threading
from datetime import date
from pathlib import Path

import psutil
import pytest

from clearer_platform import gold
from clearer_platform.gold import standby, warm
from clearer_platform.platform import Platform
from clearer_platform_tests.gold.conftest import DAY, sale
from clearer_platform_tests.gold.silver_files import put
from clearer_platform_tests.gold.test_warm import environment

COMMAND = """
import sys, time
from datetime import date
import psutil
from clearer_platform import gold
from clearer_platform.gold import standby
from clearer_platform.platform import Platform
from clearer_platform.settings import Settings
platform = Platform.open(Settings())
with standby.ahead(platform):
    (beside,) = psutil.Process().children()
    if sys.argv[1] == "wait":
        print("waiting", flush=True)
        time.sleep(60)
    if sys.argv[1] == "build":
        print(*[gold.warm.build(platform, region).changed for region in ("eu", None, "eu")], "dbt" in sys.modules)
        beside.kill()
        beside.wait()
        print(gold.warm.build(platform, "us", extent=gold.Extent(as_of=date(2030, 1, 1))).changed, "dbt" in sys.modules)
print(beside.is_running())
"""


def command(platform: Platform, what: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", COMMAND, what],
        env=environment(platform.settings),
        stdout=subprocess.PIPE,
        text=True,
    )


def test_a_command_builds_without_loading_dbt_and_by_itself_once_that_process_is_lost(branches: Platform) -> None:
    for region in ("eu", "us"):
        put(branches, region, "transactions", DAY, [sale(1, total_amount="12.00")])
    process = command(branches, "build")
    said, _ = process.communicate(timeout=120)
    assert said.splitlines() == ["True True False False", "True True", "False"]
    assert process.returncode == 0
    with gold.connect(branches, "us") as connection:
        assert f"{connection.execute('select sum(revenue) from gold.branch_performance').fetchall()[0][0]}" == "12.00"
    assert gold.served_as_of(branches, "us") == date(2030, 1, 1)


def test_nothing_is_left_of_it_when_the_command_has_ended(branches: Platform) -> None:
    before = set(Path(tempfile.gettempdir()).glob("clearer-standby-*"))
    said, _ = command(branches, "end").communicate(timeout=120)
    assert said.strip() == "False"
    assert set(Path(tempfile.gettempdir()).glob("clearer-standby-*")) <= before


def test_nothing_is_forked_from_a_process_that_does_other_things_meanwhile(
    branches: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "dbt", raising=False)
    monkeypatch.setattr(standby.os, "cpu_count", lambda: 2)
    before, over = psutil.Process().children(), threading.Event()
    thread = threading.Thread(target=over.wait)
    thread.start()
    try:
        with standby.ahead(branches):
            assert psutil.Process().children() == before
            assert not warm._own
    finally:
        over.set()
        thread.join()


def test_it_ends_with_a_command_that_is_killed(branches: Platform) -> None:
    process = command(branches, "wait")
    assert process.stdout and process.stdout.readline() == "waiting\n"
    (beside,) = psutil.Process(process.pid).children()
    process.kill()
    process.communicate()
    beside.wait(timeout=30)
