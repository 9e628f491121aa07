"""Limits on what one client may ask of the service: how often, how much at a time, how long, and how large a body.

They hold within one process, which is all that serves a home.
"""

import asyncio
import math
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from clearer_platform.serving.api.problems import Problem

P = ParamSpec("P")
T = TypeVar("T")
REMEMBERED = 10_000
"""Clients whose buckets are kept; the ones that came longest ago are forgotten, full as they are."""


class Buckets:
    """A token bucket for each client: so many requests at once and in a minute, evenly refilled."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._size, self._clock = per_minute, clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, client: str) -> None:
        """Use up one request of `client`. Raises Problem 429 that says when to come again."""
        now = self._clock()
        left, since = self._left.pop(client, (float(self._size), now))
        left = min(float(self._size), left + (now - since) * self._size / 60)
        self._left[client] = (left - 1 if left >= 1 else left, now)
        while len(self._left) > REMEMBERED:
            self._left.popitem(last=False)
        if left < 1:
            wait = math.ceil((1 - left) * 60 / self._size)
            raise Problem(
                429,
                "too-many-requests",
                f"more than {self._size} requests in a minute",
                hint=f"wait for {wait} s",
                headers={"Retry-After": f"{wait}"},
            )


class Workers:
    """The threads that do what takes long, so that the event loop never waits; work that was begun is ended."""

    def __init__(self, threads: int, timeout: float) -> None:
        self._threads, self._timeout = threads, timeout
        self._pool = self._new_pool()

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What `work` comes to. Raises Problem 504 where that takes too long: it goes on, and its result is dropped."""
        running = asyncio.get_running_loop().run_in_executor(self._pool, partial(work, *args, **kwargs))
        try:
            return await asyncio.wait_for(running, self._timeout)
        except TimeoutError:
            raise Problem(
                504,
                "timeout",
                f"no answer within {self._timeout:g} s; what was begun may still be done",
                hint="ask for less; ask for a batch again with the same Idempotency-Key",
            ) from None

    def close(self) -> None:
        """Wait for what was begun. A service that is started again has new threads."""
        ended, self._pool = self._pool, self._new_pool()
        ended.shutdown(cancel_futures=True)

    def _new_pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self._threads, thread_name_prefix="api")


class Limited:
    """Lets so many requests in at a time, and ends those whose bodies are too large or too long in coming."""

    def __init__(self, app: ASGIApp, concurrency: int, body_bytes: int, seconds: float) -> None:
        self._app = app
        self._concurrency, self._body_bytes, self._seconds = concurrency, body_bytes, seconds
        self._running = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on within the limits."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if self._running >= self._concurrency:
            problem = Problem(503, "busy", "too many requests at a time", headers={"Retry-After": "1"})
            await problem.response()(scope, receive, send)
            return
        self._running += 1
        try:
            await self._app(scope, self._bounded(scope, receive), send)
        finally:
            self._running -= 1

    def _bounded(self, scope: Scope, receive: Receive) -> Receive:
        """`receive`, but for bodies that are too large: by what the client says of them, and by what comes."""
        said = Headers(scope=scope).get("content-length", "0")
        stated = int(said) if said.isdigit() else 0
        until = time.monotonic() + self._seconds
        came, is_whole = 0, False

        async def bounded() -> Message:
            nonlocal came, is_whole
            if is_whole:  # What comes now is only that the client has gone; that may be long in coming.
                return await receive()
            if stated > self._body_bytes:
                raise self._too_large()
            try:
                message = await asyncio.wait_for(receive(), until - time.monotonic())
            except TimeoutError:
                raise Problem(408, "body-too-slow", f"the body did not come within {self._seconds:g} s") from None
            came += len(message.get("body", b""))
            is_whole = not message.get("more_body", False)
            if came > self._body_bytes:
                raise self._too_large()
            return message

        return bounded

    def _too_large(self) -> Problem:
        return Problem(
            413, "body-too-large", f"the body has more than {self._body_bytes:,} bytes", hint="send it in smaller parts"
        )
