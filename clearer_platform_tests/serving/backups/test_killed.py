"""Law 2 for backups: killed at any commit point, a table says what it said before or what it is to say afterwards."""

import itertools
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from clearer_platform import gold
from clearer_platform.serving import backups
from clearer_platform.storage import PARTIAL
from clearer_platform_tests.gold.silver_files import put
from clearer_platform_tests.laws.test_kill import PUBLISHING, in_child
from clearer_platform_tests.serving.backups.conftest import DAY

pytestmark = pytest.mark.forks


def says(platform) -> list[tuple[object, ...]]:
    """The rows of `facts`."""
    with gold.picture(platform, "eu", "facts", platform.settings.home / "looking") as (connection, query):
        return sorted(connection.execute(query).fetchall())


def kept(platform) -> list[tuple[int, str]]:
    """The backups that can be restored, the newest first; every file of a backup belongs to one."""
    found = [backups.verify(platform, "eu", one.id) for one in backups.listed(platform, "eu")]
    return [(one.rows, one.sha256) for one in found]


def killed_everywhere(
    platform,
    copy: Path,
    work: Callable[[], None],
    state: Callable[[], object],
    commits: tuple[str, ...],
    least: int,
) -> None:
    """Kill `work` before each of its commit points; what is there then, and after running it again.

    What a kill after one leaves is what a kill before the next one leaves.
    """
    home = platform.settings.home
    shutil.copytree(home, copy)
    before = state()
    assert in_child(work) == 0
    after = state()
    assert before != after
    for point in itertools.count(0, 2):
        shutil.rmtree(home)
        shutil.copytree(copy, home)
        ended = in_child(work, kill_at=point, commits=commits)
        if ended == 0:
            assert point >= least, f"only {point} commit points were met: the law was not tested"
            return
        assert os.WIFSIGNALED(ended), f"it failed by itself at commit point {point}"
        assert state() in (before, after), f"something in between after a kill at commit point {point}"
        assert in_child(work) == 0, f"it failed after a kill at commit point {point}"
        assert state() == after, f"another state after a kill at commit point {point}"
        assert [p for p in home.rglob(f"{PARTIAL}*") if p.is_file()] == []


@pytest.fixture
def facts(kinds):
    put(kinds, "eu", "facts", DAY, [{"key": "a", "value": 1}, {"key": "b", "value": 1}])
    return kinds


def test_a_backup_and_the_removal_of_the_one_before(facts, tmp_path):
    backups.create(facts, "eu", "facts")
    put(facts, "eu", "facts", DAY, [{"key": "c", "value": 3}], slot="b.csv")

    def back_up() -> None:
        backups.create(facts, "eu", "facts")
        backups.prune(facts, "eu", "facts", 1)

    def state() -> tuple[object, ...]:
        newest = kept(facts)[0]
        return (newest,)

    killed_everywhere(facts, tmp_path / "copy", back_up, state, (*PUBLISHING, "unlink"), least=12)
    files = sorted(p.suffix for p in (facts.layout("eu").root / "backups/facts").iterdir())
    assert files == [".avro", ".json"], "a file without a manifest, or an old backup, was left"


def test_a_restore(facts, tmp_path):
    made = backups.create(facts, "eu", "facts")
    put(facts, "eu", "facts", DAY, [{"key": "c", "value": 3}], slot="b.csv")

    def restore() -> None:
        backups.restore(facts, "eu", made.id, "facts")

    killed_everywhere(facts, tmp_path / "copy", restore, lambda: says(facts), PUBLISHING, least=6)
