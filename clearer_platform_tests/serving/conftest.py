"""A home whose gold was built once, without the orchestrator."""

from datetime import date

import pytest

from clearer_platform_tests import flow
from clearer_platform_tests.conftest import REGIONS, open_home

DAY = date(2024, 4, 1)
SALES = (
    "transaction_id;ordered_at;branch_id;branch_name;customer_id;total_amount;status;status_value;product_id;price\n"
    "T1;01.04.2024 10:00:00;b1;Köln;C1;12,50;1;Completed;P1;12,50\n"
    "T2;01.04.2024 10:00:00;b1;Köln;C1;x;1;Completed;P1;12,50\n"
    + "".join(f"T{n};01.04.2024 11:00:00;b1;Köln;C1;1,00;1;Pending;P1;1,00\n" for n in range(3, 9))
)


@pytest.fixture(scope="session")
def built_home(tmp_path_factory, prepared_dbt):
    """The home of two regions, of which eu has one day of sales."""
    home = tmp_path_factory.mktemp("serving") / "home"
    platform = open_home(home, REGIONS, prepared_dbt)
    flow.deliver(platform, "eu", "transactions", SALES, DAY)
    flow.run(platform, "eu")
    return home
