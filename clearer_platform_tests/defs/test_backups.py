"""Backups in the graph: an asset a table that the settings name, asked for each day, the newest few kept."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import dagster as dg
import pytest

from clearer_platform import silver
from clearer_platform.definitions import build_defs
from clearer_platform.errors import UnknownName
from clearer_platform.platform import Platform
from clearer_platform.serving import backups
from clearer_platform_tests.defs.conftest import REGISTRY, Gold, Graph, day, sales
from clearer_platform_tests.flow import deliver


@pytest.fixture
def keeping(make_platform: Callable[..., Platform], built: Gold) -> Iterator[Graph]:
    """Two tables are backed up, of which south has one."""
    platform = make_platform(REGISTRY, backup_tables=("transactions", "customers"), backup_keep=2, backup_hour=4)
    for region in ("north", "south"):
        deliver(platform, region, "transactions", sales(day(1)), day(1))
        silver.bring_up(platform, region, "transactions")
    with dg.DagsterInstance.ephemeral() as instance:
        yield Graph(build_defs(platform), instance, platform)


def test_a_run_makes_backups_and_keeps_the_newest(keeping: Graph) -> None:
    """And says what it made, but no path outside the region's root."""
    for _ in range(3):
        result = keeping.run("backups", "north")
        assert result.success
    kept = backups.listed(keeping.platform, "north", "transactions")
    assert [backup.rows for backup in kept] == [4, 4]
    assert keeping.status("backups/transactions", "north", "south") == "M-"
    assert keeping.status("backups/customers", "north") == "M"
    (event,) = keeping.events(result, "backups/transactions").values()
    said = {name: value.value for name, value in event.metadata.items()}
    assert (said["dagster/partition_row_count"], said["backup"]) == (4, kept[0].id)
    assert (said["bytes"], said["sha256"], said["old_backups_removed"]) == (kept[0].bytes, kept[0].sha256, 1)
    assert said["file"] == f"backups/transactions/{kept[0].id}.avro"


def test_a_region_backs_up_what_it_has(keeping: Graph) -> None:
    """South delivers no customers."""
    result = keeping.run("backups", "south")
    assert result.success
    assert keeping.status("backups/transactions", "south") == "M"
    assert keeping.status("backups/customers", "south") == "-"


def test_a_table_that_fails_stops_no_other(keeping: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run ends failed and names it."""
    create = backups.create

    def failing(platform: Platform, region: str, table: str) -> backups.Backup:
        if table == "transactions":
            raise UnknownName("table", table, [])
        return create(platform, region, table)

    monkeypatch.setattr(backups, "create", failing)
    assert not keeping.run("backups", "north").success
    assert keeping.status("backups/customers", "north") == "M"
    assert keeping.status("backups/transactions", "north") == "F"


def test_each_region_has_a_schedule_in_its_own_time(keeping: Graph) -> None:
    """On from the start, as the settings ask for it."""
    schedule = keeping.defs.resolve_schedule_def("backups_south")
    assert (schedule.cron_schedule, schedule.execution_timezone) == ("0 4 * * *", "America/New_York")
    assert schedule.default_status is dg.DefaultScheduleStatus.RUNNING
    with dg.build_schedule_context(
        instance=keeping.instance,
        scheduled_execution_time=datetime(2024, 3, 2, 9, tzinfo=UTC),
        repository_def=keeping.defs.get_repository_def(),
    ) as context:
        (request,) = schedule.evaluate_tick(context).run_requests or []
    assert (request.partition_key, request.run_key) == ("south", None)


def test_assets_stand_on_what_they_back_up(keeping: Graph) -> None:
    """A delivered table's on its silver asset."""
    node = keeping.defs.resolve_asset_graph().get(dg.AssetKey(["backups", "transactions"]))
    assert {key.to_user_string() for key in node.parent_keys} == {"silver/transactions"}


def test_without_tables_nothing_is_backed_up(graph: Graph) -> None:
    """No assets, no job, no schedule."""
    assert not any(s.name.startswith("backups") for s in graph.defs.schedules or [])
    assert "backups" not in {job.name for job in graph.defs.resolve_all_job_defs()}


def test_a_table_that_no_region_has_is_said_at_once(make_platform: Callable[..., Platform], built: Gold) -> None:
    """With what there is instead."""
    with pytest.raises(UnknownName, match="CLEARER_BACKUP_TABLES"):
        build_defs(make_platform(REGISTRY, backup_tables=("nothing",)))
