"""Runs from Python: the instance of a home, one run a region and range, and what each came to."""

import itertools
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import date, timedelta

import dagster as dg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearer_platform import silver
from clearer_platform.definitions import build_defs
from clearer_platform.defs.names import partition_key
from clearer_platform.defs.runs import instance, materialize, ranges
from clearer_platform.errors import Busy, StorageError
from clearer_platform.platform import Platform
from clearer_platform.storage import locked
from clearer_platform_tests.defs.conftest import Gold, day, sales

Deliver = Callable[..., None]


@given(st.sets(st.dates(date(2024, 1, 1), date(2024, 3, 1)), max_size=30))
def test_ranges_hold_every_day_once_and_none_could_be_longer(days: set[date]) -> None:
    """Unbroken inside, broken between."""
    found = ranges(days)
    assert [d for range_ in found for d in range_] == sorted(days)
    for range_ in found:
        assert [d - range_[0] for d in range_] == [timedelta(n) for n in range(len(range_))]
    for one, next_ in itertools.pairwise(found):
        assert next_[0] - one[-1] > timedelta(days=1)


def test_one_run_a_region_and_range_with_its_own_outcome(platform: Platform, built: Gold, delivered: Deliver) -> None:
    """Days apart are runs apart; a failed day is named with table and reason, the others are published."""
    for number in (0, 1, 4):
        delivered("south", day(number), sales(day(number), bad=4 if number == 1 else 0))
    delivered("north", day(0))
    built.restated["south"] = (day(0),)
    told: list[tuple[str, str, int, int]] = []
    plan = {"south": [day(0), day(4), day(1)], "north": [day(0)]}
    with instance(platform) as home:
        outcomes = materialize(platform, home, plan, lambda *what: told.append(what))
        first, second, north = outcomes
        assert (first.region, first.days, first.published) == ("south", (day(0), day(1)), (day(0),))
        assert not first.success
        assert set(first.failed) == {day(1)}
        assert first.failed[day(1)].startswith("transactions: transactions-2024-03-02.csv was refused")
        assert (second.days, second.published, second.success) == ((day(4),), (day(4),), True)
        assert second.restated == (day(0),)
        assert not north.success, "fx rates are due in north, and have not come"
        assert {(t.asset, t.day) for t in north.troubles} == {("bronze/fx_rates", day(0)), ("silver/fx_rates", day(0))}
        tags = [home.get_run_by_id(o.run_id).tags for o in outcomes]  # type: ignore[union-attr]
    assert tags[0]["dagster/asset_partition_range_start"] == f"{day(0)}|south"
    assert tags[0]["dagster/asset_partition_range_end"] == f"{day(1)}|south"
    assert built.builds == ["south", "south", "north", "global"], "what spans regions, once they are all done"
    assert ("south", "build", 1, 1) in told
    assert {stage for region, stage, *_ in told if region == "south"} == {
        "receive transactions",
        "validate transactions",
        "build",
    }


def test_days_without_a_partition_are_not_run(platform: Platform, built: Gold, delivered: Deliver) -> None:
    """As when the registry's start was moved on after something had been delivered: the others are run all the same."""
    delivered("south", day(0))
    never = [platform.registry.start - timedelta(days=1), date(9999, 12, 31)]
    with instance(platform) as home:
        (outcome,) = materialize(platform, home, {"south": [*never, day(0)]})
        assert (outcome.days, outcome.success) == ((day(0),), True)
        assert materialize(platform, home, {"south": never}) == []


def test_a_second_run_changes_nothing_that_is_right(platform: Platform, built: Gold, delivered: Deliver) -> None:
    """And the instance remembers both."""
    delivered("south", day(0))
    with instance(platform) as home:
        assert materialize(platform, home, {"south": [day(0)]})[0].success
    before = silver.states(platform, "south", "transactions")
    with instance(platform) as home:
        assert materialize(platform, home, {"south": [day(0)]})[0].success
        assert home.get_materialized_partitions(dg.AssetKey(["gold", "sales"])) == {f"{day(0)}|south"}
        assert len(home.get_run_records()) == 2
    assert silver.states(platform, "south", "transactions") == before


def test_a_bug_is_raised_and_not_made_an_outcome(platform: Platform, built: Gold, delivered: Deliver) -> None:
    """What nobody foresaw is no day that failed."""
    delivered("south", day(0))
    built.error = ZeroDivisionError("a bug")
    with instance(platform) as home, pytest.raises(RuntimeError, match="a bug"):
        materialize(platform, home, {"south": [day(0)]})


