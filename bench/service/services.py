"""The services that are measured, each started in a folder of its own with its departments and jobs."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

PROJECT = Path(__file__).resolve().parents[2]
DEPARTMENTS, JOBS, REGION = 12, 183, "bench"
REGISTRY = f"""
reporting_currency = "EUR"
[regions.{REGION}]
timezone = "UTC"
currency = "EUR"
root = "{REGION}"
[regions.{REGION}.csv]
datetime = "%Y-%m-%dT%H:%M:%SZ"
[regions.{REGION}.tables.departments]
[regions.{REGION}.tables.jobs]
[regions.{REGION}.tables.hired_employees]
"""


@dataclass(frozen=True)
class Service:
    """A running service, and how it is spoken to."""

    process: subprocess.Popen[bytes]
    url: str
    path: str
    headers: Mapping[str, str]
    valid: Callable[[Any], int]
    """Rows that an answer says are valid."""
    written: Callable[[httpx.Client], int]
    """Rows that are there."""


def platform(folder: Path) -> Service:
    """The platform's service, in a new home."""
    (folder / "regions.toml").write_text(REGISTRY)
    environment = {**os.environ, "CLEARER_HOME": str(folder), "CLEARER_API_REQUESTS_PER_MINUTE": "1000000"}
    command = [sys.executable, "-m", "clearer_platform.cli"]
    key = subprocess.run(
        [*command, "api-keys", "create", "--role", "junior_engineer", "--region", REGION],
        env=environment,
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    headers = {"Authorization": f"Bearer {key}"}
    port = _free_port()
    process = _started([*command, "api", "--port", str(port)], environment, f"http://127.0.0.1:{port}/v1/health")
    _filled(f"http://127.0.0.1:{port}", headers, "/v1/migrate/")

    def written(client: httpx.Client) -> int:
        said = client.get("/v1/batches/summary", params={"table": "hired_employees"}).raise_for_status().json()
        return int(said["written"])

    url = f"http://127.0.0.1:{port}"
    return Service(process, url, "/v1/migrate/hired_employees", headers, lambda said: int(said["valid"]), written)


def row_by_row(folder: Path, *, once_a_batch: bool = False) -> Service:
    """The usual service, on a new database."""
    port = _free_port()
    environment = {**os.environ, "DATABASE": str(folder / "rows.sqlite"), "ONCE_A_BATCH": "yes" if once_a_batch else ""}
    command = [sys.executable, "-m", "uvicorn", "bench.service.row_by_row:app", "--port", str(port)]
    url = f"http://127.0.0.1:{port}"
    process = _started([*command, "--log-level", "warning"], environment, f"{url}/count")
    _filled(url, {}, "/")

    def written(client: httpx.Client) -> int:
        return int(client.get("/count").raise_for_status().json())

    return Service(process, url, "/hired_employees", {}, lambda said: int(said["written"]), written)


ALL: dict[str, Callable[[Path], Service]] = {
    "clearer_platform": platform,
    "row by row": row_by_row,
    "row by row, one commit a batch": lambda folder: row_by_row(folder, once_a_batch=True),
}


def _filled(url: str, headers: Mapping[str, str], path: str) -> None:
    """Departments and jobs, which employees refer to."""
    with httpx.Client(base_url=url, headers=headers, timeout=60) as client:
        departments = [{"id": n + 1, "department": f"Department {n + 1}"} for n in range(DEPARTMENTS)]
        client.post(f"{path}departments", json=departments).raise_for_status()
        client.post(f"{path}jobs", json=[{"id": n + 1, "job": f"Job {n + 1}"} for n in range(JOBS)]).raise_for_status()


def _started(command: list[str], environment: Mapping[str, str], answers: str) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        command, env=environment, cwd=PROJECT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            if httpx.get(answers, timeout=5, trust_env=False).is_success:
                return process
        except httpx.TransportError:
            pass
        if process.poll() is not None:
            break
        time.sleep(0.1)
    process.kill()
    raise SystemExit(f"it does not answer: {' '.join(command)}")


def _free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])
