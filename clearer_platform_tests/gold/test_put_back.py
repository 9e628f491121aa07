"""Backups of gold tables: put back exactly, in one step, and only where gold was built from the same silver files."""

import itertools
import os
from datetime import date

import duckdb
import pytest

from clearer_platform import gold
from clearer_platform.errors import BackupError, StorageError
from clearer_platform.gold import warehouse
from clearer_platform.serving import backups
from clearer_platform_tests.gold.conftest import DAY, sale
from clearer_platform_tests.gold.silver_files import put
from clearer_platform_tests.laws.test_kill import PUBLISHING, in_child, marts

pytestmark = pytest.mark.forks

TABLE = "dim_customers"


def spoil(platform, statement: str) -> None:
    """Change what is served, as nobody should."""
    with duckdb.connect(str(platform.layout("eu").warehouse)) as connection:
        connection.execute(statement)


def served(platform) -> dict[str, list[tuple[object, ...]]]:
    return marts(platform.layout("eu").warehouse)


def test_every_table_of_gold_comes_back(own):
    whole = served(own)
    made = {table: backups.create(own, "eu", table) for table in backups.possible(own, "eu")[5:]}
    assert {f"gold.{table}" for table in made} == {name for name in whole if name.startswith("gold.")}
    assert {one.layer for one in made.values()} == {"gold"}
    assert made[TABLE].rows == len(whole[f"gold.{TABLE}"]) == 2
    for table in (TABLE, "branch_performance_daily", "conversation_sales"):
        spoil(own, f"delete from gold.{table}")
        assert served(own) != whole
        done = backups.restore(own, "eu", made[table].id, table)
        assert (done.day, done.slot) == (None, None)
        assert served(own) == whole
    assert warehouse.state(own.layout("eu").warehouse) == made[TABLE].manifest.gold.state
    assert not gold.build(own, "eu").changed, "for the next build nothing has happened"


def test_the_schema_has_what_dbt_promises(own):
    import fastavro

    made = backups.create(own, "eu", TABLE)
    with made.file.open("rb") as f:
        fields = {field["name"]: field for field in fastavro.reader(f).writer_schema["fields"]}
    model = next(m for m in gold.models(own) if m.alias == TABLE)
    assert {n: f["doc"] for n, f in fields.items()} == {n: text for n, _, text in model.columns}
    assert fields["region"]["type"] == "string", "it is never null"


def test_other_silver_files_refuse_it(own):
    made = backups.create(own, "eu", TABLE)
    put(own, "eu", "transactions", DAY, [sale(9)], slot="later.csv")
    gold.warm.build(own, "eu")
    before = served(own)
    with pytest.raises(BackupError, match=f"other silver files of transactions {DAY}") as refused:
        backups.restore(own, "eu", made.id, TABLE)
    assert "clearer materialize" in str(refused.value)
    assert served(own) == before


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("update clearer.build set version = 'x'", "models, contracts or the registry have changed"),
        ("update clearer.build set as_of = '2025-01-01'", "stands as of 2025-01-01"),
        ("update clearer.contents set fingerprint = 'x' where table_name = 'products'", "silver files of products"),
        ("drop table clearer.build", "does not say what it was built from"),
    ],
)
def test_any_other_state_refuses_it(own, statement, reason):
    made = backups.create(own, "eu", TABLE)
    spoil(own, statement)
    with pytest.raises(BackupError, match=reason):
        backups.restore(own, "eu", made.id, TABLE)


def test_what_was_never_built_can_be_neither_backed_up_nor_put_back(own):
    made = backups.create(own, "eu", TABLE)
    own.layout("eu").warehouse.unlink()
    with pytest.raises(StorageError, match="no gold yet"):
        backups.create(own, "eu", TABLE)
    with pytest.raises(StorageError, match="no gold yet"):
        backups.restore(own, "eu", made.id, TABLE)


def test_a_kill_at_any_commit_point_leaves_it_as_it_was_or_whole(own):
    whole, made = served(own), backups.create(own, "eu", TABLE)
    spoil(own, f"delete from gold.{TABLE}")
    spoiled = served(own)
    for point in itertools.count():
        ended = in_child(lambda: backups.restore(own, "eu", made.id, TABLE), kill_at=point, commits=PUBLISHING)
        assert served(own) in (spoiled, whole)
        if ended == 0:
            assert point >= 2
            break
        assert os.WIFSIGNALED(ended)
        spoil(own, f"delete from gold.{TABLE}")
    assert served(own) == whole
    assert list((own.layout("eu").work / "gold").glob("build-*")) == []


def test_a_restored_delivery_reaches_gold_by_the_next_build(own):
    """And leaves it again with the rows that it replaced gone, the same as a rebuild would."""
    put(own, "eu", "transactions", date(2024, 10, 28), [sale(7, branch_name="Restored")], slot="r.jsonl", replaces=True)
    assert gold.build(own, "eu").changed
    with gold.connect(own, "eu") as connection:
        assert connection.sql("select branch, transactions from gold.branch_performance_daily").fetchall() == [
            ("Restored", 1)
        ]
    followed = served(own)
    gold.build(own, "eu", full_refresh=True)
    assert served(own) == followed
    made = backups.create(own, "eu", "transactions")
    assert made.rows == 1
