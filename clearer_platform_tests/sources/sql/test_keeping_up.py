"""Keeping up with a table by its watermark, with an overlap, and by comparing all rows; nothing lost or twice."""

import dataclasses
import json
import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import BytesIO

import pytest
from sqlalchemy import text

from clearer_platform import bronze, gold
from clearer_platform.bronze import Found
from clearer_platform.sources.sql import kept, snapshot
from clearer_platform.sources.sql.columns import Column, Kind
from clearer_platform.sources.sql.watermarks import capped, lower_of
from clearer_platform_tests.conftest import client
from clearer_platform_tests.sources.sql.shops import ORDERS, run
from clearer_platform_tests.sources.sql.test_values import MYSQL, POSTGRESQL

BY_ID = 'watermark = "id"\ncompare = 0'


def add(url, *ids, note="new"):
    run(url, "INSERT INTO orders (id, note) VALUES (:id, :note)", values=[{"id": n, "note": note} for n in ids])


@pytest.fixture(params=["shop", "warehouse"])
def server(request):
    url = request.getfixturevalue(request.param)
    run(url, MYSQL if request.param == "shop" else POSTGRESQL)
    return url


def ids(deliveries):
    """The ids in deliveries, by the csv module and not by the reader under test."""
    lines = [line for delivery in deliveries for line in delivery.content.read_text().splitlines()[1:]]
    return [int(line.split(",")[0].strip('"')) for line in lines]


def test_only_what_is_new_is_delivered(server, make_home):
    home = make_home(server, BY_ID)
    assert not home.fetch(), "an empty table is no delivery"
    add(server, 1, 2, 3)
    first = home.fetch()
    assert ids(first) == [1, 2, 3]
    assert not home.fetch()
    add(server, 4, 5)
    second = home.fetch()
    assert ids(second) == [3, 4, 5], "from the last watermark on: another row may have it too"
    assert [d.manifest.extract.upper for d in [*first, *second]] == ["3", "5"]
    assert not home.fetch()
    assert sorted(home.current()) == [1, 2, 3, 4, 5]


def test_a_transaction_that_was_open_for_long_is_covered_by_the_overlap(server, make_home):
    home = make_home(server, 'watermark = "id"\noverlap = 10\ncompare = 0')
    engine = client(server)
    with engine.connect() as late:
        late.execute(text("INSERT INTO orders (id, note) VALUES (2, 'late')"))
        add(server, 1, 3)
        home.fetch()
        late.commit()
    engine.dispose()
    home.fetch()
    assert sorted(home.current()) == [1, 2, 3]
    assert not home.fetch()


def test_a_missed_run_misses_no_row(server, make_home):
    """A window of four hours loses what came before it when a run is left out; a watermark does not."""
    home = make_home(server, 'watermark = "placed_at"\ncompare = 0')
    sql = "INSERT INTO orders (id, placed_at) VALUES (:id, :at)"
    begin = datetime(2024, 3, 1)
    for n in range(1, 4):
        run(server, sql, values=[{"id": n, "at": f"{begin + timedelta(hours=9 * n)}"}])
        if n != 2:
            home.fetch()
    assert sorted(home.current()) == [1, 2, 3]


