"""Only buckets of keys that changed in gold travel to PostgreSQL, and the target is what gold says all the same."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clearer_platform.errors import PublishError
from clearer_platform.serving.publishing import buckets
from clearer_platform.serving.publishing.buckets import Buckets, Division
from clearer_platform.serving.publishing.publication import Part
from clearer_platform.serving.publishing.tables import Table, table_of
from clearer_platform_tests.conftest import EFFORT
from clearer_platform_tests.serving.publishing.by_hand import ByHand, model
from clearer_platform_tests.serving.publishing.on_postgresql import SOME, TABLE, admin, counts, put, target, there

__all__ = ["admin", "target"]  # fixtures

KEYS = {
    "bigint": st.integers(-(2**63), 2**63 - 1) | st.integers(-20, 20),
    "date": st.dates(date(1969, 12, 20), date(1970, 1, 10)) | st.dates(),
    "varchar": st.sampled_from(["", "a", "A", "Ж", "東京 🧾", "a "]) | st.text("abc", max_size=2),
    "uuid": st.uuids().map(str),
}


def keyed(kind: str) -> Table:
    return table_of(model("keyed", (("id", kind, ""), ("note", "varchar", ""), ("n", "integer", "")), ("id",)))


def part_of(gold: ByHand, table: Table, rows: dict[Any, tuple[str | None, int | None]], mode: str = "replace") -> Part:
    """`rows`, key -> note and number, as what gold says."""
    kind = table.columns[1].kind.replace("text", "varchar")
    gold.connection.execute(f"CREATE OR REPLACE TABLE gold.keyed (id {kind}, note varchar, n integer)")
    if rows:
        gold.connection.executemany("INSERT INTO gold.keyed VALUES (?, ?, ?)", [(k, *v) for k, v in rows.items()])
    return gold.of(table, mode)


@st.composite
def histories(draw: st.DrawFn, kind: str) -> list[tuple[dict[Any, Any], bool]]:
    """What gold says at one time after another, mostly the same rows; and whether its publication is forced."""
    keys = draw(st.lists(KEYS[kind], min_size=1, max_size=12, unique=True))
    values = st.tuples(st.none() | st.sampled_from(["", "x"]), st.none() | st.integers(-3, 3))
    steps = st.lists(st.tuples(st.dictionaries(st.sampled_from(keys), st.none() | values), st.booleans()), min_size=2)
    now: dict[Any, Any] = {}
    states = []
    for changes, forced in draw(steps):
        now = {key: value for key, value in {**now, **changes}.items() if value is not None}
        states.append((now, forced))
    return states


@pytest.mark.parametrize("kind", KEYS)
def test_any_history_ends_in_what_gold_says(target, admin, monkeypatch, kind):
    """With buckets of two keys, and so few of them that their number changes."""
    monkeypatch.setattr(buckets, "ROWS", 2)
    monkeypatch.setattr(buckets, "MOST", 8)
    table = keyed(kind)

    @settings(max_examples=12 * EFFORT, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(states=histories(kind))
    def holds(states):
        admin.execute("DROP SCHEMA IF EXISTS gold CASCADE")
        eu, us = ByHand("eu"), ByHand("us")
        put(target, part_of(us, table, states[0][0]))
        for rows, forced in states:
            put(target, part_of(eu, table, rows), force=forced)
            found = admin.execute("SELECT id, note, n FROM gold.keyed WHERE region = 'eu'").fetchall()
            assert {f"{key}": (note, n) for key, note, n in found} == {f"{key}": row for key, row in rows.items()}
        (others,) = admin.execute("SELECT count(*) FROM gold.keyed WHERE region = 'us'").fetchone()
        assert others == len(states[0][0])

    holds()


def test_only_what_changed_travels(target, admin, monkeypatch):
    """Of 1,000 rows the sixteen beside a changed one, an added one and a withdrawn one."""
    table, gold = keyed("bigint"), ByHand()
    rows: dict[int, Any] = {key: ("x", key) for key in range(1000)}
    put(target, part_of(gold, table, rows))
    rows[500], rows[1_003] = ("x", -1), ("new", 1)
    del rows[7]
    part, blocks = part_of(gold, table, rows), []
    csv = part.gold.csv

    def spied(*arguments, **options):
        for block in csv(*arguments, **options):
            blocks.append(block)
            yield block

    monkeypatch.setattr(part.gold, "csv", spied)
    assert counts(put(target, part)) == [(1, 1, 1, 998)]
    travelled = sorted(int(line.split(b",")[1]) for line in b"".join(blocks).splitlines())
    assert travelled == [*range(7), *range(8, 16), *range(496, 512), *range(992, 1000), 1003]


def test_only_what_changed_of_a_table_across_regions_travels(target, admin, monkeypatch):
    """Rows of every region are in its buckets."""
    columns = (("region", "varchar", ""), ("id", "bigint", ""), ("n", "integer", ""))
    made = replace(model("ranks", columns, ("region", "id"), "global"), not_null=frozenset(("region", "id")))
    table, gold = table_of(made), ByHand(None)
    gold.connection.execute(
        'CREATE TABLE "global".ranks_of_all AS SELECT r AS region, i AS id, i::INTEGER AS n'
        " FROM range(1000) t (i), (VALUES ('eu'), ('us')) s (r)"
    )
    put(target, gold.of(table))
    gold.connection.execute("UPDATE \"global\".ranks_of_all SET n = -1 WHERE region = 'us' AND id = 500")
    part, blocks = gold.of(table), []
    rows = part.gold.csv
    monkeypatch.setattr(part.gold, "csv", lambda *a, **o: (blocks.append(block) or block for block in rows(*a, **o)))
    assert counts(put(target, part)) == [(0, 1, 0, 1999)]
    assert len(b"".join(blocks).splitlines()) == 32
    assert admin.execute("SELECT region, id FROM gold.ranks WHERE n < 0").fetchall() == [("us", 500)]


def test_what_somebody_changed_in_the_target_is_told_and_mended_by_force(target, admin):
    table, gold = keyed("bigint"), ByHand()
    rows: dict[int, Any] = {key: ("x", key) for key in range(100)}
    put(target, part_of(gold, table, rows))
    admin.execute("UPDATE gold.keyed SET n = 7 WHERE id = 3; DELETE FROM gold.keyed WHERE id = 4")
    rows[90] = ("y", 0)
    with pytest.raises(PublishError, match="would not equal gold: 99 rows for 100") as said:
        put(target, part_of(gold, table, rows))
    assert "clearer publish --force" in (said.value.hint or "")
    assert counts(put(target, part_of(gold, table, rows), force=True)) == [(1, 2, 0, 97)]


def test_in_mode_upsert_every_row_is_compared(target, admin):
    """What gold no longer has stays, and what somebody changed is mended: no digest says what is there."""
    target, table, gold = target.model_copy(update={"mode": "upsert"}), keyed("bigint"), ByHand()
    rows: dict[int, Any] = {key: ("x", key) for key in range(100)}
    put(target, part_of(gold, table, rows, "upsert"))
    admin.execute("UPDATE gold.keyed SET n = 7 WHERE id = 3")
    del rows[50]
    rows[90] = ("y", 0)
    assert counts(put(target, part_of(gold, table, rows, "upsert"))) == [(0, 2, 0, 97)]
    assert admin.execute("SELECT count(*), sum(n) FROM gold.keyed").fetchone() == (100, sum(range(100)) - 90)


def test_after_mode_upsert_older_rows_go(target, admin):
    """What was recorded then says nothing of them."""
    gold, table, rows = ByHand(), keyed("bigint"), {key: ("x", key) for key in range(100)}
    put(target, part_of(gold, table, rows))
    del rows[50]
    put(target.model_copy(update={"mode": "upsert"}), part_of(gold, table, rows, "upsert"))
    assert counts(put(target, part_of(gold, table, rows))) == [(0, 0, 1, 99)]


def test_a_column_that_was_dropped_there_is_filled_again(target, admin):
    table, gold = keyed("bigint"), ByHand()
    put(target, part_of(gold, table, {1: ("x", 1), 100: ("y", 2)}))
    admin.execute("ALTER TABLE gold.keyed DROP COLUMN note")
    put(target, part_of(gold, table, {1: ("x", 1), 100: ("y", 3)}))
    assert admin.execute("SELECT note FROM gold.keyed ORDER BY id").fetchall() == [("x",), ("y",)]


def test_what_was_recorded_of_a_table_that_is_gone_is_forgotten(target, admin):
    """Also for a region that is published only later."""
    eu, us = ByHand("eu").part(TABLE, SOME), ByHand("us").part(TABLE, SOME)
    put(target, eu, us)
    admin.execute("DROP TABLE gold.every_kind")
    put(target, eu)
    assert counts(put(target, us)) == [(3, 0, 0, 0)]
    assert len(there(admin)) == 6


def test_records_without_buckets_are_read(target, admin):
    """As publications made them before there were any."""
    table, gold = keyed("bigint"), ByHand()
    put(target, part_of(gold, table, {1: ("x", 1), 2: ("x", 2)}))
    admin.execute("ALTER TABLE gold.clearer_publications DROP COLUMN buckets")
    assert counts(put(target, part_of(gold, table, {1: ("x", 1), 3: ("x", 2)}))) == [(1, 0, 1, 1)]


def test_a_day_divides_better_than_a_number_and_a_number_than_a_text():
    def column(**kinds: str) -> str | None:
        columns = tuple((name, kind, "") for name, kind in kinds.items())
        made = table_of(replace(model("t", columns, tuple(kinds)), not_null=frozenset(kinds)))
        found = buckets.column_of(made)
        return found and found.name

    assert column(day="date", branch="integer", name="varchar") == "day"
    assert column(branch="integer", name="varchar", product="bigint") == "product"
    assert column(name="varchar", flag="boolean") == "name"
    assert column(flag="boolean", rate="decimal(9,2)") is None


def test_buckets_are_never_too_many(monkeypatch):
    monkeypatch.setattr(buckets, "MOST", 8)
    (number,) = (c for c in keyed("bigint").columns if c.name == "id")
    wide = buckets.division(number, 2, -(2**63), 2**63 - 1)
    assert (2**63 - 1 >> wide.width) - (-(2**63) >> wide.width) < 8
    assert buckets.division(number, 50, 0, 99) == Division("id", "number", 4)
    (text,) = (c for c in keyed("varchar").columns if c.name == "id")
    assert 16 ** buckets.division(text, 10**9, 0, 0).width <= 16


def test_what_differs():
    day = Division("day", "day", 0)
    now = Buckets(day, {"1": "a", "2": "b", "3": "c"})
    assert now.differing(None) is None
    assert now.differing(Buckets(Division("day", "day", 1), {"1": "a"})) is None
    assert now.differing(Buckets(day, {"1": "a", "2": "x", "4": "d"})) == ["2", "3", "4"]
    assert now.differing(buckets.from_json(now.to_json())) == []


def test_days_are_numbered_alike(target, admin):
    """A year of days: one day's rows travel when that day changes."""
    table, gold, first = keyed("date"), ByHand(), date(2024, 1, 1)
    rows: dict[date, Any] = {first + timedelta(days=n): ("x", n) for n in range(366)}
    put(target, part_of(gold, table, rows))
    rows[date(2024, 2, 29)] = ("y", 0)
    before = admin.execute("SELECT id, ctid FROM gold.keyed WHERE id <> '2024-02-29' ORDER BY 1").fetchall()
    assert counts(put(target, part_of(gold, table, rows))) == [(0, 1, 0, 365)]
    assert admin.execute("SELECT id, ctid FROM gold.keyed WHERE id <> '2024-02-29' ORDER BY 1").fetchall() == before
