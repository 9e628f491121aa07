"""Publishing in the graph: assets, checks, the sensor that asks for newer gold and lets a target that is down rest."""

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest

from clearer_platform.definitions import build_defs
from clearer_platform.defs.publishing import FIRST_WAIT, due
from clearer_platform.errors import UnknownName
from clearer_platform.platform import Platform
from clearer_platform_tests.conftest import once
from clearer_platform_tests.gold.conftest import build
from clearer_platform_tests.gold.silver_files import REGIONS, open_platform

TARGETS = """
[targets.files]
kind = "csv"
root = "published"
tables = ["branch_performance*", "product_performance"]
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


def run(platform: Platform, region: str) -> dg.ExecuteInProcessResult:
    with dg.DagsterInstance.ephemeral() as instance:
        job = build_defs(platform).resolve_job_def("publish")
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


def test_a_target_that_is_down_stops_no_other(publishing: Platform) -> None:
    result = run(publishing, "us")
    assert not result.success
    assert (publishing.settings.home / "published/us/branch_performance.csv").exists()
    assert {c.asset_key.path[1] for c in result.get_asset_check_evaluations() if not c.passed} == {"gone"}


def test_newer_gold_is_asked_for_once_and_a_target_that_is_down_rests(publishing: Platform) -> None:
    assert due(publishing, 1000.0) == ["eu", "us"]
    assert due(publishing, 1001.0) == []
    run(publishing, "eu")
    run(publishing, "us")
    assert due(publishing, 1000.0 + FIRST_WAIT) == ["us"]
    assert due(publishing, 1001.0 + FIRST_WAIT * 2) == []
    assert due(publishing, 1000.0 + FIRST_WAIT * 3) == ["us"]
    without = open_platform(publishing.settings.home, REGIONS + TARGETS.partition("[targets.gone]")[0])
    assert due(without, 2000.0) == ["us"]  # what the registry says of it has changed
    assert due(without, 9999.0) == []
    note = without.layout("eu").work / "publishing" / "files.json"
    note.write_text(json.dumps({"gold": "older"}))
    assert due(without, 10_000.0) == ["eu"]
    note.write_text("damaged")
    assert due(without, 99_999.0) == ["eu"]


def test_assets_stand_on_gold_and_the_schedule_is_that_of_the_settings(publishing: Platform) -> None:
    defs = build_defs(publishing)
    dg.Definitions.validate_loadable(defs)
    node = defs.resolve_asset_graph().get(dg.AssetKey(["published", "files", "branch_performance_daily"]))
    assert {key.to_user_string() for key in node.parent_keys} == {"gold/branch_performance_daily"}
    schedule = defs.resolve_schedule_def("publish_on_schedule")
    assert (schedule.cron_schedule, schedule.default_status) == ("30 * * * *", dg.DefaultScheduleStatus.RUNNING)
    at = datetime(2024, 10, 28, tzinfo=UTC)
    repository = defs.get_repository_def()
    with dg.build_schedule_context(scheduled_execution_time=at, repository_def=repository) as context:
        assert [r.partition_key for r in schedule.evaluate_tick(context).run_requests or []] == ["eu", "us"]


def test_a_table_that_is_not_there_is_said_at_once(publishing: Platform) -> None:
    wrong = open_platform(publishing.settings.home, REGIONS + TARGETS.replace("product_performance", "nothing"))
    with pytest.raises(UnknownName, match=r"targets\.files\.tables"):
        build_defs(wrong)
