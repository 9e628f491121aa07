"""Publishing to folders: CSV that other readers read back exactly, DB2's statements beside it, and Delta tables."""

import csv
import io
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from upath import UPath

from clearer_platform.errors import PublishError
from clearer_platform.platform import Platform
from clearer_platform.regions import FolderTarget
from clearer_platform.serving.publishing import csv_files, delta
from clearer_platform.serving.publishing.db2 import scripts
from clearer_platform.serving.publishing.publication import Part, Published
from clearer_platform_tests.conftest import EFFORT
from clearer_platform_tests.serving.publishing.by_hand import STATES, ByHand, Row, every_kind, silent

TABLE = every_kind()
SOME: list[Row] = [
    {
        "id": 'a,"b"\nc',
        "note": "",
        "amount": Decimal("1.10"),
        "wide": Decimal("12345678901234567890.0123456789"),
        "n": 1,
        "flag": True,
        "day": date(2024, 3, 31),
        "at": datetime(2024, 3, 31, 1, 30, 0, 5, tzinfo=UTC),
        "who": "00000000-0000-0000-0000-000000000001",
        "tags": ["x", None],
    },
    {"id": " b ", "note": None, "n": 2},
]


def target_of(kind: str, root: str, **other: Any) -> FolderTarget:
    return FolderTarget.model_validate({"name": "files", "kind": kind, "root": root, "tables": ("*",), **other})


@pytest.fixture
def gold(tmp_path: Path) -> ByHand:
    return ByHand(work=tmp_path / "work")


def put(platform: Platform, target: FolderTarget, *parts: Part, force: bool = False) -> list[Published]:
    kind = csv_files if target.kind == "csv" else delta
    return kind.publish(platform, target, parts, force=force, advance=silent)


def test_csv_as_a_loader_wants_it(platform, gold):
    put(platform, target_of("csv", "out"), gold.part(TABLE, SOME))
    folder = platform.settings.home / "out" / "eu"
    assert (folder / "every_kind.csv").read_bytes().decode() == (
        '"region","id","note",amount,wide,n,small,ratio,flag,day,at,local,"who","tags"\n'
        '"eu","a,""b""\nc","",1.10,12345678901234567890.0123456789,1,,,1,2024-03-31,2024-03-31 01:30:00.000005,,'
        '"00000000-0000-0000-0000-000000000001","[""x"",null]"\n'
        '"eu"," b ",,,,2,,,,,,,,\n'
    )
    header = next(csv.reader(io.StringIO((folder / "every_kind.csv").read_text())))
    assert tuple(header) == TABLE.names
    said = json.loads((folder / "publication.json").read_text())["every_kind"]
    assert (said["rows"], said["file"]) == (2, "every_kind.csv")


@settings(max_examples=15 * EFFORT, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=STATES.map(lambda states: states[0]))
def test_any_csv_reads_back(platform, gold, rows):
    """By Python's reader, which tells no null from empty text; DuckDB's, which does, compares before publication."""
    put(platform, target_of("csv", "out", null="NULL"), gold.part(TABLE, rows), force=True)
    text = (platform.settings.home / "out/eu/every_kind.csv").read_bytes().decode()
    found = sorted((r["id"], r["note"], r["wide"]) for r in csv.DictReader(io.StringIO(text, newline="")))
    told = [(r["id"], "NULL" if r["note"] is None else r["note"], r["wide"]) for r in rows]
    assert found == sorted((i, n, "NULL" if w is None else f"{w:.10f}") for i, n, w in told)


def test_csv_is_written_once_and_again_where_it_is_gone(platform, gold):
    target, part = target_of("csv", "out"), gold.part(TABLE, SOME)
    file = platform.settings.home / "out/eu/every_kind.csv"
    assert put(platform, target, part)[0].is_new
    before = file.stat().st_mtime_ns, file.stat().st_ino
    assert not put(platform, target, part)[0].is_new
    assert (file.stat().st_mtime_ns, file.stat().st_ino) == before
    assert csv_files.recorded(platform, target) == {("every_kind", "eu"): part.fingerprint}
    file.unlink()
    assert put(platform, target, part)[0].is_new and file.exists()
    assert not [path for path in gold.work.rglob("*") if path.is_file()]


def test_a_bucket(bucket, s3_endpoint, platform, gold):
    target = target_of("csv", f"s3://{bucket.drive}/out", options={"endpoint_url": s3_endpoint})
    put(platform, target, gold.part(TABLE, SOME))
    assert not put(platform, target, gold.part(TABLE, SOME))[0].is_new
    assert (bucket / "out/eu/every_kind.csv").read_bytes().count(b"\n") == 4


