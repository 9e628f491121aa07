"""One question to a server and its whole answer, tried again with backoff where that can help.

An answer that breaks off is never taken: its length, its chunks and its compression must come to their end.
"""

import random
import ssl
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import TypeVar

import httpx
from tenacity import RetryCallState, Retrying, retry_if_exception_type

from clearer_platform.errors import DeliveryError
from clearer_platform.regions import HttpSource

T = TypeVar("T")
clock = time.monotonic
REDIRECTS = 5
WAIT, LONGEST_WAIT = 0.5, 60.0
"""Seconds: the first wait is up to the one, no wait is longer than the other unless the server asks for it."""
BUSY = (429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 529)
ENCODINGS = {"": None, "identity": None, "gzip": 31, "x-gzip": 31}
"""Content encodings, with the window bits by which zlib reads them."""
DIRECT = {f"all://{host}": None for host in ("localhost", "127.0.0.1", "[::1]")}
"""Hosts that no proxy is asked for."""


class Again(Exception):
    """Something that may go better next time; `after` are the seconds that the server asks to wait."""

    def __init__(self, what: str, after: float | None = None) -> None:
        super().__init__(what)
        self.after = after


class Unreachable(Again):
    """The server could not be reached, or said nothing."""


class Unanswered(DeliveryError):
    """The server never answered."""

    may_pass = True


@dataclass(frozen=True)
class Answer:
    """A whole answer."""

    body: bytes
    content_type: str
    is_framed: bool
    """Whether the server said where the body ends; otherwise it ended when the connection did."""


class Client:
    """Asks one API, for as long as one window may take."""

    def __init__(self, source: HttpSource, secret: str | None) -> None:
        self.source = source
        self._until = clock() + source.deadline
        headers = {"Accept-Encoding": "gzip", "User-Agent": "clearer-platform"}
        if secret is not None:
            headers[source.header] = secret
        self._http = httpx.Client(headers=headers, timeout=source.timeout, verify=_trusted(), mounts=DIRECT)

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def persist(self, attempt: Callable[[], T], what: str, attempts: int) -> T:
        """What `attempt` comes to, tried again while it raises Again. Raises DeliveryError with what happened last."""
        try:
            return Retrying(
                retry=retry_if_exception_type(Again),
                wait=_wait,
                stop=lambda state: state.attempt_number >= attempts or self._is_late(state.upcoming_sleep),
                sleep=pause,
                reraise=True,
            )(attempt)
        except Again as e:
            kind = Unanswered if isinstance(e, Unreachable) else DeliveryError
            raise kind(f"{e} ({what}, {attempts} attempts in {self.source.deadline:g} s at most)") from e

    def get(self, url: httpx.URL) -> Answer:
        """One attempt. Raises Again for what may go better, DeliveryError for what will not."""
        if self._is_late():
            raise Again("the window's time is over")
        try:
            for _ in range(REDIRECTS + 1):
                with self._http.stream("GET", url) as response:
                    if response.next_request is None:
                        return self._answer(response)
                    url = _followed(url, response.next_request.url)
        except (httpx.TimeoutException, httpx.ConnectError) as e:
            raise Unreachable(f"the server did not answer ({_said(e)})") from e
        except (httpx.NetworkError, httpx.ProtocolError, httpx.ProxyError) as e:
            raise Again(f"the answer broke off ({_said(e)})") from e
        except httpx.HTTPError as e:
            raise DeliveryError(f"the request cannot be sent ({_said(e)})", hint="check url in the registry") from e
        raise DeliveryError(f"more than {REDIRECTS} redirects", hint="check url in the registry")

    def _answer(self, response: httpx.Response) -> Answer:
        status = response.status_code
        if status in BUSY:
            raise Again(f"the server answered {status}", _retry_after(response))
        if status in (401, 403):
            name = self.source.token_env
            hint = f"check the secret in {name}" if name else "name the secret's variable as token_env in the registry"
            raise DeliveryError(f"the server answered {status}: not allowed", hint=hint)
        if status != 200:
            raise DeliveryError(f"the server answered {status}", hint="check url and parameters in the registry")
        body = b"".join(self._blocks(response))
        is_framed = "content-length" in response.headers or "transfer-encoding" in response.headers
        return Answer(body, response.headers.get("content-type", "").lower(), is_framed)

    def _blocks(self, response: httpx.Response) -> Iterator[bytes]:
        """The body, unpacked, block by block; neither larger nor later than allowed."""
        size = 0
        for block in _unpacked(response, self.source.max_bytes):
            size += len(block)
            if size > self.source.max_bytes:
                raise too_large(self.source)
            if self._is_late():
                raise Again("the answer came too slowly")
            yield block

    def _is_late(self, seconds: float = 0) -> bool:
        """Whether the window's time is over in so many seconds."""
        return clock() + seconds > self._until


def pause(seconds: float) -> None:
    """Wait between two attempts."""
    time.sleep(seconds)


def too_large(source: HttpSource) -> DeliveryError:
    """The error of a window that is larger than allowed."""
    return DeliveryError(f"more than max_bytes ({source.max_bytes:,})", hint="raise max_bytes in the registry")


def _wait(state: RetryCallState) -> float:
    """What the server asks for; else exponential backoff with full jitter, so that callers do not come in step."""
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, Again) and error.after is not None:
        return error.after
    return random.uniform(0, min(LONGEST_WAIT, WAIT * 2**state.attempt_number))


def _retry_after(response: httpx.Response) -> float | None:
    """The seconds that Retry-After asks for, be it seconds or a date."""
    text: str = response.headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(0.0, (at - datetime.now(UTC)).total_seconds())


def _followed(old: httpx.URL, new: httpx.URL) -> httpx.URL:
    """Where a redirect leads, if that is the same server (or the same host, but encrypted): secrets go nowhere else."""
    is_encrypted = (old.scheme, new.scheme, old.host) == ("http", "https", new.host)
    if is_encrypted or (old.scheme, old.host, old.port) == (new.scheme, new.host, new.port):
        return new
    raise DeliveryError(f"redirected to another host ({new.host})", hint="name that host as url in the registry")


def _unpacked(response: httpx.Response, limit: int) -> Iterator[bytes]:
    """The body without its content encoding. A compressed body must come to its end."""
    encoding = response.headers.get("content-encoding", "").strip().lower()
    if encoding not in ENCODINGS:
        raise DeliveryError(f"the answer has the encoding {encoding!r}, and only gzip was asked for")
    if (bits := ENCODINGS[encoding]) is None:
        yield from response.iter_raw()
        return
    unpacking = zlib.decompressobj(bits)
    try:
        for block in response.iter_raw():
            yield unpacking.decompress(block, limit + 1)
    except zlib.error as e:
        raise Again("the answer is not what its gzip says") from e
    if not unpacking.eof or unpacking.unconsumed_tail or unpacking.unused_data:
        raise Again("the answer's gzip breaks off")


def _said(error: Exception) -> str:
    return str(error) or type(error).__name__


@lru_cache(maxsize=1)
def _trusted() -> ssl.SSLContext:
    return httpx.create_ssl_context()
