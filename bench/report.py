"""The benchmark's table: medians of the rounds, ratios, and whether the targets are met."""

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from statistics import median

from rich.table import Table

from bench.runner import ONCE, Run

TITLES = {
    "platform": "clearer_platform",
    "script": "hand-written DuckDB",
    "pandas": "pandas + pandera",
}
MOST_TIMES_SCRIPT, LEAST_TIMES_FASTER, MOST_BYTES = 1.5, 4.0, 4 * 2**30


@dataclass(frozen=True)
class Line:
    """One competitor's medians."""

    name: str
    rows: int
    rounds: int
    wall: float
    cpu: float
    peak_bytes: int
    """The largest of all rounds."""
    phases: dict[str, float]

    def per_million(self) -> float:
        """Wall seconds for a million transactions."""
        return self.wall / self.rows * 1e6


def lines(runs: Sequence[Run]) -> list[Line]:
    """The medians of every competitor, in the order of TITLES."""
    found = []
    for name in TITLES:
        own = [run for run in runs if run.name == name]
        if own:
            phases = {p: median(run.phases.get(p, 0.0) for run in own) for p in own[0].phases}
            wall, cpu = median(run.wall for run in own), median(run.cpu for run in own)
            peak = max(run.peak_bytes for run in own)
            found.append(Line(name, own[0].rows, len(own), wall, cpu, peak, phases))
    return found


def cells(line: Line, base: Line | None) -> list[str]:
    """One row of the table; `base` is what the ratios are to."""
    ratio = f"{line.per_million() / base.per_million():.2f}" if base else "-"
    return [
        TITLES[line.name],
        f"{line.rows:,}",
        f"{line.wall:.1f}",
        ratio,
        f"{line.cpu:.1f}",
        f"{line.peak_bytes / 2**30:.2f}",
        *(f"{line.phases[name]:.1f}" if name in line.phases else "-" for name in PHASES),
    ]


PHASES = ("start-up", "bronze", "silver", "gold", ONCE)
HEADINGS = ["", "transactions", "seconds", "x platform", "CPU s", "peak GiB", *PHASES[:-1], "beside it, once"]


def table(found: Sequence[Line]) -> Table:
    """The result for a terminal."""
    made = Table(title="CSV to silver and gold, one region, medians")
    for i, heading in enumerate(HEADINGS):
        made.add_column(heading, justify="right" if i else "left")
    for line in found:
        made.add_row(*cells(line, _platform(found)))
    return made


def markdown(found: Sequence[Line]) -> str:
    """The result for the README."""
    rows = [HEADINGS, ["---", *["---:"] * (len(HEADINGS) - 1)]]
    rows += [cells(line, _platform(found)) for line in found]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows) + f"\n\n{machine()}\n"


def verdicts(found: Sequence[Line]) -> list[tuple[bool, str]]:
    """Each target that these lines can speak of: whether it is met, and in figures."""
    by_name = {line.name: line for line in found}
    ours = by_name.get("platform")
    if ours is None:
        return []
    said = [(ours.peak_bytes < MOST_BYTES, f"peak memory {ours.peak_bytes / 2**30:.2f} GiB (at most 4)")]
    # A first run on a new installation also waits for dbt to read the project.
    first = 1 + ours.phases.get(ONCE, 0.0) / ours.wall
    if script := by_name.get("script"):
        times = ours.wall / script.wall
        sentence = (
            f"{times:.2f} x the script's time (at most {MOST_TIMES_SCRIPT}); {times * first:.2f} x the first time"
        )
        said.append((times <= MOST_TIMES_SCRIPT, sentence))
    if pandas := by_name.get("pandas"):
        times = pandas.per_million() / ours.per_million()
        sentence = (
            f"{times:.1f} x faster than pandas (at least {LEAST_TIMES_FASTER:g}); {times / first:.1f} x the first time"
        )
        said.append((times >= LEAST_TIMES_FASTER, sentence))
    return said


def machine() -> str:
    """What it was measured on."""
    names = ("duckdb", "pandas", "pandera", "pyarrow")
    versions = ", ".join(f"{name} {version(name)}" for name in names)
    return f"{os.cpu_count()} cores, Python {platform.python_version()}, {versions}."


def _platform(found: Sequence[Line]) -> Line | None:
    return next((line for line in found if line.name == "platform"), None)
