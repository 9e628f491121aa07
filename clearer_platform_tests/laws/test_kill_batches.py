"""Laws 1 and 2 for batches: whatever is killed, what was answered is there once, and in one delivery.

A process is killed at every statement that changes the spool and wherever a file is put in place. What is killed
between an answer and the next step, and two processes with one key, are tested with real processes as well.
"""

import itertools
import os
import shutil
import signal
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clearer_platform import sources
from clearer_platform.bronze import Decision, slots
from clearer_platform.platform import Platform
from clearer_platform.serving import batches
from clearer_platform.silver.screening import Screened
from clearer_platform.sources.batches.spool import Spool
from clearer_platform_tests.batching import HIRING, deliveries, rows_by_batch, seal, sealed, send
from clearer_platform_tests.conftest import EFFORT, open_home
from clearer_platform_tests.laws.test_kill import PUBLISHING, ends_like_a_clean_run, in_child

pytestmark = pytest.mark.forks

CHANGES = ("BEGIN", "CREATE", "INSERT", "UPDATE", "PRAGMA user_version =", "COMMIT")


@pytest.fixture
def hiring(make_platform: Callable[..., Platform]) -> Platform:
    """A region that hires."""
    return make_platform(HIRING)


@pytest.fixture
def unjudged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every row is valid: judging writes nothing, and takes longer than all the rest."""

    def screen(sample: Any, columns: Any) -> Screened:
        return Screened(range(1, sample.content.count(b"\n") + 1), {}, {})

    monkeypatch.setattr(batches, "_screen", lambda *about: screen)


class Deadly(sqlite3.Connection):
    """A connection whose process is killed at one of its changes, before it or after it."""

    points = itertools.count()
    kill_at = -1

    def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
        return self._deadly(super().execute, sql, *values)

    def executemany(self, sql: str, *values: Any) -> sqlite3.Cursor:
        return self._deadly(super().executemany, sql, *values)

    def commit(self) -> None:
        self._deadly(lambda _: super(Deadly, self).commit(), "COMMIT")  # type: ignore[arg-type, return-value]

    def _deadly(self, call: Callable[..., sqlite3.Cursor], sql: str, *values: Any) -> sqlite3.Cursor:
        if not sql.strip().startswith(CHANGES):
            return call(sql, *values)
        if next(self.points) == self.kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        result = call(sql, *values)
        if next(self.points) == self.kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        return result


def killed_in_the_spool(work: Callable[[], None], kill_at: int) -> int:
    def armed() -> None:
        connect = sqlite3.connect
        Deadly.kill_at, Deadly.points = kill_at, itertools.count()
        sqlite3.connect = lambda *a, **k: connect(*a, **{**k, "factory": Deadly})  # type: ignore[assignment]
        work()

    return in_child(armed)


def takes(platform: Platform) -> None:
    for number, content in enumerate(("1,a\n2,b\n", [{"id": 3, "department": "c"}])):
        send(platform, "departments", content, idempotency_key=f"k{number}")


def takes_and_seals(platform: Platform) -> None:
    takes(platform)
    sources.collect(platform, "hr", "departments")


def state(platform: Platform) -> list[object]:
    """What is in bronze and in the spool, but for ids, which are drawn anew."""
    in_bronze = [
        (d.content.read_bytes(), [b.model_dump(exclude={"id"}) for b in d.manifest.series.batches])
        for d in deliveries(platform, "departments")
        if d.manifest.series
    ]
    every = [d for slot in slots(platform.layout("hr"), "departments") for d in slot.deliveries]
    spooled = [(e.record.model_dump(exclude={"id", "delivery"}), e.kind) for e in Spool(platform, "hr").entries()]
    return [sorted(in_bronze, key=str), len(every), spooled, sources.batches.pending(platform, "hr")]


def test_a_kill_at_any_change_of_the_spool(hiring: Platform, unjudged: None, tmp_path: Path) -> None:
    work = lambda: takes_and_seals(hiring)  # noqa: E731
    home, before = hiring.settings.home, tmp_path / "before"
    shutil.copytree(home, before)
    assert in_child(work) == 0
    clean = state(hiring)
    for point in itertools.count():
        shutil.rmtree(home)
        shutil.copytree(before, home)
        ended = killed_in_the_spool(work, point)
        if ended == 0:
            assert point >= 25, f"only {point} points were met: the law was not tested"
            return
        assert os.WIFSIGNALED(ended), f"the run itself failed at point {point}"
        assert in_child(work) == 0, f"the re-run after a kill at point {point} failed"
        assert state(hiring) == clean, f"another state after a kill at point {point}"


def test_a_kill_at_any_commit_point_of_sealing(hiring: Platform, unjudged: None, tmp_path: Path) -> None:
    work = lambda: takes_and_seals(hiring)  # noqa: E731
    ends_like_a_clean_run(hiring, tmp_path, work, lambda: state(hiring), least=8, commits=PUBLISHING)


def test_what_was_answered_survives_a_kill(hiring: Platform) -> None:
    answered, tell = os.pipe()

    def work() -> None:
        record = send(hiring, "departments", "1,a\n2,\n", idempotency_key="k").record
        os.write(tell, record.id.encode())
        os.kill(os.getpid(), signal.SIGKILL)

    assert os.WIFSIGNALED(in_child(work))
    [record] = batches.listed(hiring, "hr")
    assert record.id == os.read(answered, 1000).decode() and record.invalid_rows[0].rule == "department.missing"
    assert not send(hiring, "departments", "1,a\n2,\n", idempotency_key="k").is_new
    seal(hiring, ["departments"])
    assert [row["department"] for row in rows_by_batch(hiring, "departments")[record.id]] == ["a", None]


def test_processes_at_once_with_the_same_keys(hiring: Platform, unjudged: None) -> None:
    """Each of twelve batches is sent by three processes, in orders of their own, while a fourth one seals."""
    children = []
    for process in range(4):
        if (child := os.fork()) == 0:
            try:
                for number in range(12):
                    key = (number * (5, 7, 11)[process % 3]) % 12
                    if process == 3:
                        sources.collect(hiring, "hr", "departments")
                    else:
                        send(hiring, "departments", f"{key},d\n", idempotency_key=f"{key}")
                os._exit(0)
            except BaseException as e:
                print(f"{type(e).__name__}: {e}", flush=True)
                os._exit(1)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0, 0, 0]
    sources.collect(hiring, "hr", "departments")
    lines = sorted(row for d in deliveries(hiring, "departments") for row in d.content.read_bytes().splitlines())
    assert lines == sorted(f"{n},d".encode() for n in range(12))
    assert len({batch.id for batch in sealed(hiring, "departments")}) == 12


OPERATIONS = st.one_of(
    st.tuples(
        st.just("take"),
        st.integers(0, 5),
        st.sampled_from(["csv", "json"]),
        st.sampled_from(["reject_rows", "reject_batch"]),
        st.lists(st.booleans(), min_size=1, max_size=3),
    ),
    st.sampled_from([("seal",), ("killed",), ("lost",)]),
)


@settings(max_examples=20 * EFFORT, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(OPERATIONS, min_size=1, max_size=12))
def test_any_history_equals_a_dictionary(tmp_path_factory: Any, prepared_dbt: Path, history: list[tuple]) -> None:
    """Keys come again, sealing is killed before it is noted, and the spool is lost when all of it was sealed."""
    platform = open_home(tmp_path_factory.mktemp("model") / "home", HIRING, prepared_dbt)
    model: dict[str, tuple[str, int, str, list[bool]]] = {}
    for operation in history:
        if operation[0] == "take":
            _, key, *rest = operation
            said = (*rest,)
            try:
                taken = take(platform, key, *rest)
            except sources.batches.KeyReused:
                assert model[f"{key}"] != said
            else:
                assert taken.is_new is (f"{key}" not in model)
                assert model.setdefault(f"{key}", said) == said
        elif operation[0] == "lost":
            sources.collect(platform, "hr", "departments")
            platform.layout("hr").spool.unlink(missing_ok=True)
        else:
            seal_and_perhaps_die(platform, dies=operation[0] == "killed")
    seal(platform, ["departments"])
    seen = [batch.id for batch in sealed(platform, "departments")]
    assert len(seen) == len(set(seen)) == len(model) == len(batches.listed(platform, "hr"))
    rows = [row for found in rows_by_batch(platform, "departments").values() for row in found]
    accepted = sorted(row["department"] for row in rows if not row["_rules"])
    assert accepted == sorted(
        f"k{key} {number}"
        for key, (_, on_invalid, valid) in model.items()
        for number, is_valid in enumerate(valid)
        if is_valid and (on_invalid == "reject_rows" or all(valid))
    )
    assert len(rows) == sum(len(valid) for *_, valid in model.values())
    rejected = sum(b.decision is Decision.REJECTED for b in sealed(platform, "departments"))
    assert rejected == batches.summary(platform, "hr").rejected


def take(platform: Platform, key: int, form: str, on_invalid: str, valid: list[bool]) -> Any:
    ids = [f"{key * 10 + number}" if is_valid else "x" for number, is_valid in enumerate(valid)]
    rows = [{"id": one, "department": f"k{key} {number}"} for number, one in enumerate(ids)]
    text = "".join(f"{row['id']},{row['department']}\n" for row in rows)
    content = text if form == "csv" else rows
    return send(platform, "departments", content, idempotency_key=f"{key}", on_invalid=on_invalid)


def seal_and_perhaps_die(platform: Platform, dies: bool) -> None:
    """Seal; a process that dies does so when its delivery is received, and not yet noted."""

    class Died(BaseException):
        pass

    def die(*_: Any) -> None:
        raise Died

    with pytest.MonkeyPatch.context() as patch:
        if dies:
            patch.setattr(Spool, "mark", die)
        try:
            sources.collect(platform, "hr", "departments")
        except Died:
            assert dies
