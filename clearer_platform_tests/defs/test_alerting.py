"""What somebody has to know is told once, to a real receiver, by the sensors and schedules of the definitions."""

import json
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import dagster as dg
import pytest
from dagster._core.events import EngineEventData
from dagster._utils.error import serializable_error_info_from_exc_info

from clearer_platform import alerts, bronze, sources
from clearer_platform.alerts import Alert, Kind
from clearer_platform.definitions import build_defs
from clearer_platform.defs import alerting
from clearer_platform.defs.requests import REGION
from clearer_platform.defs.schedules import catch_up
from clearer_platform.errors import RegistryError
from clearer_platform.platform import Platform
from clearer_platform.serving.facts import deadline
from clearer_platform_tests.defs.conftest import REGISTRY, Gold, Graph, day, keys, sales
from clearer_platform_tests.receiver import Receiver, listening

Deliver = Callable[..., None]
SECRET = "Zyxwv Qponm"


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """A real HTTP receiver of webhooks."""
    with listening(monkeypatch) as found:
        yield found


@pytest.fixture
def platform(make_platform: Callable[..., Platform], receiver: Receiver) -> Platform:
    """Alerts go to the receiver."""
    return make_platform(REGISTRY, notifiers=(f"webhook:{receiver.url}",), ui_url="http://ui:3000/")


def heard(receiver: Receiver) -> list[Alert]:
    return [Alert.model_validate_json(body) for _, body in receiver.received]


def failed(graph: Graph, result: dg.ExecuteInProcessResult) -> None:
    """What the daemon does when a run has failed."""
    (sensor,) = [s for s in graph.defs.sensors or [] if s.name == "failures"]
    context = dg.build_run_status_sensor_context(
        sensor_name="failures",
        dagster_event=result.get_run_failure_event(),
        dagster_instance=graph.instance,
        dagster_run=graph.instance.get_run_by_id(result.run_id),
    ).for_run_failure()
    sensor(context)


def alerts_tick(graph: Graph) -> dg.SensorResult:
    (sensor,) = [s for s in graph.defs.sensors or [] if s.name == "alerts"]
    with dg.build_sensor_context(instance=graph.instance, definitions=graph.defs) as context:
        return sensor(context)


def test_a_refused_delivery_is_told_once_with_its_rule_and_no_value(
    graph: Graph, delivered: Deliver, receiver: Receiver
) -> None:
    """The run fails twice for the same reason; each cause is told of once, and another delivery is another cause."""
    delivered("south", day(0), sales(day(0), bad=4, customer=SECRET))
    for _ in range(2):
        failed(graph, graph.run("region_days", *keys("south", day(0), day(0))))
    run, refused = heard(receiver)
    assert (run.kind, run.region, refused.kind) == (Kind.RUN_FAILED, "south", Kind.DELIVERY_REFUSED)
    assert (refused.region, refused.table, refused.day) == ("south", "transactions", day(0))
    assert "line 2 total_amount: breaks" in refused.text
    assert f"transactions-{day(0)}.csv was refused" in refused.title
    assert (run.link or "").startswith("http://ui:3000/runs/")
    assert SECRET not in "".join(body.decode() for _, body in receiver.received)
    delivered("south", day(0), sales(day(0), bad=3, count=3))
    failed(graph, graph.run("region_days", *keys("south", day(0), day(0))))
    assert [a.kind for a in heard(receiver)[2:]].count(Kind.DELIVERY_REFUSED) == 1


def test_a_run_says_its_troubles_by_day(graph: Graph, delivered: Deliver, receiver: Receiver) -> None:
    delivered("south", day(1))
    failed(graph, graph.run("region_days", *keys("south", day(0), day(2))))
    (run,) = heard(receiver)
    lines = run.text.splitlines()
    assert [line.split(":")[0] for line in lines] == [f"south {day(n)} transactions" for n in (0, 2)]
    assert "no delivery has come" in lines[0]


def test_a_run_whose_process_died_is_told_of_too(graph: Graph, receiver: Receiver) -> None:
    job = graph.defs.resolve_job_def("region_days")
    run = graph.instance.create_run_for_job(job, tags={"dagster/partition": f"{day(0)}|south"})
    graph.instance.report_run_failed(run, "its process is gone")
    found = alerting.of_failed_run(graph.platform, graph.instance, run, "its process is gone\nmore")
    assert [(a.kind, a.text, a.cause) for a in found] == [(Kind.RUN_FAILED, "its process is gone", run.run_id)]


