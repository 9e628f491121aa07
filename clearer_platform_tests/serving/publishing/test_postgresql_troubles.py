"""What goes wrong with a real PostgreSQL is said, in time, and leaves it as it was."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from clearer_platform.errors import Busy, PublishError, Unreachable
from clearer_platform.regions import targets
from clearer_platform.sample.databases import NoServer, postgresql
from clearer_platform.serving.publishing.postgresql import rows
from clearer_platform.serving.publishing.publication import Part
from clearer_platform_tests.conftest import signal_all
from clearer_platform_tests.serving.publishing.by_hand import ByHand, every_kind
from clearer_platform_tests.serving.publishing.on_postgresql import (
    SOME,
    TABLE,
    admin,
    counts,
    put,
    target,
    target_of,
    there,
)

__all__ = ["admin", "target"]  # fixtures


def test_somebody_who_holds_a_lock_is_told_of_and_not_waited_for(target, admin):
    gold = ByHand()
    put(target, gold.part(TABLE, SOME))
    with admin.transaction():
        admin.execute("LOCK TABLE gold.every_kind IN ACCESS SHARE MODE")  # as a reader does
        put(target, gold.part(TABLE, SOME[:2]))
        with pytest.raises(Busy, match="nothing was published: canceling statement due to lock timeout"):
            put(target, gold.part(every_kind(small="bigint"), SOME))
    with admin.transaction():
        admin.execute("SELECT pg_advisory_xact_lock(hashtextextended('clearer_publications gold', 0))")
        with pytest.raises(Busy, match="lock timeout"):
            put(target, gold.part(TABLE, SOME))
    assert [row[1] for row in there(admin)] == ["a", "b"]


def test_what_would_not_equal_gold_is_not_published(target, admin):
    """A trigger of somebody's doubles a figure."""
    gold = ByHand()
    put(target, gold.part(TABLE, SOME))
    admin.execute(
        "CREATE FUNCTION gold.doubled() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN NEW.n = NEW.n * 2; RETURN NEW; END';"
        "CREATE TRIGGER doubled BEFORE INSERT ON gold.every_kind FOR EACH ROW EXECUTE FUNCTION gold.doubled()"
    )
    with pytest.raises(PublishError, match="would not equal gold: n 14 for 10"):
        put(target, gold.part(TABLE, [*SOME, {"id": "d", "n": 4}]))
    assert len(there(admin)) == 3


@pytest.mark.parametrize("column", ["x" * 64, "ä" * 32])
def test_a_name_that_would_be_cut_is_refused(target, admin, column):
    """Two that begin alike would become one."""
    gold = ByHand()
    gold.part(TABLE, SOME)
    gold.connection.execute(f"ALTER TABLE gold.every_kind RENAME note TO {column}")
    with pytest.raises(PublishError, match=f"63 bytes at the most, and {column} has more") as said:
        put(target, gold.of(every_kind(note=None, **{column: "varchar"})))
    assert "shorter name" in (said.value.hint or "")
    with pytest.raises(PublishError, match="63 bytes at the most"):
        put(target, ByHand().part(every_kind("t" * 64), SOME))
    assert admin.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'gold'").fetchone() == (0,)


def test_what_postgresql_cannot_hold_is_no_trouble_of_the_network(target):
    """It will not pass: trying again is no use."""
    long = "".join(map(chr, range(256, 6000)))
    with pytest.raises(PublishError, match="index row"):
        put(target, ByHand().part(TABLE, [{"id": long}]))


def test_what_another_publisher_did_meanwhile_is_seen(warehouse, target, admin):
    """Also in a database whose transactions see but one state, unless told otherwise."""
    gold = ByHand()
    put(target, gold.part(TABLE, SOME))
    admin.execute(f"ALTER DATABASE {warehouse.database} SET default_transaction_isolation = 'repeatable read'".encode())
    with ThreadPoolExecutor(1) as other, admin.transaction():
        admin.execute("SELECT pg_advisory_xact_lock(hashtextextended('clearer_publications gold', 0))")
        done = other.submit(put, target_of(warehouse, lock_timeout=30), gold.part(TABLE, SOME[:2]))
        while not admin.execute("SELECT count(*) FROM pg_locks WHERE NOT granted").fetchone()[0]:
            time.sleep(0.05)
        admin.execute("UPDATE gold.clearer_publications SET published_at = now()")
    assert counts(done.result()) == [(0, 0, 1, 2)]


def test_gold_may_take_longer_than_a_server_lets_be_idle(warehouse, target, admin, monkeypatch):
    admin.execute(f"ALTER DATABASE {warehouse.database} SET idle_in_transaction_session_timeout = 100".encode())
    whole = rows.copy
    monkeypatch.setattr(rows, "copy", lambda *given: (time.sleep(0.5), whole(*given))[1])
    assert put(target, ByHand().part(TABLE, SOME))[0].added == 3


