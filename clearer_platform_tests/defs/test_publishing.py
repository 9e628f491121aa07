"""Publishing in the graph: assets, checks, the sensor that asks for newer gold and lets a target that is down rest."""

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest

from clearer_platform import gold
from clearer_platform.definitions import build_defs
from clearer_platform.defs.publishing import FIRST_WAIT, Targets, due, requested
from clearer_platform.errors import UnknownName
from clearer_platform.platform import Platform
from clearer_platform_tests.conftest import once
from clearer_platform_tests.gold.conftest import build
from clearer_platform_tests.gold.silver_files import REGIONS, open_platform

pytestmark = pytest.mark.usefixtures("at_once")
TARGETS = """
[targets.files]
kind = "csv"
root = "published"
tables = ["*branch_performance*", "product_performance"]
[targets.gone]
kind = "postgresql"
url = "postgresql://nobody@127.0.0.1:1/nothing"
regions = ["us"]
tables = ["branch_performance"]
"""


@pytest.fixture
def publishing(common: Path, prepared_dbt: Path, tmp_path: Path) -> Platform:
    """A copy of a home with gold of two regions; us is published to a server that is not there as well."""
    home = once(common / "gold", lambda folder: build(open_platform(folder, prepared_dbt=prepared_dbt)))
    shutil.copytree(home, tmp_path / "home", symlinks=True)
    return open_platform(tmp_path / "home", REGIONS + TARGETS, schedule="30 * * * *")


def run(platform: Platform, region: str | None) -> dg.ExecuteInProcessResult:
    with dg.DagsterInstance.ephemeral() as instance:
        job = build_defs(platform).resolve_job_def("publish" if region else "publish_global")
        return job.execute_in_process(partition_key=region, instance=instance, raise_on_error=False)


def test_a_run_publishes_a_region_and_says_what_it_did(publishing: Platform) -> None:
    result = run(publishing, "eu")
    assert result.success
    events = {e.asset_key.to_user_string(): e.materialization for e in result.get_asset_materialization_events()}  # type: ignore[union-attr]
    assert set(events) == {
        f"published/files/{name}" for name in ("branch_performance", "branch_performance_daily", "product_performance")
    }
    said = {name: value.value for name, value in events["published/files/branch_performance"].metadata.items()}
    assert (said["dagster/partition_row_count"], said["added"], said["target"]) == (1, 1, "files")
    checks = result.get_asset_check_evaluations()
    assert len(checks) == 3 and all(check.passed and check.check_name == "equals_gold" for check in checks)
    assert (publishing.settings.home / "published/eu/branch_performance.csv").exists()


def test_what_is_built_across_regions_is_published_by_a_job_of_its_own(publishing: Platform) -> None:
    """Whole, as it is built: without partitions."""
    result = run(publishing, None)
    assert result.success
    events = {e.asset_key.to_user_string(): e for e in result.get_asset_materialization_events()}  # type: ignore[union-attr]
    assert set(events) == {
        f"published/files/global_{name}" for name in ("branch_performance", "branch_performance_daily")
    }
    event = events["published/files/global_branch_performance"]
    said = {name: value.value for name, value in event.materialization.metadata.items()}
    assert event.partition is None and (said["dagster/row_count"], said["added"]) == (2, 2)
    checks = result.get_asset_check_evaluations()
    assert len(checks) == 2 and all(check.passed and check.check_name == "equals_gold" for check in checks)
    assert (publishing.settings.home / "published/global/global_branch_performance.csv").exists()
    assert not (publishing.settings.home / "published/eu").exists()


def test_a_target_that_is_down_gets_nothing_across_regions_and_is_told_of(publishing: Platform) -> None:
    text = REGIONS + TARGETS.replace('regions = ["us"]\ntables = ["', 'tables = ["global_')
    result = run(open_platform(publishing.settings.home, text), None)
    assert not result.success
    assert (publishing.settings.home / "published/global/global_branch_performance.csv").exists()
    failed = {c.asset_key.to_user_string() for c in result.get_asset_check_evaluations() if not c.passed}
    assert failed == {"published/gone/global_branch_performance"}


def test_a_target_that_is_down_stops_no_other(publishing: Platform) -> None:
    result = run(publishing, "us")
    assert not result.success
    assert (publishing.settings.home / "published/us/branch_performance.csv").exists()
    assert {c.asset_key.path[1] for c in result.get_asset_check_evaluations() if not c.passed} == {"gone"}


def test_newer_gold_is_asked_for_once_and_a_target_that_is_down_rests(publishing: Platform) -> None:
    assert due(Targets(publishing), 1000.0, across=False) == ["eu", "us"]
    assert due(Targets(publishing), 1001.0, across=False) == []
    run(publishing, "eu")
    run(publishing, "us")
    assert due(Targets(publishing), 1000.0 + FIRST_WAIT, across=False) == ["us"]
    assert due(Targets(publishing), 1001.0 + FIRST_WAIT * 2, across=False) == []
    assert due(Targets(publishing), 1000.0 + FIRST_WAIT * 3, across=False) == ["us"]
    without = open_platform(publishing.settings.home, REGIONS + TARGETS.partition("[targets.gone]")[0])
    assert due(Targets(without), 2000.0, across=False) == ["us"]  # what the registry says of it has changed
    assert due(Targets(without), 9999.0, across=False) == []
    note = without.layout("eu").work / "publishing" / "files.json"
    note.write_text(json.dumps({"gold": "older"}))
    assert due(Targets(without), 10_000.0, across=False) == ["eu"]
    note.write_text("damaged")
    assert due(Targets(without), 99_999.0, across=False) == ["eu"]


