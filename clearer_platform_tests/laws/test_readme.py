"""The README's examples, taken from its page and run: a region is TOML alone, a table is a contract and a dbt model."""

import re
import shutil
import sys
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from clearer_platform import gold, sources
from clearer_platform.platform import Platform
from clearer_platform.settings import PROJECT, Settings
from clearer_platform_tests.conftest import REGIONS
from clearer_platform_tests.flow import deliver, query, run
from clearer_platform_tests.sources.faulty_api import Answer, serving
from clearer_platform_tests.sources.service import Service
from clearer_platform_tests.sources.sql.shops import run as statements

DAY = date(2024, 10, 28)
MEMBERS = "member_id,tier,points\nm1,basic,5\nm2,gold,70\nm3,platinum,9\nm4,gold,0\nm5,basic,1\n"


def example(name: str) -> str:
    """The fenced block of the README whose first line is a comment that names the file `name`."""
    blocks = re.findall(r"```\w+\n((?:#|--) ([\w.]+)\n.*?)```", (PROJECT / "README.md").read_text("utf-8"), re.DOTALL)
    return {file: text for text, file in blocks}[name]


def test_a_new_region_is_toml_alone(make_platform):
    platform = make_platform(REGIONS + example("regions.toml"))
    header = "pedido;data_pedido;branch_id;loja;customer_id;valor_total;status;status_value;product_id;price\n"
    rows = (
        "1;27/10/2024 23:30;7;São Paulo;c1;1.234,50;1;Completed;p1;1.234,50\n"
        "2;28/10/2024 00:15;7;São Paulo;c2;10,00;1;Completed;p1;10,00\n"
        "3;28/10/2024 09:00;7;São Paulo;c2;12.34,00;1;Completed;p1;10,00\n"
        "4;28/10/2024 09:00;7;São Paulo;c2;0,50;1;Completed;p1;10,00\n"
        "5;28/10/2024 09:05;7;São Paulo;c2;99,00;1;Failed;p1;10,00\n"
    )
    deliver(platform, "br", "transactions", header + rows, DAY)
    run(platform, "br")
    days = query(platform, "br", "select day, branch, currency, revenue from gold.branch_performance_daily order by 1")
    assert days.to_pylist() == [
        {"day": date(2024, 10, 27), "branch": "São Paulo", "currency": "BRL", "revenue": Decimal("1234.50")},
        {"day": date(2024, 10, 28), "branch": "São Paulo", "currency": "BRL", "revenue": Decimal("10.50")},
    ]
    total = query(platform, None, "select region, revenue from global.branch_performance")
    assert total.to_pylist() == [{"region": "br", "revenue": Decimal("1245.00")}]


@pytest.fixture
def with_loyalty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Platform:
    modules, project, home = tmp_path / "modules", tmp_path / "dbt", tmp_path / "home"
    modules.mkdir()
    (modules / "loyalty.py").write_text(example("loyalty.py"), "utf-8")
    monkeypatch.syspath_prepend(str(modules))
    monkeypatch.delitem(sys.modules, "loyalty", raising=False)
    shutil.copytree(PROJECT / "dbt", project, ignore=shutil.ignore_patterns("target", "logs"))
    models = project / "models" / "marts" / "loyalty"
    models.mkdir(parents=True)
    for name in ("loyalty_by_tier.sql", "loyalty_by_tier.yml"):
        (models / name).write_text(example(name), "utf-8")
    home.mkdir()
    (home / "regions.toml").write_text(REGIONS + "[regions.us.tables.loyalty_points]\n", "utf-8")
    return Platform.open(Settings(home=home, dbt_project=project, contract_modules=("loyalty",), _env_file=None))


def test_a_new_table_is_a_contract_and_a_dbt_model(with_loyalty):
    deliver(with_loyalty, "us", "loyalty_points", MEMBERS)
    run(with_loyalty, "us")
    assert query(with_loyalty, "us", "select * from gold.loyalty_by_tier order by tier").to_pylist() == [
        {"region": "us", "tier": "basic", "members": 2, "points": 6},
        {"region": "us", "tier": "gold", "members": 2, "points": 70},
    ]
    deliver(with_loyalty, "us", "loyalty_points", "member_id,tier,points\nm1,gold,30\n", date(2024, 4, 1))
    run(with_loyalty, "us")
    assert query(
        with_loyalty, "us", "select tier, members, points from gold.loyalty_by_tier order by 1"
    ).to_pylist() == [
        {"tier": "basic", "members": 1, "points": 1},
        {"tier": "gold", "members": 3, "points": 100},
    ]
    assert "loyalty_by_tier" in {model.alias for model in gold.models(with_loyalty)}


def test_an_api_is_toml_alone(make_platform, monkeypatch):
    monkeypatch.setenv("TALKS_KEY", "s3cret")
    pages = [['{"conversation_id": "c1", "like_count": 1.0}'], ["{}"], []]

    def respond(n: int, asked: dict[str, str]) -> Answer:
        page = ",".join(pages[int(asked["p"]) - 1])
        return Answer(f'{{"data": {{"items": [{page}], "count": 2}}}}'.encode(), "application/json")

    with serving() as (running, url):
        running.api = service = Service(respond)
        text = REGIONS + example("api.toml").replace("https://api.example.com", url)
        (receipt,) = sources.collect(make_platform(text), "us", "conversations", [DAY])
    assert receipt.delivery.content.read_text() == '{"conversation_id": "c1", "like_count": 1.0}\n{}\n'
    assert service.queries[0] == {"p": "1", "from": "2024-10-28T04:00:00Z", "to": "2024-10-29T04:00:00Z"}
    assert (service.paths[0], service.headers[0]["x-api-key"]) == ("/v2/talks", "s3cret")


ORDERS = """CREATE TABLE orders (transaction_id INT PRIMARY KEY, ordered_at DATETIME, branch_id INT,
    branch_name VARCHAR(20), customer_id VARCHAR(9), total_amount DECIMAL(9, 2), status INT, status_value VARCHAR(9),
    product_id VARCHAR(9), price DECIMAL(9, 2), changed_at TIMESTAMP)"""
SOLD = "INSERT INTO orders VALUES ({}, '2024-03-31 12:00:00', 7, 'Köln', 'c1', {}, 1, 'Completed', 'p1', {}, NOW())"


def test_a_database_server_is_toml_alone(make_platform, monkeypatch, shop):
    monkeypatch.setenv("SHOP_PASSWORD", shop.password)
    server = f"mysql://{shop.username}@{shop.host}:{shop.port}"
    text = example("sql.toml").replace("mysql://reader@db.example.com:3306", server)
    platform = make_platform(REGIONS + text.replace("shop.orders", f"{shop.database}.orders"))
    statements(shop, ORDERS, SOLD.format(1, "1234.50", "1234.50"), SOLD.format(2, "0.50", "0.50"))
    assert len(sources.collect(platform, "eu", "transactions")) == 1
    run(platform, "eu")
    statements(shop, "UPDATE orders SET total_amount = 10, changed_at = NOW() WHERE transaction_id = 2")
    assert len(sources.collect(platform, "eu", "transactions")) == 1
    run(platform, "eu")
    days = query(platform, "eu", "select day, branch, revenue from gold.branch_performance_daily")
    assert days.to_pylist() == [{"day": date(2024, 3, 31), "branch": "Köln", "revenue": Decimal("1244.50")}]
