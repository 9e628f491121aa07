"""Publishing by SQLAlchemy to a real MariaDB and a real SQLite, and what DB2 would be told."""

import json
import signal
import sqlite3
import time
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from sqlalchemy import URL

from clearer_platform.errors import Busy, PublishError, Unreachable
from clearer_platform.regions import DatabaseTarget, targets
from clearer_platform.sample.databases import NoServer, mariadb
from clearer_platform.serving.publishing import sql as publishing
from clearer_platform.serving.publishing.publication import Part, Published
from clearer_platform_tests.conftest import EFFORT, signal_all
from clearer_platform_tests.serving.publishing.by_hand import STATES, ByHand, Row, every_kind, silent

TABLE = every_kind()
SOME: list[Row] = [
    {"id": "a", "note": "", "amount": Decimal("1.10"), "n": 2**63 - 1},
    {"id": "A", "note": None, "amount": Decimal("2.20"), "n": 2**63 - 1},
    {"id": "a ", "wide": Decimal("1234567890123456789012345678.0123456789"), "n": 3},
]
"""Keys that differ in case and in a space at the end; sums that no 64 bits and no floating-point number can hold."""


def target_of(url: str, **other: Any) -> DatabaseTarget:
    entry = {"name": "bi", "kind": "sql", "tables": ("*",), "lock_timeout": 1, "url": url}
    return DatabaseTarget.model_validate({**entry, **other})


