"""SoftCart's way from its shop to its warehouse, for tests: the home between them, carrying, and what each holds."""

import hashlib
import hmac
import os
import select
import signal
import subprocess
import sys
import uuid
from collections import Counter
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import text

from clearer_platform.platform import Platform
from clearer_platform.sample import softcart
from clearer_platform.sample.databases import mariadb, postgresql
from clearer_platform_tests.conftest import open_home

CARRIER = """
import os
import sys

import dbt.cli.main  # Seconds of every carriage, otherwise.
from clearer_platform import gold, silver
from clearer_platform.serving import publishing
from clearer_platform.serving.opening import open_platform
from clearer_platform.sources.sql.reading import fetch


def carry(compare):
    platform = open_platform()
    fetch(platform, "softcart", "sales", compare=compare)
    silver.bring_up(platform, "softcart", "sales")
    gold.build(platform, "softcart")
    for target in platform.registry.targets:
        result = publishing.publish(platform, target)
        if result.error:
            raise result.error


for line in sys.stdin:
    if not (child := os.fork()):
        os.setsid()
        carry(line.strip() == "compare")
        os._exit(0)
    print(child, flush=True)
    print(os.waitpid(child, 0)[1], flush=True)
"""
"""From the shop to every target, as the runs of the graph do it, each time in a process of its own."""


class Carriage:
    """A shop, a warehouse, and a home between them."""

    def __init__(self, home: Path, prepared_dbt: Path, stack: ExitStack) -> None:
        shop, target = stack.enter_context(mariadb()), stack.enter_context(postgresql())
        self.shop, self.warehouse = softcart.Shop(shop), stack.enter_context(softcart.warehouse(target))
        self.shop.open()
        self.passwords = {
            softcart.SHOP_PASSWORD: shop.password,
            softcart.WAREHOUSE_PASSWORD: target.password,
        }
        registry = softcart.registry(shop, target, datetime.now(UTC))
        self.platform: Platform = open_home(home, registry, prepared_dbt)
        environment = {**os.environ, **self.passwords, "CLEARER_HOME": str(home)}
        command = [sys.executable, "-c", CARRIER]
        self._carrier = subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        stack.callback(self._end)

    def carry(self, *, compare: bool, kill_after: float | None = None) -> bool:
        """Carry all that is new; whether that came to its end before it was killed."""
        assert self._carrier.stdin and self._carrier.stdout
        self._carrier.stdin.write("compare\n" if compare else "rows\n")
        child = int(self._carrier.stdout.readline())
        if kill_after is not None and not select.select([self._carrier.stdout], [], [], kill_after)[0]:
            with suppress(ProcessLookupError):
                os.killpg(child, signal.SIGKILL)
        status = int(self._carrier.stdout.readline())
        assert status in (0, signal.SIGKILL)
        return status == 0

    def _end(self) -> None:
        self._carrier.kill()
        self._carrier.communicate()

    def sold(self) -> Counter[tuple[object, ...]]:
        """What the shop holds, customers by the region's pseudonyms."""
        key = (self.platform.layout(softcart.REGION).secrets / "pseudonym.key").read_bytes()

        def pseudonym(customer: int) -> uuid.UUID:
            return uuid.UUID(hmac.new(key, f"{customer}".encode(), hashlib.sha256).hexdigest()[:32])

        with self.shop.engine.connect() as connection:
            rows = connection.execute(
                text(f"SELECT rowid, product_id, customer_id, price, quantity, timestamp FROM {softcart.TABLE}")
            ).all()
        return Counter((row[0], row[1], pseudonym(row[2]), row[3], row[4], row[5].replace(tzinfo=UTC)) for row in rows)

    def held(self) -> Counter[tuple[object, ...]]:
        """What the warehouse holds."""
        with self.warehouse.connect() as connection:
            rows = connection.execute(
                text("SELECT rowid, product_id, customer_key, price, quantity, sold_at FROM fct_sales")
            ).all()
        return Counter((*row[:5], row[5].astimezone(UTC)) for row in rows)
