"""`python -m bench`: make the deliveries, let the competitors run in turn, compare their results, tell their times."""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from bench import generate, report, runner

WORK = Path(__file__).resolve().parent / ".work"


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000, help="transactions, over 30 days")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each competitor, alternating")
    parser.add_argument("--only", default=",".join(runner.COMPETITORS), help="competitors, with commas between")
    parser.add_argument("--pandas-rows", type=int, help="another size for pandas, where --rows is too much for it")
    parser.add_argument("--pandas-rounds", type=int, default=1, help="its rounds; it is slow and its target is wide")
    parser.add_argument("--seed", type=int, default=7)
    return parser.parse_args()


def main() -> int:
    """0 if the results are equal, whatever the times; 1 otherwise."""
    asked, console = arguments(), Console(width=None if sys.stdout.isatty() else 130)
    runs: list[runner.Run] = []
    for number in range(asked.rounds):
        for name in asked.only.split(","):
            if name == "pandas" and number >= asked.pandas_rounds:
                continue
            rows = asked.pandas_rows if name == "pandas" and asked.pandas_rows else asked.rows
            deliveries = generate.generate(WORK, generate.Size(rows=rows, seed=asked.seed))
            done = runner.run(name, deliveries, rows, WORK / f"out-{name}")
            console.print(
                f"round {number + 1}: {report.TITLES[name]}, {rows:,} rows: {done.wall:.1f} s", highlight=False
            )
            runs.append(done)
    lines, unequal = report.lines(runs), runner.differences(runs)
    said = report.verdicts(lines)
    console.print(report.table(lines))
    for is_met, sentence in said:
        console.print(f"{'met   ' if is_met else 'MISSED'}  {sentence}", highlight=False)
    for difference in unequal:
        console.print(f"NOT EQUAL  {difference}", highlight=False)
    if not unequal:
        console.print(f"equal   {len(runs[0].figures)} figures of the results", highlight=False)
    write(runs, lines, unequal)
    return 1 if unequal else 0


def write(runs: list[runner.Run], lines: list[report.Line], unequal: list[str]) -> None:
    """Keep the result: all of it as JSON, the table as Markdown."""
    result = {
        "machine": report.machine(),
        "medians": [asdict(line) for line in lines],
        "runs": [runner.as_json(one) for one in runs],
        "differences": unequal,
    }
    (WORK / "results.json").write_text(json.dumps(result, indent=1))
    (WORK / "results.md").write_text(report.markdown(lines))


if __name__ == "__main__":
    sys.exit(main())