def test_a_row_that_lies_in_the_future_keeps_no_other_out(server, make_home):
    home = make_home(server, 'watermark = "placed_at"\ncompare = 0')
    sql = "INSERT INTO orders (id, placed_at) VALUES (:id, :at)"
    run(server, sql, values=[{"id": 1, "at": "2037-01-01 00:00:00"}])
    home.fetch()
    run(server, sql, values=[{"id": 2, "at": f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S}"}])
    home.fetch()
    assert sorted(home.current()) == [1, 2]


def test_updates_and_deletes_that_a_watermark_cannot_see_are_found_and_recorded(server, make_home):
    home = make_home(server, BY_ID)
    add(server, *range(1, 11))
    home.fetch()
    run(server, "UPDATE orders SET note = 'changed' WHERE id IN (3, 4)", "DELETE FROM orders WHERE id IN (5, 6, 7)")
    assert not home.fetch(compare=False)
    add(server, 0)
    assert not ids(home.fetch(compare=False)), "below the watermark"
    deleted, changed = home.fetch(compare=True)
    assert changed.manifest.extract.found == Found(inserted=1, updated=2, deleted=3) == deleted.manifest.extract.found
    assert (ids([changed]), ids([deleted])) == ([0, 3, 4], [5, 6, 7])
    assert sorted(home.current()) == [0, 1, 2, 3, 4, 8, 9, 10]
    assert home.current()[3]["note"] == "changed"
    assert not home.fetch(compare=True), "what was found once is known"
    add(server, 5, note="again")
    (again,) = home.fetch(compare=True)
    assert again.manifest.extract.found == Found(inserted=1, updated=0, deleted=0)
    assert home.current()[5]["note"] == "again"


def test_a_comparison_counts_as_far_as_it_read(server, make_home):
    home = make_home(server, BY_ID)
    add(server, *range(1, 11))
    home.fetch()
    add(server, 20, 30)
    run(server, "DELETE FROM orders WHERE id = 1")
    _, changed = home.fetch(compare=True)
    assert changed.manifest.extract.upper == "30"
    assert ids(home.fetch(compare=False)) == [30]


def test_a_table_that_begins_anew_is_kept_up_with_once_it_was_compared(server, make_home):
    home = make_home(server, BY_ID)
    add(server, *range(1, 11))
    home.fetch()
    run(server, "DELETE FROM orders")
    add(server, 1, 2)
    home.fetch(compare=True)
    add(server, 3)
    assert ids(home.fetch(compare=False)) == [2, 3], "what was read once was higher, and is gone"
    assert not home.fetch(compare=False)
    assert sorted(home.current()) == [1, 2, 3]


def says(home, work):
    """The note of every order, as gold takes the deliveries together."""
    home.silver()
    with gold.picture(home.platform, "eu", "orders", work) as (connection, query):
        return {row[0]: row[1] for row in connection.execute(f"select id, note from ({query})").fetchall()}


def restored(server, home):
    """A backup of three orders is brought back, since which the server has deleted one and changed another."""
    add(server, 1, 2, 3)
    home.fetch()
    run(server, "DELETE FROM orders WHERE id = 1", "UPDATE orders SET note = 'changed' WHERE id = 2")
    home.fetch(compare=True)
    other = dict.fromkeys(("amount", "paid", "placed_at", "due"))
    lines = "".join(json.dumps({"id": f"{n}", "note": "new", **other}) + "\n" for n in (1, 2, 3))
    today = home.platform.region("eu").today(datetime.now(UTC))
    layout, content = home.platform.layout("eu"), BytesIO(lines.encode())
    bronze.receive(layout, "orders", today, "restored.jsonl", content, origin="backup", restores="backup")


def test_what_a_backup_brought_back_and_the_server_has_deleted_goes_again(server, make_home, tmp_path):
    home = make_home(server, BY_ID)
    restored(server, home)
    assert says(home, tmp_path) == {1: "new", 2: "new", 3: "new"}
    assert ids(home.fetch()) == [2, 3]
    assert says(home, tmp_path) == {2: "changed", 3: "new"}
    add(server, 4)
    assert ids(home.fetch()) == [3, 4], "as before"
    run(server, "DELETE FROM orders WHERE id = 3")
    home.fetch(compare=True)
    assert says(home, tmp_path) == {2: "changed", 4: "new"}


def test_what_a_backup_brought_back_stays_where_the_contract_cannot_say_that_it_is_deleted(
    server, make_home, tmp_path, monkeypatch
):
    without = dataclasses.replace(ORDERS, tombstone=None)
    monkeypatch.setattr(snapshot.Reading, "contract", property(lambda _: without))
    home = make_home(server, BY_ID)
    restored(server, home)
    home.fetch()
    assert says(home, tmp_path) == {1: "new", 2: "changed", 3: "new"}


def test_a_key_that_the_server_writes_otherwise_is_of_the_same_row(server, make_home, tmp_path):
    """To the comparison one is gone and one has come; to the contract they are one."""
    is_mysql = server.get_backend_name() == "mysql"
    run(server, f"ALTER TABLE orders {'MODIFY id' if is_mysql else 'ALTER id TYPE'} VARCHAR(9)")
    run(server, "INSERT INTO orders (id, note) VALUES ('007', 'new'), ('8', 'old')")
    home = make_home(server)
    home.fetch()
    assert says(home, tmp_path) == {7: "new", 8: "old"}
    run(server, f"ALTER TABLE orders {'MODIFY id INT' if is_mysql else 'ALTER id TYPE INT USING id::INT'}")
    home.fetch()
    assert says(home, tmp_path) == {7: "new", 8: "old"}


def test_a_watermark_may_get_another_clock(warehouse, make_home):
    """What was a time on the wall is hours away from the same digits in UTC."""
    run(warehouse, POSTGRESQL.replace("TIMESTAMPTZ", "TIMESTAMP"))
    home = make_home(warehouse, 'watermark = "placed_at"\ncompare = 0')
    insert = "INSERT INTO orders (id, placed_at) VALUES (:id, :at)"
    run(warehouse, insert, values=[{"id": 1, "at": "2024-07-01 12:00:00"}])
    home.fetch()
    run(warehouse, "ALTER TABLE orders ALTER placed_at TYPE TIMESTAMPTZ USING placed_at AT TIME ZONE 'Europe/Berlin'")
    run(warehouse, insert, values=[{"id": 2, "at": "2024-07-01 12:30:00+02"}])
    home.fetch()
    assert sorted(home.current()) == [1, 2]
    run(warehouse, insert, values=[{"id": 3, "at": "2024-07-01 12:40:00+02"}])
    assert ids(home.fetch()) == [2, 3]


def test_columns_may_be_called_as_the_comparison_calls_its_own(shop, make_home):
    names = ("rowid", "k0", "c0", "n", "number", "what", "filename", "hashed", "last")
    run(shop, MYSQL.replace("due DATE", "due DATE, " + ", ".join(f"`{name}` INT" for name in names)))
    home = make_home(shop, BY_ID)
    add(shop, 1, 2, 3)
    home.fetch()
    run(shop, "UPDATE orders SET `rowid` = 9 WHERE id = 1", "DELETE FROM orders WHERE id = 2")
    deleted, changed = home.fetch(compare=True)
    assert (ids([changed]), ids([deleted])) == ([1], [2])
    assert sorted(home.current()) == [1, 3]


def test_a_table_without_a_watermark_is_compared_each_time(server, make_home):
    home = make_home(server)
    add(server, 1, 2)
    (first,) = home.fetch()
    assert first.manifest.extract.upper is None
    add(server, 3)
    run(server, "DELETE FROM orders WHERE id = 1")
    home.fetch()
    assert sorted(home.current()) == [2, 3]
    assert not home.fetch()


def test_a_comparison_comes_when_it_is_due(server, make_home):
    home = make_home(server, 'watermark = "id"\ncompare = 3600')
    layout = home.platform.layout("eu")
    add(server, 1, 2)
    home.fetch()
    run(server, "UPDATE orders SET note = 'changed' WHERE id = 1")
    assert not home.fetch()
    kept.keep(layout, "orders", datetime.now(UTC) - timedelta(seconds=3601))
    assert home.fetch()[0].manifest.extract.found.updated == 1
    kept.keep(layout, "orders", datetime.now(UTC) + timedelta(days=1))
    source = home.platform.region("eu").sql_source("orders")
    assert kept.is_comparison_due(source, layout, "orders", datetime.now(UTC)), "the clock was set back"


def test_a_large_table_comes_in_several_deliveries_and_goes_on_after_a_kill(server, make_home, monkeypatch):
    home = make_home(server, 'watermark = "amount"\nrows = 3\ncompare = 0')
    values = [{"id": n, "amount": n // 4} for n in range(10)]
    run(server, "INSERT INTO orders (id, amount) VALUES (:id, :amount)", values=values)
    deliveries = home.fetch()
    assert [ids([d]) for d in deliveries] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]], "equal watermarks stay together"
    assert [Decimal(d.manifest.extract.upper) for d in deliveries] == [0, 1, 2]
    assert sorted(home.current()) == list(range(10))


def test_columns_may_come_and_go(server, make_home):
    home = make_home(server, BY_ID)
    add(server, 1, 2)
    home.fetch()
    run(server, "ALTER TABLE orders ADD COLUMN colour VARCHAR(10)")
    assert not home.fetch(compare=True), "no row says anything else than before"
    run(server, "UPDATE orders SET colour = 'red' WHERE id = 2")
    (changed,) = home.fetch(compare=True)
    assert ids([changed]) == [2]
    run(server, "ALTER TABLE orders DROP COLUMN colour")
    home.fetch(compare=True)
    assert sorted(home.current()) == [1, 2]


@pytest.mark.parametrize("seed", range(4))
def test_any_history_with_any_readings_ends_at_what_the_server_has(shop, make_home, seed):
    """Inserts, updates, deletes and readings in any order; a last comparison, and both hold the same rows."""
    chance = random.Random(seed)
    run(shop, MYSQL)
    home = make_home(
        shop, f'watermark = "id"\noverlap = {chance.choice((0, 2))}\nrows = {chance.choice((2, 5, 1000))}\ncompare = 0'
    )
    for _ in range(12):
        n = chance.randrange(12)
        match chance.randrange(5):
            case 0 | 1:
                run(
                    shop,
                    "INSERT IGNORE INTO orders (id, note) VALUES (:id, :note)",
                    values=[{"id": n, "note": f"{chance.random()}"}],
                )
            case 2:
                run(
                    shop,
                    "UPDATE orders SET note = :note WHERE id = :id",
                    values=[{"id": n, "note": f"{chance.random()}"}],
                )
            case 3:
                run(shop, "DELETE FROM orders WHERE id = :id", values=[{"id": n}])
            case 4:
                home.fetch(compare=chance.random() < 0.5)
    home.fetch(compare=True)
    engine = client(shop)
    with engine.connect() as connection:
        expected = {row.id: row.note for row in connection.execute(text("SELECT id, note FROM orders"))}
    engine.dispose()
    assert {key: row["note"] for key, row in home.current().items()} == expected


def test_watermarks_are_numbers_and_times():
    number, instant = Column("n", Kind.NUMBER, None), Column("t", Kind.INSTANT, None)
    local = Column("l", Kind.LOCAL, None)
    assert lower_of("18446744073709551615", number, 1, "UTC") == "18446744073709551614"
    assert lower_of("2024-03-01 00:00:00.000001", instant, 0.5, "UTC") == "2024-02-29 23:59:59.500001"
    assert lower_of("0001-01-01 00:00:00.000000", instant, 60, "UTC") == "0001-01-01 00:00:00.000000"
    now = datetime(2024, 7, 1, 12, tzinfo=UTC)
    assert capped("2024-07-01 11:59:59.000000", instant, now, "UTC") == "2024-07-01 11:59:59.000000"
    assert capped("9999-07-01 11:59:59.000000", instant, now, "UTC") == "2024-07-01 11:00:00.000000"
    assert capped("2024-07-01 13:59:59.000000", local, now, "Europe/Berlin") == "2024-07-01 13:59:59.000000"
    assert capped("2024-07-01 14:00:01.000000", local, now, "Europe/Berlin") == "2024-07-01 13:00:00.000000"
