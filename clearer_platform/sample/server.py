"""The service from which one of the sample's regions has its conversations: paged JSON behind a token, really served.

It serves what lies in a region's `served` folder: the records whose event time is in [since, until), by cursor (over a
snapshot that it takes with the first page) or, given `page`, by number. `?faults=SEED` makes it fail now and then.
"""

import json
import os
import secrets
import socket
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from random import Random

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from clearer_platform.platform import Platform
from clearer_platform.sample.mark import environment, read_mark
from clearer_platform.sample.write import open_platform, served
from clearer_platform.serving.opening import open_settings
from clearer_platform.storage import local

HOST = "127.0.0.1"
PAGE = 100
SNAPSHOTS = 200
"""Cursors older than so many readings are gone."""
FAULT_SHARE = 0.2
PATIENCE = 20.0
"""Seconds until it must answer."""


class Service:
    """The records, and the snapshots that cursors go on from."""

    def __init__(self, platform: Platform, token: str) -> None:
        self.platform, self.token = platform, token
        self._snapshots: OrderedDict[str, list[bytes]] = OrderedDict()
        self._requests = 0

    def app(self) -> Starlette:
        """The application."""
        return Starlette(routes=[Route("/{region}/{table}", self.page)])

    async def page(self, request: Request) -> Response:
        """One page of a region's table."""
        query, (region, table) = request.query_params, (request.path_params[n] for n in ("region", "table"))
        if request.headers.get("authorization") != f"Bearer {self.token}":
            return _answer({"error": "who is asking?"}, 401)
        if fault := self._fault(query.get("faults")):
            return fault
        if region not in self.platform.registry.regions or table not in self.platform.region(region).tables:
            return _answer({"error": "there is no such table"}, 404)
        size = int(query.get("limit", PAGE))
        if "page" in query:
            records = self._records(region, table, query.get("since", ""), query.get("until", "~"))
            at = size * (int(query["page"]) - 1)
            return _page(records, at, size, None)
        name, _, start = query.get("cursor", "").partition(".")
        if not name:
            name = self._snapshot(self._records(region, table, query.get("since", ""), query.get("until", "~")))
        if name not in self._snapshots:
            return _answer({"error": "this cursor is too old"}, 410)
        return _page(self._snapshots[name], int(start or 0), size, name)

    def _records(self, region: str, table: str, since: str, until: str) -> list[bytes]:
        source, contract = self.platform.region(region).source(table), self.platform.contract(table)
        moment = source.columns.get(contract.event_time or "", contract.event_time or "")
        folder = local(served(self.platform, region, table))
        return [
            line
            for path in sorted(folder.glob("*.jsonl"))
            for at, line in _lines(path, path.stat().st_mtime_ns, moment)
            if since <= at < until
        ]

    def _snapshot(self, records: list[bytes]) -> str:
        self._snapshots[name := secrets.token_hex(8)] = records
        if len(self._snapshots) > SNAPSHOTS:
            self._snapshots.popitem(last=False)
        return name

    def _fault(self, seed: str | None) -> Response | None:
        """By the seed and the number of the request: busy, failing, or a page that breaks off; mostly none."""
        self._requests += 1
        rng = Random(f"{seed} {self._requests}")
        if seed is None or rng.random() > FAULT_SHARE:
            return None
        busy = Response(status_code=429, headers={"Retry-After": "0"})
        return rng.choice((busy, Response(status_code=503), Response(b'{"data": [', media_type="application/json")))


@lru_cache(maxsize=1000)
def _lines(path: Path, version: int, moment: str) -> list[tuple[str, bytes]]:
    """Each record of a file with its event time; `version` tells one state of the file from another."""
    lines = path.read_bytes().split(b"\n")
    return [(str(json.loads(line.decode("utf-8", "surrogateescape"))[moment]), line) for line in lines if line]


def _page(records: list[bytes], at: int, size: int, snapshot: str | None) -> Response:
    """A page, its records just as they are kept."""
    end = at + size
    cursor = json.dumps(f"{snapshot}.{end}" if snapshot and end < len(records) else None)
    rest = f'], "next_cursor": {cursor}, "total": {len(records)}}}'.encode()
    return Response(b'{"data": [' + b",\n".join(records[at:end]) + rest, media_type="application/json")


def _answer(value: object, status: int = 200) -> Response:
    return Response(json.dumps(value), status, media_type="application/json")


@contextmanager
def running(home: Path) -> Iterator[None]:
    """The service of the sample in `home`, for a while, started unless it runs already; and what opens it."""
    before = {name: os.environ.get(name) for name in environment(home)}
    os.environ.update(environment(home))
    try:
        if _answers(read_mark(home).port):
            yield
        else:
            with _started(_server(home)):
                yield
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value


@contextmanager
def _started(server: uvicorn.Server) -> Iterator[None]:
    """A server on a thread of its own."""
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until = time.monotonic() + PATIENCE
    while thread.is_alive() and not server.started and time.monotonic() < until:
        time.sleep(0.01)
    try:
        yield
    finally:
        server.should_exit = True
        thread.join(PATIENCE)


def _server(home: Path) -> uvicorn.Server:
    mark = read_mark(home)
    app = Service(open_platform(home), mark.token).app()
    return uvicorn.Server(
        uvicorn.Config(app, host=HOST, port=mark.port, log_level="warning", timeout_graceful_shutdown=1)
    )


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((HOST, port)) == 0


if __name__ == "__main__":
    _server(open_settings().home).run()
