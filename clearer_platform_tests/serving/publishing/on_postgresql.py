"""A PostgreSQL to publish to, and looking at what is there."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from sqlalchemy import URL

from clearer_platform.regions import DatabaseTarget
from clearer_platform.serving.publishing import postgresql as publishing
from clearer_platform.serving.publishing.publication import Part, Published
from clearer_platform_tests.serving.publishing.by_hand import Row, every_kind, silent

TABLE = every_kind()
SOME: list[Row] = [
    {"id": "a", "note": "", "amount": Decimal("1.10"), "n": 1},
    {"id": "b", "note": None, "amount": Decimal("2.20"), "n": 2},
    {"id": "c", "amount": Decimal("3.30"), "n": 3},
]


def target_of(url: URL, **other: Any) -> DatabaseTarget:
    """A target at `url`, whose password the environment has."""
    entry = {"name": "bi", "kind": "postgresql", "tables": ("*",), "schema_name": "gold", "lock_timeout": 0.3}
    address = f"postgresql://{url.username}@{url.host}:{url.port}/{url.database}"
    return DatabaseTarget.model_validate({**entry, "url": address, "password_env": "TARGET_PASSWORD", **other})


@pytest.fixture
def target(warehouse: URL, monkeypatch: pytest.MonkeyPatch) -> DatabaseTarget:
    """An empty database, and a schema that is not there yet."""
    monkeypatch.setenv("TARGET_PASSWORD", str(warehouse.password))
    return target_of(warehouse)


@pytest.fixture
def admin(warehouse: URL):
    """A connection of somebody else's."""
    with psycopg.connect(warehouse.set(drivername="postgresql").render_as_string(False), autocommit=True) as connection:
        yield connection


def put(target: DatabaseTarget, *parts: Part, force: bool = False) -> list[Published]:
    return publishing.publish(target, parts, force=force, advance=silent)


def counts(done: Sequence[Published]) -> list[tuple[int, int, int, int]]:
    return [(one.added, one.changed, one.removed, one.unchanged) for one in done]


def there(admin: psycopg.Connection, table: str = "every_kind", more: str = "") -> list[Any]:
    return admin.execute(f"SELECT * {more} FROM gold.{table} ORDER BY region, id".encode()).fetchall()
