"""The platform at the job: read the shop, judge, build facts and cubes with their tests, publish."""

from datetime import UTC, datetime
from pathlib import Path

from bench.phases import phase, report, started
from bench.softcart.servers import Servers
from clearer_platform import gold, silver
from clearer_platform.gold import standby
from clearer_platform.platform import Platform
from clearer_platform.sample import softcart
from clearer_platform.serving import publishing
from clearer_platform.settings import Settings
from clearer_platform.sources.sql.reading import fetch


def prepared(home: Path, work: Path, servers: Servers) -> Platform:
    """A home whose dbt project is prepared, which happens once an installation."""
    (work / "dbt").mkdir(parents=True, exist_ok=True)
    home.mkdir(parents=True)
    (home / "dbt").symlink_to((work / "dbt").resolve())
    registry = softcart.registry(servers.shop, servers.warehouse, datetime.now(UTC))
    (home / "regions.toml").write_text(registry)
    platform = _opened(home)
    gold.prepare(platform)
    return platform


def _opened(home: Path) -> Platform:
    return Platform.open(Settings(home=home, _env_file=None))  # type: ignore[call-arg]


def main(home: Path) -> None:
    """The measured job. As in the command, a process of its own loads dbt while the shop is read."""
    platform = _opened(home)
    started()
    with standby.ahead(platform):
        with phase("read"):
            fetch(platform, softcart.REGION, "sales", compare=False)
        with phase("silver"):
            silver.bring_up(platform, softcart.REGION, "sales")
        with phase("gold"):
            gold.warm.build(platform, softcart.REGION)
        with phase("publish"):
            result = publishing.publish(platform, softcart.TARGET)
            if result.error:
                raise result.error
    report({})
