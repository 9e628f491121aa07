"""What tests of several packages share: a small platform in a temporary home."""

import gc
import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any

import psutil
import pytest
from filelock import FileLock
from sqlalchemy import URL, Engine, create_engine, text
from upath import UPath

from clearer_platform import gold
from clearer_platform.platform import Platform
from clearer_platform.sample.databases import DatabaseServer, NoServer, mariadb, postgresql
from clearer_platform.settings import PROJECT, Settings
from clearer_platform_tests.trimming import trim

EFFORT = int(os.environ.get("CLEARER_TEST_EFFORT", "1"))
"""How many times the usual number of random histories, kills and schedules of faults are tried."""

gc.set_threshold(200_000)  # All that is imported stays for the session; walking it takes a tenth of a build's time.

REGIONS = """
reporting_currency = "EUR"

[regions.eu]
timezone = "Europe/Berlin"
currency = "EUR"
root = "eu"
leaves = "pseudonyms"
start = 2024-03-01
[regions.eu.csv]
encoding = "cp1252"
delimiter = ";"
decimal = ","
thousands = "."
date = "%d.%m.%Y"
datetime = "%d.%m.%Y %H:%M:%S"
[regions.eu.tables.customers]
[regions.eu.tables.products]
[regions.eu.tables.transactions]
[regions.eu.tables.conversations]
[regions.eu.tables.fx_rates]
days = ["mon", "tue", "wed", "thu", "fri"]

[regions.us]
timezone = "America/New_York"
currency = "USD"
root = "us"
start = 2024-03-01
[regions.us.tables.customers]
[regions.us.tables.transactions]
[regions.us.tables.conversations]
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A child of a process that has run many tests takes several times as long as one of a new process."""
    items.sort(key=lambda item: item.get_closest_marker("forks") is None)


def pytest_collection_finish() -> None:
    """What has been imported by now is never garbage, and is not looked through for it again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def common(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all tests and processes of a session."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture(scope="session")
def prepared_dbt(common: Path) -> Path:
    """Where homes keep prepared dbt projects, so that each is parsed once."""
    folder = common / "prepared_dbt"
    folder.mkdir(exist_ok=True)
    return folder


def once(folder: Path, make: Callable[[Path], object]) -> Path:
    """A folder of `common`, made by the first process that needs it; the others wait. Tests must leave it as it is."""
    made = folder.with_name(f"{folder.name}.made")
    with FileLock(f"{folder}.lock"):
        if not made.exists():
            folder.mkdir()
            make(folder)
            made.touch()
    return folder


@pytest.fixture(scope="session")
def few_models(common: Path, prepared_dbt: Path) -> Callable[..., Path]:
    """A function: a dbt project with the models of these names and what they are made from, the same for all tests."""

    def trimmed(folder: Path, *models: str) -> None:
        home = folder.with_name(f"{folder.name}.home")
        whole = open_home(home, REGIONS, prepared_dbt, dbt_project=PROJECT / "dbt")
        trim(gold.prepare(whole), models, folder)

    def project(*models: str) -> Path:
        return once(common / "-".join(["dbt", *models]), lambda folder: trimmed(folder, *models))

    return project


def share_dbt(home: Path, prepared_dbt: Path) -> Path:
    """A home whose dbt projects are prepared where those of all tests are."""
    home.mkdir(parents=True, exist_ok=True)
    if not (home / "dbt").exists():
        (home / "dbt").symlink_to(prepared_dbt)
    return home


def make_home(home: Path, regions: str, prepared_dbt: Path) -> Path:
    """The same, with this registry."""
    share_dbt(home, prepared_dbt)
    (home / "regions.toml").write_text(regions, "utf-8")
    return home


def open_home(home: Path, regions: str, prepared_dbt: Path, **settings: object) -> Platform:
    """The platform in the folder `home`, with this registry."""
    make_home(home, regions, prepared_dbt)
    return Platform.open(Settings(home=home, _env_file=None, **settings))  # type: ignore[arg-type]


@pytest.fixture
def make_platform(tmp_path: Path, prepared_dbt: Path) -> Callable[..., Platform]:
    """A function that writes a registry into a temporary home and opens the platform there."""

    def make(regions: str = REGIONS, **settings: object) -> Platform:
        return open_home(tmp_path / "home", regions, prepared_dbt, **settings)

    return make


@pytest.fixture
def platform(make_platform: Callable[..., Platform]) -> Platform:
    """Two regions that differ in zone, currency and format."""
    return make_platform()


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real deliveries; a test that needs it is reported as not run where it is not named."""
    folder = os.environ.get("CLEARER_REAL_DATA")
    if not folder:
        pytest.skip("not run: CLEARER_REAL_DATA does not name the folder of real deliveries")
    return Path(folder)


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """The URL of an S3-compatible server (moto's) on a free port of this machine."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[UPath]:
    """An empty bucket; credentials come from the environment, as they do for users."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    root = UPath(f"s3://clearer-{uuid.uuid4().hex[:8]}", endpoint_url=s3_endpoint)
    root.fs.mkdir(root.path)
    yield root
    root.fs.clear_instance_cache()


@pytest.fixture
def bucket_platform(bucket: UPath, s3_endpoint: str, make_platform: Callable[..., Platform]) -> Platform:
    """The two regions of `platform`, with eu's root and the global root in a bucket."""
    options = f'options = {{ endpoint_url = "{s3_endpoint}" }}'
    text = REGIONS.replace('root = "eu"', f'root = "s3://{bucket.drive}/eu"\n{options}')
    return make_platform(text)


def _server(start: Callable[[], AbstractContextManager[DatabaseServer]]) -> Iterator[DatabaseServer]:
    with ExitStack() as stack:
        try:
            server = stack.enter_context(start())
        except NoServer as e:
            pytest.skip(f"not run: {e}")
        yield server


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[DatabaseServer]:
    """A MariaDB for the session; a test that wants to kill one starts its own."""
    yield from _server(mariadb)


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[DatabaseServer]:
    """A PostgreSQL for the session."""
    yield from _server(postgresql)


@pytest.fixture
def shop(mariadb_server: DatabaseServer) -> Iterator[URL]:
    """An empty MariaDB database."""
    yield from _database(mariadb_server.url, drop="DROP DATABASE {}")


@pytest.fixture
def warehouse(postgresql_server: DatabaseServer) -> Iterator[URL]:
    """An empty PostgreSQL database."""
    yield from _database(postgresql_server.url, drop="DROP DATABASE {} WITH (FORCE)")


def client(server: URL, **options: Any) -> Engine:
    """What makes a test's own connections to a server; it is on this machine, and PyMySQL takes its time for TLS."""
    plain = {"ssl_disabled": True} if server.get_backend_name() == "mysql" else {}
    return create_engine(server, connect_args=plain, **options)


def _database(server: URL, drop: str) -> Iterator[URL]:
    name, engine = f"t{uuid.uuid4().hex[:12]}", client(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
        yield server.set(database=name)
        connection.execute(text(drop.format(name)))
    engine.dispose()


def signal_all(server: DatabaseServer, number: int) -> None:
    """Send a signal to a server and all processes that it has started."""
    parent = psutil.Process(server.process.pid)
    for process in [parent, *parent.children(recursive=True)]:
        process.send_signal(number)
