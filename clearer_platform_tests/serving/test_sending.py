"""Sending a file: every record in exactly one batch, every batch in the service once, whatever happens on the way."""

import csv
import io
import json
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearer_platform.errors import ClearerError, DeliveryError
from clearer_platform.serving import sending
from clearer_platform.serving.sending import Service, cut, send

FIELDS = st.text(st.sampled_from('ab,"\n é'), max_size=6)
ROWS = st.lists(st.tuples(FIELDS, FIELDS), min_size=1, max_size=30)


def written(path: Path, rows: list[tuple[str, str]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as f:
        csv.writer(f, quoting=csv.QUOTE_ALL, lineterminator="\r\n").writerows(rows)
    return path


@given(ROWS, st.integers(1, 40))
def test_every_record_is_in_one_batch(tmp_path_factory, rows, size):
    path = written(tmp_path_factory.mktemp("cut") / "rows.csv", rows)
    pieces = cut(path, size).pieces
    back = [tuple(row) for piece in pieces for row in csv.reader(io.StringIO(piece.content.decode(), newline=""))]
    assert back == [tuple(field.replace("\r\n", "\n") for field in row) for row in rows]
    assert {len(piece.lines) for piece in pieces[:-1]} <= {size} and 1 <= len(pieces[-1].lines) <= size
    starts = [1]
    for row in rows:
        starts.append(starts[-1] + 1 + sum(field.count("\n") for field in row))
    assert [line for piece in pieces for line in piece.lines] == starts[:-1]


def test_a_header_is_in_every_batch_and_no_row(tmp_path):
    (tmp_path / "jobs.csv").write_text("\ufeffid,job\n1,a\n\n2,b\n3,c\n")
    found = cut(tmp_path / "jobs.csv", 2, header=True)
    assert [piece.content for piece in found.pieces] == [b"id,job\n1,a\n2,b\n", b"id,job\n3,c\n"]
    assert [list(piece.lines) for piece in found.pieces] == [[2, 4], [5]]
    assert found.media == "text/csv; header=present"


def test_what_is_no_record_is_a_row_of_its_own(tmp_path):
    """An unterminated quote swallows nothing: the service says what is wrong with its line."""
    (tmp_path / "jobs.csv").write_text('1,"a\n2,b\n3,c\n')
    assert [list(piece.lines) for piece in cut(tmp_path / "jobs.csv", 1).pieces] == [[1], [2], [3]]


def test_json_lines_become_arrays(tmp_path):
    (tmp_path / "jobs.jsonl").write_text('{"id": 1}\n\n{"id": 2}\n{"id": 3}\n')
    found = cut(tmp_path / "jobs.jsonl", 2)
    assert [json.loads(piece.content) for piece in found.pieces] == [[{"id": 1}, {"id": 2}], [{"id": 3}]]
    assert [list(piece.lines) for piece in found.pieces] == [[1, 3], [4]]
    assert found.media == "application/json"


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.csv", b"", "has no record"),
        ("a.csv", b"\n\n", "has no record"),
        ("a.csv", b"1,a\n2,\xff\n", "line 2 is not UTF-8"),
        ("a.jsonl", b'{"id": 1}\n[1]\n', "line 2 is no JSON object"),
        ("a.jsonl", b"[" * 100_000, "line 1 is no JSON object"),
    ],
)
def test_what_cannot_be_sent_says_where(tmp_path, name, content, says):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DeliveryError, match=says):
        cut(tmp_path / name, 10)
    with pytest.raises(ClearerError, match="it is not there"):
        cut(tmp_path / "nothing.csv", 10)


class Receiver:
    """A small real server with the service's manners: it keeps each key once, and now and then does not answer."""

    def __init__(self, faults: float, seed: int) -> None:
        self.kept: dict[str, bytes] = {}
        self.order: list[str] = []
        self.faults, self.chance, self.lock = faults, random.Random(seed), threading.Lock()
        self.status = 200

    def answer(self, key: str, body: bytes) -> tuple[int, dict[str, str], bytes] | None:
        with self.lock:
            fault = self.chance.random() < self.faults and self.chance.choice(["429", "503", "before", "after"])
            if fault in ("429", "503"):
                return int(fault), {"Retry-After": "0"}, b""
            if fault == "before":
                return None
            if self.status != 200:
                return self.status, {}, b'{"title": "no", "detail": "not you"}'
            is_new = key not in self.kept
            if is_new:
                self.order.append(key)
            self.kept.setdefault(key, body)
            if fault == "after":
                return None
        rows = len(body.strip().split(b"\n"))
        said = {"id": key[:8], "rows": rows, "valid": rows - 1, "invalid": 1, "decision": "accepted"}
        broken = [{"row": rows, "line": rows, "column": "job", "rule": "job.missing", "message": "no value"}]
        return 201 if is_new else 200, {}, json.dumps({**said, "invalid_rows": broken}).encode()


