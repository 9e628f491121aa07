"""The two servers, and the shop's table with so many sales."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import create_engine, text

from clearer_platform.sample import softcart
from clearer_platform.sample.databases import DatabaseServer, mariadb, postgresql

FILL = f"""INSERT INTO {softcart.TABLE}
    SELECT seq, 6000 + seq % 3000, 1 + seq * 7919 % 90000, 5 + seq * 104729 % 4000 / 100, 1 + seq % 5,
        '2020-09-05 16:20:00' + INTERVAL seq SECOND
    FROM seq_{{first}}_to_{{last}}"""
"""Made by the server: a million in seconds."""
FIGURES = """SELECT count(*), round(sum(total_price)::numeric, 2), sum(quantity), min(rowid), max(rowid),
    count(DISTINCT product_id) FROM {}"""
"""pandas takes decimals for floats."""


@dataclass(frozen=True)
class Servers:
    """A shop and a warehouse."""

    shop: DatabaseServer
    warehouse: DatabaseServer

    def fill(self, first: int, last: int) -> None:
        """Sell what has the rowids from `first` to `last`."""
        self._run(self.shop, FILL.format(first=first, last=last))

    def empty(self) -> None:
        """Take everything out of the warehouse."""
        self._run(self.warehouse, "DROP SCHEMA public CASCADE", "CREATE SCHEMA public")

    def figures(self, table: str) -> tuple[str, ...]:
        """What the warehouse's table comes to."""
        engine = create_engine(self.warehouse.url)
        with engine.connect() as connection:
            found = connection.execute(text(FIGURES.format(table))).one()
        engine.dispose()
        return tuple(f"{value:f}" if hasattr(value, "as_tuple") else f"{value}" for value in found)

    @property
    def environment(self) -> dict[str, str]:
        """The passwords, as the registry names them."""
        return {
            softcart.SHOP_PASSWORD: self.shop.password,
            softcart.WAREHOUSE_PASSWORD: self.warehouse.password,
            "PGPASSWORD": self.warehouse.password,
            "MYSQL_PWD": self.shop.password,
        }

    def _run(self, server: DatabaseServer, *statements: str) -> None:
        engine = create_engine(server.url)
        with engine.begin() as connection:
            for statement in statements:
                connection.execute(text(statement))
        engine.dispose()


@contextmanager
def started() -> Iterator[Servers]:
    """Both servers, with an empty shop."""
    with mariadb() as shop, postgresql() as warehouse:
        softcart.Shop(shop).open()
        yield Servers(shop, warehouse)
