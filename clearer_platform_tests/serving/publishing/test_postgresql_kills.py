"""Readers and kills at any moment: nobody sees half of a publication to a real PostgreSQL."""

import random
import signal
import subprocess
import sys
import threading
import time

import psycopg

from clearer_platform.errors import Busy
from clearer_platform.serving.publishing.publication import Part
from clearer_platform_tests.conftest import EFFORT
from clearer_platform_tests.serving.publishing.by_hand import ByHand, every_kind
from clearer_platform_tests.serving.publishing.on_postgresql import (
    admin,
    put,
    target,
    there,
)

__all__ = ["admin", "target"]  # fixtures


def test_readers_see_all_or_nothing(warehouse, target):
    """A region's table and one across regions always say the same version, whenever somebody looks; nobody waits."""
    one, two, gold, across = every_kind("one"), every_kind("two", layer="global"), ByHand(), ByHand(None)

    def version(n: int) -> list[Part]:
        rows = [{"id": f"{i}", "n": n} for i in range(n % 7 + 1)]
        return [gold.part(one, rows), across.part(two, rows)]

    put(target, *version(0))
    found, slowest, stop = set(), 0.0, threading.Event()

    def look() -> None:
        nonlocal slowest
        with psycopg.connect(warehouse.set(drivername="postgresql").render_as_string(False)) as reader:
            reader.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            while not stop.is_set():
                started = time.perf_counter()
                said = [
                    reader.execute(f"SELECT min(n), max(n), count(*) FROM gold.{name}".encode()).fetchone()
                    for name in ("one", "two")
                ]
                reader.commit()
                slowest = max(slowest, time.perf_counter() - started)
                found.add(tuple(said))

    readers = [threading.Thread(target=look) for _ in range(2)]
    for reader in readers:
        reader.start()
    for n in range(1, 21):
        put(target, *version(n))
    stop.set()
    for reader in readers:
        reader.join()
    assert len(found) > 3 and slowest < 2
    for one, two in found:
        assert one == two and one[0] == one[1] and one[2] == one[0] % 7 + 1


CHILD = """
import sys
from pathlib import Path
from clearer_platform.regions import DatabaseTarget
from clearer_platform_tests.serving.publishing.by_hand import ByHand, every_kind, silent
from clearer_platform.serving.publishing import postgresql

target = DatabaseTarget.model_validate_json(sys.argv[1])
gold, across, n = ByHand(), ByHand(None), int(sys.argv[2])
while True:
    n += 1
    rows = [{"id": f"{i}", "n": n} for i in range(2000 + n % 3)]
    parts = [gold.part(every_kind("one"), rows), across.part(every_kind("two", layer="global"), rows)]
    print(n, flush=True)
    postgresql.publish(target, parts, force=False, advance=silent)
"""


def test_a_kill_at_any_moment_leaves_one_version_or_the_next(target, admin):
    """And the next publication just goes on."""
    last = 0
    for attempt in range(3 * EFFORT):
        command = [sys.executable, "-c", CHILD, target.model_dump_json(), str(last)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout
            for _ in range(1 + attempt % 2):
                child.stdout.readline()
            time.sleep(random.uniform(0, 0.4))
            child.send_signal(signal.SIGKILL)
            last += 100
        if admin.execute("SELECT to_regclass('gold.one')").fetchone() == (None,):
            continue
        said = [
            admin.execute(f"SELECT min(n), max(n), count(*) FROM gold.{name}".encode()).fetchone()
            for name in ("one", "two")
        ]
        assert said[0] == said[1] and said[0]
        assert said[0][0] == said[0][1] and said[0][2] == 2000 + said[0][0] % 3
    gold, across = ByHand(), ByHand(None)
    rows = [{"id": "z", "n": 1}]
    until = time.monotonic() + 10
    while True:  # The server may take a moment to notice that the killed one is gone.
        try:
            put(target, gold.part(every_kind("one"), rows), across.part(every_kind("two", layer="global"), rows))
            break
        except Busy:
            assert time.monotonic() < until
    assert [len(there(admin, name)) for name in ("one", "two")] == [1, 1]
