"""What is stale shows as stale, by partition: after a new delivery, and after a changed contract or model."""

from collections.abc import Callable
from dataclasses import replace

import dagster as dg
import pytest
from dagster._core.definitions.data_version import CachingStaleStatusResolver
from dagster._core.loader import LoadingContextForTest

from clearer_platform.definitions import build_defs
from clearer_platform.platform import Platform
from clearer_platform_tests.defs.conftest import Gold, Graph, day, keys, sales

Deliver = Callable[..., None]


def stale(graph: Graph, key: str, *partitions: str) -> str:
    """S, F or - for each partition, as the UI has it: stale, fresh or missing."""
    loading = LoadingContextForTest(graph.instance)
    found = CachingStaleStatusResolver(graph.instance, graph.defs.resolve_asset_graph(), loading)
    asset = dg.AssetKey(key.split("/"))
    letters = {"MISSING": "-", "FRESH": "F", "STALE": "S"}
    return "".join(letters[found.get_status(asset, partition).value] for partition in partitions)


@pytest.fixture
def done(graph: Graph, delivered: Deliver) -> tuple[Graph, list[str]]:
    """Three days that one run has brought from delivery to gold."""
    days = keys("south", *map(day, range(3)))
    for number in range(3):
        delivered("south", day(number))
    assert graph.run("region_days", days[0], days[-1]).success
    return graph, days


CHAIN = ("bronze/transactions", "silver/transactions", "gold/sales")


def test_what_a_run_has_brought_up_is_fresh(done: tuple[Graph, list[str]]) -> None:
    graph, days = done
    assert [stale(graph, key, *days) for key in CHAIN] == ["FFF"] * 3
    assert stale(graph, "gold/sales_total", "south") == "F"
    assert graph.run("region_days", days[1], days[1]).success
    assert [stale(graph, key, *days) for key in CHAIN] == ["FFF"] * 3


def test_a_new_delivery_makes_what_comes_after_it_stale_for_its_day_alone(
    done: tuple[Graph, list[str]], delivered: Deliver
) -> None:
    graph, days = done
    delivered("south", day(1), sales(day(1), count=9))
    assert graph.run("region_days", days[0], days[-1], keys=["bronze/transactions"]).success
    assert stale(graph, "silver/transactions", *days) == "FSF"
    assert graph.run("silver_only", days[0], days[-1]).success
    assert stale(graph, "silver/transactions", *days) == "FFF"
    assert stale(graph, "gold/sales", *days) == "FSF"
    assert graph.run("gold_only", days[1], days[1]).success
    assert [stale(graph, key, *days) for key in CHAIN] == ["FFF"] * 3


def test_a_run_across_regions_leaves_nothing_stale(graph: Graph, delivered: Deliver) -> None:
    """What the second region's gold was made from was reported after the first region's."""
    for region in ("north", "south"):
        delivered(region, day(0))
        delivered(region, day(1))
    graph.run("region_days", f"{day(0)}|north", f"{day(1)}|south")
    assert [stale(graph, key, *keys("south", day(0), day(1))) for key in CHAIN] == ["FF"] * 3


def test_the_same_again_makes_nothing_stale(done: tuple[Graph, list[str]]) -> None:
    graph, days = done
    assert graph.run("silver_only", days[0], days[-1]).success
    assert [stale(graph, key, *days) for key in CHAIN] == ["FFF"] * 3


def test_a_changed_contract_makes_its_silver_stale(done: tuple[Graph, list[str]]) -> None:
    graph, days = done
    contracts = dict(graph.platform.contracts)
    contracts["transactions"] = replace(contracts["transactions"], max_rejected=0.5)
    changed = Platform(graph.platform.settings, graph.platform.registry, contracts)
    now = Graph(build_defs(changed), graph.instance, changed)
    assert [stale(now, key, *days) for key in CHAIN] == ["FFF", "SSS", "FFF"]
    assert now.run("region_days", days[0], days[1]).success
    assert [stale(now, key, *days) for key in CHAIN] == ["FFF", "FFS", "FFF"]


def test_a_changed_model_makes_its_days_stale(
    done: tuple[Graph, list[str]], built: Gold, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph, days = done
    monkeypatch.setattr("clearer_platform.defs.marts.Marts.code_version", lambda self, model: f"new {model.name}")
    now = Graph(build_defs(graph.platform), graph.instance, graph.platform)
    assert [stale(now, key, *days) for key in CHAIN] == ["FFF", "FFF", "SSS"]
    assert now.run("gold_only", days[0], days[0]).success
    assert [stale(now, key, *days) for key in CHAIN] == ["FFF", "FFF", "FSS"]
