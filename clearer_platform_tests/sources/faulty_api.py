"""An API on a real socket whose records come and go while they are read, and which fails in every way it is told to.

It knows nothing of the client: what it held, moment by moment, stands in `Api.states`.
"""

import gzip
import json
import socket
import socketserver
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from random import Random
from urllib.parse import parse_qs, urlsplit

HEADER = "id,version,text"
TEXTS = ("plain", "two\nlines", 'with "quotes"', "a,b", "ü 東京", "")
SLOW = 0.3


@dataclass
class Schedule:
    """What befalls the API, request by request; a function of its seed."""

    seed: int
    style: str
    format: str = "json"
    has_total: bool = False
    size: int = 3
    records: int = 10
    changing: int = 0
    """Before so many requests the records change, more often than not."""
    failing: int = 0
    """So many requests may fail."""
    failure_rate: float = 0.0


@dataclass
class Answer:
    """What goes over the wire."""

    body: bytes
    kind: str
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    announced: int | None = None
    """Content-Length, where it is not the body's."""
    chunked: bool = False
    framed: bool = True
    reset: bool = False
    ends: bool = True
    """Whether a chunked body gets its last chunk."""


class Api:
    """The records and their history, and one answer a request."""

    def __init__(self, schedule: Schedule) -> None:
        self.schedule, self.rng = schedule, Random(schedule.seed)
        self.newest = 0
        self.transient: tuple[str, ...] | None = None
        self.records: tuple[str, ...] = tuple(self._new() for _ in range(schedule.records))
        self.states = {self.records}
        self.snapshots: list[tuple[str, ...]] = []
        self.requests = 0
        self.burst = 0
        self.asked: list[float] = []
        """The seconds that were asked for by Retry-After."""
        self.faults: list[str] = []
        self.seen: list[tuple[str, dict[str, str]]] = []

    # What it holds

    def _new(self) -> str:
        self.newest += 1
        text = self.rng.choice(TEXTS)
        if self.schedule.format == "json":
            return json.dumps({"id": self.newest, "version": 1.50, "text": text}, ensure_ascii=self.newest % 2 == 0)
        quoted = text.replace('"', '""')
        return f'{self.newest},1.50,"{quoted}"'

    def change(self) -> None:
        """One change of the records: what is deleted never comes back."""
        records, rng = list(self.records), self.rng
        place = rng.choice((0, rng.randint(0, len(records)), len(records)))
        kind = rng.choice(("insert", "delete", "both", "update", "come", "go", "go"))
        if kind in ("insert", "both", "come"):
            self.transient = self.records if kind == "come" else None
            records.insert(place, self._new())
        if kind in ("delete", "both") and records:
            self.transient = None
            records.pop(rng.randrange(len(records)))
        if kind == "update" and records:
            self.transient = None
            records[rng.randrange(len(records))] = self._new()
        if kind == "go" and self.transient is not None:
            records, self.transient = list(self.transient), None  # What came a moment ago is gone again.
        self.records = tuple(records)
        self.states.add(self.records)

    # What it answers

    def answer(self, target: str, headers: dict[str, str]) -> Answer | None:
        """The answer to a request; None where it says nothing."""
        self.requests += 1
        self.seen.append((target, headers))
        if self.requests <= self.schedule.changing and self.rng.random() < 0.6:
            self.change()
        query = {name: values[0] for name, values in parse_qs(urlsplit(target).query).items()}
        if self.burst:
            self.burst -= 1
            return Answer(b"busy", "text/plain", 503)
        if self.requests <= self.schedule.failing and self.rng.random() < self.schedule.failure_rate:
            return self._fault(query)
        return self._page(query)

    def _fault(self, query: dict[str, str]) -> Answer | None:
        names = [name for name in dir(self) if name.startswith("fault_")]
        name = self.rng.choice(names)
        self.faults.append(name)
        return getattr(self, name)(query)

    def _page(self, query: dict[str, str], back: int = 0) -> Answer:
        size, style = self.schedule.size, self.schedule.style
        records, cursor = self.records, None
        if style == "none":
            size, offset = len(records), 0
        elif style == "page":
            offset = max(0, int(query["p"]) - back) * size
        else:
            if "after" in query:
                snapshot, offset = map(int, query["after"].split("-"))
            else:
                self.snapshots.append(records)
                snapshot, offset = len(self.snapshots) - 1, 0
            records, offset = self.snapshots[snapshot], max(0, offset - back * size)
            cursor = f"{snapshot}-{offset + size}" if offset + size < len(records) else None
        return self._rendered(records[offset : offset + size], cursor, len(records))

    def _rendered(self, records: tuple[str, ...], cursor: str | None, total: int) -> Answer:
        if self.schedule.format == "csv":
            return Answer("".join(f"{r}\n" for r in (HEADER, *records)).encode(), "text/csv; charset=utf-8")
        listed = ", ".join(records)
        rest = f', "next": {json.dumps(cursor)}' if cursor else ""
        rest += f', "total": {total}' if self.schedule.has_total else ""
        return Answer(f'{{"data": {{"items": [{listed}]}}{rest}}}'.encode(), "application/json")

    # How it fails

    def fault_repeats_the_page_before(self, query: dict[str, str]) -> Answer:
        return self._page(query, back=1)

    def fault_repeats_the_page_before_but_goes_on(self, query: dict[str, str]) -> Answer:
        """The records of the page before, with the cursor of the page that should be here."""
        before, here = self._page(query, back=1), self._page(query)
        if self.schedule.style == "cursor" and "after" in query:
            page, cursor = json.loads(here.body), json.loads(before.body)["next"]
            goes_on = f'"next": {json.dumps(page["next"])}' if "next" in page else '"next": null'
            before.body = before.body.replace(f'"next": {json.dumps(cursor)}'.encode(), goes_on.encode())
        return before

    def fault_breaks_off(self, query: dict[str, str]) -> Answer:
        answer = self._page(query)
        answer.announced = len(answer.body)
        answer.body = answer.body[: self.rng.randrange(len(answer.body))]
        return answer

    def fault_breaks_off_between_chunks(self, query: dict[str, str]) -> Answer:
        answer = self._page(query)
        answer.chunked, answer.ends = True, False
        answer.body = answer.body[: self.rng.randrange(len(answer.body))]
        return answer

    def fault_breaks_off_unannounced(self, query: dict[str, str]) -> Answer:
        answer = self._page(query)
        answer.framed = False
        answer.body = answer.body[: self.rng.randrange(len(answer.body) + 1)]
        return answer

    def fault_is_chunked(self, query: dict[str, str]) -> Answer:
        answer = self._page(query)
        answer.chunked = True
        return answer

    def fault_cuts_its_gzip(self, query: dict[str, str]) -> Answer:
        answer = self._page(query)
        packed = gzip.compress(answer.body)
        answer.body, answer.headers = packed[: self.rng.randrange(len(packed))], {"Content-Encoding": "gzip"}
        return answer

    def fault_packs(self, query: dict[str, str]) -> Answer:
        answer = self._page(query)
        answer.body, answer.headers = gzip.compress(answer.body), {"Content-Encoding": "gzip"}
        return answer

    def fault_is_too_busy(self, query: dict[str, str]) -> Answer:
        return Answer(b"", "text/plain", 429)

    def fault_asks_to_wait(self, query: dict[str, str]) -> Answer:
        self.asked.append(float(self.rng.randint(0, 40)))
        return Answer(b"", "text/plain", 429, {"Retry-After": f"{self.asked[-1]:g}"})

    def fault_asks_to_wait_until(self, query: dict[str, str]) -> Answer:
        until = datetime.now(UTC) + timedelta(seconds=30)
        return Answer(b"", "text/plain", 503, {"Retry-After": format_datetime(until, usegmt=True)})

    def fault_fails_for_a_while(self, query: dict[str, str]) -> Answer:
        self.burst = self.rng.randint(0, 4)
        return Answer(b"oops", "text/plain", 500)

    def fault_resets(self, query: dict[str, str]) -> Answer:
        answer = self._page(query)
        answer.reset, answer.announced = True, len(answer.body)
        answer.body = answer.body[: self.rng.randrange(len(answer.body))]
        return answer

    def fault_says_nothing(self, query: dict[str, str]) -> None:
        return None

    def fault_is_slow(self, query: dict[str, str]) -> Answer:
        if self.rng.random() < 0.03:
            time.sleep(SLOW)
        return self._page(query)

    def fault_shows_a_login_page(self, query: dict[str, str]) -> Answer:
        return Answer(b"<html>\n<body>Log in</body>\n</html>\n", "text/html; charset=utf-8")

    def fault_gives_a_cursor_again(self, query: dict[str, str]) -> Answer:
        answer = self._page(query)
        if self.schedule.style == "cursor" and "after" in query and b'"next"' in answer.body:
            cursor = json.loads(answer.body)["next"]
            answer.body = answer.body.replace(json.dumps(cursor).encode(), json.dumps(query["after"]).encode())
        return answer


