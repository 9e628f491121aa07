"""A real HTTP receiver of webhooks on a free port, that answers as it is told to."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest


@dataclass
class Receiver:
    """What came in, and how the next requests are answered; 200 where nothing is said."""

    url: str = ""
    received: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)

    def answer(self) -> int:
        return self.answers.pop(0) if self.answers else 200


@contextmanager
def listening(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """A receiver, for as long as the block lasts."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    found = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            code = found.answer()
            if code == 0:
                self.connection.close()  # Breaks off without an answer.
                return
            found.received.append((dict(self.headers), body))
            self.send_response(code)
            if code == 302:
                self.send_header("Location", found.url)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))  # Seconds until it sees that it is to end.
    thread.start()
    found.url = f"http://127.0.0.1:{server.server_port}/hook/s3cret"
    yield found
    server.shutdown()
    thread.join()
    server.server_close()