def test_newer_gold_across_regions_is_asked_for_likewise(publishing: Platform) -> None:
    (request,) = requested(Targets(publishing), 1000.0, across=True)
    assert request.partition_key is None
    assert due(Targets(publishing), 1001.0, across=True) == []
    assert due(Targets(publishing), 1000.0 + FIRST_WAIT, across=True) == [None]  # nobody has published it
    run(publishing, "eu")
    assert due(Targets(publishing), 1000.0 + FIRST_WAIT * 3, across=True) == [None]
    run(publishing, None)
    assert due(Targets(publishing), 99_999.0, across=True) == []
    us = REGIONS[REGIONS.index("[regions.us]") :]
    stricter = open_platform(
        publishing.settings.home, REGIONS.replace(us, us.replace("aggregates", "pseudonyms")) + TARGETS
    )
    gold.build_global(stricter)
    assert due(Targets(stricter), 100_000.0, across=True) == [None]
    regional = REGIONS + TARGETS.replace('"*branch', '"branch')
    assert due(Targets(open_platform(publishing.settings.home, regional)), 200_000.0, across=True) == []
    across = REGIONS + TARGETS.partition("[targets.gone]")[0].replace('"*branch', '"global_branch').replace(
        ', "product_performance"', ""
    )
    assert due(Targets(open_platform(publishing.settings.home, across)), 200_000.0, across=False) == []


def test_assets_stand_on_gold_and_the_schedule_is_that_of_the_settings(publishing: Platform) -> None:
    defs = build_defs(publishing)
    dg.Definitions.validate_loadable(defs)
    node = defs.resolve_asset_graph().get(dg.AssetKey(["published", "files", "branch_performance_daily"]))
    assert {key.to_user_string() for key in node.parent_keys} == {"gold/branch_performance_daily"}
    node = defs.resolve_asset_graph().get(dg.AssetKey(["published", "files", "global_branch_performance_daily"]))
    assert {key.to_user_string() for key in node.parent_keys} == {"global/branch_performance_daily"}
    assert node.partitions_def is None
    repository = defs.get_repository_def()
    for name, job, partitions in (
        ("newer_gold", "publish", ["eu", "us"]),
        ("newer_global_gold", "publish_global", [None]),
    ):
        sensor = defs.resolve_sensor_def(name)
        with (
            dg.DagsterInstance.ephemeral() as instance,
            dg.build_sensor_context(instance, repository_def=repository) as context,
        ):
            asked = sensor.evaluate_tick(context).run_requests or []
        assert (sensor.job_name, [request.partition_key for request in asked]) == (job, partitions)
    schedule = defs.resolve_schedule_def("publish_on_schedule")
    assert (schedule.cron_schedule, schedule.default_status) == ("30 * * * *", dg.DefaultScheduleStatus.RUNNING)
    at = datetime(2024, 10, 28, tzinfo=UTC)
    with dg.build_schedule_context(scheduled_execution_time=at, repository_def=repository) as context:
        assert [r.partition_key for r in schedule.evaluate_tick(context).run_requests or []] == ["eu", "us"]
        across = defs.resolve_schedule_def("publish_global_on_schedule")
        assert [r.partition_key for r in across.evaluate_tick(context).run_requests or []] == [None]
        assert (across.cron_schedule, across.job_name) == ("30 * * * *", "publish_global")


def test_a_target_that_names_tables_across_regions_alone(publishing: Platform) -> None:
    """And one that names none of them: there is no step, job, sensor or schedule without anything to publish."""
    for tables, job in (('"branch_performance"', "publish"), ('"global_*"', "publish_global")):
        text = f'[targets.t]\nkind = "csv"\nroot = "x"\ntables = [{tables}]\n'
        defs = build_defs(open_platform(publishing.settings.home, REGIONS + text))
        dg.Definitions.validate_loadable(defs)
        names = {d.name for d in (*defs.resolve_all_job_defs(), *(defs.sensors or ()), *(defs.schedules or ()))}
        assert {name for name in names if "publish" in name or "newer" in name} == {
            job,
            f"{job}_on_schedule",
            "newer_gold" if job == "publish" else "newer_global_gold",
        }


def test_a_table_that_is_not_there_is_said_at_once(publishing: Platform) -> None:
    wrong = open_platform(publishing.settings.home, REGIONS + TARGETS.replace("product_performance", "nothing"))
    with pytest.raises(UnknownName, match=r"targets\.files\.tables"):
        build_defs(wrong)
