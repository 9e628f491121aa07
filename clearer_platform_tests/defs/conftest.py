"""What tests of the asset graph share: two plain regions, real silver, and gold that builds in no time.

The stand-in for gold serves as many rows a day as there are deliveries of transactions, and re-states the days it is
told to; what dbt does is tested in `gold/`, and both together in `test_whole_chain.py`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING

import dagster as dg
import duckdb
import pytest

from clearer_platform import bronze, gold
from clearer_platform.definitions import build_defs
from clearer_platform.defs import steps
from clearer_platform.platform import Platform
from clearer_platform_tests.flow import deliver

if TYPE_CHECKING:
    from clearer_platform_tests.defs.desk import Desk

FIRST = date(2024, 3, 1)
REGISTRY = """
[regions.north]
timezone = "Europe/Berlin"
currency = "EUR"
root = "north"
start = 2024-03-01
[regions.north.tables.customers]
days = ["mon"]
[regions.north.tables.transactions]
[regions.north.tables.fx_rates]

[regions.south]
timezone = "America/New_York"
currency = "USD"
root = "south"
start = 2024-03-01
[regions.south.tables.transactions]
"""
PLAIN = REGISTRY.replace('[regions.north.tables.customers]\ndays = ["mon"]\n', "").replace(
    "[regions.north.tables.fx_rates]\n", ""
)
"""Both regions with transactions alone."""
HEADER = "transaction_id,ordered_at,branch_id,branch_name,customer_id,total_amount,status,status_value,product_id,price"


def day(number: int) -> date:
    """The day so many days after the first."""
    return FIRST + timedelta(days=number)


def sales(on: date, count: int = 4, bad: int = 0, customer: str = "C1") -> str:
    """A delivery of transactions, `bad` rows of which break a rule."""
    rows = [
        f"T{on}-{n},{on} 12:00:00,B1,Main,{customer},{'-1' if n < bad else '10.50'},1,Completed,P1,1.00"
        for n in range(count)
    ]
    return "\n".join([HEADER, *rows, ""])


def model(name: str, layer: str = "gold", **facts: object) -> gold.Model:
    """A model of gold of which only what matters to a test is said."""
    base = dict.fromkeys(("depends_on_models", "depends_on_tables", "tests"), ())
    stated = {
        "columns": (("day", "date", "Business day."), ("n", "bigint", "Number.")),
        "day_column": None,
        "leaves": None,
        "meta": {},
        "as_of": False,
        "part": frozenset(),
        "materialized": "table",
        "path": f"models/{name}.sql",
        "description": f"About {name}.",
        "alias": name.removeprefix("global_"),
    }
    return gold.Model(name=name, layer=layer, **{**base, **stated, **facts})  # type: ignore[arg-type]


MODELS = (
    model("dim_customers", depends_on_tables=("customers",), tests=(("unique_dim_customers", "error"),)),
    model(
        "sales",
        depends_on_tables=("transactions", "fx_rates"),
        depends_on_models=("dim_customers",),
        day_column="day",
        tests=(("not_null_sales", "error"),),
    ),
    model("sales_total", depends_on_models=("sales",)),
    model("global_sales_total", layer="global", depends_on_models=("sales_total",)),
)


@dataclass
class Gold:
    """A stand-in for gold that can be told what to do."""

    restated: dict[str, tuple[date, ...]] = field(default_factory=dict)
    error: Exception | None = None
    builds: list[str] = field(default_factory=list)
    as_of: list[date | None] = field(default_factory=list)
    """What each build was asked for as of."""

    def build(self, platform: Platform, region: str) -> gold.Build:
        """Build a region."""
        self.builds.append(region)
        if self.error:
            raise self.error
        tests = (gold.TestResult("not_null_sales", "sales", True, "error", 0, ""),)
        return gold.Build(region, True, self.restated.get(region, ()), {}, tests, 0.0, True)

    def build_global(self, platform: Platform) -> gold.Build:
        """Build what spans regions."""
        self.builds.append("global")
        return gold.Build(None, True, (), {}, (), 0.0, True)

    def build_either(self, platform: Platform, region: str | None, extent: gold.Extent) -> gold.Build:
        """What a run calls."""
        self.as_of.append(extent.as_of)
        return self.build(platform, region) if region else self.build_global(platform)

    def connect(self, platform: Platform, region: str | None) -> duckdb.DuckDBPyConnection:
        """A row of `sales` for each day on which transactions came."""
        connection = duckdb.connect(":memory:")
        connection.execute("CREATE SCHEMA gold; CREATE SCHEMA global")
        for table in ("gold.sales", "gold.sales_total", "gold.dim_customers", "global.sales_total"):
            connection.execute(f"CREATE TABLE {table} (day DATE, n BIGINT)")
        for slot in bronze.slots(platform.layout(region), "transactions") if region else []:
            connection.execute("INSERT INTO gold.sales VALUES (?, 1)", [slot.day])
        return connection


@pytest.fixture
def platform(make_platform: Callable[..., Platform]) -> Platform:
    """Two regions in plain CSV; only one delivers customers and rates. Files are complete at first sight."""
    return make_platform(REGISTRY, settle=0)


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A step that failed is tried again without waiting."""
    monkeypatch.setattr(steps, "FIRST_WAIT", 0.001)


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> Gold:
    """The stand-in, in gold's place."""
    return stand_in(monkeypatch)


