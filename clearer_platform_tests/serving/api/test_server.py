"""The service as a process of its own: what it has answered is on the disk, however it ends."""

import os
import signal
import socket
import subprocess
import sys
from contextlib import closing

import httpx
import pytest

from clearer_platform.sample.ports import free_port
from clearer_platform.serving import batches
from clearer_platform.serving.api.keys import Keys
from clearer_platform.sources.batches import Status
from clearer_platform_tests.conftest import REGIONS, open_home
from clearer_platform_tests.serving.api.conftest import HIRING


class Server:
    """`clearer api` on a home."""

    def __init__(self, platform, token):
        self.platform, self.port = platform, free_port()
        environment = {**os.environ, "CLEARER_HOME": str(platform.settings.home)}
        command = [sys.executable, "-m", "clearer_platform.cli", "api", "--port", str(self.port)]
        self.process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        first = self.process.stdout.readline().decode()
        assert f"the REST service answers at http://127.0.0.1:{self.port}/v1/docs" in first, first
        assert "clearer materialize" in self.process.stdout.readline().decode(), "it says how rows reach gold"
        self.client = httpx.Client(
            base_url=f"http://127.0.0.1:{self.port}",
            headers={"Authorization": f"Bearer {token}"},
            trust_env=False,
            timeout=30,
        )

    def send(self, number):
        """The answer to a batch of one row, which has a key of its own."""
        row = [{"id": number, "department": f"D{number}"}]
        return self.client.post("/v1/migrate/departments", json=row, headers={"Idempotency-Key": f"{number}"})

    def end(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        self.client.close()
        assert "Traceback" not in self.process.communicate(timeout=60)[0].decode()


@pytest.fixture
def platform(tmp_path, prepared_dbt):
    return open_home(tmp_path / "home", REGIONS + HIRING, prepared_dbt)


@pytest.fixture
def start(platform):
    """Start the service; whatever is left of it is ended."""
    token = Keys(platform.settings.home).create("senior_engineer", "mx")[1]
    started = []

    def begin():
        started.append(Server(platform, token))
        return started[-1]

    yield begin
    for server in started:
        server.process.kill()
        server.process.wait()


@pytest.mark.timeout(120)
def test_what_was_answered_survives_a_kill_and_is_not_written_twice(start, platform):
    server = start()
    answered = []
    for number in range(5):
        answer = server.send(number)
        assert answer.status_code == 201, answer.text
        answered.append(answer.json()["id"])
    server.end(signal.SIGKILL)
    found = batches.listed(platform, "mx")
    assert [record.id for record in found] == answered
    assert {record.status for record in found} == {Status.RECEIVED}
    again = start()
    for number in range(6):
        answer = again.send(number)
        assert answer.status_code == (200 if number < 5 else 201)
    assert again.client.get("/v1/batches/summary").json()["batches"] == 6
    again.end()
    assert again.process.returncode == 0


@pytest.mark.timeout(120)
def test_what_is_no_http_or_too_much_of_it(start):
    server = start()

    def raw(data):
        with closing(socket.create_connection(("127.0.0.1", server.port), timeout=10)) as connection:
            try:
                connection.sendall(data)
                connection.shutdown(socket.SHUT_WR)
                return connection.recv(65536)
            except TimeoutError:
                raise
            except OSError:  # Closed before all was sent: reset, or no longer connected.
                return b"closed"

    assert b" 400 " in raw(b"NONSENSE\r\n\r\n").split(b"\r\n")[0]
    assert b" 200 " not in raw(b"GET /v1/health HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 1_000_000 + b"\r\n\r\n")
    cut_off = b"POST /v1/migrate/jobs HTTP/1.1\r\nHost: x\r\nContent-Type: text/csv\r\nContent-Length: 100\r\n"
    authorized = cut_off + f"Authorization: {server.client.headers['Authorization']}\r\n\r\n1,Cl".encode()
    raw(authorized)  # The client goes away in the middle of its body.
    assert server.client.get("/v1/batches/summary").json()["batches"] == 0
    big = server.client.post("/v1/migrate/jobs", content=b"1" * 5_000_000, headers={"Content-Type": "text/csv"})
    assert big.status_code == 413
    health = server.client.get("/v1/health")
    assert health.json()["status"] == "ok"
    assert "server" not in health.headers
    logs = server.platform.settings.home / "logs"
    assert not logs.exists() or not list(logs.iterdir()), "nothing of this was unexpected"
