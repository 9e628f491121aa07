"""Whatever a server, a table or the registry gets wrong: a clear error, the watermark untouched, nothing delivered."""

import gc
import multiprocessing
import os
import signal
import threading
import time

import pytest
from sqlalchemy import URL, text

from clearer_platform import bronze
from clearer_platform.errors import ClearerError, DeliveryError
from clearer_platform.sample.databases import NoServer, mariadb, postgresql
from clearer_platform.sources import sql
from clearer_platform.sources.failure import Failure
from clearer_platform.sources.sql import reading, snapshot
from clearer_platform.sources.sql.mysql import MySqlTable
from clearer_platform.sources.sql.server import Unanswered
from clearer_platform_tests.conftest import client, signal_all
from clearer_platform_tests.sources.sql import killed
from clearer_platform_tests.sources.sql.shops import run
from clearer_platform_tests.sources.sql.test_keeping_up import BY_ID, add
from clearer_platform_tests.sources.sql.test_values import MYSQL, POSTGRESQL

CONTRACTS = '["clearer_platform_tests.sources.sql.shops"]'
FORKED = multiprocessing.get_context("forkserver")
"""Processes that have all that a reading needs from the first one: each would spend a second on importing it."""
FORKED.set_forkserver_preload([killed.__name__])
MANY = {
    "mysql": "INSERT INTO orders (id, note) SELECT seq, REPEAT('x', 500) FROM seq_1_to_60000",
    "postgresql": "INSERT INTO orders (id, note) SELECT n, repeat('x', 500) FROM generate_series(1, 60000) AS n",
}


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    """Nobody waits between attempts."""
    monkeypatch.setattr(reading, "WAIT", 0.01)


@pytest.fixture(params=["shop", "warehouse"])
def server(request):
    url = request.getfixturevalue(request.param)
    run(url, MYSQL if request.param == "shop" else POSTGRESQL)
    return url


def slots(home):
    return bronze.slots(home.platform.layout("eu"), "orders")


@pytest.mark.parametrize(
    ("entry", "said", "hint"),
    [
        ('watermark = "stamp"', "the table has no column 'stamp' to be read by; it has id, note", "mend watermark"),
        ('watermark = "note"', "'note' is of type TEXT, and a watermark is a number or a time", "leave watermark out"),
    ],
)
def test_a_watermark_that_cannot_be(server, make_home, entry, said, hint):
    with pytest.raises(DeliveryError) as caught:
        make_home(server, entry).fetch()
    assert said in caught.value.message and hint in caught.value.hint


def test_a_table_that_is_not_there_or_has_changed(server, make_home):
    home = make_home(server, BY_ID)
    add(server, 1)
    home.fetch()
    run(server, "ALTER TABLE orders DROP COLUMN note")
    with pytest.raises(DeliveryError, match="the table has no column 'note'; it has id, amount") as caught:
        home.fetch()
    assert "regions.eu.tables.orders.columns" in caught.value.hint
    run(server, "DROP TABLE orders")
    with pytest.raises(DeliveryError, match="there is no table orders that this user may read"):
        home.fetch()
    assert len(slots(home)) == 1


def test_a_right_that_was_taken_away(server, make_home, monkeypatch):
    home = make_home(server, BY_ID)
    add(server, 1)
    user, is_mysql = "reader", server.get_backend_name() == "mysql"
    host = f"'{user}'@'127.0.0.1'" if is_mysql else user
    if is_mysql:
        run(server, f"CREATE OR REPLACE USER {host} IDENTIFIED BY 'secret'", f"GRANT SELECT ON orders TO {host}")
    else:
        run(
            server,
            f"DROP ROLE IF EXISTS {user}",
            f"CREATE ROLE {user} LOGIN PASSWORD 'secret'",
            f"GRANT SELECT ON orders TO {user}",
        )
    reader = make_home(server.set(username=user, password="secret"), BY_ID)
    assert len(reader.fetch()) == 1
    add(server, 2)
    run(server, f"REVOKE SELECT ON orders FROM {host}")
    with pytest.raises(DeliveryError, match="eu orders: ") as caught:
        reader.fetch()
    assert (
        "permission denied" in caught.value.message
        or "denied" in caught.value.message
        or "no table" in caught.value.message
    )
    assert not caught.value.may_pass
    assert "secret" not in str(caught.value)
    run(server, f"GRANT SELECT ON orders TO {host}")
    assert len(reader.fetch()) == 1
    assert sorted(home.current()) == [1, 2]
    if not is_mysql:
        run(server, f"DROP OWNED BY {user}", f"DROP ROLE {user}")


