"""Gold: a warehouse a region, brought up to date by dbt, tested, and swapped in whole; and one across regions.

gold.build(platform, "eu")        the region's warehouse
gold.build_global(platform)       what the regions let leave
gold.warm.build(platform, "eu")   either of them (None: across regions), by the home's warm process if there is one
gold.connect(platform, "eu")      read what is served
gold.view(platform, "eu", model, as_of=day)   read a part of it as of another date, or by an earlier delivery
"""

from clearer_platform.gold import warm
from clearer_platform.gold.across import build_global, global_is_behind, withdrawn
from clearer_platform.gold.catalog import Model, models
from clearer_platform.gold.dbt import Progress
from clearer_platform.gold.extent import Extent
from clearer_platform.gold.leaving import forms, leaving
from clearer_platform.gold.picture import picture
from clearer_platform.gold.prepared import Prepared
from clearer_platform.gold.project import prepare
from clearer_platform.gold.put_back import put_back, served
from clearer_platform.gold.region import build, build_warehouse
from clearer_platform.gold.results import Build, GoldFailed, TestResult
from clearer_platform.gold.serve import connect, contained, pending, served_as_of, view
from clearer_platform.gold.warehouse import State

__all__ = [
    "Build",
    "Extent",
    "GoldFailed",
    "Model",
    "Prepared",
    "Progress",
    "State",
    "TestResult",
    "build",
    "build_global",
    "build_warehouse",
    "connect",
    "contained",
    "forms",
    "global_is_behind",
    "leaving",
    "models",
    "pending",
    "picture",
    "prepare",
    "put_back",
    "served",
    "served_as_of",
    "view",
    "warm",
    "withdrawn",
]
