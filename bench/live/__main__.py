"""`python -m bench.live latency|broken|crowd|drops`: one experiment under `clearer up`, in a new home."""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console

from bench.live import broken, crowd, drops, latency


def main() -> int:
    """0 where everything was as it must be, and the target met; 1 otherwise."""
    parser = argparse.ArgumentParser(prog="python -m bench.live", description=__doc__)
    parser.add_argument("experiment", choices=["latency", "broken", "crowd", "drops"])
    parser.add_argument("--drops", type=int, default=30, help="latency: files dropped")
    parser.add_argument("--days", type=int, default=60, help="broken: days of each region")
    parser.add_argument("--reads", type=int, default=100_000, help="crowd: totals read")
    parser.add_argument("--files", type=int, default=10_000, help="drops: files dropped")
    parser.add_argument("--seconds", type=float, default=240, help="drops: over how long")
    asked, began = parser.parse_args(), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="clearer-") as folder:
        home = Path(folder) / "home"
        if asked.experiment == "latency":
            table, is_right = latency.run(home, asked.drops)
        elif asked.experiment == "broken":
            table, is_right = broken.run(home, asked.days)
        elif asked.experiment == "crowd":
            table, is_right = crowd.run(home, asked.reads)
        else:
            table, is_right = drops.run(home, asked.files, asked.seconds)
    console = Console(width=None if sys.stdout.isatty() else 110)
    console.print(table)
    console.print(f"{'as it must be' if is_right else 'NOT as it must be'}; {time.monotonic() - began:.0f} s in all")
    return 0 if is_right else 1


if __name__ == "__main__":
    sys.exit(main())