def stand_in(patch: pytest.MonkeyPatch) -> Gold:
    """Put a stand-in into gold's place."""
    found = Gold()
    patch.setattr(gold, "models", lambda platform: MODELS)
    for name in ("build", "build_global", "connect"):
        patch.setattr(gold, name, getattr(found, name))
    patch.setattr(gold.warm, "build", found.build_either)
    return found


@dataclass
class Graph:
    """A graph and its instance, to run parts of and look at."""

    defs: dg.Definitions
    instance: dg.DagsterInstance
    platform: Platform

    def run(
        self, job: str, start: str, end: str | None = None, keys: list[str] | None = None
    ) -> dg.ExecuteInProcessResult:
        """Run a job, or some assets of it, for a partition or a range of them."""
        range_ = {"dagster/asset_partition_range_start": start, "dagster/asset_partition_range_end": end or start}
        return self.defs.resolve_job_def(job).execute_in_process(
            instance=self.instance,
            raise_on_error=False,
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            asset_selection=[dg.AssetKey(key.split("/")) for key in keys] if keys else None,
            **({"tags": range_} if end else {"partition_key": start}),  # type: ignore[arg-type]
        )

    def status(self, key: str, *partitions: str) -> str:
        """M, F or - for each partition: materialised, failed or neither."""
        asset = dg.AssetKey(key.split("/"))
        definition = self.defs.resolve_asset_graph().get(asset).partitions_def
        assert definition is not None
        found = self.instance.get_status_by_partition(asset, list(partitions), definition) or {}
        letters = {None: "-", "MATERIALIZED": "M", "FAILED": "F"}
        return "".join(letters[s.value if (s := found.get(p)) else None] for p in partitions)

    def events(self, result: dg.ExecuteInProcessResult, key: str) -> dict[str | None, dg.AssetMaterialization]:
        """What was reported of an asset, by partition."""
        asset = dg.AssetKey(key.split("/"))
        return {
            event.partition: event.step_materialization_data.materialization
            for event in result.filter_events(lambda e: e.is_step_materialization and e.asset_key == asset)
        }

    def checks(self, result: dg.ExecuteInProcessResult, key: str, name: str) -> dict[str | None, bool]:
        """How a check came out, by partition."""
        return {
            e.partition: e.passed
            for e in result.get_asset_check_evaluations()
            if e.check_name == name and e.asset_key == dg.AssetKey(key.split("/"))
        }


@pytest.fixture
def graph(platform: Platform, built: Gold) -> Iterator[Graph]:
    """The graph of `platform` on an instance of its own."""
    with dg.DagsterInstance.ephemeral() as instance:
        yield Graph(build_defs(platform), instance, platform)


@pytest.fixture
def desk(graph: Graph) -> "Desk":
    """A landing sensor at work on the graph's instance."""
    from clearer_platform_tests.defs.desk import Desk  # It needs what stands above.

    return Desk(graph)


@pytest.fixture
def delivered(platform: Platform) -> Callable[..., None]:
    """A function that hands over a delivery of transactions."""

    def hand_over(region: str, on: date, text: str | None = None, slot: str | None = None) -> None:
        deliver(platform, region, "transactions", sales(on) if text is None else text, on, slot)

    return hand_over


def keys(region: str, *days: date) -> list[str]:
    """Partition keys of a region's days."""
    return [f"{d}|{region}" for d in days]
