"""The event log that keeps its connections: what it stores is what Dagster's own stores."""

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from clearer_platform.definitions import build_defs
from clearer_platform.defs.event_log import KEPT
from clearer_platform.platform import Platform
from clearer_platform_tests.defs.conftest import Gold, Graph, day, keys, sales

Deliver = Callable[..., None]
OURS = """
event_log_storage:
  module: clearer_platform.defs.event_log
  class: KeptOpenEventLog
  config:
    base_dir: """
QUIET = "telemetry:\n  enabled: false\n"


def made(folder: Path, config: str) -> dg.DagsterInstance:
    """An instance in `folder`."""
    folder.mkdir()
    (folder / "dagster.yaml").write_text(QUIET + config)
    return dg.DagsterInstance.from_config(str(folder))


def remembered(graph: Graph, runs: list[str]) -> dict[str, Any]:
    """All that an instance answers about two runs, but for ids and times."""
    instance, days = graph.instance, keys("south", day(0), day(1), day(2))
    storage = instance.event_log_storage
    assets = ["bronze/transactions", "silver/transactions", "gold/sales"]
    check = dg.AssetCheckKey(dg.AssetKey(["silver", "transactions"]), "rejection_share")
    return {
        "status": [graph.status(asset, *days) for asset in assets],
        "events": [Counter(e.dagster_event_type for e in instance.all_logs(run)) for run in runs],
        "order": [[e.dagster_event_type for e in instance.all_logs(run)] for run in runs],
        "checks": [(r.partition, r.status) for r in storage.get_asset_check_execution_history(check, limit=20)],
        "versions": {
            asset: instance.get_latest_storage_id_by_partition(
                dg.AssetKey(asset.split("/")), dg.DagsterEventType.ASSET_MATERIALIZATION
            ).keys()
            for asset in assets
        },
        "tags": sorted(
            (str(t.get("dagster/partition/region")), str(t.get("dagster/partition/day")))
            for t in storage.get_event_tags_for_asset(dg.AssetKey(["silver", "transactions"]))
        ),
        "wiped": _wiped(instance),
    }


def _wiped(instance: dg.DagsterInstance) -> bool:
    asset = dg.AssetKey(["gold", "sales_total"])
    before = instance.has_asset_key(asset)
    instance.wipe_assets([asset])
    return before and not instance.has_asset_key(asset)


@pytest.mark.slow
def test_it_remembers_what_the_stock_one_remembers(
    platform: Platform, built: Gold, delivered: Deliver, tmp_path: Path
) -> None:
    """The same runs on both: a range with a bad day, then a re-run of one day; the answers are equal."""
    for number in range(3):
        delivered("south", day(number), sales(day(number), bad=4 if number == 1 else 0))
    found = []
    for name, config in (("stock", ""), ("ours", f'{OURS}"{tmp_path}/log"\n')):
        with made(tmp_path / name, config) as instance:
            graph = Graph(build_defs(platform), instance, platform)
            first = graph.run("region_days", *keys("south", day(0), day(2)))
            second = graph.run("region_days", *keys("south", day(0)))
        with dg.DagsterInstance.from_config(str(tmp_path / name)) as reader:
            found.append(remembered(Graph(graph.defs, reader, platform), [first.run_id, second.run_id]))
    stock, ours = found
    assert stock["status"] == ["MMM", "MFM", "MFM"]
    assert ours == stock


def test_connections_stay_few_and_another_process_sees_what_is_written(
    platform: Platform, built: Gold, tmp_path: Path
) -> None:
    """A connection a run would be one too many; a forked child opens its own."""
    with made(tmp_path / "ours", f'{OURS}"{tmp_path}/log"\n') as instance:
        storage = instance.event_log_storage
        for number in range(KEPT + 4):
            storage.get_logs_for_run(f"run-{number}")
        assert len(storage._open) <= KEPT + 1
        instance.report_runless_asset_event(dg.AssetMaterialization("seen"))
        child = os.fork()
        if child == 0:
            seen = instance.has_asset_key(dg.AssetKey("seen"))
            instance.report_runless_asset_event(dg.AssetMaterialization("from_child"))
            os._exit(0 if seen else 1)
        assert os.waitpid(child, 0)[1] == 0
        assert instance.has_asset_key(dg.AssetKey("from_child"))
