"""What is backed up comes back as it was, to the last digit and sign; a reader that is not ours reads the same."""

from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import fastavro
import polars_avro
import pytest
from hypothesis import HealthCheck, given, settings

from clearer_platform.errors import BackupError, UnknownName
from clearer_platform.serving import backups
from clearer_platform_tests.conftest import EFFORT
from clearer_platform_tests.gold.silver_files import put
from clearer_platform_tests.serving.backups.conftest import DAY, brought_back, open_kinds
from clearer_platform_tests.serving.backups.kinds import EVERY, TABLES, EveryKind

BERLIN = ZoneInfo("Europe/Berlin")


def same(row: dict[str, Any]) -> dict[str, Any]:
    """A row with what `==` would pass over: the digits of decimals and the sign of zero."""
    return {name: str(value) if isinstance(value, Decimal | float) else value for name, value in row.items()}


@settings(max_examples=6 * EFFORT, deadline=None, suppress_health_check=list(HealthCheck))
@given(rows=TABLES)
def test_every_value_of_every_type_comes_back(tmp_path_factory, rows):
    home = tmp_path_factory.mktemp("kinds")
    platform, empty = open_kinds(home / "full"), open_kinds(home / "empty")
    put(platform, "eu", EVERY, DAY, rows)
    made = backups.create(platform, "eu", EVERY)
    assert made.rows == len(rows) and made.bytes == Path(made.file).stat().st_size
    by_key = {row["key"]: same(row) for row in rows}
    read_elsewhere = polars_avro.read_avro(str(made.file)).to_dicts()
    assert {row["key"]: same(row) for row in read_elsewhere} == by_key

    done = backups.restore(empty, "eu", Path(made.file), EVERY)
    found = brought_back(empty, done)
    assert [row["_rules"] for row in found] == [[]] * len(rows)
    assert {row["key"]: same({name: row[name] for name in by_key[row["key"]]}) for row in found} == by_key
    assert [row["_event_day"] for row in found] == [row["at"].astimezone(BERLIN).date() for row in found]
    again = backups.create(empty, "eu", EVERY)
    assert (again.sha256, again.rows) == (made.sha256, made.rows)


def test_the_schema_says_what_the_contract_says(kinds):
    put(kinds, "eu", EVERY, DAY, [])
    made = backups.create(kinds, "eu", EVERY)
    with Path(made.file).open("rb") as f:
        schema = fastavro.reader(f).writer_schema
    fields = {field["name"]: field for field in schema["fields"]}
    assert schema["doc"] == "A column of every type."
    assert fields["key"] == {"name": "key", "type": "string", "doc": "The key.", "personal": "identifier"}
    assert fields["note"]["personal"] == "direct" and fields["note"]["type"] == ["null", "string"]
    assert fields["at"]["type"] == {"type": "long", "logicalType": "timestamp-micros"}
    assert fields["local"]["type"][1] == {"type": "long", "logicalType": "local-timestamp-micros"}
    assert fields["day"]["type"][1] == {"type": "int", "logicalType": "date"}
    wide = {"type": "bytes", "logicalType": "decimal", "precision": 38, "scale": 10}
    assert fields["wide"]["type"] == ["null", wide]
    assert [fields[name]["type"][1] for name in ("tiny", "small", "medium", "large")] == ["int", "int", "int", "long"]
    assert list(fields) == list(EveryKind.to_schema().columns)


def test_what_no_table_is_cannot_be_backed_up(kinds, monkeypatch):
    monkeypatch.setattr("clearer_platform.gold.models", lambda platform: ())
    with pytest.raises(UnknownName, match="'nothing'"):
        backups.create(kinds, "eu", "nothing")
    with pytest.raises(UnknownName, match="'mars'"):
        backups.create(kinds, "mars", EVERY)


def test_a_backup_stays_in_its_region_and_table(kinds, tmp_path):
    """Rows of one region may not come into another's root, not even by its file's path."""
    put(kinds, "eu", EVERY, DAY, [{"key": "k", "at": datetime.now(BERLIN)}])
    made = backups.create(kinds, "eu", EVERY)
    assert kinds.layout("eu").root in Path(made.file).parents
    with pytest.raises(BackupError, match="is a backup of eu, not of us"):
        backups.restore(kinds, "us", Path(made.file), EVERY)
    with pytest.raises(BackupError, match="there is no backup"):
        backups.restore(kinds, "us", made.id, EVERY)
    with pytest.raises(BackupError, match=f"is a backup of {EVERY}"):
        backups.restore(kinds, "eu", made.id, "facts")
    for path in ("../../us/backups/x", f"../{made.id}", "/etc/passwd"):
        with pytest.raises(BackupError, match="is no id of a backup"):
            backups.restore(kinds, "eu", path, EVERY)
