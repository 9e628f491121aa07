"""The event path in a bucket: an object is put, a queue tells of it, a tick asks for a run, batches come to silver.

Whatever happens to a message, the listing and the manifests decide: nothing is lost and nothing comes twice.
"""

import gzip
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest
from upath import UPath

from clearer_platform import silver, sources
from clearer_platform.definitions import build_defs
from clearer_platform.defs.landing import Landing
from clearer_platform.defs.requests import FIRST_WAIT, REGION
from clearer_platform.defs.sensors import ticked
from clearer_platform.errors import RegistryError
from clearer_platform.platform import Platform
from clearer_platform.serving import batches, dropped
from clearer_platform.sources import notices
from clearer_platform.sources.aside import set_asides
from clearer_platform_tests.batching import line
from clearer_platform_tests.defs.conftest import Gold, Graph
from clearer_platform_tests.defs.desk import START, Desk
from clearer_platform_tests.queues import Told, event, told

REGISTRY = """
[regions.hr]
timezone = "America/New_York"
currency = "USD"
root = "s3://{bucket}/hr"
options = {{ endpoint_url = "{endpoint}" }}
queue = "{queue}"
start = 2024-01-01
[regions.hr.csv]
header = false
datetime = "%Y-%m-%dT%H:%M:%SZ"
[regions.hr.tables.departments]
days = []
[regions.hr.tables.hired_employees]
days = []
batches = {{ size = 2 }}

[regions.other]
timezone = "UTC"
currency = "USD"
root = "other"
[regions.other.csv]
header = false
datetime = "%Y-%m-%dT%H:%M:%SZ"
[regions.other.tables]
departments = {{ days = [] }}
hired_employees = {{ days = [], batches = {{}} }}
"""
PLACE = "hr/landing/hired_employees"
MANGLED = (
    "no json",
    "[]",
    "3",
    "null",
    "{}",
    '{"Records": 3}',
    '{"Records": [{"s3": {}}]}',
    '{"Records": [{"s3": {"bucket": {"name": null}, "object": {"key": 3}}}]}',
    "[" * 100_000,
)
"""Messages that no bucket sends."""


@pytest.fixture
def queue(bucket: UPath, s3_endpoint: str) -> Told:
    return told(bucket, s3_endpoint)


@pytest.fixture
def platform(queue: Told, make_platform: Callable[..., Platform]) -> Platform:
    """A region in a bucket that is hardly ever listed."""
    text = REGISTRY.format(bucket=queue.bucket.drive, endpoint=queue.endpoint, queue=queue.url)
    return make_platform(text, settle=0, bucket_every=1000)


class Sensor:
    """A sensor at work, after its first listing of the bucket."""

    def __init__(self, platform: Platform, instance: dg.DagsterInstance) -> None:
        self.platform, self.instance, self.now = platform, instance, 0.0
        self.landing = Landing(platform, lambda: self.now)
        assert later(self) == []

    def tick(self) -> list[dg.RunRequest]:
        return ticked(self.landing, self.instance, looking=0)


@pytest.fixture
def sensor(platform: Platform, instance: dg.DagsterInstance) -> Sensor:
    return Sensor(platform, instance)


@pytest.fixture
def hiring(platform: Platform, built: Gold, instance: dg.DagsterInstance) -> Desk:
    """One whose requests can be run."""
    desk = Desk(Graph(build_defs(platform), instance, platform))
    assert later(desk) == []
    return desk


@pytest.fixture(scope="module")
def shared_instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture
def instance(shared_instance: dg.DagsterInstance) -> dg.DagsterInstance:
    """Without a run."""
    shared_instance.wipe()
    return shared_instance


def later(sensor: Sensor | Desk, seconds: float = 10) -> list[dg.RunRequest]:
    sensor.now += seconds
    return sensor.tick()


def rows(platform: Platform, region: str = "hr") -> tuple[int, int]:
    """Records of the table in silver: accepted and rejected."""
    found = [s.published for s in silver.states(platform, region, "hired_employees") if s.published]
    return sum(o.accepted for o in found), sum(o.rejected for o in found)


def test_from_an_object_to_silver(hiring: Desk, queue: Told) -> None:
    platform, name = hiring.platform, f"{PLACE}/new people é+%20 (1).csv"
    assert hiring.tick() == [] and queue.left() == 0, "the bucket's test event says nothing"
    queue.put(name, line(1) + line(2) + line(3, name="") + line(4) + line(5))
    (request,) = later(hiring)
    today = platform.region("hr").today(datetime.now(UTC))
    assert (request.tags[REGION], request.tags[START]) == ("hr", f"{today}|hr")
    assert queue.left() == 0, "it has been asked for"
    result = hiring.run(request)
    assert result.success, "a rejected row fails no run"
    assert rows(platform) == (4, 1)
    assert [(r.rows, r.written, r.part.first) for r in batches.listed(platform, "hr") if r.part] == [
        (2, 2, 0),
        (2, 1, 2),
        (1, 1, 4),
    ]
    beside = queue.bucket / PLACE
    (log,) = (beside / "new people é+%20 (1).csv.batches").iterdir()
    assert json.loads(log.read_text())["invalid_rows"][0]["line"] == 3
    total = json.loads((beside / "new people é+%20 (1).csv.summary.json").read_text())
    assert (total["batches"], total["rows"], total["written"]) == (3, 5, 4)
    assert later(hiring) == [] and queue.left() == 0, "what we write tells the queue too, and asks for nothing"
    assert later(hiring, 2000) == [] and hiring.fresh() and hiring.tick() == [], "nor does the listing"
    assert set_asides(platform) == [] and sources.landed(platform, "hr")[1] == []


