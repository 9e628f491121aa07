"""Every role on every endpoint, table and region, as the declaration says; an endpoint without a rule cannot be.

The walk is made from the application's own routes: a new endpoint is walked too, or the walk fails and says why. What
is allowed is worked out here from `data/roles.toml`, the registry and the models' YAML, without the code under test.
"""

import asyncio
import json
import tomllib
from itertools import product

import httpx
import pytest
import yaml
from fastapi import FastAPI
from fastapi.routing import APIRouter, iter_route_contexts

from clearer_platform.errors import ClearerError
from clearer_platform.serving.api import create_app
from clearer_platform.serving.api.access import GuardedRoute, any_role, guarded, public
from clearer_platform.serving.api.app import check_guarded
from clearer_platform.settings import PROJECT
from clearer_platform_tests.conftest import REGIONS
from clearer_platform_tests.serving.api.conftest import HIRING, declared_roles, problem

REGISTRY = tomllib.loads(REGIONS + HIRING)["regions"]
ROLES = declared_roles()
LAYERS = {
    "read": ["gold"],
    "write": ["silver"],
    "follow": ["silver"],
    "back_up": ["silver", "gold"],
    "restore": ["silver", "gold"],
}
NEEDED = {
    "/v1/migrate/{table}": {"content": b"[]", "headers": {"Content-Type": "application/json"}},
    "/v1/restore/{table}": {"json": {"backup": "jobs-20260331T101500.000000Z-0123456789abcdef"}},
    "/v1/reports/hires-by-quarter": {"params": {"year": 2021}},
    "/v1/reports/departments-above-mean": {"params": {"year": 2021}},
}
"""What a request needs beside its path to be a request at all."""
SAMPLES = {"asset": "swagger-ui.css", "batch_id": "20260331T101500.000000Z-0123"}


def routes(app):
    """Every endpoint that is behind a rule, by method."""
    return sorted(
        (method, context.path, context.original_route)
        for context in iter_route_contexts(app.routes)
        if isinstance(context.original_route, GuardedRoute)
        for method in context.methods
    )


def gold():
    """Each table of gold, and in which form it may leave its region."""
    found = {}
    for path in (PROJECT / "dbt" / "models" / "marts").rglob("*.yml"):
        for model in (yaml.safe_load(path.read_text("utf-8")) or {}).get("models", []):
            config = model.get("config", {})
            if not model["name"].endswith("_in"):  # What is computed for a time zone is no table.
                found[config.get("alias", model["name"])] = config.get("meta", {}).get("leaves")
    return found


GOLD = gold()


def may(role, operation, table):
    """What the declaration says."""
    entry = ROLES.get(role)
    if entry is None:
        return False
    for grant in entry["grants"]:
        for selector in grant["on"]:
            covers = table.startswith(selector[:-1]) if selector.endswith("*") else table == selector
            if operation in grant["may"] and covers:
                return True
    return may(entry.get("includes"), operation, table)


def forms(role):
    entry = ROLES[role]
    return {"aggregates", entry.get("sees", "aggregates")} | (
        forms(entry["includes"]) if "includes" in entry else set()
    )


def expected(role, operation, table, region):
    """404 where the region has no such table (and the role could do that anywhere), else what the declaration says."""
    if not any(operation in grant["may"] for grant in grants(role)):
        return 403
    full = [f"silver.{table}"] if "silver" in LAYERS[operation] and table in REGISTRY[region]["tables"] else []
    full += [f"gold.{table}"] if "gold" in LAYERS[operation] and table in GOLD else []
    if not full:
        return 404
    if not all(may(role, operation, name) for name in full):
        return 403
    leaves = {"aggregates", REGISTRY[region].get("leaves", "aggregates")} & forms(role)
    return "allowed" if operation != "read" or GOLD[table] in leaves else 403


def grants(role):
    entry = ROLES[role]
    return entry["grants"] + (grants(entry["includes"]) if "includes" in entry else [])


class Reached(ClearerError):
    """The endpoint's own work was reached."""


@pytest.fixture
def reached(monkeypatch):
    """No endpoint does anything: it says that it was reached."""

    def work(*_, **__):
        raise Reached("reached")

    for place in (
        "serving.batches.take",
        "serving.batches.find",
        "serving.batches.listed",
        "serving.batches.summary",
        "serving.backups.create",
        "serving.backups.listed",
        "serving.backups.restore",
        "serving.api.reports.read",
        "serving.api.tables.read",
    ):
        monkeypatch.setattr(f"clearer_platform.{place}", work)


def answered(response):
    """403, 404 for a table that is not there, or `allowed` for whatever comes after that."""
    kind = response.json().get("type") if response.status_code >= 400 else ""
    if response.status_code == 403 or kind == "urn:clearer:problem:unknown-name":
        return response.status_code
    assert kind in ("", "urn:clearer:problem:refused"), response.text
    return "allowed"


def asked(route, path, table):
    """The requests that put `table` to a route: in its path, or as the parameter `table`."""
    options = dict(NEEDED.get(path, {}))
    filled = path.replace("{table}", table)
    for name, value in SAMPLES.items():
        filled = filled.replace(f"{{{name}}}", value)
    assert "{" not in filled, f"{path}: a value for its parameters is to be added to SAMPLES"
    needs = {p.name for p in route.dependant.query_params if p.field_info.is_required()}
    assert needs <= set(options.get("params", {})), f"{path}: what it needs is to be added to NEEDED"
    if any(p.name == "table" for p in route.dependant.query_params):
        options = {**options, "params": {**options.get("params", {}), "table": table}}
    return filled, options


