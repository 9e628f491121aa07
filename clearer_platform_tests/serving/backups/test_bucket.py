"""Backups of a region whose root is a bucket: they lie in it, and nowhere else once they are made."""

import pytest

from clearer_platform.errors import BackupError
from clearer_platform.serving import backups
from clearer_platform_tests.flow import bring_up, deliver

RATES = "currency;day;rate\nUSD;28.03.2024;0,91\nJPY;28.03.2024;0,0061\n"


def test_a_backup_lies_in_the_bucket_and_comes_back_from_there(bucket_platform, bucket):
    platform = bucket_platform
    deliver(platform, "eu", "fx_rates", RATES)
    bring_up(platform, "eu")
    made = backups.create(platform, "eu", "fx_rates")
    assert bucket.fs.find(f"{bucket.path.rstrip('/')}/eu/backups") == [
        f"{bucket.drive}/eu/backups/fx_rates/{made.id}{suffix}" for suffix in (".avro", ".json")
    ]
    assert backups.listed(platform, "eu") == [backups.verify(platform, "eu", made.id)]
    deliver(platform, "eu", "fx_rates", RATES.replace("0,91", "0,5"), slot="wrong.csv")
    done = backups.restore(platform, "eu", made.file, "fx_rates")
    found = {row["currency"]: str(row["rate"]) for row in pq_rows(platform, done)}
    assert found == {"USD": "0.91000000", "JPY": "0.00610000"}
    assert not (platform.layout("eu").work / "backups").exists()

    data = bytearray(made.file.read_bytes())
    data[-30] ^= 4
    made.file.write_bytes(bytes(data))
    with pytest.raises(BackupError, match="damaged"):
        backups.verify(platform, "eu", made.id)
    assert backups.prune(platform, "eu", "fx_rates", 1) == [], "it is the only one"


def pq_rows(platform, done) -> list[dict[str, object]]:
    """The rows that were brought back; they lie in the bucket too."""
    import pyarrow.parquet as pq

    with platform.layout("eu").silver_file("fx_rates", done.day, done.slot).open("rb") as f:
        return pq.read_table(f).to_pylist()
