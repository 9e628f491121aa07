"""A command's own warm process: the same build without loading dbt, and nothing left of it however the command ends."""

import subprocess
import sys

import psutil

from clearer_platform import gold
from clearer_platform.platform import Platform
from clearer_platform_tests.gold.conftest import DAY, sale
from clearer_platform_tests.gold.silver_files import put
from clearer_platform_tests.gold.test_warm import environment

COMMAND = """
import sys, time
from pathlib import Path
from clearer_platform import forking, gold
from clearer_platform.gold import standby, warm
from clearer_platform.platform import Platform
from clearer_platform.settings import Settings
platform = Platform.open(Settings())
with standby.ahead(platform):
    (place,) = warm._own
    while not (place / forking.PLACE).exists():
        time.sleep(0.02)
    if sys.argv[1] == "build":
        print(gold.warm.build(platform, "eu").changed, "dbt" in sys.modules, place)
    else:
        print("waiting", flush=True)
        time.sleep(60)
"""


def command(platform: Platform, what: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", COMMAND, what],
        env=environment(platform.settings.home),
        stdout=subprocess.PIPE,
        text=True,
    )


def test_a_command_builds_without_loading_dbt_and_leaves_nothing(own: Platform) -> None:
    put(own, "eu", "transactions", DAY, [sale(1, total_amount="12.00")])
    process = command(own, "build")
    said, _ = process.communicate(timeout=120)
    changed, loaded, place = said.split()
    assert (changed, loaded, process.returncode) == ("True", "False", 0)
    with gold.connect(own, "eu") as connection:
        assert f"{connection.execute('select sum(revenue) from gold.branch_performance').fetchall()[0][0]}" == "12.00"
    assert not [p for p in psutil.process_iter(["cmdline"]) if place in (p.info["cmdline"] or ())]


def test_it_ends_with_a_command_that_is_killed(own: Platform) -> None:
    process = command(own, "wait")
    assert process.stdout and process.stdout.readline() == "waiting\n"
    (beside,) = psutil.Process(process.pid).children()
    process.kill()
    process.communicate()
    beside.wait(timeout=30)
