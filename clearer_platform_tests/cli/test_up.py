"""`clearer up` for real: the UI answers, one home has one, and nothing of it is left afterwards."""

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing, suppress
from itertools import takewhile
from pathlib import Path
from urllib.request import ProxyHandler, build_opener

import psutil
import pytest

from clearer_platform.sample.ports import free_port
from clearer_platform_tests.cli.conftest import Cli
from clearer_platform_tests.cli.test_servers import gone
from clearer_platform_tests.conftest import share_dbt

QUERY = """{
  repositoriesOrError { __typename ... on RepositoryConnection { nodes { jobs { name runs { tags { key } } } } } }
}"""


@pytest.fixture(scope="module")
def project(few_models: Callable[..., Path]) -> Path:
    """A dbt project with few models: the process that runs are forked from builds all of them before it forks any."""
    return few_models("global_branch_performance_daily")


def ask(port: int) -> dict:
    """What the UI's API says of the code that it has loaded."""
    with build_opener(ProxyHandler({})).open(_request(port), timeout=60) as response:
        return json.load(response)


def _request(port: int):
    from urllib.request import Request

    return Request(
        f"http://127.0.0.1:{port}/graphql", json.dumps({"query": QUERY}).encode(), {"Content-Type": "application/json"}
    )


@pytest.mark.timeout(300)
def test_up(own):
    port, api_port = free_port(), free_port()
    ports = ["--port", str(port), "--api-port", str(api_port)]
    command = [sys.executable, "-m", "clearer_platform.cli", "up", *ports, "--home", str(own.home)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    tree: list[psutil.Process] = []
    try:
        lines = []
        for line in process.stdout or ():
            lines.append(line)
            if f"the UI answers at http://127.0.0.1:{port}" in line:
                break
        else:
            pytest.fail("".join(lines))
        (loaded,) = ask(port)["data"]["repositoriesOrError"]["nodes"]
        runs = {job["name"]: job["runs"] for job in loaded["jobs"]}
        assert [r for r in runs["region_days"] if "dagster/sensor_name" not in {tag["key"] for tag in r["tags"]}], (
            "a job's page has the runs of commands too"
        )
        for line in process.stdout or ():
            lines.append(line)
            if f"the REST service answers at http://127.0.0.1:{api_port}" in line:
                break
        else:
            pytest.fail("".join(lines))
        with build_opener(ProxyHandler({})).open(f"http://127.0.0.1:{api_port}/v1/health", timeout=10) as health:
            assert json.load(health)["status"] == "ok"
        tree = psutil.Process(process.pid).children(recursive=True)
        assert len(tree) >= 4, "the guard, the UI, the daemon, and what they started"
        error = own.error("up", "--port", free_port())
        assert f"runs on this home already (process {process.pid}, http://127.0.0.1:{port})" in error
    finally:
        process.send_signal(signal.SIGTERM)
        rest = process.communicate(timeout=60)[0]
    assert process.returncode == 0, rest
    assert gone(tree, within=1)
    assert "sensor" not in "".join([*lines, rest]), "that they look each second is no news"


@pytest.mark.timeout(300)
def test_the_api_of_a_sample_runs_as_long_as_its_home_does(tmp_path, prepared_dbt):
    """The daemon's runs and the user's own commands find it, with its secret, and it ends with the rest."""
    cli, port = Cli(share_dbt(tmp_path / "home", prepared_dbt)), free_port()
    cli("sample", "--days", "1", "--per-day", "3")
    mark = json.loads((cli.home / "sample.json").read_text())
    command = [sys.executable, "-m", "clearer_platform.cli", "up", "--port", str(port), "--home", str(cli.home)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        lines = list(takewhile(lambda line: "the UI answers" not in line, process.stdout or ()))
        assert process.poll() is None, "".join(lines)
        with closing(socket.create_connection(("127.0.0.1", mark["port"]), timeout=30)):
            pass
        children = psutil.Process(process.pid).children(recursive=True)
        daemon = next(p for p in children if any(word.endswith("dagster-daemon") for word in p.cmdline()))
        assert daemon.environ()["CLEARER_SAMPLE_TOKEN"] == f"Bearer {mark['token']}"
        assert [window["day"] for window in cli.json("fetch", "--from", "2024-10-24")] == ["2024-10-24"]
    finally:
        process.send_signal(signal.SIGTERM)
        rest = process.communicate(timeout=60)[0]
    assert process.returncode == 0, rest
    with closing(socket.socket()) as probe:
        assert probe.connect_ex(("127.0.0.1", mark["port"])) != 0


@pytest.mark.parametrize("option", ["--port", "--api-port"])
def test_a_port_that_is_taken(empty, option):
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        error = empty.error("up", "--port", free_port(), option, taken.getsockname()[1])
    assert "cannot listen on 127.0.0.1:" in error
    assert f"choose another with {option}" in error


def test_a_host_that_is_not_ours(own):
    assert "cannot listen on 192.0.2.1" in own.error("up", "--host", "192.0.2.1", "--port", free_port())


def test_a_server_that_ends_by_itself_ends_all(own, monkeypatch):
    monkeypatch.setattr("clearer_platform.cli.servers.script", lambda _: sys.executable)
    began = time.monotonic()
    error = own.error("up", "--port", free_port())
    assert "process ended by itself" in error
    assert time.monotonic() - began < 60
    assert not [p for p in psutil.Process().children(recursive=True) if is_guard(p)]


def is_guard(process: psutil.Process) -> bool:
    """Whether it is what ends the servers of one that is gone; a process that has ended has no command line."""
    with suppress(psutil.Error):
        return "guard.py" in " ".join(process.cmdline())
    return False
