"""MotherDuck, through a recording stand-in: what is sent, and when. No live MotherDuck was used."""

from datetime import timedelta

import duckdb
import pytest

from clearer_platform import gold
from clearer_platform.errors import StorageError
from clearer_platform.gold import motherduck
from clearer_platform.platform import Platform
from clearer_platform_tests.gold.conftest import DAY, sale
from clearer_platform_tests.gold.silver_files import put


class RecordingMotherDuck:
    """A stand-in that notes every statement, and looks into the file that an upload names."""

    def __init__(self, fails: bool = False) -> None:
        self.statements: list[str] = []
        self.uploaded: dict[str, list[str]] = {}
        self.fails = fails

    def execute(self, query: str) -> None:
        self.statements.append(query.split(" from '")[0])
        if " from '" in query:
            if self.fails:
                raise duckdb.IOException("IO Error: no route to host")
            path = query.split("'")[1]
            with duckdb.connect(path, read_only=True) as file:
                rows = file.execute(
                    "select schema_name || '.' || table_name from duckdb_tables() where estimated_size > 0 order by 1"
                )
                self.uploaded[query.split('"')[1]] = [name for (name,) in rows.fetchall()]

    def close(self) -> None:
        self.statements.append("close")


def test_a_region_is_uploaded_as_its_database_and_only_what_may_leave(own: Platform) -> None:
    fake = RecordingMotherDuck()
    assert motherduck.publish(own, "eu", lambda: fake)
    assert fake.statements == ["attach 'md:'", 'create or replace database "clearer_eu"', "close"]
    aggregates = ["branch_performance", "branch_performance_daily", "customer_distribution", "product_performance"]
    aggregates.append("dim_dates")
    assert fake.uploaded == {"clearer_eu": sorted(f"gold.{name}" for name in [*aggregates, "dim_customers"])}
    assert motherduck.publish(own, "us", lambda: fake)
    assert fake.uploaded["clearer_us"] == sorted(f"gold.{name}" for name in aggregates)


def test_the_same_state_is_uploaded_once_and_a_failed_upload_is_made_up_for(own: Platform) -> None:
    with pytest.raises(StorageError, match="cannot publish the MotherDuck database clearer_eu") as raised:
        motherduck.publish(own, "eu", lambda: RecordingMotherDuck(fails=True))
    assert "motherduck_token" in (raised.value.hint or "")
    assert motherduck.publish(own, "eu", RecordingMotherDuck)
    assert not motherduck.publish(own, "eu", RecordingMotherDuck)
    put(own, "eu", "transactions", DAY + timedelta(1), [sale(5)])
    gold.build(own, "eu")
    assert motherduck.publish(own, "eu", RecordingMotherDuck)


def test_reading_attaches_the_database(own: Platform) -> None:
    fake = RecordingMotherDuck()
    motherduck.attach(own, None, lambda: fake)
    assert fake.statements == ["set TimeZone = 'UTC'", "attach 'md:clearer_global'", 'use "clearer_global"']
