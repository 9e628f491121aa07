"""Running one competitor in a process of its own, and what the operating system says of it afterwards."""

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.phases import MARK, STARTED

COMPETITORS = {
    "platform": "bench.platform_run",
    "script": "bench.handwritten_duckdb",
    "pandas": "bench.pandas_pandera",
}
PROJECT = Path(__file__).resolve().parent.parent
FIGURES = "figures"
"""The phase in which a competitor computes what is compared: not part of its job."""
ONCE = "prepare"
"""The phase of what happens once an installation, not with the data: told, but apart from the job's seconds."""


@dataclass(frozen=True)
class Run:
    """One competitor's run."""

    name: str
    rows: int
    wall: float
    """Seconds from the process's start to its end, without the figures that are compared and what happens once."""
    cpu: float
    """Seconds of processor time, of all threads."""
    peak_bytes: int
    """Largest resident set."""
    phases: dict[str, float]
    phases_cpu: dict[str, float]
    figures: dict[str, str]


class Failed(Exception):
    """A competitor ended with an error or said nothing of its result."""


def run(name: str, deliveries: Path, rows: int, output: Path) -> Run:
    """Let a competitor do its job once, in a fresh folder that is removed afterwards. Raises Failed."""
    shutil.rmtree(output, ignore_errors=True)
    log = output.with_suffix(".log")
    begin = time.perf_counter()
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", COMPETITORS[name], str(deliveries), str(output)],
            cwd=PROJECT,
            env={**os.environ, STARTED: str(time.time())},
            stdout=out,
            stderr=subprocess.STDOUT,
        )
        # Not process.wait(): only wait4 tells what this one child used.
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - begin
    said = [line for line in log.read_text("utf-8", "replace").splitlines() if line.startswith(MARK)]
    if process.returncode or not said:
        raise Failed(f"{name} ended with status {process.returncode}; see {log}")
    shutil.rmtree(output, ignore_errors=True)
    result = json.loads(said[-1].removeprefix(MARK))
    uncounted = result["seconds"].pop(FIGURES, 0.0) + result["seconds"].get(ONCE, 0.0)
    uncounted_cpu = result["cpu"].pop(FIGURES, 0.0) + result["cpu"].get(ONCE, 0.0)
    return Run(
        name=name,
        rows=rows,
        wall=wall - uncounted,
        cpu=usage.ru_utime + usage.ru_stime - uncounted_cpu,
        peak_bytes=usage.ru_maxrss * 1024,
        phases=result["seconds"],
        phases_cpu=result["cpu"],
        figures=result["figures"],
    )


def differences(runs: list[Run]) -> list[str]:
    """Where the results of runs over the same deliveries differ; each is compared with the first of its size."""
    found: list[str] = []
    first: dict[int, Run] = {}
    for one in runs:
        base = first.setdefault(one.rows, one)
        common = base.figures.keys() & one.figures.keys()
        found += [
            f"{name}: {base.name} has {base.figures[name]}, {one.name} has {one.figures[name]}"
            for name in sorted(common)
            if base.figures[name] != one.figures[name]
        ]
        if not common:
            found.append(f"{one.name} and {base.name} have no figure in common")
    return found


def as_json(one: Run) -> dict[str, object]:
    """A run as it stands in results.json."""
    return asdict(one)
