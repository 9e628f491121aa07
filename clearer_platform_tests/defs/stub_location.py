"""A code location for daemons in tests: everything is real but gold, which builds in no time.

It notes when each build began and ended, so that tests see which runs wrote at once.
"""

import json
import os
import time
from pathlib import Path

import dagster as dg

from clearer_platform import gold
from clearer_platform.definitions import build_defs
from clearer_platform.platform import Platform
from clearer_platform_tests.defs.conftest import MODELS, Gold

NOTES, SECONDS = "builds.jsonl", "CLEARER_TEST_SECONDS"


class Noting(Gold):
    """A stand-in for gold that takes a moment and notes it."""

    def build_either(self, platform: Platform, region: str | None, extent: gold.Extent) -> gold.Build:
        """What a run calls."""
        began = time.time()
        print(f"building {region} in {Path.cwd()}")
        time.sleep(float(os.environ.get(SECONDS, "0.3")))
        made = super().build_either(platform, region, extent)
        note = json.dumps({"region": region, "process": os.getpid(), "began": began, "ended": time.time()}) + "\n"
        with (Path(platform.settings.home) / NOTES).open("a") as f:
            f.write(note)
        return made


def make() -> dg.Definitions:
    """The definitions of the home that the environment names."""
    stand_in = Noting()
    gold.models = lambda platform: MODELS  # type: ignore[assignment]
    gold.warm.build = stand_in.build_either  # type: ignore[assignment]
    gold.connect = stand_in.connect  # type: ignore[assignment]
    return build_defs()


@dg.definitions
def defs() -> dg.Definitions:
    """What Dagster loads."""
    return make()
