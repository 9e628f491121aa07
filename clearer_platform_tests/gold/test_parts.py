"""What hangs together, by hand: small graphs of tables, models and tests, and the project's own."""

from pathlib import Path
from typing import Any

import pytest

from clearer_platform import gold
from clearer_platform.errors import BuildError
from clearer_platform.gold.parts import Part, parts
from clearer_platform.gold.prepared import Prepared
from clearer_platform.gold.project import check_as_of
from clearer_platform.platform import Platform
from clearer_platform_tests.gold.test_build import with_test

TABLES = ("a", "b", "c", "d")


class Graph(Prepared):
    """A project whose manifest is made of `model < parent parent` lines; a model's name may end in its tags."""

    def __init__(self, *lines: str, as_of: str = "") -> None:
        super().__init__(Path(), " ".join([*lines, as_of]))
        self._lines = [line.split(" < ") for line in lines]
        self._as_of = as_of

    @property
    def manifest(self) -> dict[str, Any]:
        sources: dict[str, Any] = {name: {"name": name, "source_name": "silver", "config": {}} for name in TABLES}
        sources["pseudonyms"] = {"name": "pseudonyms", "source_name": "clearer", "config": {"meta": {}}}
        registry = {"meta": {"from_registry": True}}
        sources["regions"] = {"name": "regions", "source_name": "clearer", "config": registry}
        nodes: dict[str, dict[str, Any]] = {}
        parent_map: dict[str, list[str]] = {}
        for name, parents in self._lines:
            tags = ["global"] if name.startswith("global") else []
            meta = {"as_of": True} if name == self._as_of else {}
            nodes[name] = {"name": name, "tags": tags, "config": {"meta": meta}}
            parent_map[name] = parents.split()
        child_map = {
            name: [child for child, above in parent_map.items() if name in above] for name in {**sources, **nodes}
        }
        return {"sources": sources, "nodes": nodes, "parent_map": parent_map, "child_map": child_map}


def found(graph: Graph) -> dict[str, str]:
    """Tables of each part -> its models and tests."""
    return {" ".join(sorted(part.tables)): " ".join(sorted(part.nodes)) for part in parts(graph)}


def part(graph: Graph, table: str) -> Part:
    return next(part for part in parts(graph) if table in part.tables)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([], {"a": "", "b": "", "c": "", "d": ""}),
        (["x < a", "y < b", "z < y"], {"a": "x", "b": "y z", "c": "", "d": ""}),
        (["x < a b"], {"a b": "x", "c": "", "d": ""}),
        (["x < a", "y < b", "z < x y"], {"a b": "x y z", "c": "", "d": ""}),
        (["x < a b", "y < c d", "z < b c"], {"a b c d": "x y z"}),
        (["x < a", "y < b", "a_test < x y"], {"a b": "a_test x y", "c": "", "d": ""}),
        (["x < a regions", "y < b regions pseudonyms", "z < c pseudonyms"], {"a": "x", "b": "y", "c": "z", "d": ""}),
        (["x < a", "y < b", "global_z < x y"], {"a": "x", "b": "y", "c": "", "d": ""}),
        (["calendar < regions", "x < a calendar", "y < b calendar"], {"a": "x", "b": "y", "c": "", "d": ""}),
    ],
)
def test_tables_are_in_one_part_where_anything_reads_both(lines: list[str], expected: dict[str, str]) -> None:
    assert found(Graph(*lines)) == expected


def test_what_dbt_selects_is_all_below_the_tables_and_what_no_table_is_behind() -> None:
    graph = Graph("calendar < regions", "days < calendar", "x < a b", "y < x days", "z < c calendar", "other < regions")
    assert part(graph, "b").selected == ["source:silver.a+", "source:silver.b+", "calendar", "days"]
    assert part(graph, "c").selected == ["source:silver.c+", "calendar"]
    assert part(graph, "d").selected == []


def test_what_the_registry_alone_is_behind_lasts() -> None:
    graph = Graph("calendar < regions", "days < calendar", "people < regions pseudonyms", "x < a days people", "y < x")
    assert part(graph, "a").beside == {"calendar", "days", "people"}
    assert part(graph, "a").lasting == {"calendar", "days"}
    assert part(graph, "b").lasting == frozenset()


def test_a_part_depends_on_an_as_of_date_where_any_model_does() -> None:
    graph = Graph("x < a", "y < x", "z < b", as_of="y")
    assert [part(graph, table).as_of for table in "abc"] == [True, False, False]


def test_the_domains_have_nothing_to_do_with_each_other(built: Platform) -> None:
    """Nor is there a way to read all of `clearer.contents`, by which everything would hang together."""
    sales = {"transactions", "conversations", "customers", "products", "fx_rates"}
    stores = {"stores", "install_intervals", "subscription_periods"}
    hiring = {"departments", "jobs", "hired_employees"}
    softcart = {"sales"}
    made = {part.tables: part.as_of for part in parts(gold.prepare(built))}
    dependent = {frozenset(sales): False, frozenset(stores): True, frozenset(hiring): False, frozenset(softcart): False}
    assert made == dependent
    assert {name for part in parts(gold.prepare(built)) for name in part.lasting} == {"dim_dates"}
    models = {model.name: model for model in gold.models(built)}
    assert (models["dim_branches"].part, models["dim_branches"].as_of) == (sales, False)
    assert models["dim_dates"].part == frozenset()
    assert (models["store_lifespan"].part, models["store_lifespan"].as_of) == (stores, True)
    assert models["global_branch_performance"].part == frozenset()
    sources = gold.prepare(built).manifest["sources"].values()
    assert {s["name"] for s in sources if s["source_name"] == "clearer"} == {"regions", "holidays", "pseudonyms"}


def test_a_model_that_depends_on_an_as_of_date_says_which_and_is_no_increment(own: Platform, tmp_path: Path) -> None:
    silent = "{{ config(meta={'as_of': true}, contract={'enforced': false}) }} select 1 as n"
    with pytest.raises(BuildError, match="model silent depends on an as-of date and does not say which") as raised:
        gold.prepare(with_test(own, tmp_path, "models/marts/silent.sql", silent))
    assert "a column as_of" in (raised.value.hint or "")
    node = {"name": "m", "columns": {"as_of": {}}, "config": {"meta": {"as_of": True}, "materialized": "incremental"}}
    with pytest.raises(BuildError, match="model m depends on an as-of date, and is incremental"):
        check_as_of({"nodes": {"m": node}})
    node["config"] = {"meta": {"as_of": True}, "materialized": "table"}
    check_as_of({"nodes": {"m": node}})
