"""The same way in, with the region's root in a bucket of an S3-compatible server."""

from datetime import date

from clearer_platform.bronze import history, is_intact, slots
from clearer_platform.sources import collect, landed
from clearer_platform.storage import files

DAY = date(2024, 3, 31)


def land(platform, table: str, name: str, data: bytes):
    path = platform.layout("eu").landing(table) / name
    path.fs.pipe_file(path.path, data)
    return path


def test_files_in_a_bucket_become_deliveries_once(bucket_platform):
    path = land(bucket_platform, "transactions", "t 1-2024-03-31.csv.gz", b"A")
    assert [r.is_new for r in collect(bucket_platform, "eu", "transactions")] == [True]
    assert collect(bucket_platform, "eu", "transactions") == []
    land(bucket_platform, "transactions", path.name, b"B")
    assert [r.is_new for r in collect(bucket_platform, "eu", "transactions", [DAY])] == [True]
    layout = bucket_platform.layout("eu")
    deliveries = history(layout, "transactions", DAY, path.name)
    assert [d.content.read_bytes() for d in deliveries] == [b"B", b"A"]
    assert all(is_intact(d) for d in deliveries)
    assert [s.name for s in slots(layout, "transactions")] == [path.name]


def test_nothing_of_a_bucket_region_is_written_into_another_root(bucket_platform):
    land(bucket_platform, "transactions", "t-2024-03-31.csv", b"A")
    collect(bucket_platform, "eu", "transactions")
    home = bucket_platform.settings.home.resolve()
    kept = {p.relative_to(home).parts[0] for p in home.rglob("*") if p.is_file() and p.suffix != ".lock"}
    assert kept - {"dbt"} == {"regions.toml"}


def test_what_is_no_delivery_in_a_bucket_is_named(bucket_platform):
    land(bucket_platform, "weather", "w-2024-03-31.csv", b"A")
    arrivals, strays = landed(bucket_platform, "eu")
    assert arrivals == [] and [s.path.name for s in strays] == ["w-2024-03-31.csv"]
    assert len(files(bucket_platform.layout("eu").root / "landing")) == 1
