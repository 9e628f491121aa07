"""Whatever goes wrong is a problem that says what to do, and gives nothing away."""

import pytest

from clearer_platform import errors
from clearer_platform.serving.api.problems import of_error
from clearer_platform.sources import batches
from clearer_platform_tests.serving.api.conftest import problem

SECRET = "Zyxwv Qponm"


def test_what_is_not_there(api):
    for path in ("/", "/v1", "/v1/", "/v1/nope", "/v1/tables/", "/v2/health", "/docs", "/openapi.json"):
        problem(api.get(path), 404, "not-found")


def test_a_method_that_is_not_there_names_those_that_are(api):
    answer = api("DELETE", "/v1/tables")
    problem(answer, 405, "method-not-allowed")
    assert answer.headers["allow"] == "GET"


def test_health_needs_no_key(api):
    answer = api.get("/v1/health", role=None)
    assert answer.json()["status"] == "ok"
    assert set(answer.json()) == {"status", "version"}


@pytest.mark.parametrize("path", ["/v1/health", "/v1/nope", "/v1/tables", "/v1/docs"])
def test_every_answer_tells_browsers_to_be_careful(api, path):
    headers = api.get(path, role=None).headers
    assert (headers["x-content-type-options"], headers["cache-control"]) == ("nosniff", "no-store")
    assert "default-src 'none'" in headers["content-security-policy"]


def test_what_nobody_expected_says_nothing_of_itself(make_api, monkeypatch, capfd):
    api = make_api()

    def fails(*_, **__):
        raise RuntimeError(f"could not do it for {SECRET}")

    monkeypatch.setattr("clearer_platform.serving.batches.summary", fails)
    answer = api.get("/v1/batches/summary")
    hint = problem(answer, 500, "unexpected")["hint"]
    trace = (api.platform.settings.home / hint.rpartition(" ")[2]).read_text()
    assert "summary" in trace and "RuntimeError" in trace
    said = "".join(capfd.readouterr())
    assert SECRET not in answer.text + trace + said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        (errors.UnknownName("table", "x", ["y"]), 404, "unknown-name"),
        (batches.UnknownBatch("m"), 404, "unknown-name"),
        (errors.NotBuilt("m"), 404, "not-built"),
        (errors.NothingYet("eu", "t", None, None), 404, "not-built"),
        (batches.MalformedBatch("m"), 400, "malformed-batch"),
        (batches.TooManyRows("m"), 413, "too-many-rows"),
        (batches.KeyReused("m"), 422, "idempotency-key-reused"),
        (batches.EmptyBatch("m"), 422, "refused-batch"),
        (batches.UnknownColumn("m"), 422, "refused-batch"),
        (errors.BackupError("m"), 409, "unusable-backup"),
        (errors.ClearerError("m"), 409, "refused"),
    ],
)
def test_errors_whose_words_are_for_whoever_asks(error, status, kind):
    error.hint = "do this"
    details = of_error(error).details
    assert (details.status, details.type.rpartition(":")[2]) == (status, kind)
    assert (details.detail, details.hint) == (error.message, "do this")


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        (errors.StorageError("cannot read /srv/eu"), 500, "out-of-order"),
        (errors.BuildError("/srv/eu"), 500, "out-of-order"),
        (errors.ContractError("/srv/eu"), 500, "out-of-order"),
        (errors.RegistryError("/srv/eu"), 500, "out-of-order"),
        (errors.Unreachable("cannot read /srv/eu"), 503, "unreachable"),
        (errors.Busy("/srv/eu/gold.lock is held"), 503, "busy"),
    ],
)
def test_errors_that_name_paths_are_not_passed_on(error, status, kind):
    error.hint = "look at /srv/eu"
    found = of_error(error)
    assert (found.status_code, found.kind) == (status, kind)
    assert "/srv" not in found.details.model_dump_json()
    assert ("Retry-After" in (found.headers or {})) == (status == 503)


def test_parameters_that_do_not_fit_are_named_and_not_repeated(api):
    answer = api.get(f"/v1/batches?limit={SECRET}&status={SECRET}&after=/etc")
    places = [error["where"] for error in problem(answer, 422, "invalid-request")["errors"]]
    assert sorted(places) == ["query.after", "query.limit", "query.status"]
    assert SECRET not in answer.text
