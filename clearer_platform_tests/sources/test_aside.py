"""What can be no delivery is moved aside with its reason, loses nothing on the way, and can be put back."""

import os
from datetime import UTC, datetime, timedelta

import pytest

from clearer_platform import storage
from clearer_platform.bronze import slots
from clearer_platform.errors import DeliveryError, StorageError
from clearer_platform.sources.aside import REASON, restore, set_aside, set_asides, strays
from clearer_platform.sources.files import collect
from clearer_platform.storage import files


def land(platform, below: str, data: bytes = b"A", root=None):
    path = (root or platform.layout("us").root) / "landing" / below
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def told(platform) -> dict[str, str]:
    """Every stray's place below its landing folder, and the reason."""
    return {str(s.path.relative_to(s.root / "landing")): s.reason for s in strays(platform)}


def test_every_kind_of_stray_has_its_reason(platform):
    soon = (datetime.now(UTC) + timedelta(days=2)).date()
    wide, tall = "w" * 140 + "2024-03-31.csv", "店" * 26 + "2024-03-31.csv"
    for below in ("weather/w-2024-03-31.csv", "customers/no day.csv", f"customers/c-{soon}.csv", f"customers/{wide}"):
        land(platform, below)
    land(platform, f"customers/{tall}")
    land(platform, "customers/caf\udce9-2024-03-31.csv")
    land(platform, "customers/c-2024-02-29.csv")
    land(platform, "customers/c-2024-02-30.csv")
    land(platform, "customers/notes-2024-03-31.txt")
    land(platform, "loose-2024-03-31.csv")
    land(platform, "customers/deeper/c-2024-03-31.csv")
    land(platform, "customers/c-2024-03-31.csv")
    assert told(platform) == {
        "weather/w-2024-03-31.csv": "region us delivers no table called 'weather'",
        "customers/no day.csv": "its name has no possible day (YYYY-MM-DD) or does not end in .csv[.gz|.zst]",
        "customers/c-2024-02-30.csv": "its name has no possible day (YYYY-MM-DD) or does not end in .csv[.gz|.zst]",
        "customers/notes-2024-03-31.txt": "its name has no possible day (YYYY-MM-DD) or does not end in .csv[.gz|.zst]",
        "customers/c-2024-02-29.csv": "its day, 2024-02-29, is before the first of any region (2024-03-01)",
        f"customers/c-{soon}.csv": f"its day, {soon}, has not begun anywhere yet",
        f"customers/{wide}": "its name is longer than 150 characters",
        f"customers/{tall}": "its name is longer than 240 bytes when written as in a URL (%E5%BA%97 for one character)",
        "customers/caf\udce9-2024-03-31.csv": "its name is not UTF-8",
        "loose-2024-03-31.csv": "it lies in no table's folder",
        "customers/deeper/c-2024-03-31.csv": "region us delivers no table called 'deeper'",
    }


def test_a_name_that_is_not_utf_8_becomes_one_that_is(platform):
    for name in ("caf\udce9-2024-03-31.csv", "caf\udcea-2024-03-31.csv"):
        land(platform, f"customers/{name}")
    for stray in strays(platform):
        set_aside(stray)
    found = set_asides(platform)
    assert {a.name for a in found} == {f"us/customers/caf\ufffd-2024-03-31{n}.csv" for n in ("", ".2")}
    restore(found[0])
    assert [receipt.is_new for receipt in collect(platform, "us", "customers")] == [True]


def test_a_folder_beside_the_regions_that_is_none_of_them(platform):
    root = platform.layout("us").root.parent / "mars"
    path = land(platform, "customers/c-2024-03-31.csv", root=root)
    land(platform, "customers/.hidden-2024-03-31.csv", root=root)
    (stray,) = strays(platform)
    assert (stray.region, stray.path, stray.reason) == ("mars", path, "there is no region whose root is mars")
    aside = set_aside(stray)
    assert aside.path == root / "aside/customers/c-2024-03-31.csv"
    assert [a.name for a in set_asides(platform)] == ["mars/customers/c-2024-03-31.csv"]
    assert strays(platform) == []


