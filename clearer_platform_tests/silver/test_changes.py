"""What is brought up once more: only what a change concerns, what was lost or damaged, and nothing that is right."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from clearer_platform import silver, storage
from clearer_platform.errors import StorageError
from clearer_platform.silver import write
from clearer_platform.silver.states import Place
from clearer_platform_tests.silver.judging import (
    BETTER,
    BROKEN,
    DAY,
    GOOD,
    HEAD,
    STRICT,
    THINGS,
    Marked,
    Region,
    contents,
    rows_of,
    snapshot,
)


def test_a_second_run_writes_nothing(make_region: Callable[..., Region]) -> None:
    region = make_region(STRICT)
    for i, data in enumerate([GOOD, BROKEN, "", HEAD]):
        region.deliver(GOOD, f"{i}.csv")
        region.deliver(data, f"{i}.csv")
    first, before = region.bring_up(), snapshot(region.home)
    assert region.bring_up() == first
    assert snapshot(region.home) == before


def test_what_a_mended_contract_changes_and_only_that(make_region: Callable[..., Region]) -> None:
    region = make_region(STRICT)
    region.judge(GOOD)
    assert region.judge(BROKEN).outcome.status == "refused"
    fingerprint = region.bring_up()[0].refused[0].fingerprint
    region.contract = replace(STRICT, owners=("team:other",))
    assert silver.states(region.platform, "eu", "things")[0].is_current, "owners decide about no row"
    region.contract = THINGS
    assert not silver.states(region.platform, "eu", "things")[0].is_current
    [state] = region.bring_up()
    assert state.published and state.published.accepted == 1 and not state.refused
    assert state.published.fingerprint != fingerprint
    assert not list((region.home / "eu" / "refused").rglob("*.*"))


def test_what_a_mended_registry_entry_changes(region: Region) -> None:
    assert region.judge("id,at,betrag,born,note\na,,1.00,,\n").outcome.status == "refused"
    region.entry["table"] = {"columns": {"amount": "betrag"}}
    [state] = region.bring_up()
    assert state.published and state.published.accepted == 1
    before = snapshot(region.home)
    region.entry["title"] = "Europe"
    region.bring_up()
    assert snapshot(region.home) == before


def test_a_stricter_contract_brings_an_older_version_back(make_region: Callable[..., Region]) -> None:
    region = make_region(THINGS)
    region.deliver(GOOD)
    region.deliver(BROKEN)
    [state] = region.bring_up()
    assert state.published and state.published.rejected == 2
    region.contract = STRICT
    [state] = region.bring_up()
    assert state.published and state.published.accepted == 2
    assert [o.delivery for o in state.refused] == [state.slot.current.id]
    assert len(rows_of(Place.of(region.platform, state.slot).records)) == 3


@pytest.mark.parametrize(
    "lost", ["silver/*/*/*", "refused/*/*/*.json", "refused/*/*/*.parquet", "refused/*/*/*", "*/*/*/*"]
)
def test_whatever_is_lost_is_made_again(make_region: Callable[..., Region], lost: str) -> None:
    region = make_region(STRICT)
    region.deliver(GOOD)
    region.deliver(BROKEN)
    region.bring_up()
    before = contents(region.home)
    lost_files = [p for p in (region.home / "eu").glob(lost) if str(p.relative_to(region.home)) in before]
    assert lost_files
    for path in lost_files:
        path.unlink()
    region.bring_up()
    assert contents(region.home) == before


def cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def bits_flipped(data: bytes) -> bytes:
    """In what a Parquet file ends with: what it says of its columns and of itself."""
    return data[:-200] + bytes(byte ^ 0xFF for byte in data[-200:-12]) + data[-12:]


def other_text(data: bytes) -> bytes:
    """Parquet as before, with something else where its outcome stands."""
    return data.replace(b'"region"', b'"regiom"')


@pytest.mark.parametrize("damaged", [cut, bits_flipped, other_text])
def test_a_damaged_file_is_made_again(make_region: Callable[..., Region], damaged: Callable[[bytes], bytes]) -> None:
    region = make_region(STRICT)
    region.deliver(GOOD)
    region.deliver(BROKEN)
    region.bring_up()
    before = contents(region.home)
    for name, data in before.items():
        assert damaged(data) != data
        (region.home / name).write_bytes(damaged(data))
    region.bring_up()
    assert contents(region.home) == before


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(path.read_bytes() + b"4,1,,\n")])
def test_what_bronze_no_longer_has_is_judged_by_nothing_else(
    make_region: Callable[..., Region], damage: Callable[[Path], object]
) -> None:
    """Its slot stays as it was and says why; the others are brought up. The same bytes again put it right."""
    region = make_region(STRICT)
    for name in ("a.csv", "b.csv"):
        region.deliver(GOOD, name)
    first, second = region.bring_up()
    before = contents(region.home)
    damage(first.slot.current.content)
    region.contract = replace(STRICT, max_rejected=0.4)
    with pytest.raises(
        silver.Unsettled, match=rf"{first.slot.current.id}.*a\.csv\n.*deliver the same file again"
    ) as raised:
        region.bring_up()
    assert list(raised.value.by_day) == [DAY]
    found = {state.slot.name: state for state in silver.states(region.platform, "eu", "things")}
    assert not found["a.csv"].is_current and found["a.csv"].published == first.published
    assert found["b.csv"].is_current and found["b.csv"].published != second.published
    assert set(contents(region.home)) == set(before)
    region.deliver(GOOD, "a.csv")
    assert all(state.is_current and not state.refused for state in region.bring_up())


def test_a_shared_table_stands_in_the_global_root_too(make_region: Callable[..., Region]) -> None:
    region = make_region(replace(STRICT, shared=True))
    region.deliver(GOOD)
    [state] = region.bring_up()
    place = Place.of(region.platform, state.slot)
    assert Path(place.shared).read_bytes() == Path(place.silver).read_bytes()
    before = contents(region.home)
    Path(place.shared).unlink()
    assert not silver.states(region.platform, "eu", "things")[0].is_current
    region.bring_up()
    assert contents(region.home) == before
    region.contract = replace(STRICT, shared=True, max_rejected=0.0, model=Marked, event_time=None)
    region.bring_up()
    assert not Path(place.shared).exists() and not Path(place.silver).exists()


def test_leftovers_of_a_killed_run_are_removed(region: Region) -> None:
    region.deliver(GOOD)
    left = [region.home / "eu" / "silver" / "things" / f"day={DAY}", region.home / "eu" / "work" / "silver" / "things"]
    for folder in left:
        folder.mkdir(parents=True)
        (folder / f"{storage.PARTIAL}left").write_bytes(b"x")
    region.bring_up()
    assert not list(region.home.rglob(f"{storage.PARTIAL}*"))


def test_nothing_is_left_in_the_work_folder(make_region: Callable[..., Region]) -> None:
    region = make_region(STRICT, csv={"encoding": "cp1252"})
    for i, data in enumerate([GOOD, BROKEN, "", GOOD + 'd,"1\n']):
        region.deliver(data, f"{i}.csv")
    region.bring_up()
    assert not [p for p in (region.home / "eu" / "work").rglob("*") if p.is_file() and p.suffix != ".lock"]


def test_what_was_not_written_whole_is_not_published(region: Region, monkeypatch: pytest.MonkeyPatch) -> None:
    """The audit reads the file that was written, not what the writer says of it."""
    region.judge(GOOD)
    before = contents(region.home)
    good = write._good
    monkeypatch.setattr(write, "_good", lambda *args: f"SELECT * FROM ({good(*args)}) LIMIT 1")
    region.deliver(BETTER)
    with pytest.raises(StorageError, match=r"it has 1 rows, 1 of them accepted; 3 records were delivered"):
        region.bring_up()
    monkeypatch.undo()
    assert contents(region.home).items() >= before.items()
    assert region.bring_up()[0].published.accepted == 3
