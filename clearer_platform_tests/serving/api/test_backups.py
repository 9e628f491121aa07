"""Backups over HTTP: within the key's region, by ids alone."""

import pytest

from clearer_platform_tests import flow
from clearer_platform_tests.serving.api.conftest import opened, problem


@pytest.fixture(scope="module")
def api(tmp_path_factory, prepared_dbt):
    """A service whose region mx has departments and jobs in silver."""
    for api in opened(tmp_path_factory.mktemp("backups") / "home", prepared_dbt):
        flow.deliver(api.platform, "mx", "departments", "1,Sales\n2,Legal\n")
        flow.deliver(api.platform, "mx", "jobs", "1,Clerk\n")
        flow.bring_up(api.platform, "mx")
        yield api


@pytest.fixture(scope="module")
def backup(api):
    """A backup of departments."""
    answer = api.post("/v1/backups/departments", role="junior_engineer")
    assert answer.status_code == 201, answer.text
    return answer.json()


def test_a_backup_says_what_is_in_it_and_not_where(api, backup):
    assert (backup["region"], backup["table"], backup["layer"], backup["rows"]) == ("mx", "departments", "silver", 2)
    assert len(backup["sha256"]) == 64 and backup["bytes"] > 0
    assert str(api.platform.settings.home) not in str(backup)


def test_backups_are_listed_for_whom_they_concern(api, backup):
    assert backup in api.get("/v1/backups?table=departments", role="junior_engineer").json()
    assert {b["table"] for b in api.get("/v1/backups").json()} == {"departments"}
    assert api.get("/v1/backups", role="senior_scientist").json() == [], "gold alone concerns them"
    assert api.get("/v1/backups", region="eu").json() == []
    assert api.get("/v1/backups?table=jobs").json() == []


def test_a_restore_is_a_delivery_of_today(api, backup):
    answer = api.post("/v1/restore/departments", json={"backup": backup["id"]})
    assert answer.status_code == 200, answer.text
    restored = answer.json()
    assert restored["backup"] == backup
    assert restored["day"] and restored["slot"]


@pytest.mark.parametrize(
    "name",
    [
        "",
        "../departments",
        "/etc/passwd",
        "s3://elsewhere/x.avro",
        "departments",
        "departments-1-x",
        "departments.avro",
    ],
)
def test_a_backup_is_named_by_its_id_and_never_by_a_path(api, name):
    errors = problem(api.post("/v1/restore/departments", json={"backup": name}), 422, "invalid-request")["errors"]
    assert [error["where"] for error in errors] == ["body.backup"]


def test_backups_that_cannot_be_put_back(api, backup):
    nobodys = backup["id"][:-16] + "0" * 16
    answer = api.post("/v1/restore/departments", json={"backup": nobodys})
    problem(answer, 409, "unusable-backup")
    problem(api.post("/v1/restore/jobs", json={"backup": backup["id"]}), 409, "unusable-backup")
    for body in (b"", b"[]", b"{", b'{"backup": 1}', b'{"back": "x"}'):
        answer = api.post("/v1/restore/departments", content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code in (400, 422), body
        assert answer.headers["content-type"] == "application/problem+json"