def test_a_right_that_is_taken_away_between_counting_and_reading(shop, make_home, monkeypatch):
    run(shop, MYSQL)
    add(shop, 1)
    host = "'counter'@'127.0.0.1'"
    run(shop, f"CREATE OR REPLACE USER {host} IDENTIFIED BY 'secret'", f"GRANT SELECT ON orders TO {host}")
    counted = MySqlTable.count

    def count(*about):
        found = counted(*about)
        run(shop, f"REVOKE SELECT ON orders FROM {host}")
        return found

    monkeypatch.setattr(MySqlTable, "count", count)
    with pytest.raises(DeliveryError, match="denied") as caught:
        make_home(shop.set(username="counter", password="secret"), f"{BY_ID}\nattempts = 1").fetch()
    assert not caught.value.may_pass


def test_a_password_that_is_wrong_or_not_set(server, make_home, monkeypatch):
    home = make_home(server)
    monkeypatch.setenv("SHOP_PASSWORD", "guess-what")
    with pytest.raises(DeliveryError) as caught:
        home.fetch()
    assert "guess-what" not in str(caught.value)
    assert not caught.value.may_pass, "who tries again and again is locked out"
    monkeypatch.delenv("SHOP_PASSWORD")
    with pytest.raises(ClearerError, match="SHOP_PASSWORD is not set"):
        home.fetch()


def test_a_server_that_is_not_there_fails_the_day_and_may_pass(make_home):
    url = URL.create("mysql+pymysql", "clearer", "x", "127.0.0.1", 1, "shop")
    home = make_home(url)
    (failure,) = sql.collect(home.platform, "eu", "orders")
    assert isinstance(failure, Failure) and failure.error.may_pass
    assert "does not answer" in failure.error.message and "127.0.0.1" in failure.error.message


@pytest.mark.parametrize("kind", ["mysql", "postgresql"])
def test_a_server_that_falls_silent_or_dies_while_it_is_read(kind, make_home):
    """It is given up after its time-out; once it is there again the reading begins where the last delivery ended."""
    try:
        with (mariadb if kind == "mysql" else postgresql)() as server:
            run(server.url, MYSQL if kind == "mysql" else POSTGRESQL, MANY[kind])
            home = make_home(
                server.url, 'watermark = "id"\ncompare = 0\ntimeout = 1\nattempts = 1\nconnect_timeout = 2'
            )
            began = time.monotonic()
            with _at_the_first_rows(lambda: signal_all(server, signal.SIGSTOP)), pytest.raises(Unanswered):
                home.fetch()
            assert time.monotonic() - began < 30
            signal_all(server, signal.SIGCONT)
            assert not slots(home)
            with _at_the_first_rows(server.kill), pytest.raises(Unanswered, match="does not answer"):
                home.fetch()
            assert not slots(home)
    except NoServer as e:
        pytest.skip(f"not run: {e}")


@pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")
def test_a_connection_that_is_cut_is_made_again(server, make_home):
    run(server, MANY[server.get_backend_name()])
    home = make_home(server, BY_ID)
    with _at_the_first_rows(lambda: _cut_others(server)):
        (delivery,) = home.fetch()
    assert delivery.manifest.record_count == 60_000
    gc.collect()


