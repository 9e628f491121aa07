"""The version of Dagster that this package's launcher and event log are made for: both use names that are not public.

They are named in the instance's configuration and imported by nobody else. Under another version they are left out of
it, and Dagster's own do the work: slower, and as it always does.
"""

import re

import dagster as dg

KNOWN = "1.13.27"
OURS = ("event_log_storage", "run_launcher")
"""Sections of dagster.yaml."""


def are_known() -> bool:
    """Whether the installed Dagster is the version that they are made for."""
    return str(dg.__version__) == KNOWN


def fitting(configuration: str) -> str:
    """The instance's configuration, without what the installed Dagster may not bear."""
    return configuration if are_known() else without(configuration, *OURS)


def without(configuration: str, *sections: str) -> str:
    """The configuration without some of its top-level sections; comments before them stay."""
    for section in sections:
        configuration = re.sub(rf"^{section}:.*?(?=^\S|\Z)", "", configuration, flags=re.MULTILINE | re.DOTALL)
    return configuration
