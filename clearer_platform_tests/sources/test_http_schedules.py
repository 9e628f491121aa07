"""1,000 seeded schedules of faults and changes: what is accepted was true at one moment, nothing else is received."""

import dataclasses
from collections import Counter
from datetime import date
from random import Random

import pytest

from clearer_platform.bronze import history, slots
from clearer_platform.errors import DeliveryError
from clearer_platform.regions import Region, Registry
from clearer_platform.regions.registry import TableEntry
from clearer_platform.sources.http import client, fetch
from clearer_platform_tests.flow import deliver
from clearer_platform_tests.sources.faulty_api import HEADER, SLOW, Api, Schedule

DAY = date(2024, 3, 31)
CHUNKS, CHUNK = 10, 100
REGION = Region(name="us", timezone="America/New_York", currency="USD", root="us")
KINDS = (
    ("page", "json"),
    ("page", "json"),
    ("cursor", "json"),
    ("cursor", "json"),
    ("none", "json"),
    ("page", "csv"),
    ("none", "csv"),
)


def schedule(seed: int) -> Schedule:
    rng = Random(f"schedule {seed}")
    style, form = rng.choice(KINDS)
    return Schedule(
        seed,
        style,
        form,
        has_total=form == "json" and rng.random() < 0.4,
        size=rng.randint(1, 6),
        records=rng.choice((0, 1, rng.randint(2, 25))),
        changing=rng.choice((0, rng.randint(1, 8), rng.randint(5, 40), 1000)),
        failing=rng.choice((0, 8, 30, 1000, 1000)),
        failure_rate=rng.choice((0.1, 0.3, 0.7, 0.9)),
    )


def registry(url: str, plan: Schedule) -> Registry:
    """One region with a root of its own, whose conversations come from the API."""
    http = {"url": f"{url}/{{day}}", "style": plan.style, "format": plan.format, "attempts": 3, "timeout": SLOW / 2}
    if plan.format == "json":
        http |= {"records": "data.items"}
    if plan.style == "cursor":
        http |= {"next": "next", "cursor": "after"}
    if plan.style == "page":
        http |= {"page": "p", "first_page": 0}
    if plan.has_total:
        http |= {"total": "total"}
    tables = {"conversations": TableEntry(http=http)}
    return Registry.model_construct(
        regions={"us": REGION.model_copy(update={"root": f"us{plan.seed}", "tables": tables})}
    )


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_what_is_accepted_was_true_at_one_moment(chunk, platform, server, monkeypatch):
    running, url = server
    waited: list[float] = []
    monkeypatch.setattr(client, "pause", waited.append)
    outcomes: Counter[str] = Counter()
    for seed in range(chunk * CHUNK, (chunk + 1) * CHUNK):
        plan = schedule(seed)
        api = running.api = Api(plan)
        here = dataclasses.replace(platform, registry=registry(url, plan))
        waited.clear()
        outcome = judged(here, api, plan, seed)
        outcomes[outcome] += 1
        outcomes["changed meanwhile"] += outcome == "accepted" and len(api.states) > 1
        if not plan.changing and not plan.failing:
            assert outcome == "accepted", seed
        if outcome == "accepted":
            assert not Counter(api.asked) - Counter(waited), "it waits as long as it is asked to"
    assert outcomes["accepted"] >= 40 and outcomes["refused"] >= 10 and outcomes["changed meanwhile"] >= 10, outcomes


def judged(platform, api: Api, plan: Schedule, seed: int) -> str:
    """Fetch the window, and say what came of it, once all that must hold has been seen to hold."""
    layout = platform.layout("us")
    name = f"conversations-{DAY}.{'csv' if plan.format == 'csv' else 'jsonl'}"
    if seed % 2:
        deliver(platform, "us", "conversations", b"before\n", DAY, name)
    before = [d.id for d in history(layout, "conversations", DAY, name)]
    try:
        receipt = fetch(platform, "us", "conversations", DAY)
    except DeliveryError as e:
        assert e.message.startswith(f"us conversations {DAY}: ")
        assert [d.id for d in history(layout, "conversations", DAY, name)] == before, (seed, "refused, but received")
        outcome = "refused"
    else:
        assert receipt.is_new and receipt.delivery.slot == name
        assert len(slots(layout, "conversations")) == 1
        text = receipt.delivery.content.read_text("utf-8")
        assert text in {whole(state, plan) for state in api.states}, (seed, plan, api.faults)
        assert receipt.delivery.manifest.record_count in ((len(text.split("\n")) - 1,) if plan.has_total else (None,))
        outcome = "accepted"
    left = [p.name for p in (layout.work / "http").rglob("*") if p.is_file()]
    assert left == ["conversations.json"], "the spool is gone"
    return outcome


def whole(state: tuple[str, ...], plan: Schedule) -> str:
    """The delivery of all that the API held at one moment."""
    return "".join(f"{line}\n" for line in ((HEADER,) if plan.format == "csv" else ()) + state)
