"""Law 3, from bytes to marts: gold is a function of the deliveries, not of when or how often anything ran.

Random histories (late, corrected, withdrawn, repeated, deleted and broken deliveries) are lived through with validation
and builds at random moments, and compared with a rebuild from bronze. Many histories are many regions of one build.
"""

import random
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from io import BytesIO

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clearer_platform import gold, silver
from clearer_platform.bronze import receive
from clearer_platform.platform import Platform
from clearer_platform_tests.conftest import EFFORT, open_home
from clearer_platform_tests.laws.test_kill import marts

REGIONS = [f"r{i:02}" for i in range(9)]
DAYS = [date(2024, 3, 29) + timedelta(days=i) for i in range(4)]
ZONES = ("Europe/Berlin", "America/New_York", "Asia/Tokyo")
TABLES = ("transactions", "customers", "conversations")
START = datetime(2024, 4, 2, tzinfo=UTC)
HEADERS = {
    "transactions": "transaction_id,ordered_at,branch_id,branch_name,customer_id,total_amount,status,status_value,"
    "product_id,price,quantity,is_deleted",
    "customers": "customer_id,customer_name,gender,birth_date,area,email,is_deleted",
    "conversations": "conversation_id,from_id,from_name,from_email,message_id,message,type,inserted_at,has_phone,"
    "phone_info,is_hidden,is_removed,like_count,page_id,customer_id",
    "fx_rates": "currency,day,rate",
}


@dataclass(frozen=True)
class Sent:
    """One delivery of a history."""

    region: str
    table: str
    day: date
    slot: str
    content: str
    received_at: datetime


def registry() -> str:
    blocks = ['reporting_currency = "EUR"']
    for i, region in enumerate(REGIONS):
        blocks.append(
            f'[regions.{region}]\ntimezone = "{ZONES[i % 3]}"\ncurrency = "{("USD", "EUR", "JPY")[i % 3]}"\n'
            f'root = "{region}"\nstart = 2024-03-01\ngap = "forward"\nleaves = "pseudonyms"'
        )
        blocks += [f"[regions.{region}.tables.{table}]" for table in TABLES]
    return "\n".join([*blocks, f"[regions.{REGIONS[0]}.tables.fx_rates]", ""])


def row(table: str, dice: random.Random, day: date) -> str:
    """A row whose keys repeat often; now and then it breaks a rule, deletes its key or belongs to another day."""
    happened = datetime.combine(day, datetime.min.time()) + timedelta(days=dice.choice((0, 0, 0, -1, -2)))
    instant = f"{happened + timedelta(minutes=dice.randrange(1440))}"
    customer, deleted = f"c{dice.randrange(6)}", dice.choice(("", "", "", "false", "true"))
    amount = dice.choice(("1.10", "2.20", "30", "0.05") * 4 + ("-1",))
    status = dice.choice(("Completed", "Completed", "Pending", "Failed"))
    if table == "transactions":
        branch, quantity = dice.choice(("North", "South")), dice.choice(("", "1", "3"))
        key = f"t{dice.randrange(12)}"
        return (
            f"{key},{instant},1,{branch},{customer},{amount},1,{status},p{dice.randrange(3)},1.00,{quantity},{deleted}"
        )
    if table == "customers":
        return f"{customer},Name,F,1980-01-0{dice.randrange(1, 9)},{dice.choice(('North', 'East'))},a@b.c,{deleted}"
    if table == "conversations":
        return f"m{dice.randrange(5)},u1,Name,a@b.c,x,Hello,COMMENT,{instant},true,['+1'],false,false,1,p,{customer}"
    return f"{dice.choice(('USD', 'JPY'))},{day},{dice.choice(('0.9', '0.91', '0.0061'))}"


def content(table: str, dice: random.Random, day: date) -> str:
    kind = dice.random()
    if kind < 0.08:
        return "no,such,header\n1,2,3\n"
    rows = [] if kind < 0.16 else [row(table, dice, day) for _ in range(dice.randrange(1, 9))]
    return "\n".join([HEADERS[table], *rows]) + "\n"


def histories(dice: random.Random) -> list[Sent]:
    """Deliveries of all regions in the order of receipt."""
    sent = []
    for region in REGIONS:
        tables = [*TABLES, "transactions", "transactions", *(["fx_rates"] * 3 if region == REGIONS[0] else [])]
        for _ in range(10 if region == REGIONS[0] else 7):
            table, day = dice.choice(tables), dice.choice(DAYS)
            at = START + timedelta(seconds=dice.randrange(100_000))
            sent.append(Sent(region, table, day, dice.choice(("a.csv", "b.csv")), content(table, dice, day), at))
    return sorted(sent, key=lambda s: s.received_at)


def accept(platform: Platform, sent: Sent) -> None:
    receive(
        platform.layout(sent.region),
        sent.table,
        sent.day,
        sent.slot,
        BytesIO(sent.content.encode()),
        origin="history",
        received_at=sent.received_at,
    )


def validate(platform: Platform, pairs: list[tuple[str, str]]) -> None:
    for region, table in pairs:
        silver.bring_up(platform, region, table)


def build(platform: Platform) -> dict[str, list[tuple[object, ...]]]:
    target = platform.settings.home / "all.duckdb"
    current = target if target.exists() else None
    gold.build_warehouse(platform, REGIONS, target, platform.settings.home / "building", current=current)
    return marts(target)


def pairs(platform: Platform) -> list[tuple[str, str]]:
    return [(region, table) for region in REGIONS for table in platform.region(region).tables]


def moments(dice: random.Random, sent: list[Sent]) -> Iterator[list[Sent]]:
    """The history in a few parts of random length."""
    cuts = sorted(dice.sample(range(1, len(sent)), 2))
    for start, end in zip([0, *cuts], [*cuts, len(sent)], strict=True):
        yield sent[start:end]


@pytest.mark.slow
@pytest.mark.timeout(600)
@settings(max_examples=EFFORT, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True)
@given(seed=st.integers(0, 10**9))
def test_gold_is_a_function_of_the_deliveries(tmp_path_factory, prepared_dbt, seed):
    dice = random.Random(seed)
    lived = open_home(tmp_path_factory.mktemp("lived"), registry(), prepared_dbt)
    everything = pairs(lived)
    for part in moments(dice, histories(dice)):
        for sent in part:
            accept(lived, sent)
        some = dice.sample(everything, k=dice.randrange(len(everything)))
        validate(lived, some)
        build(lived)
    validate(lived, dice.sample(everything, k=len(everything)))
    validate(lived, everything)

    rebuilt = open_home(tmp_path_factory.mktemp("rebuilt"), registry(), prepared_dbt)
    for region in REGIONS:
        shutil.copytree(
            lived.layout(region).root / "bronze", rebuilt.layout(region).root / "bronze", dirs_exist_ok=True
        )
        secrets = lived.layout(region).secrets
        if secrets.exists():
            shutil.copytree(secrets, rebuilt.layout(region).secrets)
    validate(rebuilt, everything)

    held, afresh = build(lived), build(rebuilt)
    assert len(afresh["gold.fct_transactions"]) > 30, "the histories came to nothing: the law was not tested"
    for name, rows in afresh.items():
        assert held[name] == rows, name
