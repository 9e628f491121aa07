"""The dbt project made ready to run: copied beside the sources that follow from the contracts, and parsed once.

A prepared project is kept per content in `<home>/dbt/<version>`; it holds no data and no machine's path, and every
build of every region uses it. Preparing takes seconds, and happens when the project or a contract changed.
"""

import hashlib
import json
import shutil
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml
from filelock import FileLock

from clearer_platform.contracts import Contract, Personal
from clearer_platform.errors import BuildError
from clearer_platform.gold.dbt import invoke
from clearer_platform.gold.prepared import Prepared
from clearer_platform.platform import Platform
from clearer_platform.storage import PARTIAL, reported

BUILD_VERSION = "3"
"""Raised whenever what this package puts into a warehouse changes: every warehouse is then rebuilt."""
ENGINES = ("dbt-core", "dbt-duckdb", "duckdb")
GENERATED = ("target", "logs", "dbt_packages")


def prepare(platform: Platform) -> Prepared:
    """The platform's dbt project, parsed if it is not yet. Raises BuildError where dbt cannot read it."""
    version = project_version(platform)
    folder = platform.settings.home.resolve() / "dbt" / version[:16]
    prepared = Prepared(folder, version)
    if prepared.parsed.exists():
        return prepared
    with reported("write", folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.parent / "prepare.lock"):
        if not prepared.parsed.exists():
            _prepare(platform, prepared)
    return prepared


def _prepare(platform: Platform, prepared: Prepared) -> None:
    """Copy and parse aside, then put in place. For the holder of the lock, who also clears what a killed one left."""
    aside = prepared.folder.with_name(f"{PARTIAL}prepare")
    shutil.rmtree(aside, ignore_errors=True)
    try:
        with reported("write", aside):
            shutil.copytree(_source(platform), aside, ignore=shutil.ignore_patterns(*GENERATED))
            (aside / "models" / "silver.yml").write_text(silver_sources(platform.contracts), "utf-8")
        _parse(platform, aside, prepared.version)
        with reported("write", prepared.folder):
            shutil.rmtree(prepared.folder, ignore_errors=True)
            aside.rename(prepared.folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def project_version(platform: Platform) -> str:
    """Hex digest of all that decides how silver becomes gold, but for the registry."""
    source = _source(platform)
    digest = hashlib.sha256(json.dumps(described(platform.contracts), sort_keys=True).encode())
    digest.update(" ".join([BUILD_VERSION, *map(_installed, ENGINES)]).encode())
    for path in sorted(p for p in source.rglob("*") if p.is_file() and not set(p.parts) & set(GENERATED)):
        digest.update(f"\0{path.relative_to(source)}\0".encode() + path.read_bytes())
    return digest.hexdigest()


@lru_cache
def _installed(package: str) -> str:
    """The version of a package; looking for it takes milliseconds, and it stays while a process runs."""
    return version(package)


def described(contracts: dict[str, Contract]) -> dict[str, dict[str, object]]:
    """The contracts as dbt's macros see them."""
    return {
        name: {
            "key": contract.key,
            "load_mode": contract.load_mode.value,
            "ordering": contract.ordering,
            "event_time": contract.event_time,
            "tombstone": contract.tombstone,
            "shared": contract.shared,
            "nested": contract.nested and contract.nested.parent,
            "awaited": [{"name": r.name, "table": r.table, "columns": r.columns} for r in contract.awaited],
            "columns": [column.name for column in contract.columns],
            "direct": contract.personal(Personal.DIRECT),
        }
        for name, contract in sorted(contracts.items())
    }


def silver_sources(contracts: dict[str, Contract]) -> str:
    """dbt's description of schema `silver`: one source a contract."""
    tables = [
        {
            "name": contract.name,
            "description": contract.description,
            "columns": [{"name": c.name, "description": c.description} for c in contract.columns],
        }
        for contract in contracts.values()
    ]
    source = {
        "name": "silver",
        "schema": "silver",
        "description": "Accepted rows, from the contracts.",
        "tables": tables,
    }
    return yaml.safe_dump({"version": 2, "sources": [source]}, sort_keys=False, allow_unicode=True)


def _source(platform: Platform) -> Path:
    source = platform.settings.dbt_project
    if not (source / "dbt_project.yml").exists():
        raise BuildError(
            f"there is no dbt project at {source}", hint="set CLEARER_DBT_PROJECT to the folder with dbt_project.yml"
        )
    return source


def _parse(platform: Platform, folder: Path, version: str) -> None:
    result = invoke(
        Prepared(folder, version),
        platform.settings,
        folder / "target" / "warehouse.duckdb",
        ["parse", "--write-json"],
        {"contracts": described(platform.contracts)},
        target=folder / "target",
        is_parsed=False,
    )
    if not result.success:
        raise BuildError(f"the dbt project cannot be read: {result.exception}", hint="run `clearer check` once mended")
    prepared = Prepared(folder, version)
    check_what_leaves(prepared.manifest)
    check_as_of(prepared.manifest)
    result.result.files.clear()  # Of use for parsing alone, and five times as slow to read as all the rest.
    prepared.parsed.write_bytes(result.result.to_msgpack())


def check_what_leaves(manifest: dict[str, Any]) -> None:
    """Hold models across regions to what regions may let leave. Raises BuildError naming the one that reads more."""
    nodes = {name: node for name, node in manifest["nodes"].items() if node["resource_type"] == "model"}
    for node in nodes.values():
        if "global" not in node["tags"]:
            continue
        for parent in node["depends_on"]["nodes"]:
            meta = nodes[parent]["config"]["meta"] if parent in nodes else {}
            if "leaves" not in meta and not (parent in nodes and "global" in nodes[parent]["tags"]):
                raise BuildError(
                    f"model {node['name']} reads {parent.split('.')[-1]}, which never leaves its region",
                    hint="read a model that declares `meta: {leaves: aggregates}` or `{leaves: pseudonyms}`",
                )
            if parent in nodes and "region" not in nodes[parent]["columns"]:
                raise BuildError(
                    f"model {node['name']} reads {parent.split('.')[-1]}, whose rows name no region",
                    hint="give it a column region, or read another model",
                )


def check_as_of(manifest: dict[str, Any]) -> None:
    """Hold models that depend on an as-of date to saying it. Raises BuildError naming the one that does not."""
    for node in manifest["nodes"].values():
        if not node["config"].get("meta", {}).get("as_of"):
            continue
        if "as_of" not in node["columns"]:
            raise BuildError(
                f"model {node['name']} depends on an as-of date and does not say which",
                hint="give it a column as_of, or take `as_of: true` out of its meta",
            )
        if node["config"]["materialized"] == "incremental":
            raise BuildError(
                f"model {node['name']} depends on an as-of date, and is incremental: it would keep rows of other dates",
                hint="materialize it as a table",
            )
