"""The landing sensor on a real instance: nothing that lands is missed, and nothing is asked for twice."""

from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import dagster as dg
import pytest

from clearer_platform import sources
from clearer_platform.bronze import slots
from clearer_platform.defs.landing import Landing
from clearer_platform.defs.names import is_partition, region_days
from clearer_platform.defs.requests import FIRST_WAIT, REGION, covered, requests
from clearer_platform.defs.sensors import ticked
from clearer_platform.errors import StorageError
from clearer_platform.platform import Platform
from clearer_platform.serving.batches import take
from clearer_platform.sources.batches import Batch
from clearer_platform_tests.conftest import open_home
from clearer_platform_tests.defs.conftest import REGISTRY, Gold, Graph, day, sales
from clearer_platform_tests.defs.desk import END, START, Desk

RECORD = (
    b'[{"transaction_id": "T1", "ordered_at": "2024-03-01 12:00:00", "branch_id": "B1", "branch_name": "Main", '
    b'"customer_id": "C1", "total_amount": 10.5, "status": 1, "status_value": "Completed", "product_id": "P1", '
    b'"price": 1.00}]'
)


def test_one_request_a_region_and_unbroken_range(desk: Desk) -> None:
    for number in (0, 1, 2, 5):
        desk.land("south", day(number))
    desk.land("north", day(1))
    found = desk.tick()
    assert sorted((r.tags[REGION], r.tags[START], r.tags[END]) for r in found) == [
        ("north", f"{day(1)}|north", f"{day(1)}|north"),
        ("south", f"{day(0)}|south", f"{day(2)}|south"),
        ("south", f"{day(5)}|south", f"{day(5)}|south"),
    ]
    assert {(r.job_name, r.run_key) for r in found} == {("region_days", None)}


def test_nothing_is_asked_where_nothing_lands(desk: Desk) -> None:
    assert desk.tick() == []
    (desk.platform.layout("north").landing("transactions")).mkdir(parents=True)
    assert desk.tick() == []


@pytest.mark.parametrize("status", ["QUEUED", "NOT_STARTED", "STARTING", "STARTED", "CANCELING"])
@pytest.mark.parametrize("restarted", [False, True])
def test_what_is_queued_or_running_is_not_asked_for_again(desk: Desk, status: str, restarted: bool) -> None:
    desk.land("south", day(0))
    (request,) = desk.tick()
    desk.queue(request, dg.DagsterRunStatus[status])
    if restarted:
        desk.fresh()
    desk.now += 10_000
    assert desk.tick() == []
    desk.land("north", day(0))
    assert desk.asked() == [(f"{day(0)}|north", f"{day(0)}|north")], "another region does not wait"


def test_a_run_from_the_ui_counts_as_well(desk: Desk) -> None:
    desk.land("south", day(0))
    desk.created({"dagster/partition": f"{day(3)}|south"}, dg.DagsterRunStatus.STARTED)
    assert desk.tick() == []


def test_what_lands_during_a_run_is_asked_for_after_it_in_one_request(desk: Desk) -> None:
    desk.land("south", day(0))
    (request,) = desk.tick()
    queued = desk.queue(request)
    for number in (1, 2):
        desk.land("south", day(number))
        assert desk.tick() == []
    desk.run(request)
    desk.instance.delete_run(queued.run_id)
    assert desk.asked() == [(f"{day(1)}|south", f"{day(2)}|south")]


def test_a_request_that_never_became_a_run_is_made_again_by_a_new_process(desk: Desk) -> None:
    desk.land("south", day(0))
    first = desk.tick()
    desk.fresh()
    assert [dict(r.tags) for r in desk.tick()] == [dict(r.tags) for r in first]


def test_and_by_the_same_process_after_a_while(desk: Desk) -> None:
    desk.land("south", day(0))
    assert len(desk.tick()) == 1
    assert desk.tick() == [], "it was asked for a moment ago"
    desk.now += FIRST_WAIT
    assert len(desk.tick()) == 1


