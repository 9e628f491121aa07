"""Publishing to a real PostgreSQL: what is there equals gold, and nothing is written twice."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from clearer_platform_tests.conftest import EFFORT
from clearer_platform_tests.serving.publishing.by_hand import STATES, ByHand, Row, every_kind
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


@pytest.mark.parametrize("key", [("region", "id"), ("id",), ()])
def test_what_is_built_across_regions_is_published_as_a_whole(target, admin, key):
    """Rows of a region that is gone there go, under whatever key, beside what regions publish of their own."""
    table, gold, eu = every_kind("ranks", key, "global"), ByHand(None), ByHand("eu")
    rows = [{**row, "region": region, "id": f"{region}-{row['id']}"} for region in ("eu", "us") for row in SOME]
    assert counts(put(target, gold.part(table, rows), eu.part(TABLE, SOME))) == [(3, 0, 0, 0), (6, 0, 0, 0)]
    (again,) = put(target, gold.part(table, rows))
    assert not again.is_new and again.region is None
    ranked = [{**rows[0], "n": 2}, *rows[1:3], {"region": "latam", "id": "latam-a"}]
    assert counts(put(target, gold.part(table, ranked))) == [(1, 1, 3, 2) if key else (2, 0, 4, 2)]
    assert counts(put(target, gold.part(table, ranked), force=True)) == [(0, 0, 0, 4)]
    assert [row[:2] for row in there(admin, "ranks")] == [
        ("eu", "eu-a"),
        ("eu", "eu-b"),
        ("eu", "eu-c"),
        ("latam", "latam-a"),
    ]
    assert len(there(admin)) == 3
    found = admin.execute('SELECT table_name, region, "rows" FROM gold.clearer_publications ORDER BY 1').fetchall()
    assert found == [("every_kind", "eu", 3), ("ranks", "global", 4)]
    assert counts(put(target, gold.part(table, []))) == [(0, 0, 4, 0)]


def test_a_table_across_regions_need_not_say_of_which_a_row_is(target, admin):
    table, gold = every_kind("totals", ("id",), "global", region=None), ByHand(None)
    put(target, gold.part(table, SOME))
    assert counts(put(target, gold.part(table, [SOME[0], {**SOME[1], "n": 7}]))) == [(0, 1, 1, 1)]
    assert admin.execute("SELECT id, n FROM gold.totals ORDER BY 1").fetchall() == [("a", 1), ("b", 7)]
    key = "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'totals_pkey'"
    assert admin.execute(key).fetchall() == [("PRIMARY KEY (id)",)]


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
