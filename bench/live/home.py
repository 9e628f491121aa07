"""A home of four regions, sales for it, and `clearer up` on it: what every experiment begins with."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import date, timedelta
from pathlib import Path

import psutil

from clearer_platform import gold
from clearer_platform.defs.requests import UNFINISHED
from clearer_platform.platform import Platform
from clearer_platform.settings import Settings
from clearer_platform.storage import local

REGIONS = ("eu", "us", "jp", "vn")
ZONES = {"eu": "Europe/Berlin", "us": "America/New_York", "jp": "Asia/Tokyo", "vn": "Asia/Ho_Chi_Minh"}
FIRST = date(2024, 10, 24)
HEADER = (
    "transaction_id,ordered_at,branch_id,branch_name,customer_id,total_amount,status,status_value,product_id,price\n"
)
PATIENCE = 900.0
"""Seconds that an experiment waits for anything before it calls it lost."""


def made(home: Path, days: int, rows: int) -> Platform:
    """A new home of four regions, each with `rows` sales on each of `days` days in its landing folder."""
    home.mkdir(parents=True)
    blocks = [
        f'[regions.{name}]\ntimezone = "{ZONES[name]}"\ncurrency = "EUR"\nroot = "{name}"\nstart = {FIRST}\n'
        f"[regions.{name}.tables.transactions]\n"
        for name in REGIONS
    ]
    (home / "regions.toml").write_text("".join(blocks))
    platform = Platform.open(Settings(home=home, regions_file=home / "regions.toml", _env_file=None))  # type: ignore[call-arg]
    for region in REGIONS:
        for day in (FIRST + timedelta(days=n) for n in range(days)):
            name = f"transactions-{day}.csv"
            land(platform, region, name, sales(region, day, [f"{day:%m%d}-{n}" for n in range(rows)]))
    return platform


def sales(region: str, day: date, ids: Iterable[str], amount: str = "1.00") -> bytes:
    """A delivery of completed sales, all of one amount."""
    lines = (f"{region}-{i},{day} 12:00:00,1,Main,c1,{amount},1,Completed,p1,1.00\n" for i in ids)
    return (HEADER + "".join(lines)).encode()


def land(platform: Platform, region: str, name: str, content: bytes) -> Path:
    """Put a file into a region's landing folder in one step."""
    folder = local(platform.layout(region).landing("transactions"))
    folder.mkdir(parents=True, exist_ok=True)
    beside = folder / f".{name}.tmp"
    beside.write_bytes(content)
    return beside.replace(folder / name)


def environment(platform: Platform) -> dict[str, str]:
    """What a command needs to work on this home."""
    settings = platform.settings
    # As on any machine, Python keeps what it has compiled.
    own = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**own, "CLEARER_HOME": f"{settings.home}", "CLEARER_REGIONS_FILE": f"{settings.registry_path}"}


def command(platform: Platform, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `clearer` on this home."""
    line = [sys.executable, "-m", "clearer_platform.cli", *arguments]
    return subprocess.run(line, env=environment(platform), capture_output=True, text=True, check=False)


def totals(platform: Platform, region: str) -> tuple[int, int]:
    """Sales and cents that a region's serving copy holds."""
    with closing(gold.connect(platform, region)) as connection:
        rows = connection.execute(
            "select count(*), coalesce(sum(total_amount), 0) from gold.fct_transactions"
        ).fetchall()
    return int(rows[0][0]), int(rows[0][1] * 100)


class Up:
    """`clearer up` as a process, with its daemon to be killed."""

    def __init__(self, platform: Platform) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.platform = platform
        self.log = platform.settings.home / "up.log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "clearer_platform.cli", "up", "--port", str(self.port)],
                env=environment(platform), stdout=log, stderr=log,
            )  # fmt: skip

    @property
    def url(self) -> str:
        """Where the UI answers."""
        return f"http://127.0.0.1:{self.port}"

    def wait(self) -> None:
        """Wait until the UI answers."""
        until = time.monotonic() + 180
        while time.monotonic() < until:
            if self.process.poll() is not None:
                raise RuntimeError(f"clearer up ended with {self.process.returncode}; see {self.log}")
            try:
                with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"{self.url}/server_info"):
                    return
            except OSError:
                time.sleep(0.2)
        raise RuntimeError(f"clearer up does not answer; see {self.log}")

    def daemon(self) -> psutil.Process | None:
        """The daemon's process."""
        return self._child("dagster-daemon")

    def forking(self) -> psutil.Process | None:
        """The process that runs are forked from."""
        return self._child("clearer_platform.defs")

    def a_run(self) -> psutil.Process | None:
        """The process of some run, if there is any."""
        forking = self.forking()
        try:
            return next((c for c in forking.children() if c.cmdline() == forking.cmdline()), None) if forking else None
        except psutil.NoSuchProcess:
            return None  # It has just ended.

    def _child(self, word: str) -> psutil.Process | None:
        try:
            children = psutil.Process(self.process.pid).children()
            return next((c for c in children if any(part.endswith(word) for part in c.cmdline())), None)
        except psutil.NoSuchProcess:
            return None

    def close(self) -> None:
        """End it as a user does."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=60)


@contextmanager
def up(platform: Platform) -> Iterator[Up]:
    """`clearer up`, answering; ended afterwards."""
    running = Up(platform)
    try:
        running.wait()
        yield running
    finally:
        running.close()


def idle(platform: Platform) -> bool:
    """Whether no run is queued or started."""
    import dagster as dg

    from clearer_platform.defs.runs import instance

    with instance(platform) as found:
        return not found.get_run_records(dg.RunsFilter(statuses=UNFINISHED), limit=1)


def until_idle(platform: Platform) -> None:
    """Wait until no run is queued or started."""
    deadline = time.monotonic() + PATIENCE
    while not idle(platform):
        if time.monotonic() > deadline:
            raise RuntimeError("runs do not come to an end")
        time.sleep(0.3)
