"""The shape of tables in a real PostgreSQL: their contract's, whatever was there before."""

from decimal import Decimal

import pytest

from clearer_platform.errors import PublishError
from clearer_platform_tests.serving.publishing.by_hand import ByHand, every_kind
from clearer_platform_tests.serving.publishing.on_postgresql import (
    SOME,
    TABLE,
    admin,
    counts,
    put,
    target,
    there,
)

__all__ = ["admin", "target"]  # fixtures


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


def test_a_table_of_somebody_elses_is_left_alone(target, admin):
    admin.execute("CREATE SCHEMA gold; CREATE TABLE gold.every_kind (id text)")
    with pytest.raises(PublishError, match=r"gold\.every_kind is there already"):
        put(target, ByHand().part(TABLE, SOME))
    assert admin.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'gold'").fetchone() == (1,)


def test_a_dropped_table_is_published_again(target, admin):
    part = ByHand().part(TABLE, SOME)
    put(target, part)
    admin.execute("DROP TABLE gold.every_kind")
    assert counts(put(target, part)) == [(3, 0, 0, 0)]