TABLES = sorted({table for region in REGISTRY.values() for table in region["tables"]} | set(GOLD) | {"nowhere"})


def wanted(route, path, role, table, region):
    """What a route has to answer."""
    operation, fixed = route.rule.operation, route.rule.fixed
    if fixed:
        return "allowed" if may(role, operation, fixed) else 403
    if table:
        return expected(role, operation, table, region)
    return "allowed" if any(operation in grant["may"] for grant in grants(role)) else 403


@pytest.mark.parametrize("role", ROLES)
def test_every_role_does_what_is_declared_and_nothing_else(api, reached, role):
    """In one event loop, for it is thousands of requests."""

    async def walk():
        asked_for = 0
        transport = httpx.ASGITransport(api.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            for region, (method, path, route) in product(REGISTRY, routes(api.app)):
                if route.rule.operation is None:
                    continue
                header = {"Authorization": f"Bearer {api.token(role, region)}"}
                named = "{table}" in path or any(p.name == "table" for p in route.dependant.query_params)
                for table in TABLES if named else [""]:
                    filled, options = asked(route, path, table)
                    headers = {**header, **options.pop("headers", {})}
                    answer = answered(await client.request(method, filled, headers=headers, **options))
                    assert answer == wanted(route, path, role, table, region), (method, path, role, region, table)
                    asked_for += 1
        return asked_for

    assert asyncio.run(walk()) >= len(REGISTRY) * len(TABLES) * 7


def test_without_a_key_only_what_is_public_answers(api, reached):
    open_to_all = set()
    for method, path, route in routes(api.app):
        filled, options = asked(route, path, "jobs")
        answer = api(method, filled, role=None, **options)
        if answer.status_code != 401:
            open_to_all.add(path)
    assert open_to_all == {"/v1/health", "/v1/docs", "/v1/docs/{asset}"}


def test_methods_that_no_endpoint_has_are_refused(api):
    paths = {path for _, path, _ in routes(api.app)}
    known = {(method, path) for method, path, _ in routes(api.app)}
    for method, path in product(("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"), paths):
        if (method, path) not in known:
            assert api(method, path.replace("{table}", "jobs"), role="senior_engineer").status_code in (404, 405)


def test_an_endpoint_without_a_rule_cannot_be_declared():
    router = APIRouter(route_class=GuardedRoute)
    with pytest.raises(TypeError, match="/open: the endpoint naked has no rule"):

        @router.get("/open")
        def naked():
            """Nobody thought of who may call it."""


def test_an_application_with_an_unguarded_route_does_not_start(platform, monkeypatch):
    stray = APIRouter()

    @stray.get("/v1/stray")
    @guarded(public)
    def stray_endpoint():
        """It has a rule, but nothing that holds it."""

    monkeypatch.setattr("clearer_platform.serving.api.app.ENDPOINTS", (type("module", (), {"router": stray}),))
    with pytest.raises(TypeError, match="/v1/stray"):
        create_app(platform)
    app = FastAPI()
    with pytest.raises(TypeError, match="/docs"):
        check_guarded(app)


def test_any_role_still_needs_a_key(api):
    assert any_role.needs_key and not public.needs_key
    problem(api.get("/v1/tables", role=None), 401, "no-valid-key")


@pytest.mark.parametrize(
    "table", ["..", "%2e%2e", "..%2f..%2fetc%2fpasswd", "jobs%00", "JOBS", "jobs ", "gold.jobs", "é"]
)
def test_a_name_that_is_no_table_leads_nowhere(api, table):
    for method, path in (("GET", "/v1/tables/"), ("POST", "/v1/migrate/"), ("POST", "/v1/backups/")):
        assert api(method, path + table).status_code in (404, 405)
    for path in ("/v1/batches/", "/v1/batches?table=", "/v1/backups?table="):
        assert api.get(path + table).status_code in (404, 422)


def test_refused_attempts_are_written_down_without_secrets(make_api):
    api = make_api()
    token = api.token("junior_analyst")
    key_id = token.split("_")[1]
    secret = "clearer_" + key_id + "_" + "s" * 43
    api.get("/v1/tables?x=hidden", role=None, headers={"Authorization": f"Bearer {secret}", "User-Agent": "hidden"})
    api.post("/v1/backups/jobs", role="junior_analyst")
    api.post("/v1/migrate/jobs", role="junior_engineer", content=b"hidden", headers={"Content-Type": "image/png"})
    api.get("/v1/tables", role="junior_analyst")
    lines = [json.loads(line) for line in api.audit.splitlines()]
    assert [(line["key"], line["what"], line["status"], line["why"]) for line in lines] == [
        (key_id, "GET /v1/tables", 401, "no-valid-key"),
        (key_id, "POST /v1/backups/{table}", 403, "not-allowed"),
        (api.token("junior_engineer").split("_")[1], "POST /v1/migrate/{table}", 415, "unsupported-media-type"),
    ]
    assert all(line["at"] and line["address"] == "testclient" for line in lines)
    assert lines[2]["table"] == "silver.jobs"
    assert not [word for word in ("s" * 43, token.split("_", 2)[2], "hidden") if word in api.audit]


def test_the_audit_log_does_not_grow_for_ever(make_api):
    api = make_api(api_audit_bytes=2000)
    for _ in range(100):
        api.get("/v1/tables", role=None)
    files = list((api.platform.settings.home / "audit").iterdir())
    assert len(files) == 5
    assert sum(file.stat().st_size for file in files) <= 5 * 2000
