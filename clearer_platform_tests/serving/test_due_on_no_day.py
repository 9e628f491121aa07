"""A table may be due on no day (`days = []`): it comes when there is news, and nobody waits for it."""

from collections import Counter
from datetime import UTC, date, datetime

from clearer_platform.defs.alerting import late
from clearer_platform.serving.facts import gather
from clearer_platform.serving.plan import Only, plan
from clearer_platform.serving.status import State, by_region, cells

REGION = """
[regions.eu]
timezone = "UTC"
currency = "EUR"
root = "eu"
start = 2024-12-01
[regions.eu.tables]
departments = { days = [] }
jobs = { days = [] }
"""
NOW = datetime(2024, 12, 20, tzinfo=UTC)
DAY = date(2024, 12, 5)


def test_it_is_neither_late_nor_missing_before_or_after_a_delivery(make_platform) -> None:
    platform = make_platform(REGION)
    facts = gather(platform, ["eu"], NOW)
    assert {cell.state for cell in cells(facts, NOW)} == {State.NOT_DUE}
    assert not late(platform.region("eu"), facts, NOW)
    assert plan(facts, NOW, tuple(Only)).size == 0

    landing = platform.settings.home / "eu" / "landing" / "departments"
    landing.mkdir(parents=True)
    (landing / f"departments-{DAY}.csv").write_text("id,department\n1,Sales\n")
    facts = gather(platform, ["eu"], NOW)
    found = cells(facts, NOW)
    assert Counter(cell.state for cell in found) == {State.LANDED: 1, State.NOT_DUE: 2 * 20 - 1}
    assert {cell.hours_late for cell in found} == {None}
    assert {cell.state for cell in by_region(found)} == {State.LANDED, State.NOT_DUE}
    assert not late(platform.region("eu"), facts, NOW)
    wanted = plan(facts, NOW, (Only.MISSING,))
    assert (wanted.days, wanted.absent, wanted.silent) == ({"eu": (DAY,)}, {}, {})
