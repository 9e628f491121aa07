"""Running one competitor in a process of its own: how long until its result stood, what it used, what it came to."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.phases import MARK, STARTED
from bench.runner import PROJECT, Failed, Run, differences
from bench.subscriptions import figures, handwritten_duckdb, platform_run, pyspark_env
from bench.subscriptions.generate import DAY, Deliveries
from bench.subscriptions.memory import Peak
from bench.subscriptions.twice import ONCE, WORK

START_UP = "start-up"


@dataclass(frozen=True)
class Task:
    """What a competitor is given: deliveries, a folder to work in, and one for its result."""

    deliveries: Deliveries
    work: Path
    output: Path


def _nothing(task: Task) -> None:
    """Most need no more than their task."""


@dataclass(frozen=True)
class Competitor:
    """How one is called."""

    title: str
    command: Callable[[Task], list[str | Path]]
    prepare: Callable[[Task], object] = _nothing
    """What is done before its time begins."""
    figures: Callable[[Path], dict[str, str]] = figures.of_files
    is_judging: bool = True
    """Whether it validates; who does not is given a clean delivery."""
    is_telling: bool = True
    """Whether it says itself when its result stood; else that is when it ends."""


def _script(name: str) -> Callable[[Task], list[str | Path]]:
    return lambda task: _call(sys.executable, name, task.deliveries.delivered, f"{DAY}", task.output)


def _pyspark(task: Task) -> list[str | Path]:
    return _call(pyspark_env.PYTHON, "pyspark_run", task.deliveries.clean, f"{DAY}", task.output)


def _pyspark_validated(task: Task) -> list[str | Path]:
    arguments = task.deliveries.delivered, f"{DAY}", task.output, "validated"
    return _call(pyspark_env.PYTHON, "pyspark_run", *arguments)


def _platform(task: Task) -> list[str | Path]:
    return _call(sys.executable, "platform_run", task.deliveries.before, task.deliveries.delivered, task.output)


def _materialize(task: Task) -> list[str | Path]:
    return [sys.executable, "-m", "clearer_platform.cli", "materialize", "--region", platform_run.REGION]


def _call(python: str | Path, module: str, *arguments: str | Path) -> list[str | Path]:
    return [python, "-m", f"bench.subscriptions.{module}", *arguments]


def _home(task: Task) -> None:
    platform_run.prepared(task.output, task.work)


def _home_with_delivery(task: Task) -> None:
    platform_run.land(platform_run.prepared(task.output, task.work), task.deliveries.delivered)


def _environment(task: Task) -> None:
    pyspark_env.make()


COMPETITORS = {
    "platform": Competitor("clearer_platform, from Python", _platform, _home, platform_run.of_home),
    "command": Competitor(
        "clearer materialize", _materialize, _home_with_delivery, platform_run.of_home, is_telling=False
    ),
    "duckdb": Competitor("hand-written DuckDB", _script("handwritten_duckdb")),
    "pandas": Competitor("pandas", _script("pandas_run")),
    "pyspark": Competitor("PySpark, not validating", _pyspark, _environment, is_judging=False),
    "pyspark-validated": Competitor("PySpark, validating", _pyspark_validated, _environment),
}


def once(work: Path) -> float:
    """Seconds that an installation waits, once, for dbt to read its project; then every home here has it prepared."""
    for folder in (work / "dbt", work / "out-once"):
        shutil.rmtree(folder, ignore_errors=True)
    begin = time.perf_counter()
    platform_run.prepared(work / "out-once", work)
    seconds = time.perf_counter() - begin
    shutil.rmtree(work / "out-once")
    return seconds


def run(name: str, deliveries: Deliveries, work: Path, *, is_once: bool = False) -> Run:
    """Let a competitor do its job in a fresh folder that is removed afterwards. Raises Failed."""
    competitor, task = COMPETITORS[name], Task(deliveries, work, work / f"out-{name}")
    shutil.rmtree(task.output, ignore_errors=True)
    competitor.prepare(task)
    log = task.output.with_suffix(".log")
    environment = {**os.environ, **({ONCE: "yes"} if is_once else {}), "CLEARER_HOME": f"{task.output}"}
    begin = time.time()
    with log.open("wb") as out:
        process = subprocess.Popen(
            competitor.command(task),
            cwd=PROJECT,
            env={**environment, STARTED: f"{begin}"},
            stdout=out,
            stderr=subprocess.STDOUT,
        )
        with Peak(process.pid) as peak:
            # Not process.wait(): only wait4 tells what this one child used.
            _, status, usage = os.wait4(process.pid, 0)
    wall, cpu = time.time() - begin, usage.ru_utime + usage.ru_stime
    process.returncode = os.waitstatus_to_exitcode(status)
    said = [line for line in log.read_text("utf-8", "replace").splitlines() if line.startswith(MARK)]
    if process.returncode or bool(said) != competitor.is_telling:
        raise Failed(f"{name} ended with status {process.returncode}; see {log}")
    phases, phases_cpu = {}, {}
    if said:
        result = json.loads(said[-1].removeprefix(MARK))
        phases, phases_cpu = result["seconds"], result["cpu"]
        wall, cpu = (some[START_UP] + some[WORK] for some in (phases, phases_cpu))
    found = competitor.figures(task.output)
    shutil.rmtree(task.output, ignore_errors=True)
    most = max(peak.bytes, usage.ru_maxrss * 1024)
    return Run(name, deliveries.stores, wall, cpu, most, phases, phases_cpu, found)


def unequal(runs: list[Run], deliveries: list[Deliveries]) -> list[str]:
    """Where results differ: of those that validate, and, on the clean deliveries, of those that do not."""
    judging = [run for run in runs if COMPETITORS[run.name].is_judging]
    others = [run for run in runs if not COMPETITORS[run.name].is_judging]
    sizes = {run.rows for run in others}
    expected = [on_clean(some) for some in deliveries if some.stores in sizes]
    return differences(judging) + differences([*expected, *others])


def on_clean(deliveries: Deliveries) -> Run:
    """What the hand-written script comes to where there is nothing to reject; not measured."""
    with tempfile.TemporaryDirectory() as folder:
        handwritten_duckdb.run(deliveries.clean, f"{DAY}", Path(folder))
        return Run("duckdb", deliveries.stores, 0, 0, 0, {}, {}, figures.of_files(Path(folder)))
