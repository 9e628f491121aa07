"""What is published to a target: of regions, across them, and what may not be."""

import json
import shutil
import sqlite3
from pathlib import Path

import pytest

from clearer_platform import gold
from clearer_platform.errors import PublishError
from clearer_platform.platform import Platform
from clearer_platform.serving import publishing
from clearer_platform_tests.conftest import once
from clearer_platform_tests.gold.conftest import build
from clearer_platform_tests.gold.silver_files import REGIONS, open_platform

TARGETS = """
[targets.t]
kind = "csv"
root = "published"
tables = {tables}
regions = {regions}
"""
OF_ALL = ["global_branch_performance", "global_branch_performance_daily"]


@pytest.fixture
def home(common: Path, prepared_dbt: Path, tmp_path: Path) -> Path:
    """A copy of a home with gold of eu and us, and across them."""
    made = once(common / "gold", lambda folder: build(open_platform(folder, prepared_dbt=prepared_dbt)))
    shutil.copytree(made, tmp_path / "home", symlinks=True)
    return tmp_path / "home"


def platform_of(home: Path, *tables: str, regions: tuple[str, ...] = (), registry: str = REGIONS) -> Platform:
    return open_platform(home, registry + TARGETS.format(tables=[*tables], regions=[*regions]))


def named(platform: Platform, region: str | None) -> set[str]:
    return {table.name for table in publishing.wanted(platform, platform.registry.target("t"), region)}


def published(result: publishing.Result) -> set[tuple[str, str | None]]:
    if result.error:
        raise result.error
    return {(one.table, one.region) for one in result.published}


def test_a_pattern_takes_tables_of_regions_and_across_them_alike(home: Path) -> None:
    platform = platform_of(home, "*branch_performance*")
    assert named(platform, "us") == {"branch_performance", "branch_performance_daily"}
    assert named(platform, None) == set(OF_ALL)
    every = platform_of(home, "*")
    assert named(every, None) > set(OF_ALL) and not named(every, None) & named(every, "eu")
    assert named(platform_of(home, "branch_performance*"), None) == set()
    assert named(platform_of(home, "global_*"), "eu") == set()


def test_what_holds_rows_of_all_regions_goes_to_targets_for_all_alone(home: Path) -> None:
    """What names it alone is refused; what names others too is for the region's own."""
    for name in ("global_branch_performance", "global_*"):
        refused = platform_of(home, name, "branch_performance", regions=("eu",))
        for region in ("eu", None):
            with pytest.raises(PublishError, match="is built across all regions, and the target is for eu") as said:
                named(refused, region)
            assert "leave `regions` out" in (said.value.hint or "")
    own = platform_of(home, "*branch_performance", regions=("eu",))
    assert (named(own, "eu"), named(own, None)) == ({"branch_performance"}, set())
    assert published(publishing.publish(own, "t")) == {("branch_performance", "eu")}
    assert named(platform_of(home, "global_*", regions=("us", "eu")), None) > set(OF_ALL)


def test_a_region_that_is_named_is_published_without_what_is_across_regions(home: Path) -> None:
    platform = platform_of(home, "*branch_performance")
    assert published(publishing.publish(platform, "t", ["eu"])) == {("branch_performance", "eu")}
    assert published(publishing.publish(platform, "t", [None])) == {("global_branch_performance", None)}
    assert len(publishing.publish(platform, "t", dry_run=True).published) == 3
    assert sum(one.is_new for one in publishing.publish(platform, "t").published) == 1


def test_a_target_holds_what_is_built_across_regions_and_no_more(home: Path) -> None:
    """A region that is gone from the registry goes; its rank is another's."""
    target = f"""
[targets.t]
kind = "sql"
url = "sqlite:///{home / "target.db"}"
tables = ["global_branch_performance*"]
"""
    both = open_platform(home, REGIONS + target)
    done = publishing.publish(both, "t")
    assert published(done) == {(name, None) for name in OF_ALL}
    with sqlite3.connect(home / "target.db") as reader:
        ranks = "SELECT region, revenue_rank FROM global_branch_performance ORDER BY 1"
        assert reader.execute(ranks).fetchall() == [("eu", 1), ("us", 2)]
        us = open_platform(
            home, REGIONS[: REGIONS.index("[regions.eu]")] + REGIONS[REGIONS.index("[regions.us]") :] + target
        )
        left = publishing.publish(us, "t")
        assert not left.published and "may not leave eu any more" in left.left_out[0]
        gold.build_global(us)
        done = publishing.publish(us, "t")
        assert [(one.changed, one.removed, one.rows) for one in done.published][1:] == [(1, 1, 1)]
        assert reader.execute(ranks).fetchall() == [("us", 1)]


def test_what_may_leave_no_more_is_not_published_again(home: Path) -> None:
    """Not from gold that was built when it might; it goes with the gold that is built anew."""
    platform = platform_of(home, "global_customers")
    (done,) = publishing.publish(platform, "t").published
    assert done.rows == 2
    stricter = platform_of(home, "global_customers", registry=REGIONS.replace('"pseudonyms"', '"aggregates"'))
    result = publishing.publish(stricter, "t", force=True)
    assert not result.published and not result.error
    assert result.left_out == (
        "what is built across regions holds what may not leave eu any more,"
        " and is published once it has been built anew",
    )
    gold.build_global(stricter)
    (done,) = publishing.publish(stricter, "t").published
    assert done.rows == 0
    assert (home / "published/global/global_customers.csv").read_text().count("\n") == 1


def test_gold_of_which_some_tables_were_published_is_not_noted_as_published(home: Path) -> None:
    platform = platform_of(home, "*branch_performance*")
    for region, some in (("eu", "branch_performance"), (None, OF_ALL[0])):
        layout = platform.layout(region) if region else platform.global_layout
        note = layout.work / "publishing" / "t.json"
        assert len(publishing.publish(platform, "t", [region], tables=[some]).published) == 1
        assert not note.exists()
        assert len(publishing.publish(platform, "t", [region], tables=[some, f"{some}_daily"]).published) == 2
        assert json.loads(note.read_text())["gold"]


def test_without_gold_across_regions_the_regions_are_published(home: Path) -> None:
    platform = platform_of(home, "*branch_performance")
    (home / "global/warehouse.duckdb").unlink()
    result = publishing.publish(platform, "t")
    assert published(result) == {("branch_performance", "eu"), ("branch_performance", "us")}
    assert result.left_out == ("global has no gold yet",)
