"""Publishing to a real PostgreSQL: what is there equals gold, nothing is written twice, nobody sees half of it."""

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from sqlalchemy import URL

from clearer_platform.errors import Busy, PublishError, Unreachable
from clearer_platform.regions import DatabaseTarget, targets
from clearer_platform.sample.databases import NoServer, postgresql
from clearer_platform.serving.publishing import postgresql as publishing
from clearer_platform.serving.publishing.publication import Part, Published
from clearer_platform_tests.conftest import EFFORT, signal_all
from clearer_platform_tests.serving.publishing.by_hand import STATES, ByHand, Row, every_kind, silent

TABLE = every_kind()
SOME: list[Row] = [
    {"id": "a", "note": "", "amount": Decimal("1.10"), "n": 1},
    {"id": "b", "note": None, "amount": Decimal("2.20"), "n": 2},
    {"id": "c", "amount": Decimal("3.30"), "n": 3},
]


def target_of(url: URL, **other: Any) -> DatabaseTarget:
    """A target at `url`, whose password the environment has."""
    entry = {"name": "bi", "kind": "postgresql", "tables": ("*",), "schema_name": "gold", "lock_timeout": 0.3}
    address = f"postgresql://{url.username}@{url.host}:{url.port}/{url.database}"
    return DatabaseTarget.model_validate({**entry, "url": address, "password_env": "TARGET_PASSWORD", **other})


@pytest.fixture
def target(warehouse: URL, monkeypatch: pytest.MonkeyPatch) -> DatabaseTarget:
    """An empty database, and a schema that is not there yet."""
    monkeypatch.setenv("TARGET_PASSWORD", str(warehouse.password))
    return target_of(warehouse)


@pytest.fixture
def admin(warehouse: URL):
    """A connection of somebody else's."""
    with psycopg.connect(warehouse.set(drivername="postgresql").render_as_string(False), autocommit=True) as connection:
        yield connection


def put(target: DatabaseTarget, *parts: Part, force: bool = False) -> list[Published]:
    return publishing.publish(target, parts, force=force, advance=silent)


def counts(done: Sequence[Published]) -> list[tuple[int, int, int, int]]:
    return [(one.added, one.changed, one.removed, one.unchanged) for one in done]


def there(admin: psycopg.Connection, table: str = "every_kind", more: str = "") -> list[Any]:
    return admin.execute(f"SELECT * {more} FROM gold.{table} ORDER BY region, id".encode()).fetchall()


def told(row: Row, region: str = "eu") -> tuple[Any, ...]:
    """A row as PostgreSQL must give it back."""
    tags = row.get("tags")
    said = {"region": region, **row, "tags": None if tags is None else json.dumps(tags)}
    return tuple(said.get(name) for name in TABLE.names)


