"""SoftCart: a web shop whose sales live in a MySQL-protocol server, and a warehouse in PostgreSQL that they go to.

The shop's table, sales made up by seed or read from extracts, what happens in a shop (sales, corrections,
cancellations), and the registry that carries them from the one server to the other.
"""

import csv
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

from sqlalchemy import Engine, NullPool, create_engine, text

from clearer_platform.errors import DeliveryError
from clearer_platform.sample.databases import DatabaseServer

REGION, TARGET = "softcart", "warehouse"
SHOP_PASSWORD, WAREHOUSE_PASSWORD = "SOFTCART_SHOP_PASSWORD", "SOFTCART_WAREHOUSE_PASSWORD"
"""The variables by which the registry names the servers' passwords."""
TABLE = "sales.sales_data"
SCHEMA = f"""CREATE TABLE {TABLE} (
    rowid INT NOT NULL PRIMARY KEY,
    product_id INT NOT NULL,
    customer_id INT NOT NULL,
    price DECIMAL(10, 2) NOT NULL,
    quantity INT NOT NULL,
    timestamp TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP
)"""
COLUMNS = ("rowid", "product_id", "customer_id", "price", "quantity", "timestamp")
OPENED = datetime(2020, 9, 5, 16, 20)
"""When the shop's first made-up sale was (UTC)."""
FOLDER = "for_loaders"
"""Where in the home the CSV for bulk loaders goes."""


@dataclass(frozen=True)
class Sale:
    """A row of the shop's table."""

    rowid: int
    product_id: int
    customer_id: int
    price: str
    quantity: int
    timestamp: str | None
    """UTC; None: the server's present."""


class Shop:
    """The shop's own database."""

    def __init__(self, server: DatabaseServer) -> None:
        # Sales go in by blocks: one statement a row would take minutes for a million.
        self.engine = create_engine(
            server.url, poolclass=NullPool, connect_args={"init_command": "SET time_zone='+00:00'"}
        )

    def open(self) -> None:
        """Create its table."""
        self._run("CREATE DATABASE sales", SCHEMA)

    def sell(self, sales: Iterable[Sale]) -> None:
        """Add sales."""
        some = list(sales)
        with_time = [vars(sale) for sale in some if sale.timestamp]
        without = [vars(sale) for sale in some if not sale.timestamp]
        with self.engine.begin() as connection:
            for columns, values in ((COLUMNS, with_time), (COLUMNS[:-1], without)):
                if values:
                    names = ", ".join(columns)
                    places = ", ".join(f":{name}" for name in columns)
                    connection.execute(text(f"INSERT INTO {TABLE} ({names}) VALUES ({places})"), values)

    def correct(self, rowids: Sequence[int]) -> None:
        """Sell one more of each, without touching what tells when it was sold."""
        self._change("UPDATE {table} SET quantity = quantity + 1, timestamp = timestamp WHERE rowid = :rowid", rowids)

    def cancel(self, rowids: Sequence[int]) -> None:
        """Delete sales."""
        self._change("DELETE FROM {table} WHERE rowid = :rowid", rowids)

    def totals(self) -> tuple[int, int]:
        """Number of sales, and the sum of price by quantity."""
        return totals(self.engine, TABLE, "price * quantity")

    def last(self) -> int:
        """The highest rowid; 0 without sales."""
        with self.engine.connect() as connection:
            return int(connection.execute(text(f"SELECT coalesce(max(rowid), 0) FROM {TABLE}")).scalar_one())

    def _run(self, *statements: str) -> None:
        with self.engine.begin() as connection:
            for statement in statements:
                connection.execute(text(statement))

    def _change(self, statement: str, rowids: Sequence[int]) -> None:
        if rowids:
            with self.engine.begin() as connection:
                connection.execute(text(statement.format(table=TABLE)), [{"rowid": rowid} for rowid in rowids])


def totals(engine: Engine, table: str, amount: str) -> tuple[int, int]:
    """Number of rows of a server's table, and the sum of an amount in hundredths."""
    with engine.connect() as connection:
        row = connection.execute(text(f"SELECT count(*), sum({amount}) FROM {table}")).one()
    return row[0], round((row[1] or 0) * 100)


@contextmanager
def warehouse(server: DatabaseServer) -> Iterator[Engine]:
    """The warehouse's database."""
    engine = create_engine(server.url, poolclass=NullPool)
    yield engine
    engine.dispose()


def made_up(first: int, number: int, seed: int = 2020) -> Iterator[Sale]:
    """So many sales from the rowid `first` on; the same seed and rowid give the same sale."""
    for rowid in range(first, first + number):
        chance = Random(seed * 1_000_003 + rowid)
        at = OPENED + timedelta(seconds=rowid)
        price = f"{chance.randrange(5_00, 5_000_00) / 100:.2f}"
        yield Sale(
            rowid, chance.randrange(6_000, 9_000), chance.randrange(1, 90_000), price, chance.randint(1, 5), f"{at}"
        )


def extract(path: Path) -> Iterator[Sale]:
    """The sales in a CSV extract of the shop, without a header; one without times counts from when it is loaded.

    Raises DeliveryError that names the line which is no sale.
    """
    with path.open(newline="", encoding="utf-8") as f:
        for number, row in enumerate(csv.reader(f), 1):
            try:
                rowid, product, customer, price, quantity, *at = row
                if len(at) > 1:
                    raise ValueError
                yield Sale(int(rowid), int(product), int(customer), f"{price}", int(quantity), at[0] if at else None)
            except ValueError:
                raise DeliveryError(f"{path.name} line {number} is no sale: {', '.join(COLUMNS)}") from None


def registry(shop: DatabaseServer, target: DatabaseServer, start: datetime) -> str:
    """The registry that carries the shop's sales to the warehouse."""
    return f"""# SoftCart: sales in a MySQL server -> gold -> a warehouse in PostgreSQL, and CSV for bulk loaders.
reporting_currency = "USD"

[regions.{REGION}]
title = "SoftCart"
timezone = "UTC"
currency = "USD"
root = "{REGION}"
leaves = "pseudonyms"       # what is published outside the region knows customers by pseudonyms
start = {start:%Y-%m-%d}

[regions.{REGION}.sql]
url = "mysql://{shop.url.username}@{shop.url.host}:{shop.port}"
password_env = "{SHOP_PASSWORD}"

[regions.{REGION}.tables.sales]
days = []                   # due on no day: the server is read every hour (CLEARER_SCHEDULE)

[regions.{REGION}.tables.sales.sql]
table = "{TABLE}"
watermark = "rowid"
overlap = 100

[targets.{TARGET}]
kind = "postgresql"
url = "postgresql://{target.url.username}@{target.url.host}:{target.port}/{target.url.database}"
password_env = "{WAREHOUSE_PASSWORD}"
tables = ["fct_sales", "sales_by_*", "dim_dates"]

[targets.{FOLDER}]
kind = "csv"
root = "{FOLDER}"
scripts = "db2"
tables = ["fct_sales", "dim_dates"]
"""
