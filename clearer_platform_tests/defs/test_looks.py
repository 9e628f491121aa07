"""What the UI shows beside figures: previews of what may leave, samples without values."""

from datetime import date

import pytest

from clearer_platform import gold
from clearer_platform.defs.looks import previews, rejected_sample
from clearer_platform.defs.marts import Marts
from clearer_platform.platform import Platform
from clearer_platform.silver import Outcome
from clearer_platform_tests.gold.conftest import DAY, NAMES, built, built_home, own  # noqa: F401


def test_previews_are_of_what_the_region_lets_leave(built: Platform) -> None:  # noqa: F811
    marts = Marts(built, gold.models(built))
    eu, us = (previews(built, region, marts.days, [DAY]) for region in ("eu", "us"))
    assert set(eu) == set(us) == {("branch_performance_daily", DAY)}
    text = str(eu["branch_performance_daily", DAY].value)
    assert text.startswith("| region | branch | day |")
    assert "| eu | North Gate | 2024-10-27 |" in text
    assert "| 0.0000000000 |" in text, "what failed, in the reporting currency"
    assert "E-" not in text
    wholes = {region: previews(built, region, marts.wholes) for region in ("eu", "us")}
    assert ("dim_customers", None) in wholes["eu"], "pseudonyms leave eu"
    assert ("dim_customers", None) not in wholes["us"], "aggregates alone leave us"
    everything = str([value.value for part in wholes.values() for value in part.values()])
    assert not [name for name in [*NAMES, "customer-1"] if name in everything]
    assert (
        str(previews(built, "eu", marts.days, [date(2020, 1, 1)])["branch_performance_daily", date(2020, 1, 1)].value)
        == "no rows"
    )


@pytest.mark.parametrize("count", [0, 1, 30])
def test_a_sample_names_the_place_and_the_rule(count: int) -> None:
    what = {"rule": "total_amount.missing", "message": "no value", "column": "total_amount"}
    said = {"region": "eu", "table": "t", "day": DAY, "slot": "a.csv", "delivery": "d", "fingerprint": "f"}
    problems = [{**what, "line": n + 2} for n in range(count)]
    outcome = Outcome.model_validate({**said, "status": "published", "problems": problems})
    text = str(rejected_sample([outcome]).value)
    assert text.count("total_amount.missing") == min(count, 12)
    assert ("| a.csv | 2 | total_amount | total_amount.missing | no value |" in text) == bool(count)