def test_a_message_comes_again_until_its_file_was_asked_for(hiring: Desk, queue: Told) -> None:
    """While the region has a run underway nothing more is asked of it."""
    queue.put(f"{PLACE}/a.csv", line(1))
    (request,) = later(hiring)
    run = hiring.queue(request, dg.DagsterRunStatus.STARTED)
    queue.put(f"{PLACE}/b.csv", line(2))
    assert later(hiring) == [] and queue.left() == 1, "it has not been asked for"
    hiring.instance.delete_run(run.run_id)
    queue.send(event(queue.bucket.drive, f"{PLACE}/b.csv"))
    assert len(later(hiring)) == 1 and queue.left() == 1, "the first message is not to be seen yet"


def test_lost_doubled_late_and_mangled_messages(sensor: Sensor, queue: Told, caplog: pytest.LogCaptureFixture) -> None:
    bucket = queue.bucket.drive
    queue.put(f"{PLACE}/a.csv", line(1))
    queue.lose()
    assert later(sensor) == [], "the message was lost, and the bucket is not listed yet"
    assert len(later(sensor, 1000)) == 1
    dropped.collect(sensor.platform, "hr", "hired_employees")
    queue.lose()
    for _ in range(3):
        queue.send(event(bucket, f"{PLACE}/a.csv", f"{PLACE}/gone.csv"))
    assert later(sensor) == [] and queue.left() == 0, "late, several times, and of what is not there"
    for body in MANGLED:
        queue.send(body)
    queue.put(f"{PLACE}/b.csv", line(2))
    assert len(later(sensor)) == 1 and queue.left() == 0, "they are taken out, and stop nothing"
    assert caplog.text.count("no notice of a bucket") == len(MANGLED)


def test_several_records_and_messages_are_asked_for_at_once(sensor: Sensor, queue: Told) -> None:
    for number in range(13):
        queue.put(f"{PLACE}/{number}.csv", line(number))
    queue.lose()
    queue.send(event(queue.bucket.drive, *(f"{PLACE}/{n}.csv" for n in range(2))))
    for number in range(2, 13):
        queue.send(event(queue.bucket.drive, f"{PLACE}/{number}.csv"))
    assert len(later(sensor)) == 1 and queue.left() == 0
    asked = sensor.landing._asked["hr"]
    assert {path.rsplit("/", 1)[1] for path, _ in asked} == {f"{number}.csv" for number in range(13)}


def test_a_message_may_tell_of_a_delivery_or_a_stray_as_well(sensor: Sensor, queue: Told) -> None:
    queue.put("hr/landing/departments/d-2024-03-31.csv", "1,a\n")
    queue.put("hr/landing/weather/w.csv", "x")
    queue.put("hr/landing/hired_employees/people.txt", "x")
    (request,) = later(sensor)
    assert request.tags[START] == "2024-03-31|hr"
    assert {aside.name for aside in set_asides(sensor.platform)} == {
        "hr/weather/w.csv",
        "hr/hired_employees/people.txt",
    }
    queue.send(event("another-bucket", f"{PLACE}/a.csv"))
    assert later(sensor) == [] and queue.left() == 0, "what we moved was told of as well, and is none of its business"


def test_a_queue_that_is_gone_does_not_stop_the_sensor(
    sensor: Sensor, queue: Told, caplog: pytest.LogCaptureFixture
) -> None:
    queue.sqs.delete_queue(QueueUrl=queue.url)
    queue.put(f"{PLACE}/a.csv", line(1))
    folder = sensor.platform.layout("other").landing("departments")
    folder.mkdir(parents=True)
    (folder / "d-2024-03-31.csv").write_text("1,a\n")
    (request,) = later(sensor)
    assert request.tags[REGION] == "other" and "queue of hr" in caplog.text
    told_once = caplog.text.count("queue of hr")
    assert later(sensor, 0.5) == [] and caplog.text.count("queue of hr") == told_once, "it is not asked all the time"
    assert "hr" in {r.tags[REGION] for r in later(sensor, 1000)}, "it is listed all the same"


def test_what_cannot_be_sent_fails_its_run_and_is_asked_for_later_and_later(hiring: Desk) -> None:
    """In a folder of this machine, where the same happens sooner."""
    folder = Path(str(hiring.platform.layout("other").landing("hired_employees")))
    folder.mkdir(parents=True)
    (folder / "bad.csv.gz").write_bytes(gzip.compress(line(2).encode())[:-5])
    (folder / "good.csv").write_text(line(1))
    (request,) = later(hiring)
    result = hiring.run(request)
    assert not result.success and "bad.csv.gz" in str(result.get_step_failure_events()[0].step_failure_data.error)
    assert rows(hiring.platform, "other") == (1, 0), "the other file was sent through"
    asked = [len(later(hiring, wait)) for wait in (1000, 1, FIRST_WAIT, 1000)]
    assert asked == [1, 0, 0, 1]
    (folder / "bad.csv.gz").write_bytes(gzip.compress(line(2).encode()))
    assert len(later(hiring)) == 1, "it has changed"
    assert hiring.run(request).success and rows(hiring.platform, "other") == (2, 0)


def test_without_the_client_check_says_what_to_install(
    sensor: Sensor, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(notices, "CLIENT", "no_such_package")
    with pytest.raises(RegistryError, match=r"regions\.hr\.queue: the package") as caught:
        notices.check(sensor.platform, "hr")
    assert "clearer-platform[s3]" in (caught.value.hint or "")
    notices.check(sensor.platform, "other")
    assert later(sensor) == [] and "regions.hr.queue" in caplog.text
