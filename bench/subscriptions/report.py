"""The table: medians of the rounds, ratios, and whether the targets are met."""

import os
import platform
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from statistics import median

from rich.table import Table

from bench.runner import Run
from bench.subscriptions import pyspark_env
from bench.subscriptions.generate import DAY
from bench.subscriptions.platform_run import LAYERS
from bench.subscriptions.runner import COMPETITORS, START_UP
from bench.subscriptions.twice import AGAIN, WORK

SMALL, LARGE = 1_000, 1_000_000
LEAST_RUNNING, LEAST_COLD, LEAST_LARGE, MOST_TIMES_SCRIPT, MOST_BYTES = 10.0, 2.0, 4.0, 1.5, 4 * 2**30
HEADINGS = ["stores", "", "start-up", "work", "total", "x PySpark's total", "again, running", "CPU s", "peak GiB"]


@dataclass(frozen=True)
class Line:
    """One competitor's medians at one size."""

    name: str
    stores: int
    rounds: int
    total: float
    """Seconds from the process's start until its result stood."""
    start_up: float | None
    work: float | None
    again: float | None
    """Seconds of the same job in the process that is running by then."""
    cpu: float
    again_cpu: float | None
    peak_bytes: int
    """The largest of all rounds."""


def lines(runs: Sequence[Run]) -> list[Line]:
    """The medians of every competitor, size by size."""
    found = []
    for stores in sorted({run.rows for run in runs}):
        for name in COMPETITORS:
            own = [run for run in runs if run.name == name and run.rows == stores]
            if own:
                found.append(_line(name, stores, own))
    return found


def _line(name: str, stores: int, own: Sequence[Run]) -> Line:
    def middle(phase: str) -> float | None:
        return median(run.phases[phase] for run in own) if phase in own[0].phases else None

    again_cpu = median(run.phases_cpu[AGAIN] for run in own) if AGAIN in own[0].phases_cpu else None
    total, cpu = median(run.wall for run in own), median(run.cpu for run in own)
    times = middle(START_UP), middle(WORK), middle(AGAIN)
    return Line(name, stores, len(own), total, *times, cpu, again_cpu, max(run.peak_bytes for run in own))


def cells(line: Line, base: Line | None) -> list[str]:
    """One row of the table; `base` is what the ratios are to."""

    def seconds(value: float | None) -> str:
        return "-" if value is None else f"{value:.2f}"

    return [
        f"{line.stores:,}",
        COMPETITORS[line.name].title,
        *map(seconds, (line.start_up, line.work, line.total)),
        f"{line.total / base.total:.2f}" if base else "-",
        seconds(line.again),
        f"{line.cpu:.1f}",
        f"{line.peak_bytes / 2**30:.2f}",
    ]


def rows(found: Sequence[Line]) -> Iterator[list[str]]:
    """The rows of the table."""
    for line in found:
        yield cells(line, _of(found, "pyspark", line.stores))


def table(found: Sequence[Line]) -> Table:
    """The result for a terminal."""
    made = Table(title="One delivery of stores to the six metric tables, seconds, medians")
    for i, heading in enumerate(HEADINGS):
        made.add_column(heading, justify="left" if i == 1 else "right")
    for row in rows(found):
        made.add_row(*row)
    return made


def markdown(found: Sequence[Line]) -> str:
    """The result for the README."""
    under = ["---:", "---", *["---:"] * (len(HEADINGS) - 2)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (HEADINGS, under, *rows(found))) + f"\n\n{machine()}\n"


def verdicts(found: Sequence[Line]) -> list[tuple[bool, str]]:
    """Each target that these lines can speak of: whether it is met, and in figures."""
    said: list[tuple[bool, str]] = []
    for stores in sorted({line.stores for line in found}):
        said += _beside_pyspark(found, stores)
        running, script = _of(found, "platform", stores), _of(found, "duckdb", stores)
        if running and script and running.again and script.again:
            times = running.again / script.again
            sentence = f"{stores:,} stores: {times:.2f} x the script's time, both running (at most {MOST_TIMES_SCRIPT})"
            said.append((times <= MOST_TIMES_SCRIPT, sentence))
    if own := [line for line in found if line.name in ("platform", "command")]:
        most = max(line.peak_bytes for line in own)
        said.append((most < MOST_BYTES, f"peak memory {most / 2**30:.2f} GiB (less than 4)"))
    return said


def _beside_pyspark(found: Sequence[Line], stores: int) -> Iterator[tuple[bool, str]]:
    pyspark = _of(found, "pyspark", stores)
    running, command = _of(found, "platform", stores), _of(found, "command", stores)
    if not (pyspark and pyspark.work and stores in (SMALL, LARGE)):
        return
    if running and running.again:
        least, times = (LEAST_RUNNING if stores == SMALL else LEAST_LARGE), pyspark.work / running.again
        warm = f"; {pyspark.again / running.again:.1f} x than a running session" if pyspark.again else ""
        sentence = f"{times:.1f} x faster in a running process than PySpark's work (at least {least:g}){warm}"
        yield times >= least, f"{stores:,} stores: {sentence}"
    if command:
        least, times = (LEAST_COLD if stores == SMALL else LEAST_LARGE), pyspark.total / command.total
        yield (
            times >= least,
            f"{stores:,} stores: {times:.1f} x faster as a command than PySpark in all (at least {least:g})",
        )


def asides(runs: Sequence[Run], once: float | None) -> list[str]:
    """What the platform's seconds in the running process are made of, and what comes once."""
    said = []
    for stores in sorted({run.rows for run in runs if run.name == "platform"}):
        own = [run.phases for run in runs if run.name == "platform" and run.rows == stores]
        parts = [f"{layer} {median(one[f'{layer} {DAY}'] for one in own):.2f} s" for layer in LAYERS]
        said.append(f"{stores:,} stores in the platform's running process: {', '.join(parts)}")
    return (
        said
        if once is None
        else [*said, f"once an installation, before all this: dbt reads its project in {once:.1f} s"]
    )


def machine() -> str:
    """What it was measured on."""
    versions = [f"{name} {version(name)}" for name in ("duckdb", "pandas", "pyarrow")]
    pinned = [line.replace("==", " ") for line in pyspark_env.CONSTRAINTS.read_text().splitlines() if "==" in line]
    return f"{os.cpu_count()} cores, Python {platform.python_version()}, {', '.join(versions + pinned)}."


def _of(found: Sequence[Line], name: str, stores: int) -> Line | None:
    return next((line for line in found if (line.name, line.stores) == (name, stores)), None)