def test_set_aside_and_put_back(platform):
    path = land(platform, "weather/w-2024-03-31.csv", b"sun")
    marker = land(platform, "weather/w-2024-03-31.csv.done")
    (stray,) = strays(platform, ["us"])
    aside = set_aside(stray)
    assert not path.exists() and not marker.exists()
    assert aside.path.read_bytes() == b"sun"
    assert aside.table == "weather"
    (listed,) = set_asides(platform, ["us"])
    assert listed == aside
    assert "clearer aside restore us/weather/w-2024-03-31.csv" in listed.reason.what_to_do
    assert restore(listed) == path
    assert path.read_bytes() == b"sun"
    assert set_asides(platform) == []
    assert files(platform.layout("us").root / "aside") == []


def test_nothing_is_ever_overwritten(platform):
    for text in (b"1", b"2", b"3"):
        land(platform, "weather/w-2024-03-31.csv", text)
        set_aside(*strays(platform))
    assert sorted((a.path.name, a.path.read_bytes()) for a in set_asides(platform)) == [
        ("w-2024-03-31.2.csv", b"2"),
        ("w-2024-03-31.3.csv", b"3"),
        ("w-2024-03-31.csv", b"1"),
    ]
    land(platform, "weather/w-2024-03-31.csv", b"4")
    with pytest.raises(DeliveryError, match="is there already"):
        restore(set_asides(platform)[0])
    assert len(set_asides(platform)) == 3


def test_a_kill_between_reason_and_move_is_put_right(platform, monkeypatch):
    land(platform, "weather/w-2024-03-31.csv", b"1")

    def killed(source, target):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("clearer_platform.sources.aside.move", killed)
        with pytest.raises(KeyboardInterrupt):
            set_aside(*strays(platform))
    assert set_asides(platform) == [], "a reason alone is nothing that was set aside"
    set_aside(*strays(platform))
    (aside,) = set_asides(platform)
    assert (aside.path.name, aside.path.read_bytes()) == ("w-2024-03-31.csv", b"1")


def test_what_cannot_be_moved_stays_and_leaves_no_reason(platform, monkeypatch):
    path = land(platform, "weather/w-2024-03-31.csv", b"1")
    (stray,) = strays(platform)
    path.unlink()
    with pytest.raises(StorageError):
        set_aside(stray)
    assert files(platform.layout("us").root / "aside") == []


def test_a_move_never_replaces_even_where_links_are_not_possible(tmp_path, monkeypatch):
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_bytes(b"1")
    two.write_bytes(b"2")
    with pytest.raises(StorageError):
        storage.move(one, two)

    def no_links(source, target):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    with pytest.raises(StorageError):
        storage.move(one, two)
    assert (one.read_bytes(), two.read_bytes()) == (b"1", b"2")
    two.unlink()
    storage.move(one, two)
    assert (one.exists(), two.read_bytes()) == (False, b"1")


def test_a_restored_file_is_received_once_it_is_possible(platform, make_platform):
    from clearer_platform_tests.conftest import REGIONS

    land(platform, "products/p-2024-03-31.csv")
    set_aside(*strays(platform))
    mended = make_platform(REGIONS + "[regions.us.tables.products]\n")
    restore(*set_asides(mended))
    assert strays(mended) == []
    assert [r.is_new for r in collect(mended, "us", "products")] == [True]
    assert len(slots(mended.layout("us"), "products")) == 1


def test_in_a_bucket(bucket_platform):
    path = bucket_platform.layout("eu").landing("weather") / "w-2024-03-31.csv"
    path.fs.pipe_file(path.path, b"sun")
    for _ in range(2):
        path.fs.pipe_file(path.path, b"sun")
        (stray,) = strays(bucket_platform, ["eu"])
        set_aside(stray)
    asides = set_asides(bucket_platform, ["eu"])
    assert sorted(a.name for a in asides) == ["eu/weather/w-2024-03-31.2.csv", "eu/weather/w-2024-03-31.csv"]
    assert {a.path.read_bytes() for a in asides} == {b"sun"}
    assert strays(bucket_platform, ["eu"]) == []
    restore(asides[0])
    assert path.read_bytes() == b"sun"
    assert [a.path.name for a in asides if a.path.exists()] == [asides[1].path.name]
    assert not asides[0].path.with_name(asides[0].path.name + REASON).exists()
