"""Silver says of the sample's arrays what the generator did to them, element by element."""

from pathlib import Path

import pyarrow.parquet as pq

from clearer_platform import sample, silver
from clearer_platform.platform import Platform
from clearer_platform.sample.write import open_platform
from clearer_platform_tests.sample.conftest import receive

REGIONS = ("eu", "us")


def test_silver_agrees_with_the_truth_about_every_element(tmp_path: Path) -> None:
    sample.write(tmp_path)
    platform = open_platform(tmp_path)
    truth, broken = sample.expected(tmp_path, waves=1), 0
    for region in REGIONS:
        receive(platform, region, "stores")
        silver.bring_up(platform, region, "stores")
        for contract in platform.children("stores"):
            states = silver.states(platform, region, contract.name)
            assert {state.slot.day for state in states} == {
                d for r, t, d, _ in truth.published if (r, t) == (region, "stores")
            }
            for state in states:
                number, rejected = truth.published[region, "stores", state.slot.day, state.slot.name].elements(contract)
                assert state.published is not None
                assert (state.published.delivered, state.published.rejected) == (number, len(rejected))
                assert in_silver(platform, region, contract.name, state) == rejected
                broken += len(rejected)
    assert broken > 40


def in_silver(
    platform: Platform, region: str, table: str, state: silver.SlotState
) -> dict[tuple[int, int | None], tuple[str, ...]]:
    """The rules that rejected elements broke, by line and position, as the file on disk has them."""
    path = platform.layout(region).silver_file(table, state.slot.day, state.slot.name)
    rows = pq.read_table(path, columns=["_line", "position", "_rules"]).to_pylist()
    return {(row["_line"], row["position"]): tuple(sorted(row["_rules"])) for row in rows if row["_rules"]}
