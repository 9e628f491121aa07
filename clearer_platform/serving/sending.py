"""Sending a file to the service: cut into batches, sent by one or several senders, tried again, summed up.

A batch's idempotency key follows from its content, its place and its file, so that sending a file again after a break
repeats the answers of what had arrived and adds only what had not.
"""

import hashlib
import json
import random
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt

from clearer_platform.errors import ClearerError, DeliveryError
from clearer_platform.regions.batches import MOST_ROWS
from clearer_platform.silver.cutting import Piece, delimited, objects
from clearer_platform.sources.files import LOGS, SUMMARY
from clearer_platform.storage import publish_bytes, reported

ATTEMPTS = 8
WAIT, LONGEST_WAIT = 0.5, 30.0
"""Seconds: the first wait is up to the one, no wait is longer than the other unless the server asks for it."""
BUSY = (429, 500, 502, 503, 504)
CREATED = 201
"""How a batch is answered that had not arrived before."""
SHOWN = 5
"""Broken rows that a summary names."""


@dataclass(frozen=True)
class Cut:
    """A file cut into batches."""

    media: str
    """The media type that the batches are sent as."""
    digest: str
    """SHA-256 of the file."""
    pieces: tuple[Piece, ...]


@dataclass(frozen=True)
class Answered:
    """What the service made of one batch."""

    piece: Piece
    record: dict[str, Any]
    """The batch's log as the service tells it."""
    is_repeated: bool
    """Whether it had arrived before."""

    @property
    def broken(self) -> list[tuple[int, str]]:
        """Line of the file and rule of everything that was wrong in it."""
        return [(self.piece.lines[one["row"] - 1], one["rule"]) for one in self.record["invalid_rows"]]


@dataclass(frozen=True)
class Failed:
    """A batch that the service would not take, or that never got an answer."""

    piece: Piece
    reason: str


@dataclass
class Sent:
    """What sending a file came to."""

    answered: list[Answered] = field(default_factory=list)
    failed: list[Failed] = field(default_factory=list)

    def total(self, name: str) -> int:
        """The sum of a figure (`rows`, `valid`, `invalid`) over all answers."""
        return sum(one.record[name] for one in self.answered)

    @property
    def rejected(self) -> list[Answered]:
        """The batches of which nothing was written."""
        return [one for one in self.answered if one.record["decision"] == "rejected"]

    @property
    def written(self) -> int:
        """Rows that go on to gold."""
        return sum(one.record["valid"] for one in self.answered if one.record["decision"] == "accepted")

    @property
    def summary(self) -> dict[str, Any]:
        """All of it in figures, and what was wrong with which line: never what the line holds."""
        return {
            "batches": len(self.answered),
            "arrived_before": sum(one.is_repeated for one in self.answered),
            "rejected": len(self.rejected),
            **{name: self.total(name) for name in ("rows", "valid", "invalid")},
            "written": self.written,
            "broken": [{"line": line, "rule": rule} for line, rule in in_order(self.answered)],
            "failed": [
                {"batch": one.piece.number, "line": one.piece.lines[0], "reason": one.reason} for one in self.failed
            ],
        }


@dataclass(frozen=True)
class Service:
    """The service, and who sends to it."""

    url: str
    key: str
    table: str
    on_invalid: str = "reject_rows"
    timeout: float = 60.0


def cut(path: Path, size: int, *, header: bool = False, delimiter: str = ",", quote: str = '"') -> Cut:
    """The batches of a file of `size` records each: delimited text, or JSON lines where its name ends in `.jsonl`.

    Raises DeliveryError for a file that is no such text, or has no record.
    """
    if not 1 <= size <= MOST_ROWS:
        raise DeliveryError(f"a batch has 1 to {MOST_ROWS} rows, not {size}")
    with reported("read", path):
        raw = path.read_bytes()
    try:
        text = raw.decode("utf-8-sig").replace("\r\n", "\n").encode()
    except UnicodeDecodeError as e:
        line = raw[: e.start].count(b"\n") + 1
        raise DeliveryError(
            f"{path}: line {line} is not UTF-8", hint="write the file as UTF-8 and send it again"
        ) from e
    is_json = path.suffix == ".jsonl"
    try:
        found = objects(text) if is_json else delimited(text, delimiter, quote, header=header)
    except DeliveryError as e:
        raise DeliveryError(f"{path}: {e.message}", hint=e.hint) from e
    if not len(found.records):
        raise DeliveryError(f"{path} has no record", hint="look at --header" if header else None)
    media = "application/json" if is_json else f"text/csv; header={'present' if header else 'absent'}"
    return Cut(media, hashlib.sha256(raw).hexdigest(), tuple(found.pieces(size)))


