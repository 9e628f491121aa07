"""The registry (`regions.toml`) and where a region keeps its data. A new region is a block of TOML."""

from clearer_platform.regions.forms import CsvFormat, TableSource
from clearer_platform.regions.http import HttpSource
from clearer_platform.regions.layout import GLOBAL, Layout
from clearer_platform.regions.registry import Region, Registry, load_registry
from clearer_platform.regions.sql import SqlSource
from clearer_platform.regions.targets import DatabaseTarget, FolderTarget, Target
from clearer_platform.regions.zones import zones

__all__ = [
    "GLOBAL",
    "CsvFormat",
    "DatabaseTarget",
    "FolderTarget",
    "HttpSource",
    "Layout",
    "Region",
    "Registry",
    "SqlSource",
    "TableSource",
    "Target",
    "load_registry",
    "zones",
]
