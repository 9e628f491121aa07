"""A table on a database server: read by the hour, and whenever its region's present day is materialised."""

from datetime import UTC, datetime

import dagster as dg
import pytest
from sqlalchemy import URL

from clearer_platform import bronze
from clearer_platform.defs.requests import REGION
from clearer_platform_tests.defs.conftest import HEADER, REGISTRY, Graph, day, keys
from clearer_platform_tests.sources.sql.shops import run

BRONZE = "bronze/transactions"
NAMES = HEADER.split(",")
SOLD = f"INSERT INTO sold VALUES ({', '.join(f':{name}' for name in NAMES)})"


def sale(number):
    values = (f"T{number}", "2024-03-01 12:00:00", "B1", "Main", "C1", 10.5, "1", "Completed", "P1", 1)
    return dict(zip(NAMES, values, strict=True))


@pytest.fixture
def server(tmp_path):
    """A database that SQLAlchemy knows, with three sales."""
    url = URL.create("sqlite", database=str(tmp_path / "shop.db"))
    kinds = {"transaction_id": "VARCHAR(9) PRIMARY KEY", "ordered_at": "DATETIME", "total_amount": "DECIMAL(9, 2)"}
    columns = ", ".join(f"{name} {kinds.get(name, 'VARCHAR(20)')}" for name in NAMES)
    run(url, f"CREATE TABLE sold ({columns})")
    run(url, SOLD, values=[sale(n) for n in range(3)])
    return url


@pytest.fixture
def platform(make_platform, server):
    return make_platform(f'{REGISTRY}[regions.south.tables.transactions.sql]\nurl = "{server}"\ntable = "sold"\n')


def today(graph):
    return graph.platform.region("south").today(datetime.now(UTC))


def test_the_present_day_is_read_by_materialising_it_and_no_other(graph: Graph, server) -> None:
    graph.run("region_days", *keys("south", day(0)), keys=[BRONZE])
    assert not bronze.slots(graph.platform.layout("south"), "transactions")
    (key,) = keys("south", today(graph))
    assert graph.run("region_days", key).success
    assert graph.status(BRONZE, key) == graph.status("gold/sales", key) == "M"
    run(
        server,
        "UPDATE sold SET status = '2' WHERE transaction_id = 'T0'",
        "DELETE FROM sold WHERE transaction_id = 'T1'",
    )
    result = graph.run("region_days", key, keys=[BRONZE])
    (event,) = result.get_asset_materialization_events()
    said = {name: value.value for name, value in event.materialization.metadata.items()}
    assert [said[f"{what}_found"] for what in ("inserted", "updated", "deleted")] == [0, 1, 1]


def test_a_server_that_is_gone_fails_the_day_by_name(graph: Graph, server) -> None:
    run(server, "DROP TABLE sold")
    (key,) = keys("south", today(graph))
    result = graph.run("region_days", key, keys=[BRONZE])
    assert not result.success
    assert graph.status(BRONZE, key) == "F"


def test_it_is_asked_for_by_the_hour_unless_that_is_underway(graph: Graph) -> None:
    schedules = {schedule.name: schedule for schedule in graph.defs.schedules or []}
    assert "servers_north" not in schedules
    schedule = schedules["servers_south"]
    assert (schedule.cron_schedule, schedule.execution_timezone) == ("0 * * * *", "UTC")

    with dg.DagsterInstance.local_temp() as instance:

        def asked():
            context = dg.build_schedule_context(instance, scheduled_execution_time=datetime.now(UTC))
            return schedule.evaluate_tick(context).run_requests or []

        (request,) = asked()
        (key,) = keys("south", today(graph))
        assert (request.tags[REGION], request.tags["dagster/asset_partition_range_start"]) == ("south", key)
        instance.create_run_for_job(graph.defs.resolve_job_def("region_days"), tags=dict(request.tags))
        assert not asked()
