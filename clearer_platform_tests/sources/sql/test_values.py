"""Every value comes as the server has it: exact decimals, zero dates, unsigned and tiny numbers, zones, any text."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from sqlalchemy import URL

from clearer_platform import silver
from clearer_platform_tests.sources.sql.shops import run

ODD = [
    "plain",
    "",
    " ",
    "a,b",
    'a "quoted" b',
    "two\nlines",
    "dos\r\nlines",
    "\r",
    "\\N",
    "\\",
    "'",
    "€ 😀",
    "%s :x",
    "0",
]
MYSQL = """CREATE TABLE orders (id BIGINT UNSIGNED PRIMARY KEY, note TEXT, amount DECIMAL(20,4), paid TINYINT(1),
    placed_at TIMESTAMP(6) NULL, due DATE) CHARACTER SET utf8mb4"""
POSTGRESQL = """CREATE TABLE orders (id BIGINT PRIMARY KEY, note TEXT, amount NUMERIC, paid BOOLEAN,
    placed_at TIMESTAMPTZ, due DATE)"""
SQLITE = """CREATE TABLE orders (id BIGINT PRIMARY KEY, note TEXT, amount DECIMAL(20,4), paid BOOLEAN,
    placed_at DATETIME, due DATE)"""
INSERT = "INSERT INTO orders (id, note) VALUES (:id, :note)"


@pytest.fixture(params=["shop", "warehouse", "file"])
def server(request, tmp_path):
    """An empty table on each kind of server."""
    if request.param == "file":
        url = URL.create("sqlite", database=str(tmp_path / "shop.db"))
        run(url, SQLITE)
        return url
    url = request.getfixturevalue(request.param)
    run(url, MYSQL if request.param == "shop" else POSTGRESQL)
    return url


def test_texts_are_what_they_were(server, make_home):
    run(server, INSERT, values=[{"id": n, "note": note} for n, note in enumerate([*ODD, None])])
    home = make_home(server)
    (delivery,) = home.fetch()
    assert delivery.manifest.record_count == len(ODD) + 1
    assert [row["note"] for row in home.silver()] == [*ODD, None]
    assert not home.fetch(), "nothing has changed"


@pytest.mark.timeout(60)
def test_a_long_text_full_of_quotes_takes_no_longer_than_any_other(shop, make_home):
    create = MYSQL.replace("TEXT", "LONGTEXT")
    run(shop, create, "INSERT INTO orders (id, note, amount) VALUES (1, REPEAT('\"', 1000000), 2), (2, NULL, 3)")
    first, second = make_home(shop).silver_after()
    assert first["note"] == '"' * 1_000_000
    assert (second["note"], first["amount"], second["amount"]) == (None, 2, 3)


def test_numbers_times_and_truth_are_exact(server, make_home):
    # SQLite itself keeps decimals as floats.
    largest = "99999999.9999" if server.drivername == "sqlite" else "9999999999999999.9999"
    run(
        server,
        "INSERT INTO orders (id, amount, paid, due) VALUES (:id, :amount, :paid, :due)",
        values=[
            {"id": 9223372036854775807, "amount": largest, "paid": True, "due": "2024-02-29"},
            {"id": 2, "amount": "-0.0001", "paid": False, "due": "0001-01-01"},
        ],
    )
    first, second = sorted(make_home(server).silver_after(), key=lambda row: row["id"])
    assert (second["id"], second["amount"], second["paid"]) == (9223372036854775807, Decimal(largest), True)
    assert (first["amount"], first["paid"]) == (Decimal("-0.0001"), False)
    assert (first["due"], second["due"]) == (date(1, 1, 1), date(2024, 2, 29))


def test_instants_come_in_utc_and_wall_clocks_in_the_regions_zone(shop, make_home):
    insert = "INSERT INTO orders (id, placed_at) VALUES (1, '2024-07-01 12:00:00.123456')"
    run(shop, MYSQL, "SET time_zone = '+02:00'", insert)
    (row,) = make_home(shop).silver_after()
    assert row["placed_at"] == datetime(2024, 7, 1, 10, 0, 0, 123456, tzinfo=UTC)


@pytest.mark.parametrize("kind", ["shop", "warehouse"])
def test_a_wall_clock_is_read_in_the_zone_of_the_table(kind, request, make_home):
    url = request.getfixturevalue(kind)
    create = MYSQL.replace("TIMESTAMP(6) NULL", "DATETIME") if kind == "shop" else POSTGRESQL.replace("TZ", "")
    run(url, create, "INSERT INTO orders (id, placed_at) VALUES (1, '2024-07-01 12:00:00'), (2, '2024-12-01 12:00:00')")
    rows = make_home(url).silver_after()
    assert [row["placed_at"] for row in rows] == [
        datetime(2024, 7, 1, 10, tzinfo=UTC),
        datetime(2024, 12, 1, 11, tzinfo=UTC),
    ], "Berlin's summer and winter time"


def test_a_zero_date_is_quarantined_or_no_value_where_the_registry_says_so(shop, make_home):
    values = ", ".join(f"({n}, '{'0000-00-00' if n == 3 else '2024-01-01'}')" for n in range(10))
    run(shop, MYSQL, "SET sql_mode = ''", f"INSERT INTO orders (id, due) VALUES {values}")
    home = make_home(shop)
    home.fetch()
    (state,) = silver.bring_up(home.platform, "eu", "orders")
    assert (state.published.accepted, state.published.rejected) == (9, 1)
    assert state.published.rules == {"due.not_a_date": 1}
    home = make_home(shop, 'nulls = ["0000-00-00"]')
    (state,) = silver.bring_up(home.platform, "eu", "orders")
    assert (state.published.accepted, state.published.rejected) == (10, 0), "without being read again"


def test_what_mysql_shows_in_short_comes_in_full(shop, make_home):
    create = MYSQL.replace("BIGINT UNSIGNED", "INT(10) UNSIGNED ZEROFILL").replace("DECIMAL(20,4)", "FLOAT")
    run(shop, create, "INSERT INTO orders (id, amount, paid) VALUES (42, 16777216, 1), (43, 0.5, 0)")
    rows = make_home(shop).silver_after()
    assert [(row["id"], row["amount"]) for row in rows] == [(42, Decimal(16777216)), (43, Decimal("0.5"))]


def test_what_no_calendar_of_ours_has_is_quarantined(warehouse, make_home):
    usual = "INSERT INTO orders (id) SELECT generate_series(10, 60)"
    odd = "(1, 'infinity', 1), (2, '0044-03-15 BC', 1), (3, NULL, 'NaN')"
    run(warehouse, POSTGRESQL, usual, f"INSERT INTO orders (id, placed_at, amount) VALUES {odd}")
    home = make_home(warehouse)
    home.fetch()
    (state,) = silver.bring_up(home.platform, "eu", "orders")
    assert state.published.rules == {"placed_at.not_a_timestamp": 2, "amount.not_a_decimal": 1}
    assert state.published.delivered == 54
