"""Tables as they are out there: names with signs in them, long values, odd watermarks, keys without a value, changes
of the schema while a table is read."""

import dataclasses
import threading
import time
from datetime import datetime

import pytest

from clearer_platform.bronze import Found
from clearer_platform.errors import DeliveryError, StorageError
from clearer_platform.sources.sql import snapshot
from clearer_platform.sources.sql.columns import Column, Kind
from clearer_platform.sources.sql.watermarks import lower_of
from clearer_platform_tests.conftest import client
from clearer_platform_tests.sources.sql.shops import ORDERS, run
from clearer_platform_tests.sources.sql.test_keeping_up import BY_ID, add, ids
from clearer_platform_tests.sources.sql.test_values import MYSQL, POSTGRESQL

OTHERS = "note TEXT, amount DECIMAL(20, 4), paid INT, placed_at TIMESTAMP NULL, due DATE"
ODD = "50%(x)s :lower \"' a.b €"


@pytest.fixture(params=["shop", "warehouse"])
def server(request):
    url = request.getfixturevalue(request.param)
    run(url, MYSQL.replace(" TEXT", " LONGTEXT") if request.param == "shop" else POSTGRESQL)
    return url


def as_written(url, *statements):
    """Run statements in which a colon or per cent sign is one."""
    engine = client(url)
    with engine.begin() as connection:
        for statement in statements:
            connection.execution_options(no_parameters=True).exec_driver_sql(statement)
    engine.dispose()


def marked(url, sql_type, *values):
    """A table `odd` with a column `mark`, and a row for each of the values."""
    create = f"CREATE TABLE odd (id INT, mark {sql_type} NULL, {OTHERS})"
    rows = [f"INSERT INTO odd (id, mark) VALUES ({n}, {value})" for n, value in enumerate(values, 1)]
    as_written(url, *(["SET sql_mode = ''"] if url.get_backend_name() == "mysql" else []), create, *rows)


def test_names_may_have_any_sign(server, make_home):
    sign = "`" if server.get_backend_name() == "mysql" else '"'
    name = f"{sign}{ODD.replace(sign, 2 * sign)}{sign}"
    table = f"{sign}t% :x{sign}"
    as_written(
        server,
        f"CREATE TABLE {table} (id INT, {name} INT, {OTHERS})",
        f"INSERT INTO {table} (id, {name}) VALUES (1, 7)",
    )
    home = make_home(server, f"watermark = '''{ODD}'''\ncompare = 0", table="t% :x")
    (first,) = home.fetch()
    assert first.manifest.extract.upper == "7"
    as_written(server, f"INSERT INTO {table} (id, {name}) VALUES (2, 8)", f"UPDATE {table} SET note = 'x' WHERE id = 1")
    assert ids(home.fetch()) == [1, 2]
    as_written(server, f"DELETE FROM {table} WHERE id = 1")
    assert ids(home.fetch(compare=True)) == [1]
    assert sorted(home.current()) == [2]


def test_values_may_be_long(server, make_home):
    home = make_home(server, BY_ID)
    run(server, "INSERT INTO orders (id, note) VALUES (1, REPEAT('x', 3000000))")
    home.fetch()
    add(server, 0)
    assert ids(home.fetch(compare=True)) == [0]
    assert {key: len(row["note"]) for key, row in home.current().items()} == {0: 3, 1: 3_000_000}


def test_bytes_come_as_hexadecimal_digits(shop, make_home):
    types = ("TINYBLOB", "BLOB", "MEDIUMBLOB", "LONGBLOB", "VARBINARY(9)", "BINARY(2)")
    run(shop, MYSQL.replace("due DATE", "due DATE, " + ", ".join(f"b{n} {name}" for n, name in enumerate(types))))
    run(shop, f"INSERT INTO orders VALUES (1, NULL, NULL, NULL, NULL, NULL{', 0xFF41' * len(types)})")
    (delivery,) = make_home(shop).fetch()
    assert delivery.content.read_text().splitlines()[1].split(",")[-len(types) :] == ["FF41"] * len(types)


