"""What the served gold was built from, as `status` and `--only changed` ask."""

from collections.abc import Callable

from clearer_platform import gold
from clearer_platform.platform import Platform
from clearer_platform_tests.conftest import REGIONS
from clearer_platform_tests.flow import DAY, deliver, run

CUSTOMER = "customer_id;customer_name;gender;birth_date;area;email\nc1;Name;F;01.02.1980;North;a@example.org\n"


def test_another_registry_makes_all_of_gold_due(make_platform: Callable[..., Platform]) -> None:
    platform = make_platform()
    deliver(platform, "eu", "customers", CUSTOMER)
    run(platform, "eu")
    assert list(gold.contained(platform, "eu")) == [("customers", DAY, f"customers-{DAY}.csv")]

    changed = make_platform(REGIONS.replace('reporting_currency = "EUR"', 'reporting_currency = "USD"'))
    assert gold.contained(changed, "eu") == {}
    assert gold.build(changed, "eu").changed
    assert len(gold.contained(changed, "eu")) == 1
