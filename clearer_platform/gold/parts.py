"""The parts of a region's gold: what hangs together is built together, and what does not is left alone.

Two tables of silver are in one part where any model or test is made from both, through whatever other models. What they
read of the registry or of pseudonyms does not connect them: the one is part of a warehouse's version, and a pseudonym
depends on its identifier alone.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from clearer_platform.gold.prepared import Prepared

SILVER = "silver"


@dataclass(frozen=True)
class Part:
    """Tables of silver, and all that is made from them."""

    tables: frozenset[str]
    nodes: frozenset[str]
    """Models and tests, by dbt's ids."""
    beside: frozenset[str]
    """Names of the models that they read and no table is behind."""
    lasting: frozenset[str]
    """Those of them that the registry alone is behind: they are right for as long as a warehouse stands."""
    as_of: bool
    """Whether what any of the models says depends on an as-of date."""
    is_typed: bool
    """Whether the models that are served say the types of their columns: then their tables can stand empty, unbuilt."""

    @property
    def selected(self) -> list[str]:
        """What dbt is to select for it; nothing where nothing is made from the tables."""
        if not self.nodes:
            return []
        return [*(f"source:{SILVER}.{table}+" for table in sorted(self.tables)), *sorted(self.beside)]


@lru_cache(maxsize=8)
def parts(prepared: Prepared) -> tuple[Part, ...]:
    """The parts of a project's regional gold."""
    manifest = prepared.manifest
    below = {
        source["name"]: _reached(manifest["child_map"], name, manifest["nodes"])
        for name, source in manifest["sources"].items()
        if source["source_name"] == SILVER
    }
    joined: list[tuple[set[str], set[str]]] = []
    for table, nodes in below.items():
        touching = [part for part in joined if part[1] & nodes]
        joined = [part for part in joined if part not in touching]
        joined.append(({table}.union(*(t for t, _ in touching)), nodes.union(*(n for _, n in touching))))
    return tuple(_part(manifest, tables, nodes) for tables, nodes in joined)


def standing(prepared: Prepared) -> list[str]:
    """Names of the regional models and tests that no table of silver is behind."""
    behind = frozenset[str]().union(*(part.nodes for part in parts(prepared)))
    known = prepared.manifest["nodes"]
    return sorted(node["name"] for name, node in known.items() if name not in behind and "global" not in node["tags"])


def _part(manifest: dict[str, Any], tables: set[str], nodes: set[str]) -> Part:
    known: dict[str, dict[str, Any]] = manifest["nodes"]
    above = set().union(*(_reached(manifest["parent_map"], name, known) for name in nodes)) - nodes
    passing = set().union(
        *(
            _reached(manifest["child_map"], name, known)
            for name, source in manifest["sources"].items()
            if not source["config"].get("meta", {}).get("from_registry")
        )
    )
    return Part(
        tables=frozenset(tables),
        nodes=frozenset(nodes),
        beside=frozenset(known[name]["name"] for name in above),
        lasting=frozenset(known[name]["name"] for name in above - passing),
        as_of=any(known[name]["config"].get("meta", {}).get("as_of") for name in nodes),
        is_typed=all(_is_typed(known[name]) for name in nodes if known[name].get("schema") == "gold"),
    )


def _is_typed(model: dict[str, Any]) -> bool:
    """Whether a model says what its columns are."""
    return bool(model["columns"]) and all(column["data_type"] for column in model["columns"].values())


def _reached(ways: dict[str, list[str]], start: str, known: dict[str, dict[str, Any]]) -> set[str]:
    """The regional models and tests that the ways lead to from `start`."""
    found: set[str] = set()
    waiting = [start]
    while waiting:
        for name in ways.get(waiting.pop(), ()):
            if name not in found and name in known and "global" not in known[name]["tags"]:
                found.add(name)
                waiting.append(name)
    return found
