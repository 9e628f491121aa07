"""The models of gold as data, from dbt's manifest: what the asset graph, the dictionary and readers know of them."""

from collections import defaultdict
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from clearer_platform.gold.parts import parts
from clearer_platform.gold.prepared import Prepared
from clearer_platform.gold.project import prepare
from clearer_platform.gold.results import model_of
from clearer_platform.platform import Platform

Node = dict[str, Any]


@dataclass(frozen=True)
class Model:
    """One table (or table macro) that gold serves."""

    name: str
    alias: str
    layer: Literal["gold", "global"]
    description: str
    columns: tuple[tuple[str, str, str], ...]
    """Name, type, description."""
    depends_on_models: tuple[str, ...]
    """Names of other models of gold that it is made from."""
    depends_on_tables: tuple[str, ...]
    """Delivered tables that it is made from, beside those models."""
    day_column: str | None
    """The business day where the model has a row a region and day; None for roll-ups."""
    leaves: Literal["aggregates", "pseudonyms"] | None
    """In which form it may leave a region; None: never."""
    tests: tuple[tuple[str, str], ...]
    """Name and severity of its tests."""
    meta: dict[str, Any]
    as_of: bool
    """Whether what it says depends on an as-of date."""
    part: frozenset[str]
    """The tables of silver behind the part of gold that it belongs to."""
    materialized: str
    """`table`, `incremental`, or `table_function` for a parametric table macro."""
    path: str
    """Its SQL file, below the dbt project's folder."""
    key: tuple[str, ...] = ()
    """Columns that no two of its rows share, as its test `unique_key` says; empty where nothing does."""
    not_null: frozenset[str] = frozenset()
    """Columns that are never null, by its contract."""
    parameters: tuple[str, ...] = ()
    """What a table macro is called with; empty for a table."""


def models(platform: Platform) -> tuple[Model, ...]:
    """Every model that is served, parents first. Raises BuildError where the dbt project cannot be read."""
    return _models(prepare(platform))


@lru_cache(maxsize=8)
def _models(prepared: Prepared) -> tuple[Model, ...]:
    manifest = prepared.manifest
    nodes: dict[str, Node] = {**manifest["nodes"], **manifest["sources"]}
    tests, keys = _tests(manifest), _keys(manifest)
    part_of = {name: part.tables for part in parts(prepared) for name in part.nodes}
    found = {
        name: _model(node, nodes, tests[node["name"]], part_of.get(name, frozenset()), keys.get(node["name"], ()))
        for name, node in nodes.items()
        if _is_served(node)
    }
    return tuple(_parents_first({model.name: model for model in found.values()}))


def _is_served(node: Node) -> bool:
    return bool(node["resource_type"] == "model" and node["schema"] in ("gold", "global"))


def _model(
    node: Node, nodes: dict[str, Node], tests: list[tuple[str, str]], part: frozenset[str], key: tuple[str, ...]
) -> Model:
    parents, tables = _upstream(node, nodes)
    meta = node["config"].get("meta", {})
    return Model(
        name=node["name"],
        alias=node["alias"],
        layer="global" if node["schema"] == "global" else "gold",
        description=node["description"],
        columns=tuple((c["name"], c["data_type"] or "", c["description"]) for c in node["columns"].values()),
        depends_on_models=tuple(sorted(parents)),
        depends_on_tables=tuple(sorted(tables)),
        day_column=meta.get("day_column"),
        leaves=meta.get("leaves"),
        tests=tuple(sorted(tests)),
        meta=meta,
        as_of=bool(meta.get("as_of")),
        part=part,
        materialized=node["config"]["materialized"],
        path=node["original_file_path"],
        key=key,
        not_null=frozenset(name for name, column in node["columns"].items() if _is_never_null(column)),
        parameters=_parameters(node["config"].get("parameters") or []),
    )


def _parameters(said: str | list[str]) -> tuple[str, ...]:
    """What a table macro is called with: dbt-duckdb takes a list, or names between commas."""
    return tuple(name.strip() for name in (said.split(",") if isinstance(said, str) else said))


def _is_never_null(column: Node) -> bool:
    return any(constraint["type"] == "not_null" for constraint in column.get("constraints") or ())


def _upstream(node: Node, nodes: dict[str, Node]) -> tuple[set[str], set[str]]:
    """The served models and delivered tables behind `node`, looked for through what is not served."""
    parents: set[str] = set()
    tables: set[str] = set()
    for name in node["depends_on"]["nodes"]:
        parent = nodes[name]
        if parent["resource_type"] == "source":
            tables |= {parent["name"]} if parent["source_name"] == "silver" else set()
        elif _is_served(parent):
            parents.add(parent["name"])
        elif not parent["config"].get("meta", {}).get("bookkeeping"):
            further, delivered = _upstream(parent, nodes)
            parents, tables = parents | further, tables | delivered
    return parents, tables


def _tests(manifest: Node) -> dict[str, list[tuple[str, str]]]:
    found: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for node in manifest["nodes"].values():
        if node["resource_type"] == "test":
            about = model_of(node.get("attached_node"), node["depends_on"]["nodes"])
            found[about].append((node["name"], node["config"]["severity"].lower()))
    return found


def _keys(manifest: Node) -> dict[str, tuple[str, ...]]:
    """Model -> the columns of its test `unique_key`."""
    found: dict[str, tuple[str, ...]] = {}
    for node in manifest["nodes"].values():
        said = node.get("test_metadata") or {}
        if node["resource_type"] == "test" and said.get("name") == "unique_key":
            about = model_of(node.get("attached_node"), node["depends_on"]["nodes"])
            found[about] = tuple(said["kwargs"]["columns"])
    return found


def _parents_first(by_name: dict[str, Model]) -> list[Model]:
    ordered: dict[str, Model] = {}

    def add(model: Model) -> None:
        for parent in model.depends_on_models:
            if parent not in ordered:
                add(by_name[parent])
        ordered[model.name] = model

    for name in sorted(by_name):
        if name not in ordered:
            add(by_name[name])
    return list(ordered.values())