def test_a_user_without_rights_is_told_which(warehouse, target, admin):
    admin.execute(b"DROP ROLE IF EXISTS poor; CREATE ROLE poor LOGIN PASSWORD 'x'")
    admin.execute(f"ALTER ROLE poor PASSWORD '{warehouse.password}'".encode())
    with pytest.raises(PublishError, match="permission denied") as said:
        put(target_of(warehouse.set(username="poor")), ByHand().part(TABLE, SOME))
    assert "grant poor CREATE" in (said.value.hint or "")
    admin.execute("CREATE SCHEMA gold AUTHORIZATION poor")  # all that it takes: no superuser
    put(target_of(warehouse.set(username="poor")), ByHand().part(TABLE, SOME))
    admin.execute("DROP SCHEMA gold CASCADE; DROP ROLE poor")


def test_whom_the_server_does_not_let_in_is_told_why(warehouse, target, monkeypatch):
    part = ByHand().part(TABLE, SOME)
    with pytest.raises(PublishError, match='database "nowhere" does not exist'):
        put(target_of(warehouse.set(database="nowhere")), part)
    monkeypatch.setenv("TARGET_PASSWORD", "guess-what")
    with pytest.raises(PublishError, match="password authentication failed") as said:
        put(target, part)
    assert "TARGET_PASSWORD" in (said.value.hint or "") and "guess-what" not in str(said.value)


@pytest.fixture
def own_server(monkeypatch):
    """A server to be maltreated, and a target in it."""
    try:
        with postgresql() as server:
            monkeypatch.setenv("TARGET_PASSWORD", server.password)
            yield server, target_of(server.url, statement_timeout=1)
    except NoServer as e:
        pytest.skip(f"not run: {e}")


def while_copied(monkeypatch: pytest.MonkeyPatch, what: Callable[[], object]) -> Part:
    """A part; `what` happens when its rows are on their way."""
    part = ByHand().part(TABLE, SOME)
    csv = part.gold.csv

    def disturbed(*arguments: Any, **options: Any):
        yield from csv(*arguments, **options)
        what()

    monkeypatch.setattr(part.gold, "csv", disturbed)
    return part


def test_a_server_that_hangs_or_dies(own_server, monkeypatch, caplog):
    """While rows are copied; and one that is gone before."""
    server, target = own_server
    monkeypatch.setattr(targets, "MARGIN", 0.5)
    began = time.monotonic()
    with pytest.raises(Unreachable, match="nothing was published"):
        put(target, while_copied(monkeypatch, lambda: signal_all(server, signal.SIGSTOP)))
    assert time.monotonic() - began < 15
    signal_all(server, signal.SIGCONT)
    with pytest.raises(Unreachable, match="nothing was published"):
        put(target, while_copied(monkeypatch, server.kill))
    assert not caplog.records, "no traceback of a connection that is lost"
    with pytest.raises(Unreachable, match="nothing was published"):
        put(target, ByHand().part(TABLE, SOME))


def test_gold_may_take_longer_than_a_statement(target, monkeypatch):
    """Only the server's silence is cut off, not ours."""
    monkeypatch.setattr(targets, "MARGIN", 0.1)
    part = ByHand().part(TABLE, SOME)
    buckets = part.gold.buckets
    monkeypatch.setattr(part.gold, "buckets", lambda table: time.sleep(2) or buckets(table))
    put(target.model_copy(update={"statement_timeout": 0.4}), part)


def test_a_statement_that_takes_too_long_is_ended(target, admin):
    gold = ByHand()
    put(target, gold.part(TABLE, SOME))
    admin.execute(
        "CREATE FUNCTION gold.slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(5); RETURN NEW; END';"
        "CREATE TRIGGER slow BEFORE INSERT ON gold.every_kind FOR EACH ROW EXECUTE FUNCTION gold.slow()"
    )
    with pytest.raises(Busy, match="statement timeout") as said:
        put(target.model_copy(update={"statement_timeout": 0.3}), gold.part(TABLE, [{"id": "d"}]))
    assert "raise statement_timeout" in (said.value.hint or "")


def test_a_server_that_only_reads(warehouse, target, admin):
    admin.execute(f"ALTER DATABASE {warehouse.database} SET default_transaction_read_only = on".encode())
    with pytest.raises(PublishError, match="read-only transaction") as said:
        put(target, ByHand().part(TABLE, SOME))
    assert "name the primary server" in (said.value.hint or "")


def test_a_disk_that_is_full(own_server):
    """A tablespace of two megabytes."""
    server, target = own_server
    place = server.folder / "small"
    place.mkdir()
    stat = server.folder.stat()
    if (
        os.geteuid()
        or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", place], check=False).returncode
    ):
        pytest.skip("not run: only root can make a disk that is full")
    try:
        os.chown(place, stat.st_uid, stat.st_gid)
        with psycopg.connect(server.url.set(drivername="postgresql").render_as_string(False), autocommit=True) as admin:
            admin.execute(f"CREATE TABLESPACE small LOCATION '{place}'".encode())
            admin.execute("ALTER DATABASE shop SET default_tablespace = small")
            gold = ByHand()
            put(target, gold.part(TABLE, SOME))
            many = gold.part(TABLE, [{"id": f"{n}", "note": "x" * 500} for n in range(8000)])
            with pytest.raises(PublishError, match="No space left on device") as said:
                put(target, many)
            assert "free space" in (said.value.hint or "")
            assert [row[1] for row in there(admin)] == ["a", "b", "c"]
    finally:
        server.kill()
        subprocess.run(["umount", "--lazy", place], check=True)  # The server's children end a little later than it.
