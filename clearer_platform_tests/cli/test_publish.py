"""`clearer publish`: to targets that are there, that are not, and that do not fit."""

import pytest

from clearer_platform_tests.cli.conftest import REGISTRY, Cli


def targets(cli: Cli, text: str) -> Cli:
    (cli.home / "regions.toml").write_text(REGISTRY + text)
    return cli


@pytest.fixture
def bi(own, warehouse, monkeypatch):
    """A PostgreSQL and a folder to publish to, and a server that is not there."""
    monkeypatch.setenv("BI_PASSWORD", str(warehouse.password))
    text = f"""
[targets.bi]
kind = "postgresql"
url = "postgresql://{warehouse.username}@{warehouse.host}:{warehouse.port}/{warehouse.database}"
password_env = "BI_PASSWORD"
schema = "bi"
regions = ["eu"]
tables = ["branch_performance*", "dim_customers"]
[targets.gone]
kind = "postgresql"
url = "postgresql://nobody@127.0.0.1:1/nothing"
tables = ["branch_performance"]
[targets.files]
kind = "csv"
root = "published"
tables = ["*branch_performance"]
"""
    return targets(own, text)


def test_a_target_that_fails_stops_no_other(bi):
    found = {result["target"]: result for result in bi.json("publish", "--dry-run", code=3)}
    assert {one["is_new"] for one in found["bi"]["published"]} == {True}
    results = {result["target"]: result for result in bi.json("publish", code=3)}
    assert {(one["table"], one["region"]) for one in results["bi"]["published"]} == {
        ("branch_performance", "eu"),
        ("branch_performance_daily", "eu"),
        ("dim_customers", "eu"),
    }
    assert results["bi"]["published"][0]["added"] == results["bi"]["published"][0]["rows"] > 0
    assert "nothing was published" in results["gone"]["error"] and not results["gone"]["published"]
    assert {(one["table"], one["region"]) for one in results["files"]["published"]} == {
        ("branch_performance", "eu"),
        ("branch_performance", "us"),
        ("global_branch_performance", None),
    }

    said = bi("publish", "--target", "bi", "--region", "eu").stdout
    assert "0 tables published, 3 as before" in said and "branch_performance_daily" in said
    said = bi("publish", "--target", "bi", "--force").stdout
    assert "3 tables published, 0 as before" in said
    said = bi("publish", "--target", "files").stdout
    assert "0 tables published, 3 as before" in said
    assert ["files", "global_branch_performance", "-"] in [line.split()[:3] for line in said.splitlines()]
    (one,) = bi.json("publish", "--target", "files", "--region", "eu")[0]["published"]
    assert (one["table"], one["region"]) == ("branch_performance", "eu")
    assert "connection" in bi.error("publish", "--target", "gone", code=3)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('kind = "csv"\nroot = "x"\ntables = ["nothing"]', "unknown table in targets.t.tables 'nothing'"),
        ('kind = "csv"\nroot = "x"\ntables = ["fct_transactions"]', "fct_transactions may not leave eu"),
        ('kind = "csv"\nroot = "x"\ntables = ["dim_customers"]', "dim_customers may not leave us: it holds pseudonyms"),
        (
            'kind = "csv"\nroot = "x"\nregions = ["eu"]\ntables = ["global_*"]',
            "global_* is built across all regions, and the target is for eu alone",
        ),
        ('kind = "csv"\nroot = "x"\ntables = ["fct_trans*"]', "nothing that eu lets leave is named fct_trans*"),
        (
            'kind = "sql"\nurl = "sqlite:///x"\nmode = "upsert"\ntables = ["sales_by_day"]',
            "sales_by_day has no key by which rows could be told apart",
        ),
    ],
)
def test_what_cannot_be_published_is_said_by_check_and_by_publish(own, text, said):
    cli = targets(own, f"[targets.t]\n{text}\n")
    assert said in cli("check", code=1).stdout
    assert said in cli.error("publish", code=3)
    assert not (cli.home / "x").exists()


def test_what_is_built_across_regions_belongs_to_none(own):
    cli = targets(own, '[targets.t]\nkind = "csv"\nroot = "x"\ntables = ["global_*"]\n')
    assert "without --region" in cli.error("publish", "--region", "eu")
    assert not (cli.home / "x").exists()
    assert {one["region"] for one in cli.json("publish")[0]["published"]} == {None}
    assert [folder.name for folder in (cli.home / "x").iterdir()] == ["global"]


def test_a_region_without_gold_is_an_error(empty):
    cli = targets(empty, '[targets.t]\nkind = "csv"\nroot = "x"\ntables = ["branch_performance"]\n')
    assert "there is no gold to publish" in cli.error("publish", "--region", "eu")
    assert not (cli.home / "x").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["publish"], "a target is a block [targets.<name>]"),
        (["publish", "--target", "mars"], "unknown target 'mars'"),
        (["publish", "--region", "mars"], "unknown region 'mars'"),
    ],
)
def test_what_is_not_there_is_said(empty, arguments, said):
    assert said in empty.error(*arguments)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('kind = "oracle"\ntables = ["a"]', "'postgresql', 'sql', 'csv', 'delta'"),
        ('kind = "csv"\nroot = "x"\ntables = ["a"]\nregions = ["mars"]', "targets.t: unknown region 'mars'"),
        ('kind = "csv"\nroot = "x"\ntables = ["a"]\nmode = "upsert"', "replaced as a whole"),
        ('kind = "postgresql"\nurl = "mysql://a@b/c"\ntables = ["a"]', "any other is kind sql"),
        ('kind = "sql"\nurl = "postgresql://a@b/c"\ntables = ["a"]', "by its own bulk copy"),
        ('kind = "sql"\nurl = "mysql://a:secret@b/c"\ntables = ["a"]', "without its password"),
        ('kind = "sql"\nurl = "mysql://a@b/c?passwd=secret"\ntables = ["a"]', "without its password"),
        ('kind = "postgresql"\nurl = "postgresql://a@b/c?Password=secret"\ntables = ["a"]', "without its password"),
        ('kind = "sql"\nurl = "mysql://a@b/c"\noptions = {password = "secret"}\ntables = ["a"]', "without password"),
    ],
)
def test_a_registry_that_cannot_be_is_said(empty, text, said):
    error = targets(empty, f"[targets.t]\n{text}\n").error("publish")
    assert said in error and "secret" not in error