def test_the_instance_needs_no_environment_and_keeps_what_a_user_changed(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its settings are in the home, where the UI and the daemon find them, until someone makes them their own."""
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    file = platform.settings.dagster_home / "dagster.yaml"
    with instance(platform) as home:
        assert home.root_directory == str(platform.settings.dagster_home.resolve())
        assert not home.telemetry_enabled
        assert home.run_monitoring_enabled
        assert type(home.event_log_storage).__name__ == "KeptOpenEventLog"
    shipped = file.read_text()
    file.write_text(shipped.splitlines()[0] + "\n")
    with instance(platform):
        assert file.read_text() == shipped, "an outdated template is replaced"
    own = "telemetry:\n  enabled: false\nrun_monitoring:\n  enabled: false\n"
    file.write_text(own)
    with instance(platform) as home:
        assert file.read_text() == own
        assert not home.run_monitoring_enabled, "commands follow the user's file too"


def test_a_run_that_goes_well_prints_nothing_and_records_every_event(
    platform: Platform, built: Gold, delivered: Deliver, capfd: pytest.CaptureFixture[str]
) -> None:
    """Hundreds of lines a run would hide what is to be read beside them; a failure is printed."""
    delivered("south", day(0))
    job = build_defs(platform).resolve_job_def("region_days")
    with instance(platform) as home:
        for number, said in ((0, []), (1, ["STEP_FAILURE", "RUN_FAILURE"])):
            result = job.execute_in_process(
                instance=home, partition_key=str(partition_key("south", day(number))), raise_on_error=False
            )
            printed = "".join(capfd.readouterr())
            assert [what for what in ("STEP_START", "STEP_FAILURE", "RUN_FAILURE") if what in printed] == said
            assert home.all_logs(result.run_id, of_type=dg.DagsterEventType.STEP_START)


@pytest.mark.parametrize("name", ["a[b]", "a*", "a?", "Größe & höme 数据"])
def test_a_home_whose_settings_dagster_would_not_find_is_refused(platform: Platform, name: str) -> None:
    """It would run with its own, which record elsewhere and send reports of use."""
    settings = platform.settings.model_copy(update={"home": platform.settings.home / name})
    named = replace(platform, settings=settings)
    if name.startswith("a"):
        with pytest.raises(StorageError, match="for a pattern"):
            instance(named)
        assert not settings.home.exists()
    else:
        with instance(named) as home:
            assert not home.telemetry_enabled


def test_servers_read_the_shipped_settings(platform: Platform) -> None:
    """As `dagster-webserver` and `dagster-daemon` do, by DAGSTER_HOME."""
    with instance(platform):
        pass
    with dg.DagsterInstance.from_config(str(platform.settings.dagster_home)) as servers:
        assert type(servers.run_coordinator).__name__ == "QueuedRunCoordinator"
        assert type(servers.compute_log_manager).__name__ == "LocalComputeLogManager"


@pytest.mark.parametrize("records", ["history/runs.db", "history/runs/index.db", "schedules/schedules.db"])
def test_damaged_records_of_runs_are_named_and_hold_nothing_that_is_needed(platform: Platform, records: str) -> None:
    with instance(platform) as home:
        assert home.get_runs() == []
    folder = platform.settings.dagster_home
    (folder / records).write_bytes(b"no database at all")
    with pytest.raises(StorageError, match=f"{folder} cannot be used: file is not a database") as raised:
        instance(platform)
    assert "move that folder away" in (raised.value.hint or "")
    shutil.rmtree(folder)
    with instance(platform) as home:
        assert home.get_runs() == []


def test_the_records_are_made_by_one_process_at_a_time(platform: Platform) -> None:
    """Two first commands at once left two heads in Dagster's version table, and a home that no command could use."""
    home = platform.settings.dagster_home
    impatient = replace(platform, settings=platform.settings.model_copy(update={"lock_timeout": 0}))
    with locked(home / "making.lock", 0, "a test"), pytest.raises(Busy, match="Dagster's records"):
        instance(impatient)
    with instance(impatient) as made:
        assert made.get_runs_count() == 0


def test_records_that_are_not_as_dagster_left_them_are_said(platform: Platform) -> None:
    instance(platform).dispose()
    with closing(sqlite3.connect(platform.settings.dagster_home / "schedules/schedules.db")) as records:
        records.execute("INSERT INTO alembic_version SELECT version_num || 'x' FROM alembic_version")
        records.commit()
    with pytest.raises(StorageError, match=r"cannot be used: .*more than one head(.|\n)*move that folder away"):
        instance(platform)