def test_what_a_replica_breaks_off_may_pass(warehouse, make_home):
    """As a standby does, while rows are sent, to what stands in the way of what it has to replay."""
    run(
        warehouse,
        POSTGRESQL.replace("orders", "kept_orders"),
        "CREATE FUNCTION conflict() RETURNS TEXT STABLE LANGUAGE plpgsql AS $$ BEGIN"
        " RAISE 'canceling statement due to conflict with recovery' USING ERRCODE = '40001'; END $$",
        "INSERT INTO kept_orders (id) VALUES (1)",
        "CREATE VIEW orders AS SELECT id, conflict() AS note, amount, paid, placed_at, due FROM kept_orders",
    )
    with pytest.raises(Unanswered, match="conflict with recovery"):
        make_home(warehouse, f"{BY_ID}\nattempts = 1").fetch()


def test_what_means_no_value_is_another_text_where_one_is_taken(server, make_home):
    home = make_home(server, BY_ID)
    run(
        server,
        "INSERT INTO orders (id, note) VALUES (:id, :note)",
        values=[{"id": n, "note": t} for n, t in enumerate(reading.NULLS)],
    )
    with pytest.raises(DeliveryError, match="which mean no value"):
        home.fetch()
    assert not slots(home)


def test_rows_that_were_not_all_sent_are_not_delivered(shop, make_home, monkeypatch):
    """As of a table without transactions, from which rows go while it is read."""
    run(shop, MYSQL)
    add(shop, 1, 2, 3)
    home = make_home(shop, BY_ID)
    from clearer_platform.sources.sql.mysql import MySqlTable

    monkeypatch.setattr(MySqlTable, "count", lambda *_: (4, "3"))
    with pytest.raises(snapshot.Torn, match="counted 4 rows and sent 3"):
        home.fetch()
    assert not slots(home)


@pytest.mark.parametrize("name", ["publish_file", "publish_bytes"])
@pytest.mark.parametrize("before", [True, False])
def test_a_kill_at_any_commit_point_loses_and_doubles_nothing(shop, make_home, name, before):
    """Of a reading whose process was killed, whatever was delivered stands, and the next reading brings the rest."""
    run(shop, MYSQL)
    add(shop, *range(1, 8))
    home = make_home(shop, 'watermark = "id"\nrows = 3\ncompare = 3600')
    for number in range(8):
        if not _killed(home, name, number, before=before):
            break
    else:
        raise AssertionError("a reading has fewer commit points than that")
    assert number >= 2
    home.fetch()
    add(shop, 8)
    run(shop, "DELETE FROM orders WHERE id = 1")
    home.fetch(compare=True)
    assert sorted(home.current()) == list(range(2, 9))


def _killed(home, name, number, *, before):
    """Read in a process that kills itself at the commit with this number; whether it came so far."""
    settings = {"CLEARER_HOME": str(home.platform.settings.home), "CLEARER_CONTRACT_MODULES": CONTRACTS}
    process = FORKED.Process(target=killed.fetch, args=({**os.environ, **settings}, name, number, before))
    process.start()
    process.join()
    assert process.exitcode in (0, -signal.SIGKILL)
    return process.exitcode != 0


class _at_the_first_rows:
    """Do something once, when the first rows of a reading have come."""

    def __init__(self, action):
        self.action, self.patch, self.lock = action, pytest.MonkeyPatch(), threading.Lock()

    def __enter__(self):
        whole, did = snapshot.Opened.heard, []

        def heard(opened):
            if not did:
                did.append(True)
                self.action()
            whole(opened)

        self.patch.setattr(snapshot.Opened, "heard", heard)
        return self

    def __exit__(self, *_):
        self.patch.undo()


OTHERS = {
    "mysql": "SELECT id FROM information_schema.processlist WHERE db = database() AND id <> connection_id()",
    "postgresql": "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
}
CUT = {"mysql": "KILL {}", "postgresql": "SELECT pg_terminate_backend({})"}


def _cut_others(url):
    """End every other connection to the database."""
    engine, kind = client(url, isolation_level="AUTOCOMMIT"), url.get_backend_name()
    with engine.connect() as connection:
        for (number,) in connection.execute(text(OTHERS[kind])).all():
            connection.execute(text(CUT[kind].format(number)))
    engine.dispose()