def test_what_lies_on_a_map_comes_as_bytes(shop, make_home):
    """Taken for text it would lose bytes, and hold characters for which each row is rejected."""
    places = {
        "geometry": "POINT(1 2)",
        "point": "POINT(1 2)",
        "linestring": "LINESTRING(1 2,3 4)",
        "polygon": "POLYGON((0 0,1 0,1 1,0 0))",
        "multipoint": "MULTIPOINT(1 2)",
        "multilinestring": "MULTILINESTRING((1 2,3 4))",
        "multipolygon": "MULTIPOLYGON(((0 0,1 0,1 1,0 0)))",
        "geometrycollection": "GEOMETRYCOLLECTION(POINT(1 2))",
    }
    run(shop, MYSQL.replace("due DATE", "due DATE, " + ", ".join(f"p{name} {name}" for name in places)))
    columns, values = (
        ", ".join(f"p{name}" for name in places),
        ", ".join(f"ST_GeomFromText('{text}', 4326)" for text in places.values()),
    )
    as_written(shop, f"INSERT INTO orders (id, {columns}) VALUES (1, {values})")
    home = make_home(shop)
    (delivery,) = home.fetch()
    cells = delivery.content.read_text().splitlines()[1].split(",")[-len(places) :]
    assert cells[1] == "E61000000101000000000000000000F03F0000000000000040", "SRID 4326 and the point as WKB"
    assert all(bytes.fromhex(cell) for cell in cells)
    assert [row["id"] for row in home.silver()] == [1]
    assert not home.fetch()


