"""The as-of date of a run: in its config, handed to gold, and in what is reported of it."""

from collections.abc import Callable
from datetime import date
from typing import Any

import dagster as dg
import duckdb
import pytest

from clearer_platform import gold
from clearer_platform.definitions import build_defs
from clearer_platform.defs.runs import instance, materialize
from clearer_platform.platform import Platform
from clearer_platform_tests.defs.conftest import MODELS, Gold, Graph, day, keys, model

AS_OF = date(2025, 1, 1)
STEPS = {"region_days": "bring_region_days_up", "region_models": "build_region_models"}


def run(graph: Graph, job: str, partition: str, as_of: Any) -> dg.ExecuteInProcessResult:
    return graph.defs.resolve_job_def(job).execute_in_process(
        instance=graph.instance,
        raise_on_error=False,
        run_config={"ops": {STEPS[job]: {"config": {"as_of": as_of}}}},
        partition_key=partition,
    )


@pytest.mark.parametrize(("job", "partition"), [("region_days", f"{day(0)}|south"), ("region_models", "south")])
def test_the_date_in_the_config_is_handed_to_gold(
    graph: Graph, built: Gold, delivered: Callable[..., None], job: str, partition: str
) -> None:
    delivered("south", day(0))
    assert run(graph, job, partition, "2025-01-01").success
    assert run(graph, job, partition, None).success
    assert [asked for asked, where in zip(built.as_of, built.builds, strict=True) if where == "south"] == [AS_OF, None]


@pytest.mark.parametrize("text", ["2025-13-01", "soon"])
@pytest.mark.parametrize(("job", "partition"), [("region_days", f"{day(0)}|south"), ("region_models", "south")])
def test_what_is_no_day_ends_the_run_before_anything_is_done(
    graph: Graph, built: Gold, job: str, partition: str, text: str
) -> None:
    result = run(graph, job, partition, text)
    (failure,) = result.filter_events(lambda event: event.is_step_failure)
    data = failure.step_failure_data
    assert data.user_failure_data and f"as_of: '{text}' is not a day; write it as" in data.user_failure_data.description
    assert built.builds == []


def test_other_config_is_refused(graph: Graph) -> None:
    with pytest.raises(dg.DagsterInvalidConfigError, match="as_off"):
        graph.defs.resolve_job_def("region_models").execute_in_process(
            instance=graph.instance,
            run_config={"ops": {"build_region_models": {"config": {"as_off": "2025-01-01"}}}},
            partition_key="south",
        )


def test_runs_from_python_take_it_too(platform: Platform, built: Gold, delivered: Callable[..., None]) -> None:
    delivered("south", day(0))
    with instance(platform) as home:
        assert all(outcome.success for outcome in materialize(platform, home, {"south": [day(0)]}, as_of=AS_OF))
    assert built.as_of[0] == AS_OF


def test_materialisations_say_as_of_when_the_table_stands(
    platform: Platform, built: Gold, delivered: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By day and whole; a table that does not depend on a date says nothing of one, and an empty one neither."""
    dated = (
        model("dated", as_of=True),
        model("dated_days", as_of=True, day_column="day"),
        model("no_rows", as_of=True),
    )
    monkeypatch.setattr(gold, "models", lambda platform: (*MODELS, *dated))

    def connect(platform: Platform, region: str | None) -> duckdb.DuckDBPyConnection:
        connection = built.connect(platform, region)
        for name in ("dated", "dated_days", "no_rows"):
            connection.execute(f"CREATE TABLE gold.{name} (day DATE, n BIGINT, as_of DATE)")
        connection.execute(f"INSERT INTO gold.dated VALUES (NULL, 1, '{AS_OF}')")
        connection.execute(f"INSERT INTO gold.dated_days VALUES ('{day(0)}', 1, '{AS_OF}')")
        return connection

    monkeypatch.setattr(gold, "connect", connect)
    delivered("south", day(0))
    with dg.DagsterInstance.ephemeral() as home:
        graph = Graph(build_defs(platform), home, platform)
        result = graph.run("region_days", *keys("south", day(0)))
        said = {
            name: [event.metadata.get("as_of") for event in graph.events(result, f"gold/{name}").values()]
            for name in ("dated", "dated_days", "no_rows", "sales", "sales_total")
        }
    told = dg.TextMetadataValue(f"{AS_OF}")
    assert said == {
        "dated": [told],
        "dated_days": [told],
        "no_rows": [None],
        "sales": [None],
        "sales_total": [None],
    }