def seen(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """A row that PostgreSQL gave, with JSON in one form and ids as text."""
    said = dict(zip(TABLE.names, row, strict=True))
    said["who"] = said["who"] and str(said["who"])
    said["tags"] = said["tags"] and json.dumps(json.loads(said["tags"]))
    return tuple(said.values())


@settings(max_examples=15 * EFFORT, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(states=STATES)
def test_whatever_gold_says_the_target_says(target, admin, states):
    """Every type, empty text beside null, and what would end a copy of PostgreSQL's; other regions stay as they are."""
    admin.execute("DROP SCHEMA IF EXISTS gold CASCADE")
    eu, us = ByHand("eu"), ByHand("us")
    put(target, us.part(TABLE, SOME))
    for rows in states:
        part = eu.part(TABLE, rows)
        put(target, part)
        expected = sorted(map(told, rows), key=lambda row: row[1])
        found = sorted((seen(row) for row in there(admin) if row[0] == "eu"), key=lambda row: row[1])
        assert found == expected
        assert not put(target, part)[0].is_new
    assert [row[1] for row in there(admin) if row[0] == "us"] == ["a", "b", "c"]


def test_only_what_differs_is_written(target, admin):
    gold = ByHand()
    assert counts(put(target, gold.part(TABLE, SOME))) == [(3, 0, 0, 0)]
    before = there(admin, more=", xmin, ctid")
    (again,) = put(target, gold.part(TABLE, SOME))
    assert not again.is_new
    (forced,) = put(target, gold.part(TABLE, SOME), force=True)
    assert forced.is_new and counts([forced]) == [(0, 0, 0, 3)]
    assert there(admin, more=", xmin, ctid") == before
    assert admin.execute("SELECT n_tup_ins, n_tup_upd, n_tup_del FROM pg_stat_user_tables WHERE relname = 'every_kind'")

    rows = [SOME[0], {**SOME[1], "note": ""}, {"id": "d", "n": 4}]
    assert counts(put(target, gold.part(TABLE, rows))) == [(1, 1, 1, 1)]
    assert there(admin, more=", xmin, ctid")[0] == before[0]
    assert [(row[1], row[2]) for row in there(admin)] == [("a", ""), ("b", ""), ("d", None)]
    record = admin.execute('SELECT table_name, region, "rows" FROM gold.clearer_publications').fetchall()
    assert record == [("every_kind", "eu", 3)]


@pytest.mark.parametrize("key", [("region", "id"), ()])
def test_the_rows_of_other_regions_stay(target, admin, key):
    """With a key, without one, and where every row is compared."""
    table, eu, us = every_kind(key=key), ByHand("eu"), ByHand("us")
    put(target, eu.part(table, SOME), us.part(table, SOME))
    put(target, eu.part(table, SOME[:2]))
    put(target, eu.part(table, SOME[:1]), force=True)
    assert [row[0] for row in there(admin)] == ["eu", "us", "us", "us"]


def test_in_mode_upsert_older_rows_stay(warehouse, target, admin):
    target, gold = target_of(warehouse, mode="upsert"), ByHand()
    put(target, gold.part(TABLE, SOME))
    assert counts(put(target, gold.part(TABLE, [{"id": "b", "n": 5}, {"id": "x"}]))) == [(1, 1, 0, 0)]
    assert [(row[1], row[5]) for row in there(admin)] == [("a", 1), ("b", 5), ("c", 3), ("x", None)]


def test_a_table_without_a_key(target, admin):
    """Rows that are equal in all that they say are counted; an unchanged one is not written again."""
    table, gold = every_kind("totals", key=()), ByHand()
    rows = [{"id": "a"}, {"id": "a"}, {"id": "b", "n": 1}]
    put(target, gold.part(table, rows))
    before = there(admin, "totals", ", xmin, ctid")
    assert counts(put(target, gold.part(table, rows), force=True)) == [(0, 0, 0, 3)]
    assert there(admin, "totals", ", xmin, ctid") == before
    assert counts(put(target, gold.part(table, rows[1:]))) == [(0, 0, 1, 2)]
    assert [row[1] for row in there(admin, "totals")] == ["a", "b"]
    assert counts(put(target, gold.part(table, [rows[0], *rows[:2], {"id": "b", "n": 2}]))) == [(3, 0, 1, 1)]
    assert [row[1] for row in there(admin, "totals")] == ["a", "a", "a", "b"]


def test_the_contract_is_the_shape(target, admin):
    put(target, ByHand().part(TABLE, SOME))
    columns = admin.execute(
        "SELECT attname, format_type(atttypid, atttypmod), attnotnull, col_description(attrelid, attnum)"
        " FROM pg_attribute WHERE attrelid = 'gold.every_kind'::regclass AND attnum > 0 ORDER BY attnum"
    ).fetchall()
    assert columns[1] == ("id", "text", True, "What id says.")
    assert {name: kind for name, kind, _, _ in columns} == {
        **dict.fromkeys(("region", "id", "note", "tags"), "text"),
        "amount": "numeric(18,2)",
        "wide": "numeric(38,10)",
        "n": "bigint",
        "small": "smallint",
        "ratio": "double precision",
        "flag": "boolean",
        "day": "date",
        "at": "timestamp with time zone",
        "local": "timestamp without time zone",
        "who": "uuid",
    }
    key = "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'every_kind_pkey'"
    assert admin.execute(key).fetchall() == [("PRIMARY KEY (region, id)",)]
    assert admin.execute("SELECT obj_description('gold.every_kind'::regclass)").fetchone() == ("About every_kind.",)


def test_a_changed_contract_migrates_the_table(target, admin):
    """Columns come, go and widen; rows of a region that was not published yet wait for their values."""
    eu, us = ByHand("eu"), ByHand("us")
    put(target, eu.part(TABLE, SOME), us.part(TABLE, SOME))
    eu.connection.execute("ALTER TABLE gold.every_kind ADD COLUMN more VARCHAR DEFAULT 'x'")
    changed = every_kind(small="bigint", amount="decimal(20,4)", note=None, more="varchar")
    assert counts(put(target, eu.of(changed))) == [(0, 3, 0, 0)]
    kinds = "SELECT region, id, small, amount, more, pg_typeof(small)::text FROM gold.every_kind ORDER BY 1, 2 LIMIT 4"
    assert admin.execute(kinds).fetchall()[2:] == [
        ("eu", "c", None, Decimal("3.3000"), "x", "bigint"),
        ("us", "a", None, Decimal("1.1000"), None, "bigint"),
    ]
    assert "note" not in {c.name for c in admin.execute("SELECT * FROM gold.every_kind").description or ()}
    us.connection.execute("ALTER TABLE gold.every_kind ADD COLUMN more VARCHAR DEFAULT 'y'")
    assert counts(put(target, us.of(changed))) == [(0, 3, 0, 0)]


def test_what_cannot_be_migrated_is_said_and_nothing_changes(target, admin):
    gold = ByHand()
    put(target, gold.part(TABLE, SOME))
    before = there(admin)
    with pytest.raises(PublishError, match=r"column amount is numeric\(18,2\) in the target and integer"):
        put(target, gold.part(every_kind(amount="integer"), []))
    assert there(admin) == before


def test_readers_see_all_or_nothing(warehouse, target):
    """Two tables always say the same version, in whatever moment somebody looks, and nobody waits."""
    pair, gold = (every_kind("one"), every_kind("two")), ByHand()

    def version(n: int) -> list[Part]:
        return [gold.part(table, [{"id": f"{i}", "n": n} for i in range(n % 7 + 1)]) for table in pair]

    put(target, *version(0))
    found, slowest, stop = set(), 0.0, threading.Event()

    def look() -> None:
        nonlocal slowest
        with psycopg.connect(warehouse.set(drivername="postgresql").render_as_string(False)) as reader:
            reader.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            while not stop.is_set():
                started = time.perf_counter()
                said = [
                    reader.execute(f"SELECT min(n), max(n), count(*) FROM gold.{name}".encode()).fetchone()
                    for name in ("one", "two")
                ]
                reader.commit()
                slowest = max(slowest, time.perf_counter() - started)
                found.add(tuple(said))

    readers = [threading.Thread(target=look) for _ in range(2)]
    for reader in readers:
        reader.start()
    for n in range(1, 21):
        put(target, *version(n))
    stop.set()
    for reader in readers:
        reader.join()
    assert len(found) > 3 and slowest < 2
    for one, two in found:
        assert one == two and one[0] == one[1] and one[2] == one[0] % 7 + 1


CHILD = """
import sys
from pathlib import Path
from clearer_platform.regions import DatabaseTarget
from clearer_platform_tests.serving.publishing.by_hand import ByHand, every_kind, silent
from clearer_platform.serving.publishing import postgresql

target = DatabaseTarget.model_validate_json(sys.argv[1])
gold, n = ByHand(), int(sys.argv[2])
while True:
    n += 1
    rows = [{"id": f"{i}", "n": n} for i in range(2000 + n % 3)]
    parts = [gold.part(every_kind(name), rows) for name in ("one", "two")]
    print(n, flush=True)
    postgresql.publish(target, parts, force=False, advance=silent)
"""


def test_a_kill_at_any_moment_leaves_one_version_or_the_next(target, admin):
    """And the next publication just goes on."""
    last = 0
    for attempt in range(3 * EFFORT):
        command = [sys.executable, "-c", CHILD, target.model_dump_json(), str(last)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout
            for _ in range(1 + attempt % 2):
                child.stdout.readline()
            time.sleep(random.uniform(0, 0.4))
            child.send_signal(signal.SIGKILL)
            last += 100
        if admin.execute("SELECT to_regclass('gold.one')").fetchone() == (None,):
            continue
        said = [
            admin.execute(f"SELECT min(n), max(n), count(*) FROM gold.{name}".encode()).fetchone()
            for name in ("one", "two")
        ]
        assert said[0] == said[1] and said[0]
        assert said[0][0] == said[0][1] and said[0][2] == 2000 + said[0][0] % 3
    gold = ByHand()
    rows = [{"id": "z", "n": 1}]
    until = time.monotonic() + 10
    while True:  # The server may take a moment to notice that the killed one is gone.
        try:
            put(target, *(gold.part(every_kind(name), rows) for name in ("one", "two")))
            break
        except Busy:
            assert time.monotonic() < until
    assert [len(there(admin, name)) for name in ("one", "two")] == [1, 1]


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


def test_a_table_of_somebody_elses_is_left_alone(target, admin):
    admin.execute("CREATE SCHEMA gold; CREATE TABLE gold.every_kind (id text)")
    with pytest.raises(PublishError, match=r"gold\.every_kind is there already"):
        put(target, ByHand().part(TABLE, SOME))
    assert admin.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'gold'").fetchone() == (1,)


def test_a_user_without_rights_is_told_which(warehouse, target, admin):
    admin.execute(b"DROP ROLE IF EXISTS poor; CREATE ROLE poor LOGIN PASSWORD 'x'")
    admin.execute(f"ALTER ROLE poor PASSWORD '{warehouse.password}'".encode())
    with pytest.raises(PublishError, match="permission denied") as said:
        put(target_of(warehouse.set(username="poor")), ByHand().part(TABLE, SOME))
    assert "grant poor CREATE" in (said.value.hint or "")
    admin.execute("CREATE SCHEMA gold AUTHORIZATION poor")  # all that it takes: no superuser
    put(target_of(warehouse.set(username="poor")), ByHand().part(TABLE, SOME))
    admin.execute("DROP SCHEMA gold CASCADE; DROP ROLE poor")


def test_a_dropped_table_is_published_again(target, admin):
    part = ByHand().part(TABLE, SOME)
    put(target, part)
    admin.execute("DROP TABLE gold.every_kind")
    assert counts(put(target, part)) == [(3, 0, 0, 0)]


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


def test_a_server_that_hangs_or_dies(own_server, monkeypatch):
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
        subprocess.run(["umount", place], check=True)
