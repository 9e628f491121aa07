"""Which parents silver has: what a batch asks for that may not wait until its parents have come."""

import time
from collections.abc import Collection

import duckdb

from clearer_platform.platform import Platform
from clearer_platform.silver.history import living, published_files
from clearer_platform.silver.sql import identifier

Key = tuple[str, ...]
"""The values of a key's columns, as text."""

FRESH = 5.0
"""Seconds for which keys are remembered: that a parent has come is seen at once, that it has gone after these."""

_known: dict[tuple[str, str], tuple[float, frozenset[Key]]] = {}
"""By the table's folder and name."""


def absent(platform: Platform, region: str, table: str, keys: Collection[Key]) -> set[Key]:
    """Those of the keys that no accepted row of `table` has, but for rows that its latest one deletes."""
    place = (str(platform.layout(region).silver(table)), table)
    read_at, found = _known.get(place, (-FRESH, frozenset[Key]()))
    if time.monotonic() - read_at >= FRESH or not found.issuperset(keys):
        found = _living(platform, region, table)
        _known[place] = (time.monotonic(), found)
    return set(keys) - found


def _living(platform: Platform, region: str, table: str) -> frozenset[Key]:
    contract = platform.contract(table)
    with duckdb.connect(":memory:", config={"threads": 1}) as con:
        con.execute("SET TimeZone = 'UTC'")
        files = published_files(con, platform, region, contract, None)
        if not files:
            return frozenset()
        texts = ", ".join(f"CAST({identifier(name)} AS VARCHAR)" for name in contract.key)
        return frozenset(con.execute(f"SELECT {texts} FROM ({living(contract)})", {"parents": files}).fetchall())