def send(cut: Cut, service: Service, senders: int = 1, progress: Callable[[int, int], None] | None = None) -> Sent:
    """Send every batch; with one sender in the order of the file, so that the later of two rows of a key is the latest.

    Raises ClearerError where no batch can succeed: the key is not known, or may not do this.
    """
    sent = Sent()
    with (
        httpx.Client(base_url=service.url, timeout=service.timeout, headers=_headers(cut, service)) as client,
        ThreadPoolExecutor(senders) as pool,
    ):
        try:
            for done, came in enumerate(pool.map(lambda piece: _sent(client, cut, service, piece), cut.pieces), 1):
                (sent.answered if isinstance(came, Answered) else sent.failed).append(came)  # type: ignore[arg-type]
                if progress:
                    progress(done, len(cut.pieces))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return sent


def write_logs(path: Path, sent: Sent) -> Path:
    """Write what came of a file beside it, as of any file that is sent through in batches; where the summary is.

    `<name>.summary.json`, and `<name>.batches/<batch id>.json` of each batch with an invalid row. Raises StorageError.
    """
    for one in sent.answered:
        if one.record["invalid"]:
            log = path.with_name(path.name + LOGS) / f"{one.record['id']}.json"
            publish_bytes(json.dumps(one.record, indent=1).encode(), log)
    summary = path.with_name(path.name + SUMMARY)
    publish_bytes(json.dumps(sent.summary, indent=1).encode(), summary)
    return summary


def key_of(cut: Cut, service: Service, piece: Piece) -> str:
    """The idempotency key of a batch."""
    about = f"{cut.digest} {service.table} {service.on_invalid} {piece.number} "
    return hashlib.sha256(about.encode() + piece.content).hexdigest()


def _headers(cut: Cut, service: Service) -> dict[str, str]:
    return {"Content-Type": cut.media, "Authorization": f"Bearer {service.key}", "User-Agent": "clearer-send"}


class _Again(Exception):
    """Something that may go better next time; `after` are the seconds that the server asks to wait."""

    def __init__(self, what: str, after: float | None = None) -> None:
        super().__init__(what)
        self.after = after


def _sent(client: httpx.Client, cut: Cut, service: Service, piece: Piece) -> Answered | Failed:
    try:
        return Retrying(
            retry=retry_if_exception_type(_Again), wait=_wait, stop=stop_after_attempt(ATTEMPTS), reraise=True
        )(lambda: _once(client, service, piece, key_of(cut, service, piece)))
    except _Again as e:
        return Failed(piece, f"{e}, {ATTEMPTS} times")


def _once(client: httpx.Client, service: Service, piece: Piece, key: str) -> Answered | Failed:
    try:
        response = client.post(
            f"/v1/migrate/{service.table}",
            params={"on_invalid": service.on_invalid},
            headers={"Idempotency-Key": key},
            content=piece.content,
        )
    except httpx.TransportError as e:
        raise _Again(f"{service.url} did not answer ({type(e).__name__})") from e
    if response.status_code in BUSY:
        raise _Again(f"the service answered {response.status_code}", _seconds(response.headers.get("Retry-After")))
    if response.status_code in (401, 403, 404):
        raise ClearerError(f"the service refuses: {_problem(response)}", hint="check --url, --table and the API key")
    if response.is_success:
        return Answered(piece, response.json(), is_repeated=response.status_code != CREATED)
    return Failed(piece, _problem(response))


def _problem(response: httpx.Response) -> str:
    """What a problem document says."""
    try:
        said = response.json()
        return f"{said['title']}: {said['detail']}"
    except (ValueError, KeyError, TypeError):
        return f"status {response.status_code}"


def _wait(state: RetryCallState) -> float:
    """Longer each time, at random below that, or what the server asks for."""
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, _Again) and error.after is not None:
        return error.after
    return random.uniform(0, min(WAIT * 2**state.attempt_number, LONGEST_WAIT))


def _seconds(text: str | None) -> float | None:
    return float(text) if text and text.isdecimal() else None


def in_order(answered: Sequence[Answered]) -> Iterator[tuple[int, str]]:
    """Line and rule of everything that was wrong, in the order of the file."""
    yield from sorted(found for one in answered for found in one.broken)
