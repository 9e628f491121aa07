"""Notices: a bucket tells a queue (SQS) of new objects, so that they are looked at before the next listing.

Nothing depends on them. The listings and the manifests decide what is news: a notice that is lost, comes late, twice or
mangled loses and doubles nothing.
"""

import json
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any
from urllib.parse import unquote_plus

from upath import UPath

from clearer_platform.errors import ClearerError, RegistryError, Unreachable
from clearer_platform.platform import Platform
from clearer_platform.storage import below

LOGGER = logging.getLogger("clearer_platform.notices")
CLIENT = "botocore"
"""The client of SQS; it comes with the extra `s3`."""
MOST, ROUNDS = 10, 10
"""Messages that a server gives at once, and how often it is asked for more of them in one look."""
CONNECT, ANSWER = 2.0, 5.0
"""Seconds to wait for the server: whoever looks at the queue has other things to look at."""
LONGEST_WAIT = 300.0
"""Seconds until a queue that does not answer is asked again, at the most."""


@dataclass(frozen=True)
class Notice:
    """A message, and the landing files that it tells of; none where it is about anything else."""

    handle: str
    objects: tuple[UPath, ...]


def check(platform: Platform, region: str) -> None:
    """Raise RegistryError where a region has a queue and its client is not installed."""
    if platform.region(region).queue and find_spec(CLIENT) is None:
        raise RegistryError(
            f"regions.{region}.queue: the package {CLIENT} is not installed",
            hint="pip install 'clearer-platform[s3]', or leave queue out: the bucket is listed all the same",
        )


class Notices:
    """What one region's bucket tells of, if it has a queue."""

    def __init__(self, platform: Platform, region: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._platform, self._region, self._clock = platform, region, clock
        self._queue, self._root = platform.region(region).queue, platform.layout(region).root
        self._client: Any = None
        self._failures, self._next = 0, clock()

    def poll(self) -> list[Notice]:
        """What has come, if it is time to ask; it comes again until it is told to be done.

        Raises RegistryError or Unreachable where the queue cannot be read; it is then asked again later and later.
        """
        if self._queue is None or self._clock() < self._next:
            return []
        every = self._platform.settings.queue_every
        try:
            found = [self._notice(message) for message in self._received()]
        except ClearerError:
            self._failures += 1
            self._next = self._clock() + min(every * 2.0 ** min(self._failures, 10), LONGEST_WAIT)
            raise
        self._failures, self._next = 0, self._clock() + every
        return found

    def done(self, notices: Iterable[Notice]) -> None:
        """Take notices out of the queue. Raises Unreachable where that fails; they come again then."""
        handles = [{"Id": f"{n}", "ReceiptHandle": notice.handle} for n, notice in enumerate(notices)]
        for at in range(0, len(handles), MOST):
            self._ask("delete_message_batch", Entries=handles[at : at + MOST])

    def _received(self) -> list[Mapping[str, Any]]:
        found: list[Mapping[str, Any]] = []
        for _ in range(ROUNDS):
            got = self._ask("receive_message", MaxNumberOfMessages=MOST).get("Messages", [])
            found += got
            if not got:
                break
        return found

    def _notice(self, message: Mapping[str, Any]) -> Notice:
        try:
            names = told(message["Body"])
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            LOGGER.warning("%s: a message that is no notice of a bucket was left out", self._region)
            names = []
        landing = self._root / "landing"
        prefix = f"{landing.path}/" if isinstance(landing, UPath) else None
        objects = [below(landing, name) for name in dict.fromkeys(names) if prefix and name.startswith(prefix)]  # type: ignore[arg-type]
        return Notice(message["ReceiptHandle"], tuple(objects))

    def _ask(self, what: str, **about: Any) -> dict[str, Any]:
        assert self._queue is not None
        check(self._platform, self._region)
        from botocore.exceptions import BotoCoreError, ClientError  # type: ignore[import-untyped]

        try:
            if self._client is None:
                self._client = self._connected(self._queue.endpoint, self._queue.options)
            answer: dict[str, Any] = getattr(self._client, what)(QueueUrl=self._queue.url, **about)
        except (BotoCoreError, ClientError) as e:
            hint = "check the queue, its region and the credentials; the bucket is listed meanwhile"
            raise Unreachable(f"queue {self._queue.url}: {e}", hint=hint) from e
        return answer

    def _connected(self, endpoint: str, options: Mapping[str, Any]) -> Any:
        from botocore.config import Config  # type: ignore[import-untyped]
        from botocore.session import get_session  # type: ignore[import-untyped]

        config = Config(connect_timeout=CONNECT, read_timeout=ANSWER, retries={"total_max_attempts": 1})
        return get_session().create_client("sqs", **{"endpoint_url": endpoint, "config": config, **options})


def told(body: str) -> list[str]:
    """The objects (bucket/key) that a bucket's message tells of: none in its test event. Raises what cannot be read."""
    event = json.loads(body)
    if event.get("Event") == "s3:TestEvent":
        return []
    pieces = [record["s3"] for record in event["Records"]]
    return [f"{piece['bucket']['name']}/{unquote_plus(piece['object']['key'])}" for piece in pieces]
