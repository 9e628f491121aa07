"""The definitions that Dagster loads, on one screen. `workspace.yaml` and `pyproject.toml` name this module."""

import warnings
from typing import Any

import dagster as dg

from clearer_platform import gold
from clearer_platform.defs.alerting import set_aside_asset
from clearer_platform.defs.jobs import jobs
from clearer_platform.defs.marts import Marts
from clearer_platform.defs.publishing import Targets
from clearer_platform.defs.resources import resources
from clearer_platform.defs.schedules import schedules
from clearer_platform.defs.sensors import sensors
from clearer_platform.defs.steps import steps
from clearer_platform.platform import Platform


def build_defs(platform: Platform | None = None, **overrides: Any) -> dg.Definitions:
    """Fresh definitions of a platform, by default the one that the environment describes.

    `overrides` replace resources by name, for tests and tools. Raises ClearerError for a registry, contract or dbt
    project that cannot be used.
    """
    platform = platform or Platform.open()
    marts, targets = Marts(platform, gold.models(platform)), Targets(platform)
    with warnings.catch_warnings():
        # Code references, checks by partition and mappings between unlike partitions are not final in Dagster: pinned.
        warnings.simplefilter("ignore", dg.BetaWarning)
        warnings.simplefilter("ignore", dg.PreviewWarning)
        return dg.Definitions(
            assets=[*steps(platform, marts, targets), set_aside_asset()],
            jobs=jobs(platform, marts, targets),
            sensors=sensors(platform, targets),
            schedules=schedules(platform, targets),
            resources={**resources(platform, marts), **overrides},
        )


@dg.definitions
def defs() -> dg.Definitions:
    """What Dagster loads; nothing is read before it asks."""
    return build_defs()
