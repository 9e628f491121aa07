"""`python -m bench.service`: rows a second into hired_employees, at batch sizes 1,000 and 1, by 1 and by 8 clients.

The platform's service and the usual row-by-row one each get the same rows for the same seconds; what was answered is
counted in what was written afterwards. One row of a hundred lacks its name.
"""

import argparse
import json
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from rich.console import Console
from rich.table import Table

from bench.service import services
from bench.service.services import Service

TARGET = 10.0
INVALID_EVERY = 100


@dataclass(frozen=True)
class Rate:
    """What one service did in one setting."""

    rows: float
    """Rows answered a second."""
    median_ms: float
    """Milliseconds until a batch was answered, the median."""
    is_right: bool
    """Whether as many rows were written as were answered valid."""


def main() -> int:
    """0 where every row that was answered is there and the target is met; 1 otherwise."""
    parser = argparse.ArgumentParser(prog="python -m bench.service", description=__doc__)
    parser.add_argument("--seconds", type=float, default=8, help="for each setting")
    asked = parser.parse_args()
    settings = [(size, clients) for size in (1000, 1) for clients in (1, 8)]
    found: dict[tuple[str, int, int], Rate] = {}
    for name, start in services.ALL.items():
        for size, clients in settings:
            with (
                tempfile.TemporaryDirectory(prefix="clearer-bench-") as folder,
                _started(start, Path(folder)) as service,
            ):
                found[name, size, clients] = _measured(service, size, clients, asked.seconds)
    console = Console(width=None if sys.stdout.isatty() else 120)
    console.print(_table(found, settings))
    least = min(found["clearer_platform", 1000, n].rows / found["row by row", 1000, n].rows for n in (1, 8))
    is_right = all(rate.is_right for rate in found.values())
    console.print(f"{'met   ' if least >= TARGET else 'MISSED'}  {least:.1f} x row by row at 1,000 rows (at least 10)")
    console.print("equal   every row that was answered is there" if is_right else "NOT EQUAL  rows are lost or doubled")
    return 0 if is_right and least >= TARGET else 1


@contextmanager
def _started(start: Callable[[Path], Service], folder: Path) -> Iterator[Service]:
    service = start(folder)
    try:
        yield service
    finally:
        service.process.kill()
        service.process.wait()


def _measured(service: Service, size: int, clients: int, seconds: float) -> Rate:
    """Send for some seconds; how fast it went, and whether all is there."""
    numbers, answered, times, lock = iter(range(10**9)), [0, 0], [], threading.Lock()
    with httpx.Client(base_url=service.url, headers=service.headers, timeout=120) as client:
        _post(client, service, [0])  # what is loaded or compiled on first use
    until = time.monotonic() + seconds

    def send() -> None:
        with httpx.Client(base_url=service.url, headers=service.headers, timeout=120) as client:
            while time.monotonic() < until:
                with lock:
                    batch = next(numbers)
                begin = time.monotonic()
                valid = _post(client, service, range(1 + batch * size, 1 + (batch + 1) * size))
                with lock:
                    times.append(time.monotonic() - begin)
                    answered[0] += size
                    answered[1] += valid

    begin = time.monotonic()
    threads = [threading.Thread(target=send) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.monotonic() - begin
    with httpx.Client(base_url=service.url, headers=service.headers, timeout=120) as client:
        there = service.written(client) - 1
    return Rate(answered[0] / took, sorted(times)[len(times) // 2] * 1000, there == answered[1])


def _post(client: httpx.Client, service: Service, numbers: "range | list[int]") -> int:
    """Send a batch; the number of rows that it says are valid."""
    rows = [_row(number) for number in numbers]
    content = json.dumps(rows).encode()
    response = client.post(service.path, content=content, headers={"Content-Type": "application/json"})
    response.raise_for_status()
    return service.valid(response.json())


def _row(number: int) -> dict[str, object]:
    row = {
        "id": number,
        "name": f"Somebody Or-Other {number}",
        "datetime": f"2021-{number % 12 + 1:02}-{number % 28 + 1:02}T{number % 24:02}:00:00Z",
        "department_id": number % services.DEPARTMENTS + 1,
        "job_id": number % services.JOBS + 1,
    }
    return {**row, "name": None} if number % INVALID_EVERY == INVALID_EVERY - 1 else row


def _table(found: dict[tuple[str, int, int], Rate], settings: list[tuple[int, int]]) -> Table:
    table = Table(title="Rows a second into hired_employees, and the median milliseconds of a batch")
    table.add_column("")
    for size, clients in settings:
        table.add_column(f"{size:,} a batch\n{clients} client{'s' if clients > 1 else ''}", justify="right")
    for name in services.ALL:
        rates = [found[name, size, clients] for size, clients in settings]
        table.add_row(name, *(f"{rate.rows:,.0f}\n{rate.median_ms:,.1f} ms" for rate in rates))
    return table


if __name__ == "__main__":
    sys.exit(main())
