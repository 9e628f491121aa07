"""Reading gold through Dagster: the day asked for, the region asked for, exact types, and no way to write."""

from datetime import date
from decimal import Decimal

import dagster as dg
import duckdb
import pytest

from clearer_platform import gold
from clearer_platform.errors import ClearerError
from clearer_platform.platform import Platform
from clearer_platform_tests.defs.conftest import Gold, Graph


@pytest.fixture
def graph_with_rows(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> Graph:
    """A graph whose warehouses hold two days of sales; the rows tell from which region they come."""

    def connect(platform: Platform, region: str | None) -> duckdb.DuckDBPyConnection:
        connection = duckdb.connect(":memory:")
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("CREATE SCHEMA gold; CREATE SCHEMA global")
        for table in ("gold.sales", "gold.sales_total", "global.sales_total"):
            connection.execute(
                f"CREATE TABLE {table} AS SELECT d AS day, '{region}' AS place, 10.10::DECIMAL(18,2) AS revenue, "
                f"d::TIMESTAMPTZ AS at FROM (VALUES (DATE '2024-03-01'), (DATE '2024-03-02')) t(d)"
            )
        return connection

    monkeypatch.setattr(gold, "connect", connect)
    return graph


def test_a_partition_is_its_day_of_its_region(graph_with_rows: Graph) -> None:
    """With exact decimals, and instants in UTC."""
    found = graph_with_rows.defs.load_asset_value(["gold", "sales"], partition_key="2024-03-02|south")
    assert found[["day", "place", "revenue"]].values.tolist() == [[date(2024, 3, 2), "south", Decimal("10.10")]]
    assert str(found["at"].dt.tz) == "UTC"


def test_whole_models_are_read_whole(graph_with_rows: Graph) -> None:
    """By region, and across regions without a partition."""
    load = graph_with_rows.defs.load_asset_value
    assert load(["gold", "sales_total"], partition_key="north")["place"].tolist() == ["north", "north"]
    assert load(["global", "sales_total"])["place"].tolist() == ["None", "None"]


def test_what_cannot_be_read_says_what_to_do(graph_with_rows: Graph) -> None:
    """A partitioned asset without a partition, and a table that is in no warehouse."""
    load = graph_with_rows.defs.load_asset_value
    with pytest.raises(ClearerError, match=r"name a partition, such as 2024-10-27\|eu"):
        load(["gold", "sales"])
    with pytest.raises(ClearerError, match="not in a warehouse"):
        load(["silver", "transactions"], partition_key="2024-03-02|south")


def test_nothing_built_yet_is_the_platforms_own_error(
    platform: Platform, built: Gold, monkeypatch: pytest.MonkeyPatch, graph: Graph
) -> None:
    """Real gold says that nothing is there, and at once: no retries."""
    from clearer_platform.gold.serve import connect

    monkeypatch.setattr(gold, "connect", connect)
    with pytest.raises(ClearerError, match="no gold yet"):
        graph.defs.load_asset_value(["gold", "sales"], partition_key="2024-03-02|south")


def test_an_asset_of_ones_own_reads_gold_and_cannot_write_it(graph_with_rows: Graph) -> None:
    """A notebook's asset gets the data frame as its input; storing a value through the same manager is refused."""

    @dg.asset(
        ins={"sales_total": dg.AssetIn(["global", "sales_total"])}, io_manager_key="io_manager", name="copy_of_sales"
    )
    def copying(sales_total: object) -> object:
        return sales_total

    @dg.asset(deps=[], io_manager_key="nothing", ins={"sales_total": dg.AssetIn(["global", "sales_total"])})
    def looking(sales_total: object) -> dg.MaterializeResult[None]:
        return dg.MaterializeResult(metadata={"rows": len(sales_total)})  # type: ignore[arg-type]

    defs = dg.Definitions.merge(
        graph_with_rows.defs, dg.Definitions(assets=[copying, looking], resources={"nothing": dg.mem_io_manager})
    )
    job = defs.resolve_implicit_global_asset_job_def()
    quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}

    def run(name: str) -> dg.ExecuteInProcessResult:
        return job.execute_in_process(
            asset_selection=[dg.AssetKey(name)],
            instance=graph_with_rows.instance,
            raise_on_error=False,
            run_config=quiet,
        )

    assert run("looking").success
    failed = run("copy_of_sales")
    assert not failed.success
    (event,) = failed.filter_events(lambda e: e.is_step_failure)
    assert "only reads" in event.step_failure_data.error_display_string