def test_runs_that_cannot_begin_say_why_and_are_told_of_once(graph: Graph, receiver: Receiver) -> None:
    """Each loads the registry anew, and is asked for again and again until that is mended."""
    for _ in range(2):
        job = graph.defs.resolve_job_def("region_days")
        run = graph.instance.create_run_for_job(job, tags={"dagster/partition": f"{day(0)}|south"})
        try:
            raise RegistryError("regions.toml cannot be used:\n  regions.xx.timezone: unknown")
        except RegistryError:
            error = EngineEventData.engine_error(serializable_error_info_from_exc_info(sys.exc_info()))
        graph.instance.report_engine_event("Could not load job definition.", run, error)
        graph.instance.report_run_failed(run)
        outside = "This run has been marked as failed from outside the execution context."
        alerts.post(graph.platform, alerting.of_failed_run(graph.platform, graph.instance, run, outside))
        alerts.send(graph.platform)
    (told,) = heard(receiver)
    assert (
        told.text
        == "clearer_platform.errors.RegistryError: regions.toml cannot be used:\n  regions.xx.timezone: unknown"
    )


def test_a_reason_for_setting_aside_stays_in_its_cell(graph: Graph) -> None:
    landing = graph.platform.layout("south").landing("transactions")
    landing.mkdir(parents=True)
    (landing / "notes.txt").write_text("1")
    sources.aside.set_aside(*sources.aside.strays(graph.platform))
    (observed,) = alerts_tick(graph).asset_events
    assert r"does not end in .csv\[.gz\|.zst\] | 20" in str(observed.metadata["why"].value)


def test_a_file_set_aside_is_told_once_and_shown_in_the_graph(graph: Graph, receiver: Receiver) -> None:
    landing = graph.platform.layout("south").landing("weather")
    landing.mkdir(parents=True)
    assert not alerts_tick(graph).asset_events
    for text in ("1", "2"):
        (landing / "w-2024-03-31.csv").write_text(text)
        sources.aside.set_aside(*sources.aside.strays(graph.platform))
    (observed,) = alerts_tick(graph).asset_events
    assert observed.metadata["files"].value == 2
    assert "delivers no table called 'weather'" in str(observed.metadata["why"].value)
    assert observed.asset_key in graph.defs.resolve_asset_graph().get_all_asset_keys()
    told = heard(receiver)
    assert [a.kind for a in told] == [Kind.FILE_SET_ASIDE] * 2
    assert {a.region for a in told} == {"south"} and {a.table for a in told} == {"weather"}
    assert not alerts_tick(graph).asset_events
    assert len(heard(receiver)) == 2


def test_what_could_not_be_told_is_told_by_a_later_tick(graph: Graph, receiver: Receiver) -> None:
    alerts.post(graph.platform, [Alert(kind=Kind.RUN_FAILED, cause="x", title="x")])
    receiver.answers = [404]
    alerts_tick(graph)
    alerts_tick(graph)
    alerts_tick(graph)
    assert [json.loads(body)["cause"] for _, body in receiver.received] == ["x", "x"]


def test_a_failing_notifier_breaks_no_sensor(graph: Graph, delivered: Deliver, receiver: Receiver) -> None:
    receiver.answers = [404] * 9
    failed(graph, graph.run("region_days", *keys("south", day(0), day(0))))
    alerts_tick(graph)


def catches_up(graph: Graph, region: str, now: datetime) -> list[tuple[str, str]]:
    found = catch_up(graph.platform, graph.platform.region(region), graph.instance, now)
    start, end = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"
    return [(r.tags[start].split("|")[0], r.tags[end].split("|")[0]) for r in found]


@pytest.fixture
def gold_has(monkeypatch: pytest.MonkeyPatch) -> dict[tuple[str, date, str], str]:
    """What gold says that it contains."""
    has: dict[tuple[str, date, str], str] = {}
    monkeypatch.setattr("clearer_platform.gold.contained", lambda platform, region: has)
    monkeypatch.setattr("clearer_platform.defs.schedules.behind_shared", lambda platform, region: [])
    return has


