"""What DB2 would be told when a table is published to it: every statement, compiled by its own dialect.

No DB2 runs here. What is looked at is that nothing fails to compile, and that what is compiled is in DB2's grammar.
"""

import re
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import registry
from sqlalchemy.schema import CreateTable

from clearer_platform.regions import DatabaseTarget
from clearer_platform.serving.publishing.sql.records import lock, record, records_table
from clearer_platform.serving.publishing.sql.statements import Statements
from clearer_platform.serving.publishing.sql.types import table_in
from clearer_platform_tests.serving.publishing.by_hand import ByHand, every_kind

pytest.importorskip("ibm_db_sa")
TABLE = every_kind()
TARGET = DatabaseTarget.model_validate(
    {"name": "bi", "kind": "sql", "tables": ["*"], "url": "db2://loader@db2.example.com:50000/BLUDB", "schema": "BI"}
)
COLUMNS = 'region, id, note, amount, wide, n, small, ratio, flag, "day", "at", "local", who, tags'


class Listening:
    """A connection that only writes down what it is told."""

    def __init__(self) -> None:
        self.dialect = registry.load("db2.ibm_db")()
        self.told: list[str] = []

    def execute(self, statement: sa.ClauseElement, parameters: Any = None) -> None:
        self.told.append(self.text(statement))

    def text(self, statement: sa.ClauseElement) -> str:
        """A statement on one line, without the table's name before its columns."""
        text = " ".join(f"{statement.compile(dialect=self.dialect)}".split())
        return text.replace('"BI".every_kind.', "there.").replace('"BI".clearer_staged_every_kind.', "staged.")


@pytest.fixture
def db2() -> Listening:
    return Listening()


@pytest.fixture
def statements(db2: Listening) -> Statements:
    there, staged = (table_in(TABLE, db2.dialect, TARGET, staged=beside) for beside in (False, True))
    return Statements(TABLE, there, staged)


def test_the_tables(db2, statements):
    made = db2.text(CreateTable(statements.staged))
    assert made.startswith('CREATE TABLE "BI".clearer_staged_every_kind ( region VARCHAR(128) NOT NULL,')
    for column in (
        "note VARCHAR(1000)",
        "wide DECIMAL(31, 10)",
        "n BIGINT",
        'flag BOOLEAN, "day" DATE, "at" TIMESTAMP',
    ):
        assert column in made
    records = db2.text(CreateTable(records_table(TARGET)))
    assert "shape CLOB NOT NULL" in records and "PRIMARY KEY (table_name, region)" in records


def test_rows_are_staged(db2, statements):
    marks = ", ".join(["?"] * len(TABLE.columns))
    into = f'INSERT INTO "BI".clearer_staged_every_kind ({COLUMNS}) VALUES ({marks})'
    assert db2.text(statements.gather()) == into
    assert db2.text(statements.empty()) == 'DELETE FROM "BI".clearer_staged_every_kind'


def test_what_differs_is_deleted_and_inserted(db2, statements):
    staged = 'SELECT * FROM "BI".clearer_staged_every_kind WHERE staged.region = there.region AND staged.id = there.id'
    assert db2.text(statements.gone("eu")) == (
        f'DELETE FROM "BI".every_kind WHERE there.region = ? AND NOT (EXISTS ({staged}))'
    )
    same = "".join(
        f" AND staged.{name} IS NOT DISTINCT FROM there.{name}" for name in COLUMNS.split(", ") if name not in TABLE.key
    )
    assert db2.text(statements.differing("eu")) == (
        f'DELETE FROM "BI".every_kind WHERE there.region = ? AND (EXISTS ({staged})) AND NOT (EXISTS ({staged}{same}))'
    )
    listed = ", ".join(f"staged.{name}" for name in COLUMNS.split(", "))
    rows = f'SELECT {listed} FROM "BI".clearer_staged_every_kind WHERE staged.region = ?'
    assert db2.text(statements.missing("eu")) == (
        f'INSERT INTO "BI".every_kind ({COLUMNS}) {rows} AND NOT (EXISTS (SELECT * FROM "BI".every_kind AS t'
        " WHERE t.region = staged.region AND t.id = staged.id))"
    )
    assert db2.text(statements.all_gone("eu")) == 'DELETE FROM "BI".every_kind WHERE there.region = ?'
    assert db2.text(statements.all_missing("eu")) == f'INSERT INTO "BI".every_kind ({COLUMNS}) {rows}'


def test_of_a_table_across_regions_every_row_is_meant(db2):
    table = every_kind(layer="global")
    there, staged = (table_in(table, db2.dialect, TARGET, staged=beside) for beside in (False, True))
    whole = Statements(table, there, staged)
    assert db2.text(whole.all_gone("global")) == 'DELETE FROM "BI".every_kind'
    assert db2.text(whole.gone("global")).startswith('DELETE FROM "BI".every_kind WHERE NOT (EXISTS (SELECT')
    assert db2.text(whole.all_missing("global")).endswith(' FROM "BI".clearer_staged_every_kind')
    assert db2.text(whole.figures("global", gathered_alone=False)).endswith(' FROM "BI".every_kind')


def test_what_is_there_is_counted_and_added_up(db2, statements):
    """Integers as decimals: DB2 adds integers up to an integer, which overflows."""
    assert db2.text(statements.figures("eu", gathered_alone=False)) == (
        "SELECT count(*) AS count_1, sum(there.amount) AS sum_1, sum(there.wide) AS sum_2,"
        " sum(CAST(there.n AS DECIMAL(31, 0))) AS sum_3, sum(CAST(there.small AS DECIMAL(31, 0))) AS sum_4"
        ' FROM "BI".every_kind WHERE there.region = ?'
    )
    assert "staged.id = there.id" in db2.text(statements.figures("eu", gathered_alone=True))
    columns = ", ".join(f"there.{name}" for name in COLUMNS.split(", "))
    counted = f'SELECT {columns}, count(*) AS count_1 FROM "BI".every_kind WHERE there.region = ? GROUP BY {columns}'
    assert db2.text(statements.counted(statements.there, "eu")) == counted


def test_what_was_published_is_recorded(db2, statements):
    records = records_table(TARGET)
    lock(db2, records)
    record(db2, records, statements, [ByHand().part(TABLE, [])])
    name = '"BI".clearer_publications'
    assert db2.told == [
        f"UPDATE {name} SET published_at=? WHERE {name}.table_name = ?",
        f"DELETE FROM {name} WHERE {name}.table_name = ? AND {name}.region = ?",
        f"INSERT INTO {name} (table_name, region, fingerprint, shape, row_count, published_at)"
        " VALUES (?, ?, ?, ?, ?, ?)",
    ]


def test_nothing_is_said_that_db2_has_no_words_for(db2, statements):
    texts = [
        db2.text(statement)
        for statement in (
            CreateTable(statements.there),
            statements.differing("eu"),
            statements.missing("eu"),
            statements.numbers("eu", gathered_alone=True),
        )
    ]
    assert not [text for text in texts if re.search(r"`|ON CONFLICT|<=>| IS NOT there|AUTO_INCREMENT|::", text)]
