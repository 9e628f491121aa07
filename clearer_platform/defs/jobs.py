"""Jobs: named parts of the asset graph, each run in one process, since each asset's work is one step anyway."""

from collections.abc import Iterable
from typing import Any

import dagster as dg

from clearer_platform.defs.backups import BACKUPS, backup_keys
from clearer_platform.defs.marts import Marts, key_of
from clearer_platform.defs.names import BRONZE, SILVER, asset_key
from clearer_platform.defs.publishing import PUBLISH, PUBLISH_GLOBAL, Targets
from clearer_platform.platform import Platform

REGION_DAYS = "region_days"


def jobs(platform: Platform, marts: Marts, targets: Targets) -> list[Any]:
    """Every job."""
    bronze = [asset_key(BRONZE, contract.name) for contract in platform.contracts.values() if not contract.nested]
    silver = [asset_key(SILVER, table) for table in platform.contracts]
    days = [key_of(model) for model in marts.days]
    backups = backup_keys(platform)
    own, across = targets.keys(across=False), targets.keys(across=True)
    return [
        *([_job(BACKUPS, "Backups of the tables that the settings name.", backups)] if backups else []),
        *([_job(PUBLISH, "What regions publish to the registry's targets.", own)] if own else []),
        *([_job(PUBLISH_GLOBAL, "What spans regions, to the registry's targets.", across)] if across else []),
        _job(REGION_DAYS, "Days of regions, from what has landed to gold.", [*bronze, *silver, *days]),
        _job("silver_only", "Days of regions: receive and validate, without building gold.", [*bronze, *silver]),
        _job("gold_only", "Days of regions: build gold from what is published.", days),
        _job("region_models", "Whole models of regions.", map(key_of, marts.wholes)),
        # Not "global": a keyword of Python names no job.
        _job("global_models", "What spans regions.", map(key_of, marts.globals)),
    ]


def _job(name: str, description: str, keys: Iterable[dg.AssetKey]) -> Any:
    selection = dg.AssetSelection.assets(*keys)
    return dg.define_asset_job(name, selection=selection, description=description, executor_def=dg.in_process_executor)
