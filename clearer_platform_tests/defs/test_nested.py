"""Tables nested in another in the asset graph: no bronze of their own, silver that is brought up with its parent's."""

from collections.abc import Callable, Iterator

import dagster as dg
import pytest

from clearer_platform import silver
from clearer_platform.definitions import build_defs
from clearer_platform.platform import Platform
from clearer_platform_tests.defs.conftest import Gold, Graph, day, keys
from clearer_platform_tests.flow import deliver
from clearer_platform_tests.silver.nesting import ENTRY, INTERVALS, PERIODS, array, file_of, interval, period

REGISTRY = """
[regions.south]
timezone = "UTC"
currency = "USD"
root = "south"
start = 2024-03-01
[regions.south.csv]
datetime = "%Y-%m-%d %H:%M:%S.%f"
""" + ENTRY.format(region="south")
GOOD, REVERSED = interval("2022-05-30", "2022-06-30"), interval("2022-05-30", "2022-05-01")
PLENTY = [(f"s{n}", array(GOOD), array(period())) for n in range(9)]
TABLES = ("stores", INTERVALS, PERIODS)


@pytest.fixture
def graph(make_platform: Callable[..., Platform], built: Gold) -> Iterator[Graph]:
    """The graph of a region that delivers stores."""
    platform = make_platform(REGISTRY, settle=0)
    with dg.DagsterInstance.ephemeral() as instance:
        yield Graph(build_defs(platform), instance, platform)


def test_every_table_of_a_delivery_is_reported(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its own counts and checks; the delivery is validated once."""
    calls: list[str] = []
    bring_up = silver.bring_up
    monkeypatch.setattr(
        silver, "bring_up", lambda p, r, table, *rest: (calls.append(table), bring_up(p, r, table, *rest))[1]
    )
    deliver(graph.platform, "south", "stores", file_of(*PLENTY, ("x", array(GOOD, REVERSED), "[]")), day(0))
    (first,) = keys("south", day(0))
    result = graph.run("silver_only", first)
    assert result.success
    assert [table for table in calls if table in TABLES] == ["stores"]
    counts = {}
    for table in TABLES:
        assert graph.status(f"silver/{table}", first) == "M"
        metadata = graph.events(result, f"silver/{table}")[first].metadata
        counts[table] = (metadata["delivered"].value, metadata["rejected"].value)
        assert graph.checks(result, f"silver/{table}", "reconciliation") == {first: True}
        assert graph.checks(result, f"silver/{table}", "drift") == {first: True}
    assert counts == {"stores": (10, 0), INTERVALS: (11, 1), PERIODS: (9, 0)}
    sample = graph.events(result, f"silver/{INTERVALS}")[first].metadata["rejected_sample"].value
    assert "| 11, element 2 |" in sample


def test_a_nested_table_alone(graph: Graph) -> None:
    """Its parent's deliveries are validated for it, and it alone is reported."""
    deliver(graph.platform, "south", "stores", file_of(*PLENTY), day(0))
    (first,) = keys("south", day(0))
    result = graph.run("silver_only", first, keys=[f"silver/{PERIODS}"])
    assert result.success
    assert graph.status(f"silver/{PERIODS}", first) == "M"
    assert graph.status("silver/stores", first) == "-"
    assert silver.states(graph.platform, "south", "stores")[0].is_current


def test_a_refusal_fails_the_day_in_every_table(graph: Graph) -> None:
    """The gate that fails is the share; what broke the elements' own rules fails where they stand."""
    deliver(graph.platform, "south", "stores", file_of(("a", array(REVERSED), array(period()))), day(0))
    (first,) = keys("south", day(0))
    result = graph.run("silver_only", first)
    assert not result.success
    failed = {
        (table, check)
        for table in TABLES
        for check in ("reconciliation", "rejection_share", "keys", "domain_rules")
        if graph.checks(result, f"silver/{table}", check) != {first: True}
    }
    assert failed == {*((table, "rejection_share") for table in TABLES), (INTERVALS, "domain_rules")}
    for table in TABLES:
        assert graph.status(f"silver/{table}", first) == "F"


def test_a_day_without_a_delivery_is_missing_in_every_table(graph: Graph) -> None:
    """And says where the file is to go: to the table that is delivered."""
    result = graph.run("silver_only", *keys("south", day(0)))
    (event,) = result.filter_events(lambda e: e.is_step_failure)
    troubles = event.step_failure_data.user_failure_data.metadata["troubles"].value
    assert {t["asset"] for t in troubles} == {"bronze/stores", *(f"silver/{table}" for table in TABLES)}
    landing = str(graph.platform.layout("south").landing("stores"))
    assert all(landing in (t["hint"] or "") for t in troubles)
