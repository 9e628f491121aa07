"""SoftCart end to end, on real servers: the warehouse equals the shop, whatever is killed and whatever happens;
and each mistake of earlier implementations, made impossible.
"""

import random
import time
from contextlib import ExitStack
from decimal import Decimal

import pytest
from sqlalchemy import text

from clearer_platform.sample import softcart
from clearer_platform.sample.databases import NoServer
from clearer_platform_tests.conftest import EFFORT
from clearer_platform_tests.laws.carrying import Carriage

FACTS, TOTAL = 2_605, 19_321_151
"""Of both extracts together, as published."""


@pytest.fixture
def carriage(tmp_path, prepared_dbt):
    with ExitStack() as stack:
        try:
            found = Carriage(tmp_path / "home", prepared_dbt, stack)
        except NoServer as e:
            pytest.skip(f"not run: {e}")
        yield found


def one(carriage, query):
    with carriage.warehouse.connect() as connection:
        (row,) = connection.execute(text(query)).all()
    return tuple(row)


def test_the_real_extracts_from_mysql_to_postgresql(carriage, real_data):
    extracts = [softcart.extract(real_data / "softcart" / f"sales_{name}data.csv") for name in ("old", "new")]
    carriage.shop.sell(extracts[0])
    carriage.carry(compare=False)
    assert one(carriage, "SELECT count(*), sum(price * quantity) FROM fct_sales") == (1_301, 9_676_882)
    carriage.shop.sell(extracts[1])
    carriage.carry(compare=False)
    # No row is taken for a header, no row comes twice, and every fact finds its day.
    known = "SELECT count(*), sum(total_price), count(DISTINCT product_id), count(DISTINCT customer_key) FROM fct_sales"
    assert one(carriage, known) == (FACTS, TOTAL, 1_534, 2_516)
    assert one(carriage, "SELECT count(*) FROM fct_sales JOIN dim_dates USING (region, date_key, day)") == (FACTS,)
    assert one(carriage, "SELECT count(*) - count(DISTINCT day) FROM dim_dates") == (0,), "a row a day, not a second"
    total = "SELECT sales, revenue FROM sales_by_product WHERE level = 'total'"
    assert one(carriage, total) == (FACTS, Decimal(TOTAL))
    assert carriage.held() == carriage.sold()
    stamps = "SELECT xmin::text, count(*) FROM fct_sales GROUP BY 1"
    with carriage.warehouse.connect() as connection:
        before = connection.execute(text(stamps)).all()
    for _ in range(3):
        carriage.carry(compare=True)
    with carriage.warehouse.connect() as connection:
        assert connection.execute(text(stamps)).all() == before, "a run that finds nothing new writes no row"


@pytest.mark.slow
def test_random_kills_and_changes_end_at_what_the_shop_holds(carriage):
    killed = _live(carriage, random.Random(5), runs=5 * EFFORT)
    assert killed


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_hundred_runs_with_random_kills_and_changes(carriage):
    killed = _live(carriage, random.Random(2026), runs=100)
    assert 20 < killed < 80, "neither always nor never"


def _live(carriage, chance, runs):
    """Sell, correct and cancel between runs, some of which are killed at random moments; how many were."""
    killed, seconds = 0, 4.0
    for number in range(runs):
        _happen(carriage.shop, chance)
        began = time.monotonic()
        kill_after = chance.uniform(0.5, 1.1) * seconds if chance.random() < 0.6 else None
        if not carriage.carry(compare=chance.random() < 0.3, kill_after=kill_after):
            killed += 1
        else:
            seconds = time.monotonic() - began
        if number % 10 == 9:
            carriage.carry(compare=True)
            assert carriage.held() == carriage.sold(), f"after run {number}"
    carriage.carry(compare=True)
    assert carriage.held() == carriage.sold()
    return killed


def _happen(shop, chance):
    """What a while in the shop brings."""
    last = shop.last()
    shop.sell(softcart.made_up(last + chance.randint(1, 5), chance.randint(0, 60), seed=chance.randrange(1000)))
    if last > 20:
        chosen = chance.sample(range(1, last + 1), 10)
        shop.correct(chosen[:6])
        shop.cancel(chosen[6:])