def test_db2_is_told_how_to_load(platform, gold, capsys):
    put(platform, target_of("csv", "out", scripts="db2", schema="BI"), gold.part(TABLE, SOME))
    assert not capsys.readouterr().err, "the dialect warns of nothing"
    folder = platform.settings.home / "out/eu"
    made = (folder / "every_kind.create.sql").read_text()
    for column in (
        "region VARCHAR(128) NOT NULL",
        "id VARCHAR(128) NOT NULL",
        "note VARCHAR(1000)",
        "amount DECIMAL(18, 2)",
        "wide DECIMAL(31, 10)",
        "n BIGINT",
        '"at" TIMESTAMP',
        "PRIMARY KEY (region, id)",
    ):
        assert column in made
    external = (folder / "every_kind.external.sql").read_text()
    assert "DELETE FROM \"BI\".every_kind WHERE region = 'eu';" in external
    assert "SKIPROWS 1" in external and "NULLVALUE ''" in external and external.endswith("COMMIT;\n")
    assert "OF DEL" in (text := (folder / "every_kind.import.sql").read_text()) and "SKIPCOUNT 1" in text
    load = (folder / "every_kind.load.sh").read_text()
    assert "tail -n +2 every_kind.csv" in load and "SKIPCOUNT" not in load
    assert set(scripts(target_of("csv", "x", null="NULL", scripts="db2"), TABLE, "eu")) == {
        ".create.sql",
        ".external.sql",
    }


def test_what_is_built_across_regions_lies_in_a_folder_of_its_own(platform, tmp_path):
    """Which no region can be called like; scripts for DB2 replace the whole table."""
    target, gold = target_of("csv", "out", scripts="db2"), ByHand(None, work=tmp_path / "work")
    part = gold.part(every_kind(layer="global"), [{"region": "eu", "id": "a"}, {"region": "us", "id": "b"}])
    put(platform, target, part)
    assert not put(platform, target, part)[0].is_new
    folder = platform.settings.home / "out/global"
    rows = csv.DictReader(io.StringIO((folder / "every_kind.csv").read_text()))
    assert [(row["region"], row["id"]) for row in rows] == [("eu", "a"), ("us", "b")]
    assert csv_files.recorded(platform, target) == {("every_kind", "global"): part.fingerprint}
    for suffix in (".external.sql", ".import.sql"):
        assert "DELETE FROM every_kind;" in (folder / f"every_kind{suffix}").read_text()
    assert 'db2 "DELETE FROM every_kind"' in (folder / "every_kind.load.sh").read_text()


def rows_by_hand(folder: Path) -> list[dict[str, Any]]:
    """A Delta table read by its own log: JSON and Parquet, without a library that knows Delta."""
    files: set[str] = set()
    for commit in sorted((folder / "_delta_log").glob("*.json")):
        for line in commit.read_text().splitlines():
            action = json.loads(line)
            if "remove" in action:
                files.discard(action["remove"]["path"])
            if "add" in action:
                files.add(action["add"]["path"])
    return [
        {"region": name.split("/")[0].removeprefix("region="), **row}
        for name in sorted(files)
        for row in pq.ParquetFile(folder / name).read().to_pylist()
    ]


def test_delta_holds_what_gold_says(platform, tmp_path, gold):
    """Read back by its log alone, and by its own library; without news there is no commit."""
    from deltalake import DeltaTable

    target, us = target_of("delta", "lake"), ByHand("us", work=tmp_path / "us")
    folder = platform.settings.home / "lake" / "every_kind"
    part = gold.part(TABLE, SOME)
    put(platform, target, part, us.part(TABLE, [{"id": "u"}]))
    version = DeltaTable(str(folder)).version()
    assert not put(platform, target, part)[0].is_new
    assert DeltaTable(str(folder)).version() == version

    def said(rows: list[dict[str, Any]]) -> list[Any]:
        return sorted((r["region"], r["id"], r["note"], r["amount"], r["wide"], r["at"], r["tags"]) for r in rows)

    first = SOME[0]
    expected = [
        ("eu", " b ", None, None, None, None, None),
        ("eu", first["id"], "", first["amount"], first["wide"], first["at"], '["x",null]'),
        ("us", "u", None, None, None, None, None),
    ]
    assert said(rows_by_hand(folder)) == expected
    dataset = DeltaTable(str(folder)).to_pyarrow_dataset()
    assert said(duckdb.sql("FROM dataset").to_arrow_table().to_pylist()) == expected
    types = {field.name: str(field.type) for field in dataset.schema}
    assert (types["wide"], types["at"], types["day"]) == ("decimal128(38, 10)", "timestamp[us, tz=UTC]", "date32[day]")

    put(platform, target, gold.part(TABLE, SOME[1:]))
    assert [(r["region"], r["id"]) for r in sorted(rows_by_hand(folder), key=lambda r: r["id"])] == [
        ("eu", " b "),
        ("us", "u"),
    ]
    put(platform, target, gold.part(TABLE, []))
    assert [r["region"] for r in rows_by_hand(folder)] == ["us"]


