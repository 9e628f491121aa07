"""Logs of batches as files: beside the file that the rows come from, and never a value in them."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from upath import UPath

from clearer_platform import sources
from clearer_platform.errors import StorageError
from clearer_platform.platform import Platform
from clearer_platform.serving import batches
from clearer_platform.sources import landed
from clearer_platform.sources.batches.spool import Spool
from clearer_platform.storage import files
from clearer_platform_tests.batching import HIRING, line, seal, send


@pytest.fixture
def hiring(make_platform: Callable[..., Platform]) -> Platform:
    """A region that hires."""
    return make_platform(HIRING)


def test_beside_a_landed_file(hiring: Platform) -> None:
    landing = hiring.layout("hr").landing("hired_employees")
    landing.mkdir(parents=True)
    origin = landing / "new-2024-03-31.csv"
    origin.write_text(line(1))
    good = send(hiring, "hired_employees", line(1), origin=str(origin)).record
    bad = send(hiring, "hired_employees", line(2) + line(3, name=""), origin=str(origin)).record
    rejected = send(hiring, "hired_employees", line(4, job_id=""), on_invalid="reject_batch", origin=str(origin)).record
    seal(hiring)
    logs = {path.stem: json.loads(path.read_text()) for path in (landing / "new-2024-03-31.csv.batches").iterdir()}
    assert set(logs) == {bad.id, rejected.id} and good.id not in logs
    assert [(row["row"], row["line"], row["rule"]) for row in logs[bad.id]["invalid_rows"]] == [(2, 2, "name.missing")]
    assert logs[rejected.id]["decision"] == "rejected"
    assert "Name" not in json.dumps(logs)
    total = json.loads((landing / "new-2024-03-31.csv.summary.json").read_text())
    assert (total["batches"], total["rejected"], total["rows"], total["written"]) == (3, 1, 4, 2)
    arrivals, strays = landed(hiring, "hr")
    assert ([a.path for a in arrivals], strays) == ([origin], []), "what we wrote is no delivery"


def test_without_a_file_below_the_regions_root(hiring: Platform) -> None:
    record = send(hiring, "jobs", "1,\n").record
    send(hiring, "jobs", "2,Chef\n")
    seal(hiring)
    folder = hiring.layout("hr").root / "batches"
    assert {path.name for path in files(folder)} == {f"{record.id}.json", "summary.json"}
    assert json.loads((folder / "summary.json").read_text())["valid"] == 1


def test_in_a_bucket(bucket_platform: Platform, bucket: UPath) -> None:
    origin = f"s3://{bucket.drive}/eu/landing/fx_rates/rates-2024-03-30.csv"
    send(bucket_platform, "fx_rates", "USD;30.03.2024;x\n", "eu", origin=origin)
    sources.collect(bucket_platform, "eu", "fx_rates")
    written = {UPath(path).name for path in files(bucket_platform.layout("eu").root / "landing", ".json")}
    assert "rates-2024-03-30.csv.summary.json" in written and len(written) == 2


def test_a_lost_spool_is_made_anew_from_the_manifests(hiring: Platform) -> None:
    send(hiring, "jobs", "1,\n2,Chef\n", idempotency_key="a", client="c1")
    send(hiring, "departments", "1,\n", on_invalid="reject_batch")
    before = {r.id: r.model_copy(update={"invalid_rows": ()}) for r in batches.listed(hiring, "hr")}
    seal(hiring)
    hiring.layout("hr").spool.unlink()
    again = {record.id: record for record in batches.listed(hiring, "hr")}
    sealed = {"status", "delivery"}
    assert {k: v.model_dump(exclude=sealed) for k, v in again.items()} == {
        k: v.model_dump(exclude=sealed) for k, v in before.items()
    }
    assert not send(hiring, "jobs", "1,\n2,Chef\n", idempotency_key="a").is_new, "keys are known as well"
    assert sources.collect(hiring, "hr", "jobs") == []


def test_a_spool_that_is_no_database_says_what_to_do(hiring: Platform) -> None:
    place = hiring.layout("hr").spool
    place.parent.mkdir(parents=True)
    place.write_bytes(b"something else, and long enough to be looked at" * 100)
    with pytest.raises(StorageError, match="manifests"):
        send(hiring, "jobs", "1,Chef\n")


def test_few_deliveries_in_the_order_of_receipt(hiring: Platform, tmp_path: Path) -> None:
    """Batches of one kind are sealed together, but none into a delivery that is older than its neighbour's."""
    for content in ("1,a\n", "2,b\n", [{"id": 1, "job": "c"}], "1,d\n"):
        send(hiring, "jobs", content)
    receipts = sources.collect(hiring, "hr", "jobs")
    assert [r.delivery.content.read_bytes() for r in receipts] == [b"1,a\n2,b\n", b'{"id": 1, "job": "c"}\n', b"1,d\n"]
    assert not any(Spool(hiring, "hr").unsealed("jobs", None))
    assert sources.collect(hiring, "hr", "jobs") == []
