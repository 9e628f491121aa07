"""Broken rules in words."""

import re

import pytest

from clearer_platform.serving.rules import explain


@pytest.mark.parametrize(
    ("table", "rule", "meaning", "remedy"),
    [
        (
            "transactions",
            "total_amount.not_a_decimal",
            "with ',' as decimal sign and '.' between thousands",
            "csv.decimal",
        ),
        ("transactions", "total_amount.greater_than_or_equal_to", "total_amount has to be 0 or more", "at the source"),
        ("transactions", "status_value.isin", "one of Completed, Failed, Pending", "at the source"),
        ("transactions", "customer_id.missing", "customer_id is required", "fill it in"),
        ("transactions", "ordered_at.nonexistent_local_time", "does not exist in Europe/Berlin", 'gap = "forward"'),
        ("transactions", "ordered_at.ambiguous_local_time", "exists twice in Europe/Berlin", 'fold = "earlier"'),
        ("transactions", "ordered_at.not_a_timestamp", "%d.%m.%Y %H:%M:%S", "csv.datetime"),
        ("customers", "birth_date.not_a_date", "written as %d.%m.%Y", "csv.date"),
        ("customers", "email.str_matches", "email has to be of the form", "at the source"),
        ("conversations", "has_phone.not_a_boolean", "none of true, True, TRUE, 1, false", "csv.true"),
        ("conversations", "like_count.not_an_integer", "not a whole number that fits int64", "at the source"),
        (
            "conversations",
            "record.phone_flag_agrees_with_phone_info",
            "phone_flag_agrees_with_phone_info",
            "at the source",
        ),
        ("customers", "record.malformed", "header's number of fields", "line break"),
        ("customers", "record.undecodable", "not cp1252", "csv.encoding"),
        ("customers", "record.repeated_key", "same customer_id", "once"),
        ("customers", "delivery.truncated", "refused as a whole", "last good version"),
        ("customers", "area.some_new_check", "area breaks the", "at the source"),
    ],
)
def test_words(platform, table, rule, meaning, remedy):
    words = explain(rule, platform.contract(table), platform.region("eu").source(table))
    assert meaning in words.meaning
    assert remedy in words.remedy
    assert not re.search(r"[{}]", words.meaning.replace("{", "", 0)) or "form" in words.meaning


def test_every_rule_that_silver_has_is_explained_in_its_own_words(platform):
    """Every check of every contract: none falls back to its mere name unless a person wrote it."""
    for table, contract in platform.contracts.items():
        for region in platform.registry.regions.values():
            if table not in region.tables:
                continue
            for column in contract.columns:
                for check in column.checks:
                    words = explain(f"{column.name}.{check.name}", contract, region.source(table))
                    assert "breaks" not in words.meaning, words