def test_late_days_are_told_once_a_region_and_day(
    graph: Graph, receiver: Receiver, gold_has: dict[tuple[str, date, str], str]
) -> None:
    """Only when the cut-off has passed, in the region's own zone, and not for days that are long past."""
    south = graph.platform.region("south")
    cutoff = deadline(south, day(20))
    assert cutoff == datetime(2024, 3, 22, 6, 0, tzinfo=ZoneInfo("America/New_York"))
    assert catches_up(graph, "south", cutoff - timedelta(seconds=1)) == []
    assert max(a.day for a in heard(receiver) if a.day) == day(19)
    catches_up(graph, "south", cutoff)
    catches_up(graph, "south", cutoff + timedelta(hours=1))
    told = heard(receiver)
    assert {a.kind for a in told} == {Kind.DELIVERY_LATE}
    assert sorted(a.day for a in told if a.day) == [day(n) for n in range(13, 21)]
    assert "transactions" in told[-1].text and "06:00 (America/New_York)" in told[-1].text


def test_a_day_with_several_missing_tables_is_one_alert(
    graph: Graph, receiver: Receiver, gold_has: dict[tuple[str, date, str], str]
) -> None:
    catches_up(graph, "north", deadline(graph.platform.region("north"), day(3)))
    monday = [a for a in heard(receiver) if a.day == day(3)]
    assert len(monday) == 1
    assert all(table in monday[0].text for table in ("customers", "transactions", "fx_rates"))


def test_what_can_be_run_is_asked_for_and_what_would_be_refused_again_is_not(
    graph: Graph, delivered: Deliver, gold_has: dict[tuple[str, date, str], str]
) -> None:
    now = deadline(graph.platform.region("south"), day(9))
    for number in (0, 1, 4):
        delivered("south", day(number))
    delivered("south", day(6), sales(day(6), bad=4))
    assert catches_up(graph, "south", now) == [
        (str(day(0)), str(day(1))),
        (str(day(4)), str(day(4))),
        (str(day(6)), str(day(6))),
    ], "none of it has been validated"
    graph.run("silver_only", *keys("south", day(0), day(6)))
    assert catches_up(graph, "south", now) == [(str(day(0)), str(day(1))), (str(day(4)), str(day(4)))]
    from clearer_platform import silver

    for state in silver.states(graph.platform, "south", "transactions"):
        if state.published:
            gold_has["transactions", state.slot.day, state.slot.name] = state.published.fingerprint
    assert catches_up(graph, "south", now) == []
    del gold_has["transactions", day(4), f"transactions-{day(4)}.csv"]
    assert catches_up(graph, "south", now) == [(str(day(4)), str(day(4)))]


def test_what_is_queued_is_not_asked_for_by_the_schedule(
    graph: Graph, delivered: Deliver, gold_has: dict[tuple[str, date, str], str]
) -> None:
    now = deadline(graph.platform.region("south"), day(9))
    for number in (0, 1):
        delivered("south", day(number))
    job = graph.defs.resolve_job_def("region_days")
    run = graph.instance.create_run_for_job(job, tags={"dagster/partition": f"{day(0)}|south", REGION: "south"})
    assert catches_up(graph, "south", now) == [(str(day(1)), str(day(1)))]
    graph.instance.report_run_canceled(run)
    assert catches_up(graph, "south", now) == [(str(day(0)), str(day(1)))]


def test_one_schedule_a_region_at_its_cutoff(make_platform: Callable[..., Platform], built: Gold) -> None:
    text = REGISTRY.replace('root = "south"', 'root = "south"\ncutoff = 08:30:00')
    defs = build_defs(make_platform(text))
    found = {s.name: (s.cron_schedule, s.execution_timezone, s.default_status.value) for s in defs.schedules or []}  # type: ignore[union-attr]
    assert found == {
        "after_cutoff_north": ("0 6 * * *", "Europe/Berlin", "RUNNING"),
        "after_cutoff_south": ("30 8 * * *", "America/New_York", "RUNNING"),
    }


def test_the_schedule_of_the_definitions_asks(
    graph: Graph, delivered: Deliver, gold_has: dict[tuple[str, date, str], str]
) -> None:
    delivered("south", day(0))
    (schedule,) = [s for s in graph.defs.schedules or [] if s.name == "after_cutoff_south"]  # type: ignore[union-attr]
    at = datetime(2024, 3, 22, 10, 0, tzinfo=UTC)
    with dg.DagsterInstance.local_temp() as instance:
        context = dg.build_schedule_context(instance, scheduled_execution_time=at)
        found = schedule.evaluate_tick(context)  # type: ignore[union-attr]
    assert [r.tags[REGION] for r in found.run_requests or []] == ["south"]
    assert bronze.slots(graph.platform.layout("south"), "transactions")
