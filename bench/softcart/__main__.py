"""A shop's sales from MariaDB to PostgreSQL: the platform, SQLAlchemy + pandas, and a pipe that only copies.

python -m bench.softcart [--rows 1000000] [--rounds 3] [--only platform] [--work FOLDER]
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from bench.phases import MARK, STARTED
from bench.runner import PROJECT, Failed
from bench.softcart import platform_run
from bench.softcart.servers import Servers, started
from bench.subscriptions.memory import Peak
from clearer_platform.sample import softcart
from clearer_platform.sample.databases import USER

NEWS = 10_000
"""Sales that come later."""
TABLES = {"platform": "fct_sales", "news": "fct_sales", "pandas": "by_pandas", "pipe": "by_pipe"}
TITLES = {
    "platform": "clearer_platform",
    "news": f"clearer_platform, {NEWS:,} more sales",
    "pandas": "SQLAlchemy + pandas",
    "pipe": "mariadb \\| psql \\\\copy",
}
PHASES = ("start-up", "read", "silver", "gold", "publish")
CREATE = """CREATE TABLE by_pipe (rowid int PRIMARY KEY, product_id int, customer_id int, price numeric(10, 2),
    quantity int, "timestamp" timestamp, total_price numeric GENERATED ALWAYS AS (price * quantity) STORED)"""


@dataclass
class Run:
    """What one run came to."""

    seconds: float
    cpu: float
    peak: int
    phases: dict[str, float] = field(default_factory=dict)


def measured(command: list[str], environment: dict[str, str], log: Path) -> Run:
    """Run a command, and see how long it takes and what it uses beside the servers. Raises Failed."""
    begin = time.time()
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, cwd=PROJECT, env={**os.environ, **environment, STARTED: f"{begin}"}, stdout=out, stderr=out
        )
        with Peak(process.pid) as peak:
            _, status, usage = os.wait4(process.pid, 0)
    seconds = time.time() - begin
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise Failed(f"{' '.join(command[:4])} ended with {process.returncode}; see {log}")
    said = [line for line in log.read_text("utf-8", "replace").splitlines() if line.startswith(MARK)]
    phases = json.loads(said[-1].removeprefix(MARK))["seconds"] if said else {}
    return Run(seconds, usage.ru_utime + usage.ru_stime, max(peak.bytes, usage.ru_maxrss * 1024), phases)


def commands(servers: Servers, home: Path) -> dict[str, list[str]]:
    """What each competitor runs."""
    shop, target = servers.shop, servers.warehouse
    reader = (
        f"mariadb -h {shop.url.host} -P {shop.port} -u {USER} --quick --batch -N -e 'SELECT * FROM {softcart.TABLE}'"
    )
    columns = "rowid, product_id, customer_id, price, quantity, timestamp"
    copy = f"psql -q -h {target.url.host} -p {target.port} -U {USER} shop"
    pipe = f"""{reader} | {copy} -c '{CREATE}' -c '\\copy by_pipe ({columns}) FROM STDIN'"""
    own = [sys.executable, "-m"]
    urls = [server.url.render_as_string(hide_password=False) for server in (shop, target)]
    return {
        "platform": [*own, "bench.softcart.command", f"{home}"],
        "news": [*own, "bench.softcart.command", f"{home}"],
        "pandas": [*own, "bench.softcart.pandas_run", *urls],
        "pipe": ["bash", "-o", "pipefail", "-c", pipe],
    }


def round_of(servers: Servers, names: list[str], work: Path, rows: int, number: int) -> dict[str, Run]:
    """Every competitor once, on the same sales and an empty warehouse."""
    servers.empty()
    home = work / "home"
    shutil.rmtree(home, ignore_errors=True)
    runs: dict[str, Run] = {}
    figures: dict[str, tuple[str, ...]] = {}
    if "platform" in names:
        platform_run.prepared(home, work, servers)
    for name in names:
        runs[name] = measured(commands(servers, home)[name], servers.environment, work / f"{name}.log")
        figures[name] = servers.figures(TABLES[name])
        print(f"{number} {name}: {runs[name].seconds:.1f} s {runs[name].phases}", file=sys.stderr)
    if len({*figures.values()}) > 1:
        raise Failed(f"they differ: {figures}")
    if "platform" in names:
        servers.fill(rows + 1, rows + NEWS)
        runs["news"] = measured(commands(servers, home)["news"], servers.environment, work / "news.log")
        assert servers.figures("fct_sales")[0] == f"{rows + NEWS}"
        softcart.Shop(servers.shop).cancel(range(rows + 1, rows + NEWS + 1))
    return runs


def table(rounds: list[dict[str, Run]], rows: int) -> str:
    """The medians as Markdown."""
    header = ["", "rows", "seconds", "x platform", "CPU s", "peak GiB", *PHASES]
    lines = [header, ["---", *["---:"] * (len(header) - 1)]]
    of = {name: [found[name] for found in rounds] for name in TITLES if name in rounds[0]}
    own = statistics.median(run.seconds for run in of["platform"]) if "platform" in of else None
    for name, runs in of.items():
        middle = statistics.median(run.seconds for run in runs)
        phases = [
            f"{statistics.median(run.phases[p] for run in runs):.1f}" if p in runs[0].phases else "-" for p in PHASES
        ]
        cpu, peak = statistics.median(run.cpu for run in runs), max(run.peak for run in runs) / 2**30
        ratio = f"{middle / own:.2f}" if own and name != "news" else "-"
        lines.append([TITLES[name], f"{rows:,}", f"{middle:.1f}", ratio, f"{cpu:.1f}", f"{peak:.2f}", *phases])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.softcart", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--only", nargs="+", choices=["platform", "pandas", "pipe"], default=["platform", "pandas", "pipe"]
    )
    parser.add_argument("--work", type=Path, default=Path("bench/.work/softcart"))
    asked = parser.parse_args()
    asked.work.mkdir(parents=True, exist_ok=True)
    with started() as servers:
        servers.fill(1, asked.rows)
        rounds = [round_of(servers, asked.only, asked.work, asked.rows, n + 1) for n in range(asked.rounds)]
    print(table(rounds, asked.rows))


if __name__ == "__main__":
    main()
