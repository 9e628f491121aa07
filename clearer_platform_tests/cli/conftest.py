"""A small home that was materialised once, by the command line itself, for every test that only looks at it."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from clearer_platform.cli.app import app
from clearer_platform.settings import PROJECT
from clearer_platform_tests.conftest import make_home, once

REGISTRY = """
reporting_currency = "EUR"

[regions.eu]
timezone = "Europe/Berlin"
currency = "EUR"
root = "eu"
leaves = "pseudonyms"
start = 2024-03-30
[regions.eu.csv]
encoding = "cp1252"
delimiter = ";"
decimal = ","
datetime = "%d.%m.%Y %H:%M:%S"
[regions.eu.tables.customers]
days = ["sat"]
[regions.eu.tables.products]
days = ["sat"]
[regions.eu.tables.transactions]
[regions.eu.tables.conversations]
days = ["sat"]
[regions.eu.tables.fx_rates]
days = ["sat"]

[regions.us]
timezone = "America/New_York"
currency = "USD"
root = "us"
start = 2024-03-30
[regions.us.tables.customers]
days = ["sat"]
[regions.us.tables.products]
days = ["sat"]
[regions.us.tables.transactions]
[regions.us.tables.conversations]
days = ["sat"]
"""
CUSTOMERS = "customer_id,customer_name,gender,birth_date,area,email"
PRODUCTS = "product_id,name,category_id,category_name,base_price,unit,weight,created_at"
SALES = "transaction_id,ordered_at,branch_id,branch_name,customer_id,total_amount,status,status_value,product_id,price"
TALKS = (
    "conversation_id,from_id,from_name,from_email,message_id,message,type,inserted_at,has_phone,phone_info,is_hidden,"
    "is_removed,like_count,page_id,customer_id"
)
SECRET = "Zyxwv Qponm"
"""A name that stands in a rejected record, and may be seen in nothing but an export."""

EU = {
    "customers-2024-03-30.csv": [
        CUSTOMERS,
        "C1,Ännchen,F,1990-01-01,North,a@b.de",
        f"C2,{SECRET},F,1990-01-01,Nowhere,c@d.de",
        *(f"C{n},Other,F,1990-01-01,North,c{n}@d.de" for n in range(3, 8)),
    ],
    "products-2024-03-30.csv": [PRODUCTS, "P1,Käse,K1,Food,2|50,kg,1,30.03.2024 08:00:00"],
    "transactions-2024-03-30.csv": [SALES, "T1,30.03.2024 10:00:00,b1,Köln,C1,12|50,1,Completed,P1,12|50"],
    "transactions-2024-03-31.csv": [
        SALES,
        "T2,31.03.2024 00:30:00,b1,Köln,C1,7|25,1,Completed,P1,7|25",
        "T3,31.03.2024 02:30:00,b1,Köln,C1,7|25,1,Completed,P1,7|25",
        *(f"T{n},31.03.2024 12:00:00,b1,Köln,C1,1|00,1,Pending,P1,1|00" for n in range(4, 12)),
    ],
    "conversations-2024-03-30.csv": [
        TALKS,
        "V1,A1,Ann,a@b.de,M1,hello,COMMENT,30.03.2024 09:00:00,false,[None],false,false,0,PG1,C1",
    ],
    "fx_rates-2024-03-30.csv": ["currency,day,rate", "EUR,2024-03-30,1", "USD,2024-03-30,0|925"],
}
US = {
    "customers-2024-03-30.csv": [CUSTOMERS, "C1,Bob,M,1980-01-01,West,b@c.com"],
    "products-2024-03-30.csv": [PRODUCTS, "P1,Soap,K1,Home,3.00,piece,1,2024-03-30 08:00:00"],
    "transactions-2024-03-30.csv": [SALES, "T1,2024-03-30 21:00:00,b9,Online,C1,99.90,1,Completed,P1,99.90"],
    "transactions-2024-03-31.csv": [
        SALES.replace("total_amount", "amount"),
        "T2,2024-03-31 21:00:00,b9,Online,C1,1,1,Completed,P1,1",
    ],
    "conversations-2024-03-30.csv": [
        TALKS,
        "V1,A1,Bob,b@c.com,M1,hi,COMMENT,2024-03-30 09:00:00,false,[None],false,false,0,PG1,C1",
    ],
}


def text(lines: list[str], region: str) -> bytes:
    """Lines in the format of a region; `|` stands for its decimal sign."""
    joined = "\n".join(lines) + "\n"
    return joined.replace(",", ";").replace("|", ",").encode("cp1252") if region == "eu" else joined.encode()


def write_home(home: Path, prepared_dbt: Path) -> Path:
    """A home with landing files of two regions, and one that is no delivery."""
    make_home(home, REGISTRY, prepared_dbt)
    for region, landing in (("eu", EU), ("us", US)):
        for name, lines in landing.items():
            folder = home / region / "landing" / name.split("-")[0]
            folder.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(text(lines, region))
    (home / "eu/landing/transactions/notes.txt").write_text("no delivery")
    return home


class Cli:
    """Runs `clearer` in this process on one home."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def __call__(self, *arguments: object, code: int = 0):
        """The result of a command that ends with `code`."""
        result = CliRunner().invoke(app, [*map(str, arguments), f"--home={self.home}"])
        assert result.exit_code == code, (result.exit_code, result.output, result.exception)
        assert "Traceback" not in result.output
        return result

    def json(self, *arguments: object, code: int = 0):
        """What a command says with --json."""
        return json.loads(self(*arguments, "--json", code=code).stdout)

    def error(self, *arguments: object, code: int = 1) -> str:
        """What a failing command says on stderr; nothing of it is a trace."""
        return self(*arguments, code=code).stderr


