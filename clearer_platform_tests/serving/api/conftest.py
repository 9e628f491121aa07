"""The service in this process, on a home whose gold was written by hand: no build is needed to look at an answer."""

import tomllib
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pytest
from fastapi import FastAPI

from clearer_platform.platform import Platform
from clearer_platform.serving.api import create_app
from clearer_platform.serving.api.keys import Keys
from clearer_platform.settings import PROJECT
from clearer_platform_tests.conftest import REGIONS, open_home

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # It wants another HTTP client, which is not needed for it.
    from starlette.testclient import TestClient

HIRING = """
[regions.mx]
timezone = "UTC"
currency = "MXN"
root = "mx"
start = 2024-03-01
[regions.mx.csv]
header = false
datetime = "%Y-%m-%dT%H:%M:%SZ"
[regions.mx.tables.departments]
[regions.mx.tables.jobs]
[regions.mx.tables.hired_employees]
"""
GOLD = """
create schema gold;
create table gold.hires_by_quarter
  (region varchar, year integer, department varchar, job varchar, q1 bigint, q2 bigint, q3 bigint, q4 bigint);
insert into gold.hires_by_quarter values
  ('mx', 2021, 'Sales', 'Clerk', 1, 0, 2, 0), ('mx', 2021, 'Sales', '=cmd|''/c calc''!A0', 0, 3, 0, 0),
  ('mx', 2021, 'Legal', '-Ähm, "so"', 0, 0, 0, 4), ('mx', 2020, 'Sales', 'Clerk', 9, 9, 9, 9);
create table gold.departments_above_mean (region varchar, year integer, id bigint, department varchar, hired bigint);
insert into gold.departments_above_mean values
  ('mx', 2021, 9, 'Legal', 5), ('mx', 2021, 3, 'Sales', 5), ('mx', 2021, 7, '@Home', 8), ('mx', 2020, 1, 'Old', 99);
create table gold.branch_performance as
  select 'mx' as region, 'b' || n as branch_name, (n / 7)::decimal(18, 8) as revenue, n - 3 as change
  from range(5) as numbers(n);
"""
"""What a build might have written for mx."""


def declared_roles() -> dict[str, Any]:
    """The roles as the file says them, read without the code under test."""
    return tomllib.loads((PROJECT / "data" / "roles.toml").read_text("utf-8"))["roles"]


@dataclass
class Api:
    """The service, and who may be sent to it."""

    app: FastAPI
    platform: Platform
    client: TestClient
    tokens: dict[tuple[str, str], str] = field(default_factory=dict)

    def token(self, role: str, region: str = "mx") -> str:
        """A key of this role in this region, made on first use."""
        if (role, region) not in self.tokens:
            self.tokens[role, region] = Keys(self.platform.settings.home).create(role, region)[1]
        return self.tokens[role, region]

    def __call__(self, method: str, path: str, role: str | None = "senior_engineer", region: str = "mx", **options):
        """The answer to a request that somebody of this role makes (None: without a key)."""
        headers = dict(options.pop("headers", {}))
        if role:
            headers.setdefault("Authorization", f"Bearer {self.token(role, region)}")
        return self.client.request(method, path, headers=headers, **options)

    def get(self, path: str, **options):
        return self("GET", path, **options)

    def post(self, path: str, **options):
        return self("POST", path, **options)

    @property
    def audit(self) -> str:
        """What stands in the audit log."""
        file = self.platform.settings.home / "audit" / "api.jsonl"
        return file.read_text("utf-8") if file.exists() else ""


def problem(response, status: int, kind: str) -> dict[str, Any]:
    """The problem details of an answer, once it is sure that it is the problem expected, and whole."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    details = response.json()
    assert details["type"] == f"urn:clearer:problem:{kind}", details
    assert (details["status"], bool(details["title"])) == (status, True)
    assert "Traceback" not in response.text
    return details


def opened(home: Path, prepared_dbt: Path, **settings: object) -> Iterator[Api]:
    """The service on a new home."""
    generous = {"api_requests_per_minute": 1_000_000, "api_failures_per_minute": 1_000_000, "api_timeout": 250}
    platform = open_home(home, REGIONS + HIRING, prepared_dbt, **{**generous, **settings})
    (home / "mx").mkdir()
    with duckdb.connect(str(home / "mx" / "warehouse.duckdb")) as connection:
        connection.execute(GOLD)
    app = create_app(platform)
    with TestClient(app) as client:
        yield Api(app, platform, client)


@pytest.fixture(scope="session")
def api(tmp_path_factory, prepared_dbt) -> Iterator[Api]:
    """The service with generous limits, for every test that changes nothing."""
    yield from opened(tmp_path_factory.mktemp("api") / "home", prepared_dbt)


@pytest.fixture
def make_api(tmp_path, prepared_dbt):
    """A function that opens a service of its own with these settings; all are closed afterwards."""
    running = []

    def make(**settings: object) -> Api:
        running.append(opened(tmp_path / f"home{len(running)}", prepared_dbt, **settings))
        return next(running[-1])

    yield make
    for each in running:
        next(each, None)
