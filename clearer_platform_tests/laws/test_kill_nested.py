"""Law 2 where one delivery fills several tables: a kill between putting them in place leaves nothing half done."""

from pathlib import Path

import pytest

from clearer_platform import silver
from clearer_platform.errors import BuildError
from clearer_platform.gold import inputs
from clearer_platform_tests.laws.test_kill import bronze_and_silver, ends_like_a_clean_run, in_child
from clearer_platform_tests.silver.nesting import (
    INTERVALS,
    PERIODS,
    STRICT,
    StoreRegion,
    array,
    file_of,
    interval,
    period,
)

pytestmark = pytest.mark.forks

GOOD, LATER, REVERSED = (
    interval("2022-05-30", "2022-06-30"),
    interval("2022-07-01", None),
    interval("2022-05-30", "2022-05-01"),
)
TABLES = (INTERVALS, PERIODS, "stores")


@pytest.fixture
def stores(tmp_path: Path) -> StoreRegion:
    region = StoreRegion(tmp_path / "home", STRICT)
    region.judge_stores(("a", array(GOOD), array(period())))
    region.judge_stores(("a", array(GOOD), "[]"), slot="second.csv")
    return region


def deliver_and_bring_up(region: StoreRegion) -> None:
    """One slot passes, and another is refused for its elements."""
    region.received = 10
    region.deliver(file_of(("a", array(GOOD, LATER), "[]"), ("b", array(GOOD), "[]")), "stores.csv")
    region.deliver(file_of(("a", array(REVERSED), array(period()))), "second.csv")
    region.bring_up()


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_kill_at_any_commit_point(stores: StoreRegion, tmp_path: Path) -> None:
    ends_like_a_clean_run(
        stores.platform,
        tmp_path,
        lambda: deliver_and_bring_up(stores),
        lambda: bronze_and_silver(stores.platform),
        least=20,
        commits=("replace", "unlink"),
    )


@pytest.mark.timeout(300)
def test_gold_takes_no_delivery_that_is_not_in_all_its_tables(
    stores: StoreRegion, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a kill in between it says so; what it takes is always whole."""
    monkeypatch.setattr(inputs, "WAITS", (0.0,))
    torn = 0
    for point in range(1000):
        ended = in_child(lambda: deliver_and_bring_up(stores), kill_at=point, commits=("replace",))
        if ended == 0:
            break
        try:
            found = inputs.published(stores.platform, ["eu"])
        except BuildError as error:
            torn += 1
            assert "is not whole" in error.message and "revalidate" in (error.hint or "")
            continue
        for slot in {file.slot for file in found}:
            of_slot = [file for file in found if file.slot == slot]
            assert {file.table for file in of_slot} == set(TABLES)
            assert len({file.fingerprint for file in of_slot}) == 1
        snapshot = inputs.snapshot(stores.platform, found, tmp_path / f"snapshot{point}", tmp_path / "mirror")
        assert inputs.contents(snapshot) == inputs.contents(found)
    assert torn
    assert all(state.is_current for table in TABLES for state in silver.states(stores.platform, "eu", table))
    assert len(inputs.published(stores.platform, ["eu"])) == 6


def test_gold_looks_again_while_files_are_put_in_place(stores: StoreRegion, monkeypatch: pytest.MonkeyPatch) -> None:
    layout = stores.platform.layout("eu")
    place = Path(layout.silver_file(PERIODS, next(iter(stores.bring_up())).slot.day, "stores.csv"))
    hidden = place.with_name("hidden")
    place.rename(hidden)
    waited: list[float] = []

    def comes_back(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 2:
            hidden.rename(place)

    monkeypatch.setattr(inputs.time, "sleep", comes_back)
    assert len(inputs.published(stores.platform, ["eu"])) == 6
    assert len(waited) == 2