@pytest.mark.parametrize("region", ["varchar", None])
def test_delta_holds_what_is_built_across_regions(platform, tmp_path, region):
    """Replaced as a whole by one commit, whether or not it says of which region a row is."""
    from deltalake import DeltaTable

    target, gold = target_of("delta", "lake"), ByHand(None, work=tmp_path / "work")
    folder, table = platform.settings.home / "lake" / "every_kind", every_kind(layer="global", region=region)
    put(platform, target, gold.part(table, [{"region": "eu", "id": "a", "n": 1}, {"region": "us", "id": "b", "n": 2}]))
    nothing, part = gold.part(table, []).figures, gold.part(table, [{"region": "eu", "id": "a", "n": 5}])
    (done,) = put(platform, target, part)
    assert (done.added, done.removed, done.region) == (1, 2, None)
    assert [(row["id"], row["n"]) for row in rows_by_hand(folder)] == [("a", 5)]
    assert not put(platform, target, part)[0].is_new
    made = DeltaTable(str(folder))
    assert (made.version(), made.metadata().partition_columns) == (1, [])
    with pytest.raises(PublishError, match="every_kind would not equal gold: 1 rows for 0"):
        put(platform, target, replace(part, figures=nothing, fingerprint="other"))
    assert DeltaTable(str(folder)).to_pyarrow_table().num_rows == 1


def test_a_column_more_in_delta(platform, gold):
    target = target_of("delta", "lake")
    put(platform, target, gold.part(TABLE, SOME))
    gold.connection.execute("ALTER TABLE gold.every_kind ADD COLUMN more VARCHAR DEFAULT 'x'")
    put(platform, target, gold.of(every_kind(more="varchar")))
    assert {row["more"] for row in rows_by_hand(platform.settings.home / "lake/every_kind")} == {"x"}


@pytest.mark.parametrize("kind", ["csv", "delta"])
def test_what_would_not_equal_gold_is_not_published(platform, gold, kind):
    """What was there before stays, to the row."""
    target, folder = target_of(kind, "out"), platform.settings.home / "out"
    put(platform, target, gold.part(TABLE, SOME))
    figures, part = gold.part(TABLE, SOME).figures, gold.part(TABLE, SOME[:1])
    with pytest.raises(PublishError, match="every_kind of eu would not equal gold: 1 rows for 2"):
        put(platform, target, replace(part, figures=figures))
    if kind == "csv":
        assert (folder / "eu/every_kind.csv").read_bytes().count(b'"eu"') == 2
    else:
        from deltalake import DeltaTable

        assert DeltaTable(str(folder / "every_kind")).to_pyarrow_table().num_rows == 2


@pytest.fixture
def s3_elsewhere() -> Iterator[str]:
    """The URL of an S3-compatible server in a process of its own.

    One in this process would never answer: delta-rs holds Python's lock while it waits.
    """
    with subprocess.Popen(
        [sys.executable, "-c", S3], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        assert server.stdout
        yield server.stdout.readline().strip()
        server.kill()


S3 = """
import sys
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print("http://{}:{}".format(*server.get_host_and_port()), flush=True)
sys.stdin.read()
"""


def test_delta_in_a_bucket(s3_elsewhere, platform, gold, monkeypatch):
    """Credentials come from the environment, and an address without TLS is taken at its word."""
    from deltalake import DeltaTable

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    store = UPath("s3://lake", endpoint_url=s3_elsewhere)
    store.fs.mkdir("lake")
    target = target_of("delta", "s3://lake/gold", options={"endpoint_url": s3_elsewhere})
    put(platform, target, gold.part(TABLE, SOME))
    assert not put(platform, target, gold.part(TABLE, SOME))[0].is_new
    put(platform, target, gold.part(TABLE, SOME[1:]))
    options = {"endpoint_url": s3_elsewhere, "allow_http": "true"}
    rows = DeltaTable("s3://lake/gold/every_kind", storage_options=options).to_pyarrow_table().to_pylist()
    assert [(row["region"], row["id"], row["n"]) for row in rows] == [("eu", " b ", 2)]

    missing = target_of("delta", "s3://nothing/gold", options={"endpoint_url": s3_elsewhere, "max_retries": 0})
    with pytest.raises(PublishError, match=r"every_kind was not published: .*(NoSuchBucket|404)"):
        put(platform, missing, gold.part(TABLE, SOME))
    store.fs.clear_instance_cache()


def test_a_root_that_cannot_be_written_is_said(platform, gold):
    (platform.settings.home / "taken").write_text("a file")
    for kind in ("csv", "delta"):
        with pytest.raises(Exception, match=r"taken|published") as said:
            put(platform, target_of(kind, "taken"), gold.part(TABLE, SOME))
        assert said.type.__module__.startswith("clearer_platform"), said