def test_a_database_may_be_in_another_encoding(warehouse, make_home):
    name = f"{warehouse.database}_latin"
    engine = client(warehouse, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(
            f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'"
        )
        latin = warehouse.set(database=name)
        as_written(latin, POSTGRESQL.replace("orders", '"bücher"').replace("due DATE", 'due DATE, "größe" INT'))
        as_written(latin, "INSERT INTO \"bücher\" (id, note) VALUES (1, 'Käse')")
        home = make_home(latin, BY_ID, table="bücher")
        home.fetch()
        assert [row["note"] for row in home.silver()] == ["Käse"]
        connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
    engine.dispose()


def test_names_that_differ_by_case_alone_stay_two(warehouse, make_home):
    as_written(warehouse, POSTGRESQL.replace("due DATE", 'due DATE, "ID" INT, "Note" TEXT'))
    run(warehouse, "INSERT INTO orders (id, \"ID\", \"Note\") VALUES (1, 7, 'a'), (2, 8, 'b')")
    home = make_home(warehouse)
    (first,) = home.fetch()
    as_written(warehouse, "UPDATE orders SET \"Note\" = 'c' WHERE id = 1", "DELETE FROM orders WHERE id = 2")
    deleted, changed = home.fetch()
    (before, *_), (after, row), (gone, _) = (d.content.read_text().splitlines() for d in (first, changed, deleted))
    assert after == before and gone == f'{before},"gone"'
    assert row == '"1",\\N,\\N,\\N,\\N,\\N,"7","c"'
    assert sorted(home.current()) == [1]


def test_what_is_too_long_for_mysql_to_write_is_not_taken_for_no_value(shop, make_home):
    run(shop, MYSQL.replace("due DATE", "due DATE, picture LONGBLOB"))
    # Twice as many hexadecimal digits are more than max_allowed_packet, which is 16 MiB where nobody set it.
    run(shop, "INSERT INTO orders (id, picture) VALUES (1, REPEAT('x', 12000000))")
    with pytest.raises(DeliveryError, match="longer than the server's functions") as caught:
        make_home(shop).fetch()
    assert "max_allowed_packet" in caught.value.hint


@pytest.mark.parametrize(
    ("sql_type", "value"),
    [
        ("FLOAT", "16777186"),
        ("FLOAT", "0.7"),
        ("DOUBLE PRECISION", "1e30"),
        ("DECIMAL(38, 10)", "1234567890123456789012345678.9999999999"),
        ("BIGINT UNSIGNED", "18446744073709551615"),
        ("TIMESTAMP(6)", "'2024-01-01 00:00:00.123457'"),
    ],
)
def test_a_watermark_is_exact(server, make_home, sql_type, value):
    """A later row with the same watermark is read: the lower end is neither rounded nor cut."""
    if server.get_backend_name() == "postgresql":
        sql_type = {"FLOAT": "REAL", "BIGINT UNSIGNED": "NUMERIC(20)"}.get(sql_type, sql_type)
    marked(server, sql_type, value)
    home = make_home(server, 'watermark = "mark"\ncompare = 0', table="odd")
    home.fetch()
    as_written(server, f"INSERT INTO odd (id, mark) VALUES (2, {value})")
    assert sorted(ids(home.fetch())) == [1, 2]


@pytest.mark.parametrize(
    ("sql_type", "odd", "usual", "later"),
    [
        ("NUMERIC", "'NaN'", "5", "6"),
        ("REAL", "'Infinity'", "5", "6"),
        ("TIMESTAMPTZ", "'infinity'", "'2024-01-01'", "'2024-01-02'"),
        ("TIMESTAMP", "'0044-03-15 BC'", "'2024-01-01'", "'2024-01-02'"),
    ],
)
@pytest.mark.parametrize("rows", [1, 1000])
def test_a_watermark_that_is_nowhere_keeps_no_other_out(warehouse, make_home, sql_type, odd, usual, later, rows):
    marked(warehouse, sql_type, odd, "NULL", usual)
    home = make_home(warehouse, f'watermark = "mark"\ncompare = 0\nrows = {rows}', table="odd")
    assert sorted(ids(home.fetch())) == [1, 2, 3]
    as_written(warehouse, f"INSERT INTO odd (id, mark) VALUES (4, {later})")
    assert 4 in ids(home.fetch())


def test_zero_dates_are_no_watermark(shop, make_home):
    marked(shop, "DATETIME", "0", "0", "0")
    home = make_home(shop, 'watermark = "mark"\ncompare = 0\nrows = 1', table="odd")
    assert sorted(ids(home.fetch())) == [1, 2, 3]
    as_written(shop, "INSERT INTO odd (id, mark) VALUES (4, '2024-01-01')")
    assert 4 in ids(home.fetch())
    assert not home.fetch()


def test_a_domain_is_what_it_is_made_of(warehouse, make_home):
    as_written(warehouse, "CREATE DOMAIN moment AS TIMESTAMPTZ", "CREATE DOMAIN later AS moment")
    marked(warehouse, "later", "'2024-01-01 12:00:00+02'")
    (delivery,) = make_home(warehouse, 'watermark = "mark"', table="odd").fetch()
    assert delivery.manifest.extract.upper == "2024-01-01 10:00:00.000000"


def test_a_row_without_a_key_is_found_once(server, make_home):
    """The contract will reject it; but it was there, and was delivered."""
    marked(server, "INT", "1")
    home = make_home(server, BY_ID, table="odd")
    home.fetch()
    as_written(server, "INSERT INTO odd (id, note) VALUES (NULL, 'x')")
    (delivery,) = home.fetch(compare=True)
    assert delivery.manifest.extract.found == Found(inserted=1, updated=0, deleted=0)
    assert delivery.manifest.record_count == 1
    assert not home.fetch(compare=True)


def test_deletes_are_recorded_once_where_the_contract_cannot_say_them(server, make_home, monkeypatch):
    without = dataclasses.replace(ORDERS, tombstone=None)
    monkeypatch.setattr(snapshot.Reading, "contract", property(lambda _: without))
    home = make_home(server, BY_ID)
    add(server, 1, 2, 3)
    home.fetch()
    run(server, "DELETE FROM orders WHERE id < 3")
    (delivery,) = home.fetch(compare=True)
    assert delivery.manifest.extract.found == Found(inserted=0, updated=0, deleted=2)
    assert delivery.manifest.record_count == 0
    assert not home.fetch(compare=True)
    assert sorted(home.current()) == [1, 2, 3]


def test_a_comparison_that_cannot_be_made_says_so(server, make_home):
    """Without quoting what it stumbled over."""
    home = make_home(server, BY_ID)
    add(server, 1, 2)
    (delivery,) = home.fetch()
    delivery.content.chmod(0o644)
    delivery.content.write_text('"id"\n1,"torn')
    with pytest.raises(StorageError, match="could not be compared") as caught:
        home.fetch(compare=True)
    assert "torn" not in str(caught.value) and "bronze is whole" in caught.value.hint


def test_a_table_that_is_being_written_anew_is_not_taken_for_empty(warehouse, make_home):
    """To a snapshot from before such an ALTER TABLE it is empty, although no row ever went."""
    run(warehouse, POSTGRESQL)
    add(warehouse, 1, 2, 3)
    home = make_home(warehouse, BY_ID)
    home.fetch()
    engine, found = client(warehouse), []
    with engine.connect() as connection:
        connection.exec_driver_sql("ALTER TABLE orders ALTER COLUMN paid TYPE INT USING NULL")
        reader = threading.Thread(target=lambda: found.extend(home.fetch(compare=True)))
        reader.start()
        _until_it_waits(warehouse)
        connection.commit()
        reader.join()
    engine.dispose()
    assert not found
    assert sorted(home.current()) == [1, 2, 3]


def test_a_lock_is_waited_for_no_longer_than_the_time_out(server, make_home):
    add(server, 1)
    home = make_home(server, f"{BY_ID}\ntimeout = 1\nattempts = 1")
    lock = "LOCK TABLES orders WRITE" if server.get_backend_name() == "mysql" else "LOCK TABLE orders"
    engine = client(server)
    with engine.connect() as connection:
        connection.exec_driver_sql(lock)
        began = time.monotonic()
        with pytest.raises(DeliveryError, match="does not answer"):
            home.fetch()
        assert time.monotonic() - began < 20
        if server.get_backend_name() == "mysql":
            connection.exec_driver_sql("UNLOCK TABLES")
    engine.dispose()
    assert ids(home.fetch()) == [1]


def test_only_the_server_is_waited_for(server, make_home, monkeypatch):
    """What is done with its rows may take longer than its time-out: a slow bucket, a long comparison."""
    whole = snapshot.receive
    monkeypatch.setattr(snapshot, "receive", lambda *a, **k: (time.sleep(1.5), whole(*a, **k))[1])
    add(server, 1, 2, 3)
    home = make_home(server, f"{BY_ID}\nrows = 2\ntimeout = 1\nattempts = 1")
    assert ids(home.fetch()) == [1, 2, 3]
    run(server, "DELETE FROM orders WHERE id = 3")
    assert ids(home.fetch(compare=True)) == [3]


def test_rows_of_the_hour_that_comes_twice_are_read():
    """Read at 02:30 of summer time; at 02:10 of winter time rows come that are called earlier."""
    local = Column("l", Kind.LOCAL, None)
    assert lower_of("2024-10-27 02:30:00.000000", local, 0, "Europe/Berlin") == "2024-10-27 01:30:00.000000"
    assert lower_of("2024-10-27 02:30:00.000000", local, 600, "Europe/Berlin") == "2024-10-27 01:20:00.000000"
    assert lower_of("2024-10-27 03:00:00.000000", local, 0, "Europe/Berlin") == "2024-10-27 03:00:00.000000"
    assert lower_of("2024-03-31 02:30:00.000000", local, 0, "Europe/Berlin") == "2024-03-31 02:30:00.000000"
    assert lower_of(f"{datetime.min}.000000", local, 60, "Europe/Berlin") == "0001-01-01 00:00:00.000000"


def _until_it_waits(url):
    """Until somebody waits for a lock in the database."""
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    engine = client(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for _ in range(200):
            if connection.exec_driver_sql(waiting).scalar_one():
                break
            time.sleep(0.05)
        else:
            raise AssertionError("nobody waits for the lock")
    engine.dispose()