def test_what_was_received_is_not_asked_for_again_and_a_b_a_is_asked_thrice(desk: Desk, built: Gold) -> None:
    for text in (sales(day(0)), sales(day(0), count=7), sales(day(0))):
        desk.land("south", day(0), text)
        (request,) = desk.tick()
        assert desk.run(request).success
        assert desk.tick() == []
        assert desk.fresh() and desk.tick() == []
    assert desk.deliveries("south", day(0)) == 3


def test_a_file_that_is_no_news_is_not_asked_for(desk: Desk) -> None:
    path = desk.land("south", day(0))
    sources.collect(desk.platform, "south", "transactions")
    path.touch()
    assert desk.tick() == []


def test_a_region_that_cannot_be_looked_at_keeps_no_other_waiting(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.land("south", day(0))
    desk.land("north", day(0))
    broken = desk.landing._watches["north"]

    def fails(at: object) -> None:
        raise StorageError("cannot list the landing folder")

    monkeypatch.setattr(broken, "look", fails)
    assert desk.asked() == [(f"{day(0)}|south", f"{day(0)}|south")]


def test_buckets_are_looked_into_as_often_as_it_is_set(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Folders at every look, buckets once in a while: there each look is paid for."""
    looks: dict[str, list[float]] = {"south": [], "north": []}
    for region, watch in desk.landing._watches.items():
        watch.is_local = region == "north"
        look = watch.look
        monkeypatch.setattr(watch, "look", lambda at, r=region, look=look: looks[r].append(desk.now) or look(at))
    for second in range(0, 12, 2):
        desk.now = float(second)
        desk.tick()
    assert looks == {"north": [0, 2, 4, 6, 8, 10], "south": [0, 6]}


def test_batches_are_asked_for_like_files(desk: Desk, built: Gold) -> None:
    """At once; while a run of the region is underway not at all, and then again; and later and later if none helps."""
    noon = datetime.combine(day(3), time(12), UTC)
    assert desk.tick() == []
    take(desk.platform, "south", "transactions", Batch(RECORD), clock=lambda: noon)
    (request,) = desk.tick()
    assert (request.tags[START], request.tags[END]) == (f"{day(3)}|south", f"{day(3)}|south")
    assert desk.tick() == [], "it was asked for a moment ago"
    queued = desk.queue(request)
    take(desk.platform, "south", "transactions", Batch(RECORD), clock=lambda: noon + timedelta(days=1))
    desk.land("south", day(0))
    assert desk.tick() == []
    assert desk.run(request).success
    desk.instance.delete_run(queued.run_id)
    desk.now += FIRST_WAIT
    assert desk.asked() == [(f"{day(0)}|south", f"{day(0)}|south")], "one request for a region at a time"
    (first,) = slots(desk.platform.layout("south"), "transactions", [day(3)])
    assert first.current.manifest.series is not None


def test_windows_of_apis_are_asked_for_unless_their_region_is_busy(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    due = {"south": {"transactions": [day(3), day(4), date(2020, 1, 1)]}, "north": {}}
    monkeypatch.setattr(sources, "due", lambda platform, region, now: due[region])
    (request,) = desk.tick()
    assert (request.tags[START], request.tags[END]) == (f"{day(3)}|south", f"{day(4)}|south")
    desk.queue(request)
    assert desk.tick() == []


def test_what_one_region_delivers_for_all_brings_the_others_up(
    desk: Desk, built: Gold, monkeypatch: pytest.MonkeyPatch
) -> None:
    """South's gold lacks the newest rates once north's run has ended; it is asked for once, however that goes."""
    behind = {"north": [], "south": [day(1), day(2)]}
    monkeypatch.setattr("clearer_platform.defs.landing.behind_shared", lambda platform, region: behind[region])
    desk.tick()
    desk.platform.layout("south").root.mkdir(parents=True)
    desk.platform.layout("south").warehouse.touch()
    assert desk.tick() == [], "what stands from before was looked at by the first tick"
    desk.run(next(requests({"north": [day(0)]})))
    assert desk.asked() == [(f"{day(2)}|south", f"{day(2)}|south")]
    assert desk.tick() == []


def test_a_region_that_could_not_be_asked_what_it_lacks_is_asked_again(
    desk: Desk, built: Gold, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers: list[list[date] | Exception] = [StorageError("the bucket is gone"), [day(1)]]

    def behind(platform: Platform, region: str) -> list[date]:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    desk.platform.layout("south").root.mkdir(parents=True)
    desk.platform.layout("south").warehouse.touch()
    monkeypatch.setattr("clearer_platform.defs.landing.behind_shared", behind)
    assert desk.tick() == []
    assert desk.asked() == [(f"{day(1)}|south", f"{day(1)}|south")]


def test_a_stray_is_set_aside_and_asks_for_nothing(desk: Desk) -> None:
    path = desk.land("south", day(0), "x", table="weather")
    beside = desk.platform.layout("south").root.parent / "mars" / "landing" / "customers" / "c-2024-03-31.csv"
    beside.parent.mkdir(parents=True)
    beside.write_text("x")
    assert desk.tick() == []
    assert not path.exists() and not beside.exists()
    names = {aside.name for aside in sources.aside.set_asides(desk.platform)}
    assert names == {f"south/weather/weather-{day(0)}.csv", "mars/customers/c-2024-03-31.csv"}


def test_the_sensor_of_the_definitions_asks_the_same(graph: Graph, desk: Desk) -> None:
    desk.land("south", day(0))
    (sensor,) = [s for s in graph.defs.sensors or [] if s.name == "landing"]
    assert sensor.default_status == dg.DefaultSensorStatus.RUNNING
    with dg.build_sensor_context(instance=graph.instance, cursor="nonsense", definitions=graph.defs) as context:
        found = sensor.evaluate_tick(context)
    assert [r.tags[REGION] for r in found.run_requests or []] == ["south"]
    assert found.cursor in (None, "nonsense")


def test_the_days_of_any_run(platform: Platform) -> None:
    registry = platform.registry
    assert covered({"dagster/partition": f"{day(0)}|south"}, registry) == {"south": {day(0)}}
    both = {START: f"{day(0)}|north", END: f"{day(1)}|south"}
    assert covered(both, registry) == {"north": {day(0), day(1)}, "south": {day(0), day(1)}}
    assert covered({"dagster/partition": "north"}, registry) == {}
    assert covered({START: f"{day(0)}|gone", END: f"{day(0)}|gone"}, registry) == {}
    assert covered({}, registry) == {}


def test_ten_thousand_files_are_ticked_in_time(tmp_path: Path, graph: Graph, prepared_dbt: Path) -> None:
    import time

    platform = open_home(tmp_path / "many", REGISTRY, prepared_dbt, settle=0)
    folder = platform.layout("south").landing("transactions")
    folder.mkdir(parents=True)
    for n in range(10_000):
        (folder / f"t{n}-{day(n % 60)}.csv").write_text("x")
    landing = Landing(platform)
    assert len(ticked(landing, graph.instance, looking=0)) == 1
    began = time.process_time()
    assert ticked(landing, graph.instance, looking=0) == []
    assert time.process_time() - began < 2.0


def test_a_file_is_possible_exactly_for_the_days_that_are_partitions(platform: Platform) -> None:
    """The sources say it without Dagster; both must mean the same."""
    from datetime import UTC, datetime, timedelta

    registry = platform.registry
    newest = registry.newest_day(datetime.now(UTC))
    days = region_days(registry).get_partitions_def_for_dimension("day")
    for number in (-2, -1, 0, 1, 2):
        for edge, is_one in ((newest, number <= 0), (registry.start, number >= 0)):
            asked = edge + timedelta(days=number)
            assert (is_partition(registry, asked), days.has_partition_key(str(asked))) == (is_one, is_one)
