"""The OpenAPI document: it is whole, and nothing that it allows or forbids makes the service fail."""

import re
from contextlib import suppress

import pytest
import schemathesis
from fastapi.routing import iter_route_contexts
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from clearer_platform.serving.api.access import GuardedRoute
from clearer_platform_tests.serving.api.conftest import opened

CHECKS = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    unsupported_method,
)


@pytest.fixture(scope="session")
def open_api(tmp_path_factory, prepared_dbt):
    """A service of its own: what is tried may write."""
    for api in opened(tmp_path_factory.mktemp("openapi") / "home", prepared_dbt):
        assert api.app.state.service.models, "the dbt project is read here, and not while an answer is waited for"
        yield api


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_nothing_makes_it_fail(open_api, mode):
    """Few examples an operation, and always the same ones: the run has to be short."""
    described = schemathesis.openapi.from_asgi("/v1/openapi.json", open_api.app)
    header = {"Authorization": f"Bearer {open_api.token('senior_engineer')}"}
    tried = set()
    for found in described.get_all_operations():
        operation = found.ok()

        @given(case=operation.as_strategy(generation_mode=mode))
        @settings(
            max_examples=8,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        def ask(case):
            if mode is GenerationMode.POSITIVE and "table" in case.path_parameters:
                case.path_parameters["table"] = "branch_performance" if case.method == "GET" else "departments"
            response = case.call(headers={**(case.headers or {}), **header})
            case.validate_response(response, checks=CHECKS, headers=header)
            tried.add((f"{case.method} {case.path}", response.status_code))

        with suppress(Unsatisfiable):  # Nothing that is asked without parameters can be asked wrongly.
            ask()
    assert not [each for each in tried if each[1] >= 500]
    if mode is GenerationMode.POSITIVE:
        assert ("POST /v1/migrate/{table}", 201) in tried, "it got beyond the door"


def test_every_endpoint_is_described_with_its_problems(api):
    document = api.app.openapi()
    for context in iter_route_contexts(api.app.routes):
        route = context.original_route
        if not isinstance(route, GuardedRoute) or not route.include_in_schema:
            continue
        for method in context.methods:
            operation = document["paths"][context.path][method.lower()]
            assert operation["description"], context.path
            assert "application/problem+json" in operation["responses"]["default"]["content"]
            if route.rule.needs_key:
                assert operation["security"] == [{"api_key": []}]
                assert {"401", "403", "422", "429"} <= set(operation["responses"])


def test_the_document_has_examples_of_what_is_sent_and_of_what_comes(api):
    document = api.app.openapi()
    body = document["paths"]["/v1/migrate/{table}"]["post"]["requestBody"]["content"]
    assert set(body) == {"application/json", "text/csv"}
    assert all("example" in media for media in body.values())
    year = document["paths"]["/v1/reports/hires-by-quarter"]["get"]["parameters"][0]
    assert year["schema"]["examples"] == [2021] or year.get("examples") == [2021]
    assert document["components"]["schemas"]["ProblemDetails"]["required"] == ["type", "title", "status"]


def test_the_page_shows_the_document_and_needs_no_key(api):
    page = api.get("/v1/docs", role=None)
    assert page.headers["content-type"].startswith("text/html")
    assert "/v1/openapi.json" in page.text
    assert api.get("/v1/openapi.json", role=None).json()["openapi"].startswith("3.1")


def test_the_page_asks_no_other_server_for_anything(api):
    page = api.get("/v1/docs", role=None)
    loaded = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert loaded == ["docs/swagger-ui.css", "docs/favicon.png", "docs/swagger-ui-bundle.js"]
    for asset in loaded:
        answer = api.get(f"/v1/{asset}", role=None)
        assert (answer.status_code, len(answer.content) > 1000) == (200, True), asset
    assert "://" not in page.headers["content-security-policy"]
    assert api.get("/v1/docs/..%2f__init__.py", role=None).status_code in (404, 422)