class _Handler(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True

    def handle(self) -> None:
        while line := self.rfile.readline():
            headers = dict(self._headers())
            answer = self.server.api.answer(line.split()[1].decode(), headers)  # type: ignore[attr-defined]
            if answer is None or not self._send(answer):
                return

    def _headers(self) -> Iterator[tuple[str, str]]:
        while (line := self.rfile.readline().strip()) != b"":
            name, _, value = line.decode("latin-1").partition(":")
            yield name.lower(), value.strip()

    def _send(self, answer: Answer) -> bool:
        """Send it; whether the connection goes on."""
        length = len(answer.body) if answer.announced is None else answer.announced
        lines = [f"HTTP/1.1 {answer.status} X", f"Content-Type: {answer.kind}"]
        lines += [f"{name}: {value}" for name, value in answer.headers.items()]
        body = answer.body
        if answer.chunked:
            lines.append("Transfer-Encoding: chunked")
            body = (f"{len(body):x}\r\n".encode() + body + b"\r\n" if body else b"") + (
                b"0\r\n\r\n" if answer.ends else b""
            )
        elif answer.framed:
            lines.append(f"Content-Length: {length}")
        else:
            lines.append("Connection: close")
        try:
            self.wfile.write("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
        except OSError:
            return False
        if answer.reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return False
        return answer.framed and answer.ends and answer.announced in (None, len(answer.body))


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    api: Api


@contextmanager
def serving() -> Iterator[tuple[_Server, str]]:
    """A server, whose `api` is to be set, and its address."""
    with _Server(("127.0.0.1", 0), _Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield server, f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
