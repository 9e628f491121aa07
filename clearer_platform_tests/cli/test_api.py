"""`clearer api-keys` and `clearer api`. (The service itself: serving/api.)"""

import socket
from contextlib import closing

from clearer_platform.serving.api.keys import Keys


def test_keys_are_shown_once(empty):
    made = empty("api-keys", "create", "--role", "junior_engineer", "--region", "eu", "--name", "loader")
    token = made.stdout.strip()
    assert Keys(empty.home).known(token).role == "junior_engineer"
    assert "cannot be shown again" in made.stderr
    listed = empty("api-keys", "list").stdout
    assert "loader" in listed and "junior_engineer" in listed
    assert token.split("_")[2] not in listed
    (key,) = empty.json("api-keys", "list")
    assert set(key) == {"id", "name", "role", "region", "created_at", "revoked_at"}
    empty("api-keys", "revoke", key["id"])
    assert empty.json("api-keys", "list")[0]["revoked_at"]


def test_keys_as_json(empty):
    made = empty.json("api-keys", "create", "--role", "senior_analyst", "-r", "us")
    assert Keys(empty.home).known(made["key"]).id == made["id"]
    assert "sha256" not in made


def test_keys_that_cannot_be(empty):
    assert "known: junior_analyst" in empty.error("api-keys", "create", "--role", "emperor", "--region", "eu")
    assert "known: eu, us" in empty.error("api-keys", "create", "--role", "junior_analyst", "--region", "atlantis")
    assert "unknown API key" in empty.error("api-keys", "revoke", "nope")
    assert not Keys(empty.home).all()
    assert "there are no API keys" in empty("api-keys", "list").stdout


def test_a_port_that_is_taken(empty):
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        error = empty.error("api", "--port", taken.getsockname()[1])
    assert "cannot listen on 127.0.0.1:" in error
    assert "--port" in error


def test_roles_that_cannot_be_stop_it_before_it_listens(empty, tmp_path, monkeypatch):
    (tmp_path / "roles.toml").write_text("[roles.clerk]\n")
    monkeypatch.setenv("CLEARER_ROLES_FILE", str(tmp_path / "roles.toml"))
    assert "roles.clerk.grants" in empty.error("api", "--port", "1")