@pytest.fixture(params=["mariadb", "sqlite"])
def target(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DatabaseTarget:
    if request.param == "sqlite":
        return target_of(f"sqlite:///{tmp_path / 'target.db'}")
    shop: URL = request.getfixturevalue("shop")
    monkeypatch.setenv("TARGET_PASSWORD", str(shop.password))
    address = f"mariadb://{shop.username}@{shop.host}:{shop.port}/{shop.database}?charset=utf8mb4"
    return target_of(address, password_env="TARGET_PASSWORD")


@pytest.fixture
def admin(target: DatabaseTarget, request: pytest.FixtureRequest):
    """Somebody else's connection."""
    is_file = target.url.startswith("sqlite")
    engine = sa.create_engine(target.url if is_file else request.getfixturevalue("shop"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def put(target: DatabaseTarget, *parts: Part, force: bool = False) -> list[Published]:
    return publishing.publish(target, parts, force=force, advance=silent)


def counts(done: Sequence[Published]) -> list[tuple[int, int, int, int]]:
    return [(one.added, one.changed, one.removed, one.unchanged) for one in done]


def there(admin: sa.Connection, table: str = "every_kind", columns: str = "*") -> list[Any]:
    return list(map(tuple, admin.execute(sa.text(f"SELECT {columns} FROM {table} ORDER BY region, id"))))


def told(row: Row) -> tuple[Any, ...]:
    """A row as the target must give it back: in no zone but UTC."""
    at, tags = row.get("at"), row.get("tags")
    said: dict[str, Any] = {"region": "eu", **row, "tags": None if tags is None else json.dumps(tags)}
    said["at"] = at and at.replace(tzinfo=None)
    return tuple(said.get(name) for name in TABLE.names)


def seen(row: Sequence[Any]) -> tuple[Any, ...]:
    """A row that the target gave; SQLite has neither decimals nor booleans nor days of its own."""
    said = dict(zip(TABLE.names, row, strict=True))
    for name, read in {
        "amount": Decimal,
        "wide": Decimal,
        "flag": bool,
        "day": lambda value: datetime.fromisoformat(str(value)).date(),
        "at": lambda value: datetime.fromisoformat(str(value)),
        "local": lambda value: datetime.fromisoformat(str(value)),
        "tags": lambda value: json.dumps(json.loads(value)),
    }.items():
        said[name] = None if said[name] is None else read(said[name])
    return tuple(said.values())


@settings(max_examples=3 * EFFORT, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(states=STATES)
def test_whatever_gold_says_the_target_says(target, admin, states):
    for name in ("every_kind", "clearer_publications", "clearer_staged_every_kind"):
        admin.execute(sa.text(f"DROP TABLE IF EXISTS {name}"))
    gold = ByHand()
    put(target, ByHand("us").part(TABLE, SOME))
    for rows in states:
        part = gold.part(TABLE, rows)
        put(target, part)
        found = sorted((seen(row) for row in there(admin) if row[0] == "eu"), key=lambda row: row[1])
        assert found == sorted(map(told, rows), key=lambda row: row[1])
        assert not put(target, part)[0].is_new
    assert len([row for row in there(admin) if row[0] == "us"]) == 3


def test_only_what_differs_is_written(target):
    gold = ByHand()
    assert counts(put(target, gold.part(TABLE, SOME))) == [(3, 0, 0, 0)]
    (again,) = put(target, gold.part(TABLE, SOME))
    assert not again.is_new
    assert counts(put(target, gold.part(TABLE, SOME), force=True)) == [(0, 0, 0, 3)]
    rows = [SOME[0], {**SOME[1], "note": ""}, {"id": "d", "n": 4}]
    assert counts(put(target, gold.part(TABLE, rows))) == [(1, 1, 1, 1)]


@pytest.mark.parametrize("key", [("region", "id"), ()])
def test_the_rows_of_other_regions_stay(target, admin, key):
    """With a key, without one, and where every row is compared."""
    table, eu, us = every_kind(key=key), ByHand("eu"), ByHand("us")
    put(target, eu.part(table, SOME), us.part(table, SOME))
    put(target, eu.part(table, SOME[:2]))
    put(target, eu.part(table, SOME[:1]), force=True)
    assert [row[0] for row in there(admin)] == ["eu", "us", "us", "us"]


@pytest.mark.parametrize("key", [("region", "id"), ("id",), ()])
def test_what_is_built_across_regions_is_published_as_a_whole(target, admin, key):
    """Rows of a region that is gone there go, under whatever key, beside what regions publish of their own."""
    table, gold = every_kind("ranks", key, "global"), ByHand(None)
    rows = [{"region": region, "id": f"{region}-{n}", "n": n} for region in ("eu", "us") for n in range(3)]
    put(target, gold.part(table, rows), ByHand("eu").part(TABLE, SOME))
    assert not put(target, gold.part(table, rows))[0].is_new
    ranked = [{**rows[0], "n": 9}, *rows[1:3], {"region": "latam", "id": "latam-0"}]
    assert counts(put(target, gold.part(table, ranked))) == [(1, 1, 3, 2) if key else (2, 0, 4, 2)]
    assert counts(put(target, gold.part(table, ranked), force=True)) == [(0, 0, 0, 4)]
    assert there(admin, "ranks", "id, n") == [("eu-0", 9), ("eu-1", 1), ("eu-2", 2), ("latam-0", None)]
    assert len(there(admin)) == 3
    assert publishing.recorded(target).keys() == {("every_kind", "eu"), ("ranks", "global")}


def test_a_table_across_regions_need_not_say_of_which_a_row_is(target, admin):
    table, gold = every_kind("totals", ("id",), "global", region=None), ByHand(None)
    put(target, gold.part(table, [{"id": "a", "n": 1}, {"id": "b", "n": 2}, {"id": "c"}]))
    assert counts(put(target, gold.part(table, [{"id": "a", "n": 1}, {"id": "b", "n": 7}]))) == [(0, 1, 1, 1)]
    assert sorted(map(tuple, admin.execute(sa.text("SELECT id, n FROM totals")))) == [("a", 1), ("b", 7)]


def test_in_mode_upsert_older_rows_stay(target, admin):
    target, gold = target.model_copy(update={"mode": "upsert"}), ByHand()
    put(target, gold.part(TABLE, SOME))
    assert counts(put(target, gold.part(TABLE, [{"id": "a", "n": 5}, {"id": "x"}]))) == [(1, 1, 0, 0)]
    assert sorted(there(admin, columns="id, n")) == [("A", 2**63 - 1), ("a", 5), ("a ", 3), ("x", None)]


def test_a_table_without_a_key(target, admin):
    table, gold = every_kind("totals", key=()), ByHand()
    rows = [{"id": "a"}, {"id": "a"}, {"id": "b", "n": 1}]
    put(target, gold.part(table, rows))
    assert counts(put(target, gold.part(table, rows), force=True)) == [(0, 0, 0, 3)]
    assert counts(put(target, gold.part(table, rows[1:]))) == [(0, 0, 1, 2)]
    assert [row[1] for row in there(admin, "totals")] == ["a", "b"]


def test_what_was_recorded_of_a_table_that_is_gone_is_forgotten(target, admin):
    """Also for a region that is published only later."""
    eu, us = ByHand("eu").part(TABLE, SOME), ByHand("us").part(TABLE, SOME)
    put(target, eu, us)
    admin.execute(sa.text("DROP TABLE every_kind"))
    put(target, eu)
    assert counts(put(target, us)) == [(3, 0, 0, 0)]
    assert len(there(admin)) == 6


def test_columns_come_and_go_and_what_else_changed_is_said(target, admin):
    gold = ByHand()
    put(target, gold.part(TABLE, SOME))
    gold.connection.execute("ALTER TABLE gold.every_kind ADD COLUMN more VARCHAR DEFAULT 'x'")
    assert counts(put(target, gold.of(every_kind(note=None, more="varchar")))) == [(0, 3, 0, 0)]
    assert set(there(admin, columns="id, more")) == {("a", "x"), ("A", "x"), ("a ", "x")}
    with pytest.raises(PublishError, match="amount changed in the contract"):
        put(target, gold.of(every_kind(note=None, more="varchar", amount="decimal(20,4)")))
    assert len(there(admin)) == 3


def test_what_fails_in_the_middle_changes_nothing(target, admin):
    """The second table breaks off after the first has been written."""
    one, two, gold = every_kind("one"), every_kind("two"), ByHand()
    put(target, gold.part(one, SOME), gold.part(two, SOME))
    before = there(admin, "one"), there(admin, "two")
    good, bad = gold.part(one, SOME[:1]), gold.part(two, SOME[:2])
    wrong = Part(bad.table, bad.gold, good.figures, bad.fingerprint)
    with pytest.raises(PublishError, match="two of eu would not equal gold: 2 rows for 1"):
        put(target, good, wrong)
    assert (there(admin, "one"), there(admin, "two")) == before


def test_another_publisher_is_waited_for_a_while(target):
    """Whoever holds the record of a publication that goes on."""
    gold = ByHand()
    put(target, gold.part(TABLE, SOME))
    engine = sa.create_engine(target.url) if target.url.startswith("sqlite") else None
    if engine is None:
        from clearer_platform.databases import engine_of

        engine = engine_of(target)
    with engine.connect() as other:
        other.execute(sa.text("UPDATE clearer_publications SET row_count = 0 WHERE table_name = ''"))
        with pytest.raises(Busy, match=r"nothing was published: .*[Ll]ock") as said:
            put(target, gold.part(TABLE, SOME[:1]))
        assert said.value.may_pass and "lock_timeout" in (said.value.hint or "")
        other.rollback()
    engine.dispose()
    assert counts(put(target, gold.part(TABLE, SOME[:1]))) == [(0, 0, 2, 1)]


def test_a_table_of_somebody_elses_is_left_alone(target, admin):
    admin.execute(sa.text("CREATE TABLE every_kind (id varchar(10))"))
    admin.execute(sa.text("INSERT INTO every_kind VALUES ('x')"))
    with pytest.raises(PublishError, match="every_kind is there already"):
        put(target, ByHand().part(TABLE, SOME))
    assert admin.execute(sa.text("SELECT id FROM every_kind")).scalar() == "x"


def test_a_text_that_is_too_long_is_refused_and_not_cut(shop, monkeypatch):
    monkeypatch.setenv("TARGET_PASSWORD", str(shop.password))
    address = f"mysql://{shop.username}@{shop.host}:{shop.port}/{shop.database}"
    with pytest.raises(PublishError, match="Data too long"):
        put(target_of(address, password_env="TARGET_PASSWORD"), ByHand().part(TABLE, [{"id": "x" * 200}]))


def test_a_server_that_is_gone():
    with pytest.raises(Unreachable, match="nothing was published"):
        put(target_of("mysql://nobody@127.0.0.1:1/nothing"), ByHand().part(TABLE, SOME))


def test_whom_the_server_does_not_let_in_is_told_why(shop, monkeypatch):
    monkeypatch.setenv("TARGET_PASSWORD", "guess-what")
    target = target_of(f"mysql://{shop.username}@{shop.host}:{shop.port}/shop", password_env="TARGET_PASSWORD")
    with pytest.raises(PublishError, match="Access denied") as said:
        put(target, ByHand().part(TABLE, SOME))
    assert "TARGET_PASSWORD" in (said.value.hint or "") and "guess-what" not in str(said.value)


def test_a_server_that_hangs(monkeypatch):
    monkeypatch.setattr(targets, "MARGIN", 1.0)
    try:
        with mariadb() as server:
            monkeypatch.setenv("TARGET_PASSWORD", server.password)
            address = f"mariadb://{server.url.username}@{server.url.host}:{server.port}/{server.url.database}"
            target = target_of(address, password_env="TARGET_PASSWORD", statement_timeout=1)
            part = ByHand().part(TABLE, SOME)
            batches = part.gold.batches
            monkeypatch.setattr(part.gold, "batches", lambda t: signal_all(server, signal.SIGSTOP) or batches(t))
            began = time.monotonic()
            with pytest.raises(Unreachable, match="nothing was published"):
                put(target, part)
            assert time.monotonic() - began < 20
            signal_all(server, signal.SIGCONT)
    except NoServer as e:
        pytest.skip(f"not run: {e}")


def test_readers_of_sqlite_see_all_or_nothing(tmp_path):
    """A reader of another connection, in the middle of a publication."""
    path = tmp_path / "target.db"
    target, gold = target_of(f"sqlite:///{path}"), ByHand()
    put(target, gold.part(TABLE, SOME))
    with sqlite3.connect(path) as reader:
        part, looked = gold.part(TABLE, SOME[:1]), []
        batches = part.gold.batches

        def looking(*arguments):
            looked.append(reader.execute("SELECT count(*) FROM every_kind").fetchone())
            return batches(*arguments)

        part.gold.batches = looking
        put(target, part)
        assert looked == [(3,)]
        assert reader.execute("SELECT count(*) FROM every_kind").fetchone() == (1,)