@pytest.fixture(scope="session")
def project() -> Path:
    """The dbt project that commands use; a module may have another."""
    return PROJECT / "dbt"


@pytest.fixture(scope="module", autouse=True)
def _environment(project: Path) -> Iterator[None]:
    """Nothing of ours is in the way."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("CLEARER_")]:
            patch.delenv(name)
        patch.setenv("CLEARER_DBT_PROJECT", str(project))
        yield


@pytest.fixture(autouse=True)
def _home(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands set CLEARER_HOME for their children; it is put back."""
    monkeypatch.setenv("CLEARER_HOME", "nowhere")


@pytest.fixture(scope="session")
def made(common, prepared_dbt):
    """The folder with the home after one `clearer materialize`, and what that printed. Not to be changed."""

    def make(folder: Path) -> None:
        home = write_home(folder / "home", prepared_dbt)
        command = [sys.executable, "-m", "clearer_platform.cli", "materialize", "--home", str(home)]
        with (folder / "stdout").open("wb") as out, (folder / "stderr").open("wb") as errors:
            environment = {**os.environ, "CLEARER_DBT_PROJECT": str(PROJECT / "dbt")}
            done = subprocess.run(command, stdout=out, stderr=errors, env=environment, timeout=280)
        assert done.returncode == 3, (folder / "stdout").read_text() + (folder / "stderr").read_text()

    return once(common / "cli", make)


@pytest.fixture
def cli(made):
    """`clearer` on the home that was materialised; for commands that only read."""
    return Cli(made / "home")


@pytest.fixture
def own(made, tmp_path):
    """`clearer` on a copy of that home, to be changed."""
    return Cli(Path(shutil.copytree(made / "home", tmp_path / "copy", symlinks=True)))


@pytest.fixture
def empty(tmp_path, prepared_dbt):
    """`clearer` on a home with a registry and nothing else."""
    return Cli(make_home(tmp_path / "home", REGISTRY, prepared_dbt))


def clearer(*arguments: object, **options):
    """Run `clearer` as a process of its own."""
    command = [sys.executable, "-m", "clearer_platform.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, **options)


def grid(cli, *arguments):
    """Region, table and day -> state, as `clearer status` has it."""
    return {(c["region"], c["table"], c["day"]): c["state"] for c in cli.json("status", *arguments)}
