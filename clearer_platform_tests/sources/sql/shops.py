"""Tables on servers for tests: their contracts, the registry that names them, and filling them."""

from collections.abc import Iterable, Mapping
from typing import Optional

import ibis.expr.datatypes as dt
import pandera.ibis as pa
from sqlalchemy import URL, text

from clearer_platform.contracts import Contract
from clearer_platform.contracts.fields import Instant
from clearer_platform_tests.conftest import client


class Orders(pa.DataFrameModel):
    """Orders; the latest row of one wins."""

    id: dt.Int64 = pa.Field(description="Number.")
    note: str = pa.Field(nullable=True, description="What the customer wrote.")
    amount: dt.Decimal(20, 4) = pa.Field(nullable=True, description="Amount.")  # type: ignore[valid-type]
    paid: bool = pa.Field(nullable=True, description="Whether it was paid.")
    placed_at: Instant = pa.Field(nullable=True, description="When it was placed (UTC).")
    due: dt.Date = pa.Field(nullable=True, description="When it is due.")
    gone: Optional[bool] = pa.Field(nullable=True, description="Whether it was deleted.", metadata={"default": "false"})


ORDERS = Contract(name="orders", domain="test", model=Orders, key=("id",), event_time="placed_at", tombstone="gone")


def registry(url: URL, *, entry: str = "", timezone: str = "Europe/Berlin", table: str = "orders") -> str:
    """A registry whose one region reads `orders` from the server at `url`."""
    return f"""
[regions.eu]
timezone = "{timezone}"
currency = "EUR"
root = "eu"
start = 2024-03-01
[regions.eu.sql]
url = "{_without_password(url)}"
{'password_env = "SHOP_PASSWORD"' if url.password else ""}
[regions.eu.tables.orders]
days = []
[regions.eu.tables.orders.sql]
table = "{table}"
{entry}
"""


def _without_password(url: URL) -> str:
    if url.host is None:
        return str(url)
    return f"{url.get_backend_name()}://{url.username}@{url.host}:{url.port}/{url.database}"


def run(url: URL, *statements: str, values: Iterable[Mapping[str, object]] = ()) -> None:
    """Run statements on a server, the last one for each of the `values`."""
    engine = client(url)
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement), [*values] if values and statement is statements[-1] else [])
    engine.dispose()