@contextmanager
def served(receiver: Receiver) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            assert self.headers["Authorization"] == "Bearer secret"
            answer = receiver.answer(self.headers["Idempotency-Key"], body)
            if answer is None:
                self.close_connection = True
                return
            status, headers, content = answer
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(sending, "WAIT", 0.0)
    monkeypatch.setattr(sending, "ATTEMPTS", 30)


@pytest.mark.parametrize(("senders", "seed"), [(1, 1), (4, 2), (8, 3)])
def test_every_batch_arrives_once_whatever_happens(tmp_path, impatient, senders, seed):
    path = written(tmp_path / "jobs.csv", [(str(n), "a") for n in range(57)])
    receiver, found = Receiver(0.4, seed), cut(path, 5)
    with served(receiver) as url:
        sent = send(found, Service(url, "secret", "jobs"), senders)
    assert sorted(receiver.kept.values()) == sorted(piece.content for piece in found.pieces)
    assert (len(sent.answered), len(sent.failed), sent.total("rows"), sent.written) == (12, 0, 57, 45)
    assert sent.answered[1].broken == [(10, "job.missing")]
    if senders == 1:
        assert [receiver.kept[key] for key in receiver.order] == [piece.content for piece in found.pieces]


def test_a_file_that_is_sent_again_adds_nothing(tmp_path, impatient):
    path = written(tmp_path / "jobs.csv", [(str(n), "a") for n in range(7)])
    receiver = Receiver(0, 1)
    with served(receiver) as url:
        service = Service(url, "secret", "jobs")
        send(cut(path, 2), service)
        again = send(cut(path, 2), service)
        assert len(receiver.kept) == 4 and all(one.is_repeated for one in again.answered)
        with path.open("a") as f:
            f.write("8,b\n")
        send(cut(path, 2), service)
    assert len(receiver.kept) == 8  # Another file: all of its batches are others.


def test_who_may_not_send_is_told_at_once(tmp_path, impatient):
    receiver = Receiver(0, 1)
    receiver.status = 403
    with served(receiver) as url, pytest.raises(ClearerError, match="no: not you"):
        send(cut(written(tmp_path / "jobs.csv", [("1", "a")]), 1), Service(url, "secret", "jobs"))


def test_a_service_that_is_not_there_is_no_silent_loss(tmp_path, monkeypatch, impatient):
    monkeypatch.setattr(sending, "ATTEMPTS", 3)
    sent = send(cut(written(tmp_path / "jobs.csv", [("1", "a")]), 1), Service("http://127.0.0.1:9", "secret", "jobs"))
    assert not sent.answered and "did not answer" in sent.failed[0].reason and "3 times" in sent.failed[0].reason


def test_what_came_of_a_file_is_written_beside_it(tmp_path, impatient):
    path, receiver = written(tmp_path / "jobs.csv", [(str(n), "secret") for n in range(5)]), Receiver(0, 1)
    with served(receiver) as url:
        sent = send(cut(path, 3), Service(url, "secret", "jobs"))
    summary = json.loads(sending.write_logs(path, sent).read_text())
    assert (summary["batches"], summary["rows"], summary["written"]) == (2, 5, 3)
    assert summary["broken"] == [{"line": 3, "rule": "job.missing"}, {"line": 5, "rule": "job.missing"}]
    logs = sorted((tmp_path / "jobs.csv.batches").iterdir())
    assert {json.loads(log.read_text())["id"] for log in logs} == {key[:8] for key in receiver.kept}
    assert not any("secret" in log.read_text() for log in [*logs, tmp_path / "jobs.csv.summary.json"])
