"""A region whose root is a bucket: built in its local work folder, served from the bucket."""

from datetime import timedelta
from pathlib import Path

from clearer_platform import gold
from clearer_platform.platform import Platform
from clearer_platform.regions import Layout
from clearer_platform_tests.gold.conftest import DAY, deliver_all, sale
from clearer_platform_tests.gold.silver_files import REGIONS, open_platform, put
from clearer_platform_tests.gold.store_pictures import Store, put_picture

LOCAL = REGIONS + "stores = {}\n"
BUCKET = LOCAL.replace('root = "us"', 'root = "memory://gold-bucket/us"\nwork = "us-work"')


def upload(platform: Platform, staged: Platform) -> None:
    """Put the silver files of `staged`, which are local, into the bucket."""
    layout: Layout = platform.layout("us")
    source = Path(str(staged.layout("us").root))
    for path in source.rglob("silver/**/*.parquet"):
        target = layout.root / str(path.relative_to(source))
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())


def test_silver_in_a_bucket_becomes_gold_in_the_bucket(tmp_path: Path, prepared_dbt: Path) -> None:
    staged, platform = open_platform(tmp_path / "staged", LOCAL), open_platform(tmp_path / "home", BUCKET, prepared_dbt)
    deliver_all(staged, "us")
    upload(platform, staged)
    assert gold.build(platform, "us").published
    assert platform.layout("us").warehouse.exists()
    assert not gold.build(platform, "us").changed
    put(staged, "us", "transactions", DAY + timedelta(1), [sale(3)])
    upload(platform, staged)
    assert gold.build(platform, "us").restated == (DAY,)
    with gold.connect(platform, "us") as connection:
        assert connection.execute("select transactions from gold.branch_performance").fetchall() == [(3,)]
    mirrored = set((platform.layout("us").work / "gold" / "mirror").iterdir())
    assert len(mirrored) == 5
    put_picture(staged, "us", DAY, [Store("s")])
    upload(platform, staged)
    assert gold.build(platform, "us").changed
    further = set((platform.layout("us").work / "gold" / "mirror").iterdir())
    assert further > mirrored, "what was fetched for one part is kept when another one is built"
    assert len(further) == 8
