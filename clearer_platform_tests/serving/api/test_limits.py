"""Limits: how often, how many at a time, how long and how large; each by a clock or a size of the test's own."""

import asyncio
import threading
import time

import httpx
import pytest

from clearer_platform.serving.api import limits
from clearer_platform.serving.api.limits import Buckets, Limited, Workers
from clearer_platform.serving.api.problems import Problem
from clearer_platform_tests.serving.api.conftest import problem

CHEAP = "/v1/batches/summary"


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


def taken(buckets, client, times):
    """How many of so many requests are let through."""
    passed = 0
    for _ in range(times):
        try:
            buckets.take(client)
            passed += 1
        except Problem as e:
            assert e.status_code == 429
    return passed


def test_a_bucket_holds_a_minute_s_requests_and_fills_evenly():
    clock = Clock()
    buckets = Buckets(60, clock)
    assert taken(buckets, "a", 100) == 60
    assert taken(buckets, "b", 1) == 1, "each client has its own"
    clock.now += 2.5
    assert taken(buckets, "a", 100) == 2
    clock.now += 0.5
    assert taken(buckets, "a", 100) == 1
    clock.now += 3600
    assert taken(buckets, "a", 100) == 60


@pytest.mark.parametrize(("per_minute", "wait"), [(60, "1"), (1, "60"), (7, "9")])
def test_retry_after_is_when_it_works_again(per_minute, wait):
    clock = Clock()
    buckets = Buckets(per_minute, clock)
    assert taken(buckets, "a", per_minute) == per_minute
    with pytest.raises(Problem) as refused:
        buckets.take("a")
    assert refused.value.headers == {"Retry-After": wait}
    clock.now += int(wait)
    buckets.take("a")


def test_clients_are_forgotten_before_they_fill_the_memory(monkeypatch):
    monkeypatch.setattr(limits, "REMEMBERED", 10)
    buckets = Buckets(5, Clock())
    assert taken(buckets, "busy", 6) == 5
    for n in range(9):
        buckets.take(f"{n}")
    assert taken(buckets, "busy", 1) == 0, "whoever came lately is remembered"
    assert len(buckets._left) == 10


def test_a_key_is_limited_and_another_is_not(make_api):
    api = make_api(api_requests_per_minute=3)
    answers = [api.get(CHEAP).status_code for _ in range(4)]
    assert answers == [200, 200, 200, 429]
    limited = api.get(CHEAP)
    problem(limited, 429, "too-many-requests")
    assert 1 <= int(limited.headers["retry-after"]) <= 20
    assert api.get(CHEAP, role="senior_analyst").status_code == 200
    assert '"too-many-requests"' in api.audit


def test_guessing_keys_is_limited_by_address_and_keeps_nobody_else_out(make_api):
    api = make_api(api_failures_per_minute=2)
    wrong = {"Authorization": "Bearer clearer_000000000000_" + "A" * 43}
    answers = [api.get(CHEAP, role=None, headers=wrong).status_code for _ in range(4)]
    assert answers == [401, 401, 429, 429]
    assert api.get(CHEAP).status_code == 200


def served(application, **bounds):
    """A client of an application behind the limits."""
    defaults = {"concurrency": 8, "body_bytes": 10, "seconds": 5}
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(Limited(application, **{**defaults, **bounds})), base_url="http://test"
    )


async def echo(scope, receive, send):
    """Answers with the size of the body, or with the problem that reading it came to."""
    size, more = 0, True
    try:
        while more:
            message = await receive()
            size += len(message.get("body", b""))
            more = message.get("more_body", False)
    except Problem as e:
        await e.response()(scope, receive, send)
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": f"{size}".encode()})


async def in_parts(*parts, pause=0.0):
    for part in parts:
        await asyncio.sleep(pause)
        yield part


def test_a_body_is_counted_as_it_comes():
    async def ask():
        async with served(echo) as client:
            whole = await client.post("/", content=b"x" * 10)
            parts = await client.post("/", content=in_parts(b"12345", b"67890"))
            stated = await client.post("/", content=b"x" * 11)
            unstated = await client.post("/", content=in_parts(b"12345", b"67890", b"1"))
            lying = await client.post("/", content=in_parts(b"x" * 11), headers={"Content-Length": "3"})
            return whole, parts, stated, unstated, lying

    *good, stated, unstated, lying = asyncio.run(ask())
    assert [answer.text for answer in good] == ["10", "10"]
    for answer in (stated, unstated, lying):
        problem(answer, 413, "body-too-large")


def test_a_body_that_trickles_in_is_given_up():
    async def ask():
        async with served(echo, seconds=0.2) as client:
            return await client.post("/", content=in_parts(*[b"x"] * 8, pause=0.05))

    problem(asyncio.run(ask()), 408, "body-too-slow")


def test_so_many_at_a_time():
    async def ask():
        gate, inside = asyncio.Event(), 0

        async def waits(scope, receive, send):
            nonlocal inside
            inside += 1
            await gate.wait()
            await echo(scope, receive, send)

        async with served(waits, concurrency=2) as client:
            running = [asyncio.create_task(client.get("/")) for _ in range(2)]
            while inside < 2:
                await asyncio.sleep(0)
            third = await client.get("/")
            gate.set()
            return third, [(await each).status_code for each in running], (await client.get("/")).status_code

    third, others, later = asyncio.run(ask())
    problem(third, 503, "busy")
    assert third.headers["retry-after"] == "1"
    assert (others, later) == ([200, 200], 200), "whoever was inside is served, and so is whoever comes later"


def test_work_does_not_stop_the_loop_and_is_ended_even_if_nobody_waits_any_more():
    done = threading.Event()

    def work():
        time.sleep(0.3)
        done.set()

    async def ask():
        workers = Workers(1, timeout=0.05)
        with pytest.raises(Problem) as late:
            await workers.run(work)
        assert late.value.status_code == 504
        assert not done.is_set()
        workers.close()

    asyncio.run(ask())
    assert done.is_set()


def test_a_slow_answer_holds_up_no_other(make_api, monkeypatch):
    api, gate = make_api(api_timeout=0.5), threading.Event()
    monkeypatch.setattr("clearer_platform.serving.batches.summary", lambda *_, **__: gate.wait(5))
    slow = threading.Thread(target=lambda: found.append(api.get("/v1/batches/summary")))
    found = []
    slow.start()
    began = time.monotonic()
    assert api.get("/v1/health").status_code == 200
    assert time.monotonic() - began < 0.5
    slow.join()
    problem(found[0], 504, "timeout")
    gate.set()
