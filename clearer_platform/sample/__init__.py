"""Sample deliveries: four regions that truly differ, with realistic dirt, and the truth about them for the tests.

`write(home)` makes a home with two weeks of deliveries, `second_wave(home)` lands what comes later, and
`expected(home, waves)` says what must come out, worked out without the platform. `dirt_list()` names everything that is
wrong with them.
"""

from clearer_platform.sample.dirt import HABITS, KINDS
from clearer_platform.sample.elements import ELEMENT_KINDS
from clearer_platform.sample.incidents import INCIDENTS, STRAYS
from clearer_platform.sample.mark import SampleError, environment, is_marked
from clearer_platform.sample.plan import Size, plan
from clearer_platform.sample.truth import BranchDay, FileTruth, Truth
from clearer_platform.sample.write import content, expected, second_wave, write

__all__ = [
    "BranchDay",
    "FileTruth",
    "SampleError",
    "Size",
    "Truth",
    "content",
    "dirt_list",
    "environment",
    "expected",
    "is_marked",
    "plan",
    "second_wave",
    "write",
]


def dirt_list() -> list[tuple[str, str, str]]:
    """Everything that is wrong with the sample: where, what it is called, and what it is."""
    everyday = [(f"any region, {kind.table}", kind.name, kind.why) for kind in KINDS]
    everyday += [(f"any region, {kind.table}, {kind.column}", kind.name, kind.why) for kind in ELEMENT_KINDS]
    everyday += [(f"any region, {table}", name, what) for table, name, what in HABITS]
    single = [(f"{i.region} {i.table}, day {i.day + 1}", i.name, i.what) for i in INCIDENTS]
    return everyday + single + [(f"{region} landing", path, reason) for region, path, reason in STRAYS]
