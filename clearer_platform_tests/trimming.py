"""A dbt project trimmed to a few models: what goes on around them is the same as around all of them, and takes less."""

import shutil
from collections.abc import Collection
from pathlib import Path
from typing import Any

import yaml

from clearer_platform.gold import Prepared
from clearer_platform.settings import PROJECT


def trim(whole: Prepared, models: Collection[str], folder: Path) -> None:
    """Copy the project into `folder`: `models`, all that they are made from, and the tests that read nothing else.

    `whole` is the project prepared; what reads what is looked up there. Unit tests, which no build runs, stay behind.
    """
    nodes: dict[str, dict[str, Any]] = whole.manifest["nodes"]
    reads = {name: {other for other in node["depends_on"]["nodes"] if other in nodes} for name, node in nodes.items()}
    kept = {name for name, node in nodes.items() if node["resource_type"] == "model" and node["name"] in models}
    assert len(kept) == len(models), f"not all of them are models: {', '.join(models)}"
    while more := {other for name in kept for other in reads[name]} - kept:
        kept |= more
    kept |= {name for name, node in nodes.items() if node["resource_type"] == "test" and reads[name] <= kept}
    names = {nodes[name]["name"] for name in kept}
    left = {nodes[name]["original_file_path"] for name in nodes.keys() - kept}
    shutil.copytree(PROJECT / "dbt", folder, ignore=shutil.ignore_patterns("target", "logs"), dirs_exist_ok=True)
    for path in folder.glob("[mt]*/**/*.*"):
        if path.suffix == ".yml":
            path.write_text(_trimmed(path.read_text("utf-8"), names), "utf-8")
        elif f"{path.relative_to(folder)}" in left:
            path.unlink()


def _trimmed(text: str, names: Collection[str]) -> str:
    """A YAML file without what it says of models and tests of other names."""
    said = yaml.safe_load(text)
    said.pop("unit_tests", None)
    for kind in {"models", "data_tests"} & said.keys():
        said[kind] = [described for described in said[kind] if described["name"] in names]
    for model in said.get("models", ()):
        tests = model.pop("data_tests", ())
        model["data_tests"] = [test for test in tests if {about["name"] for about in test.values()} <= names]
    return yaml.safe_dump(said, sort_keys=False)
