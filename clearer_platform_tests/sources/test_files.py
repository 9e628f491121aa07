import os
from datetime import date
from pathlib import Path

import pytest

from clearer_platform.bronze import Receipt, current, history
from clearer_platform.errors import DeliveryError, UnknownName
from clearer_platform.sources import Failure, changed, collect, deliver_file, landed
from clearer_platform.sources.files import business_day

DAY = date(2024, 3, 31)


@pytest.mark.parametrize(
    ("name", "day"),
    [
        ("sales-2024-03-31.csv", DAY),
        ("2024-03-31_part2.CSV.GZ", DAY),
        ("x2024-03-31.csv.zst", DAY),
        ("x-2024-03-31.jsonl", DAY),
        ("x-2024-03-31.JSONL.gz", DAY),
        ("x-2024-03-31.json", None),
        ("sales-2024-02-30.csv", None),
        ("sales-12024-03-31.csv", None),
        ("sales-20240331.csv", None),
        ("sales-2024-03-31.txt", None),
        ("sales-2024-03-31.csv.zip", None),
    ],
)
def test_the_business_day_is_read_from_the_name(name, day):
    assert business_day(name) == day


def land(platform, region: str, table: str, name: str, data: bytes):
    folder = platform.layout(region).landing(table)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)
    return folder / name


def test_landing_files_become_deliveries_once(platform):
    path = land(platform, "eu", "transactions", "t-2024-03-31.csv", b"A")
    assert [r.is_new for r in collect(platform, "eu", "transactions")] == [True]
    assert collect(platform, "eu", "transactions") == []
    os.utime(path, ns=(1, 1))
    assert [r.is_new for r in collect(platform, "eu", "transactions")] == [False]
    path.write_bytes(b"B")
    assert [r.is_new for r in collect(platform, "eu", "transactions", [DAY])] == [True]
    path.write_bytes(b"A")
    assert [r.is_new for r in collect(platform, "eu", "transactions")] == [True]
    assert len(history(platform.layout("eu"), "transactions", DAY, path.name)) == 3


def test_a_file_that_was_only_moved_or_touched_changes_nothing(platform):
    path = land(platform, "eu", "transactions", "t-2024-03-31.csv", b"A")
    assert [arrival.path for arrival in changed(platform, "eu", "transactions")] == [path]
    collect(platform, "eu", "transactions")
    os.utime(path, ns=(1, 1))
    assert changed(platform, "eu", "transactions") == []
    path.write_bytes(b"B")
    assert [arrival.path for arrival in changed(platform, "eu", "transactions")] == [path]


def test_a_file_that_cannot_be_read_keeps_no_other_waiting(platform, monkeypatch):
    broken = land(platform, "eu", "transactions", "a-2024-03-30.csv", b"A")
    land(platform, "eu", "transactions", "b-2024-03-31.csv", b"A")
    opened = Path.open

    def denied(path, *arguments, **options):
        if path == broken:
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, *arguments, **options)

    monkeypatch.setattr(Path, "open", denied)
    failure, receipt = collect(platform, "eu", "transactions")
    assert isinstance(failure, Failure)
    assert (failure.day, failure.error.message) == (date(2024, 3, 30), f"cannot read {broken}: no permission")
    assert isinstance(receipt, Receipt)
    assert receipt.delivery.day == DAY


def test_what_is_no_file_is_not_looked_at(platform):
    """A pipe would be waited for for ever, and a link to itself would keep all others from being listed."""
    path = land(platform, "eu", "transactions", "t-2024-03-31.csv", b"A")
    os.mkfifo(path.with_name("pipe-2024-03-31.csv"))
    path.with_name("loop-2024-03-31.csv").symlink_to("loop-2024-03-31.csv")
    path.with_name("nowhere-2024-03-31.csv").symlink_to("/nowhere")
    path.with_name("folder-2024-03-31.csv").symlink_to("..")
    path.with_name("link-2024-03-31.csv").symlink_to(path)
    arrivals, strays = landed(platform, "eu")
    assert [arrival.path.name for arrival in arrivals] == ["link-2024-03-31.csv", path.name]
    assert strays == []


def test_only_the_days_asked_for_are_collected(platform):
    land(platform, "eu", "transactions", "t-2024-03-30.csv", b"A")
    land(platform, "eu", "transactions", "t-2024-03-31.csv", b"A")
    assert [r.delivery.day for r in collect(platform, "eu", "transactions", [DAY])] == [DAY]


def test_a_landing_file_left_in_place_does_not_undo_a_correction_by_hand(platform, tmp_path):
    land(platform, "eu", "transactions", "t-2024-03-31.csv", b"A")
    collect(platform, "eu", "transactions")
    mended = tmp_path / "t-2024-03-31.csv"
    mended.write_bytes(b"B")
    deliver_file(platform, mended, table="transactions", region="eu", day=DAY)
    assert collect(platform, "eu", "transactions") == []
    assert current(platform.layout("eu"), "transactions", DAY, mended.name).content.read_bytes() == b"B"


def test_what_is_no_delivery_is_named_with_its_reason(platform):
    land(platform, "us", "products", "p-2024-03-31.csv", b"A")
    land(platform, "us", "customers", "no day.csv", b"A")
    land(platform, "us", "customers", ".hidden-2024-03-31.csv", b"A")
    land(platform, "us", "customers", "c-2024-03-31.csv.part", b"A")
    arrivals, strays = landed(platform, "us")
    assert arrivals == []
    assert sorted((s.path.name, s.reason.split(":")[0][:40]) for s in strays) == [
        ("no day.csv", "its name has no possible day (YYYY-MM-DD"),
        ("p-2024-03-31.csv", "region us delivers no table called 'prod"),
    ]


def test_handing_over_what_is_not_there_or_not_known(platform, tmp_path):
    with pytest.raises(DeliveryError, match="not a file"):
        deliver_file(platform, tmp_path, table="transactions", region="eu", day=DAY)
    with pytest.raises(UnknownName, match="unknown region 'mars'"):
        deliver_file(platform, tmp_path, table="transactions", region="mars", day=DAY)
    with pytest.raises(UnknownName, match="unknown table of region us 'products'"):
        deliver_file(platform, tmp_path, table="products", region="us", day=DAY)
