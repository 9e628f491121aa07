import hashlib
import io
import threading
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clearer_platform.bronze import DamagedDelivery, Receipt, current, history, is_intact, receive, slots
from clearer_platform.errors import Busy, DeliveryError, RegistryError, StorageError
from clearer_platform.regions import Layout

DAY = date(2024, 3, 31)
NOON = datetime(2024, 3, 31, 12, tzinfo=UTC)


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout("eu", tmp_path / "eu", tmp_path / "eu" / "work", lock_timeout=10)


def deliver(layout: Layout, data: bytes, slot: str = "a.csv", **more):
    return receive(layout, "sales", DAY, slot, io.BytesIO(data), origin="test", **more)


def test_the_bytes_in_bronze_hash_to_the_bytes_delivered(layout):
    data = bytes(range(256)) * 10_000
    delivery = deliver(layout, data).delivery
    assert delivery.content.read_bytes() == data
    assert delivery.manifest.sha256 == hashlib.sha256(data).hexdigest()
    assert delivery.manifest.size == len(data)
    assert is_intact(delivery)
    delivery.content.write_bytes(data[:-1])
    assert not is_intact(delivery)


def test_the_same_bytes_are_a_no_op_and_a_b_a_are_three_deliveries(layout):
    assert [deliver(layout, data).is_new for data in (b"A", b"A", b"B", b"B", b"A")] == [True, False, True, False, True]
    assert [d.content.read_bytes() for d in history(layout, "sales", DAY, "a.csv")] == [b"A", b"B", b"A"]


def test_another_slot_of_the_day_adds_to_it(layout):
    deliver(layout, b"A", "a.csv")
    deliver(layout, b"A", "b.csv.gz")
    assert [(slot.name, slot.current.content.name[-8:]) for slot in slots(layout, "sales", [DAY])] == [
        ("a.csv", hashlib.sha256(b"A").hexdigest()[13:16] + ".data"),
        ("b.csv.gz", ".data.gz"),
    ]


def test_a_clock_set_back_does_not_bring_an_old_delivery_back(layout):
    deliver(layout, b"old", clock=lambda: NOON)
    deliver(layout, b"new", clock=lambda: NOON - timedelta(days=1))
    newest = current(layout, "sales", DAY, "a.csv")
    assert newest.content.read_bytes() == b"new"
    assert newest.manifest.received_at == NOON + timedelta(microseconds=1)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(order=st.permutations(range(5)))
def test_what_is_current_does_not_depend_on_the_order_of_replaying(tmp_path_factory, order):
    folder = tmp_path_factory.mktemp("replay")
    layout = Layout("eu", folder, folder / "work")
    for i in order:
        deliver(layout, b"%d" % i, received_at=NOON + timedelta(hours=i))
    assert [d.content.read_bytes() for d in history(layout, "sales", DAY, "a.csv")] == [b"4", b"3", b"2", b"1", b"0"]


def test_a_source_that_breaks_off_leaves_nothing(layout):
    class Broken(io.RawIOBase):
        def read(self, size=-1):
            raise ConnectionResetError(104, "Connection reset by peer")

    with pytest.raises(StorageError, match="cannot read test: Connection reset"):
        receive(layout, "sales", DAY, "a.csv", Broken(), origin="test")  # type: ignore[arg-type]
    assert current(layout, "sales", DAY, "a.csv") is None
    assert list((layout.work / "spool").iterdir()) == []


def test_a_damaged_manifest_is_named(layout):
    delivery = deliver(layout, b"A").delivery
    path = delivery.content.parent / f"{delivery.id}.json"
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(DamagedDelivery, match=rf"{path.name} is no longer the manifest.*\n.*remove it, and deliver"):
        deliver(layout, b"A")
    path.unlink()
    assert deliver(layout, b"A").is_new


@pytest.mark.parametrize(
    "damage", [Path.unlink, lambda path: path.write_bytes(b"B"), lambda path: path.write_bytes(b"")]
)
def test_the_same_bytes_again_mend_what_is_damaged(layout, damage):
    delivery = deliver(layout, b"A").delivery
    damage(delivery.content)
    assert not is_intact(delivery)
    assert deliver(layout, b"A") == Receipt(delivery, is_new=False)
    assert delivery.content.read_bytes() == b"A"
    assert history(layout, "sales", DAY, "a.csv") == (delivery,)


def test_bytes_without_a_manifest_are_no_delivery(layout):
    delivery = deliver(layout, b"A").delivery
    (delivery.content.parent / f"{delivery.id}.json").unlink()
    assert current(layout, "sales", DAY, "a.csv") is None


def test_a_full_disk_says_so(layout, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("clearer_platform.storage.os.replace", full)
    with pytest.raises(StorageError, match=r"No space left.*\n.*free some space"):
        deliver(layout, b"A")
    assert current(layout, "sales", DAY, "a.csv") is None


@pytest.mark.parametrize("slot", ["", ".", "..", "x" * 151])
def test_impossible_slot_names_are_refused(layout, slot):
    with pytest.raises(DeliveryError, match="cannot name a slot"):
        deliver(layout, b"A", slot)


def test_senders_at_once_make_one_delivery_of_the_same_bytes(layout):
    results: list[bool] = []
    threads = [threading.Thread(target=lambda: results.append(deliver(layout, b"A").is_new)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [False] * 7 + [True]
    assert len(history(layout, "sales", DAY, "a.csv")) == 1


def test_a_root_that_cannot_be_written_is_said(layout):
    layout.root.write_text("a file where a folder has to be")
    with pytest.raises(StorageError, match=r"cannot lock .*bronze\.lock: Not a directory"):
        deliver(layout, b"x")


def test_a_lock_that_is_held_is_waited_for_and_then_said(layout):
    impatient = replace(layout, lock_timeout=0)
    with layout.lock("bronze"), pytest.raises(Busy, match="another process has held"), impatient.lock("bronze"):
        pass
    with impatient.lock("bronze"):
        pass


def test_a_region_that_was_renamed_is_told_from_the_one_that_delivered(layout):
    deliver(layout, b"x")
    renamed = replace(layout, name="europe")
    for look in (lambda: slots(renamed, "sales"), lambda: deliver(renamed, b"y")):
        with pytest.raises(RegistryError, match=r"was delivered by the region 'eu'.* is the root of 'europe'"):
            look()
