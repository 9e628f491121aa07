"""`python -m bench.subscriptions`: one delivery of stores to six metric tables, by the platform and beside it.

Everyone is given the same file and must come to the same figures. PySpark does as the original analysis did and does
not validate (so it has less to do; `pyspark-validated` does): it is given the same stores without dirt, and its figures
are held against the hand-written script's on that file. All results are compared before any time is told.
"""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from bench.runner import Run, as_json
from bench.subscriptions import report, runner
from bench.subscriptions.generate import Size, generate

WORK = Path(__file__).resolve().parent.parent / ".work" / "subscriptions"


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.subscriptions", description=__doc__)
    parser.add_argument("--stores", default="1000,100000,1000000", help="sizes, with commas between")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each competitor, alternating")
    parser.add_argument("--only", default=",".join(runner.COMPETITORS), help="competitors, with commas between")
    parser.add_argument("--slow-rounds", type=int, default=1, help="rounds of pandas and PySpark at the largest size")
    parser.add_argument("--dirt", type=float, default=0.005, help="share of elements with something wrong")
    parser.add_argument("--seed", type=int, default=7)
    asked = parser.parse_args()
    if unknown := set(asked.only.split(",")) - runner.COMPETITORS.keys():
        parser.error(f"no such competitor: {', '.join(sorted(unknown))}; there are {', '.join(runner.COMPETITORS)}")
    return asked


def main() -> int:
    """0 if the results are equal, whatever the times; 1 otherwise."""
    asked, console = arguments(), Console(width=None if sys.stdout.isatty() else 130)
    sizes, names = [int(size) for size in asked.stores.split(",")], asked.only.split(",")
    made = [generate(WORK, Size(stores, asked.dirt, asked.seed)) for stores in sizes]
    once = runner.once(WORK) if {"platform", "command"} & set(names) else None
    runs: list[Run] = []
    for deliveries in made:
        for number in range(asked.rounds):
            for name in names:
                is_slow = name.startswith("pyspark") or name == "pandas"
                if is_slow and deliveries.stores == max(sizes) and number >= asked.slow_rounds:
                    continue
                runs.append(runner.run(name, deliveries, WORK))
                title = runner.COMPETITORS[name].title
                told = f"{deliveries.stores:,} stores, round {number + 1}: {title}, {runs[-1].wall:.1f} s"
                console.print(told, highlight=False)
    lines, unequal = report.lines(runs), runner.unequal(runs, made)
    console.print(report.table(lines))
    for is_met, sentence in report.verdicts(lines):
        console.print(f"{'met   ' if is_met else 'MISSED'}  {sentence}", highlight=False)
    for aside in report.asides(runs, once):
        console.print(f"        {aside}", highlight=False)
    for difference in unequal:
        console.print(f"NOT EQUAL  {difference}", highlight=False)
    if not unequal:
        console.print(f"equal   {len(runs[0].figures)} figures of the results", highlight=False)
    write(runs, lines, unequal, once)
    return 1 if unequal else 0


def write(runs: list[Run], lines: list[report.Line], unequal: list[str], once: float | None) -> None:
    """Keep the result: all of it as JSON, the table as Markdown."""
    result = {
        "machine": report.machine(),
        "medians": [asdict(line) for line in lines],
        "runs": [as_json(one) for one in runs],
        "once": once,
        "differences": unequal,
    }
    (WORK / "results.json").write_text(json.dumps(result, indent=1))
    (WORK / "results.md").write_text(report.markdown(lines))


if __name__ == "__main__":
    sys.exit(main())
