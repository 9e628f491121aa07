"""What is used of Dagster beyond its public names: where, for which version, and what happens under another."""

import ast
import re
from pathlib import Path

import dagster as dg
import pytest

import clearer_platform
from clearer_platform.defs import internals
from clearer_platform.defs.runs import instance
from clearer_platform.platform import Platform
from clearer_platform_tests.defs.conftest import Gold

PACKAGE = Path(clearer_platform.__file__).parent
PINNED = PACKAGE.parent / "constraints.txt"


def imported(path: Path) -> set[str]:
    """Every module that a file imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {f"{node.module}"}
    return found


def test_private_names_stand_in_two_modules_which_nothing_else_imports() -> None:
    files = {path.relative_to(PACKAGE).as_posix(): imported(path) for path in PACKAGE.rglob("*.py")}
    private = {name for name, modules in files.items() if any(m.startswith("dagster._") for m in modules)}
    assert private == {"defs/event_log.py", "defs/launching.py"}
    ours = {"clearer_platform.defs.event_log", "clearer_platform.defs.launching"}
    assert not [name for name, modules in files.items() if modules & ours]


def test_the_pinned_dagster_is_the_known_one() -> None:
    (pinned,) = re.findall(r"^dagster==(.*)$", PINNED.read_text(), flags=re.MULTILINE)
    assert pinned == internals.KNOWN == dg.__version__


def test_another_dagster_gets_its_own_launcher_and_storage(
    platform: Platform, built: Gold, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = platform.settings.dagster_home

    def kinds() -> list[str]:
        with instance(platform):
            pass
        with dg.DagsterInstance.from_config(str(home)) as found:
            return [type(found.run_launcher).__name__, type(found.event_log_storage).__name__]

    assert kinds() == ["Launcher", "KeptOpenEventLog"]
    monkeypatch.setattr(internals, "KNOWN", "1.14.0")
    assert kinds() == ["DefaultRunLauncher", "SqliteEventLogStorage"]
    assert "clearer_platform" not in re.sub("#.*", "", (home / "dagster.yaml").read_text())
    monkeypatch.undo()
    assert kinds() == ["Launcher", "KeptOpenEventLog"]


def test_history_is_kept_from_one_storage_to_the_other(
    platform: Platform, built: Gold, monkeypatch: pytest.MonkeyPatch
) -> None:
    with instance(platform) as known:
        known.report_runless_asset_event(dg.AssetMaterialization("noted", metadata={"rows": 1}))
    monkeypatch.setattr(internals, "KNOWN", "1.14.0")
    with instance(platform) as other:
        assert other.get_latest_materialization_event(dg.AssetKey("noted")) is not None
