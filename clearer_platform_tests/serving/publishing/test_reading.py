"""What of gold is told apart before it is published."""

from typing import Any

from clearer_platform_tests.serving.publishing.by_hand import ByHand, every_kind


def test_the_fingerprint_and_the_buckets_change_with_any_column():
    gold, table = ByHand(), every_kind()
    row: dict[str, Any] = {"id": "a"}
    others: list[dict[str, Any]] = [
        {},
        {"note": ""},
        {"small": 0},
        {"ratio": 0.0},
        {"flag": False},
        {"tags": []},
        {"n": 0},
    ]
    fingerprints, buckets = set(), set()
    for other in others:
        part = gold.part(table, [{**row, **other}])
        fingerprints.add(part.fingerprint)
        buckets.add(f"{part.gold.buckets(table)}")
    assert len(fingerprints) == len(buckets) == len(others)
