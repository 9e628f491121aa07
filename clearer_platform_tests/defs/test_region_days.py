"""The main step: what is good is published, what is bad is not, by partition, whatever partitions a run is for."""

from collections.abc import Callable

import pytest

from clearer_platform import bronze, gold, silver
from clearer_platform.platform import Platform
from clearer_platform_tests.defs.conftest import Gold, Graph, day, keys, sales
from clearer_platform_tests.flow import deliver

Deliver = Callable[..., None]


def troubles(result: object) -> list[dict[str, str]]:
    """What a failed run says of itself."""
    (failure,) = result.filter_events(lambda e: e.is_step_failure)  # type: ignore[attr-defined]
    found: list[dict[str, str]] = failure.step_failure_data.user_failure_data.metadata["troubles"].value
    return found


def test_a_range_with_bad_days_marks_exactly_the_good_ones(graph: Graph, delivered: Deliver) -> None:
    """One refused day and one missing one; the others are published, and the run says what failed and why."""
    for number in (0, 1, 3):
        delivered("south", day(number), sales(day(number), bad=4 if number == 1 else 0))
    days = keys("south", *map(day, range(4)))
    result = graph.run("region_days", days[0], days[-1])
    assert not result.success
    assert graph.status("bronze/transactions", *days) == "MMFM"
    assert graph.status("silver/transactions", *days) == "MFFM"
    assert graph.status("gold/sales", *days) == "MFFM"
    named = {(t["day"], t["asset"], t["region"]) for t in troubles(result)}
    assert named == {
        (str(day(1)), "silver/transactions", "south"),
        (str(day(1)), "gold/sales", "south"),
        *((str(day(2)), f"{layer}", "south") for layer in ("bronze/transactions", "silver/transactions", "gold/sales")),
    }
    (event,) = result.filter_events(lambda e: e.is_step_failure)
    message = event.step_failure_data.user_failure_data.description
    assert f"south {day(2)} transactions: no delivery has come" in message
    assert str(graph.platform.layout("south").landing("transactions")) in message
    assert f"south {day(1)} transactions" in message
    assert message.count(f"{day(1)} transactions") == 1, "gold of the day follows from it and is not told again"


def test_days_on_which_nothing_is_due_are_complete_and_say_so(graph: Graph, delivered: Deliver) -> None:
    """North's customers come on Mondays only, and south delivers no customers at all; neither fails a backfill."""
    delivered("north", day(0))
    deliver(graph.platform, "north", "fx_rates", f"currency,day,rate\nUSD,{day(0)},0.9\n", day(0))
    delivered("south", day(0))
    result = graph.run("region_days", f"{day(0)}|north", f"{day(0)}|south")
    assert result.success
    assert graph.status("silver/transactions", *keys("north", day(0)), *keys("south", day(0))) == "MM"
    assert graph.status("gold/sales", *keys("north", day(0)), *keys("south", day(0))) == "MM"
    for asset in ("bronze/customers", "silver/customers"):
        assert graph.status(asset, *keys("north", day(0)), *keys("south", day(0))) == "MM"
        notes = {key: event.metadata["note"].value for key, event in graph.events(result, asset).items()}
        assert notes == {
            f"{day(0)}|north": "nothing is due on this day",
            f"{day(0)}|south": "south does not deliver customers",
        }
    assert graph.checks(result, "silver/customers", "reconciliation") == {}


def test_a_run_across_regions_takes_each_by_itself(graph: Graph, delivered: Deliver, built: Gold) -> None:
    """What fails in one region leaves the other's days and its gold alone."""
    for number in (0, 1):
        delivered("south", day(number))
    delivered("north", day(1))
    result = graph.run("region_days", f"{day(0)}|north", f"{day(1)}|south")
    assert not result.success
    assert graph.status("gold/sales", *keys("south", day(0), day(1))) == "MM"
    assert graph.status("gold/sales", *keys("north", day(0), day(1))) == "FM"
    assert built.builds == ["north", "south", "global"]


def test_versions_are_fingerprints_and_figures_are_told(graph: Graph, delivered: Deliver) -> None:
    """Each partition carries its own figures; its version changes when, and only when, its delivery does."""
    delivered("south", day(0), sales(day(0), count=10, bad=1))
    delivered("south", day(1))
    first = graph.run("silver_only", *keys("south", day(0), day(1)))
    before = graph.events(first, "silver/transactions")
    figures = {k: v.value for k, v in before[f"{day(0)}|south"].metadata.items()}
    assert (figures["delivered"], figures["accepted"], figures["rejected"]) == (10, 9, 1)
    assert figures["dagster/partition_row_count"] == 9
    assert "| total_amount.greater_than_or_equal_to | 1 | 0 |" in figures["rules"]
    delivered("south", day(1), sales(day(1), count=5))
    after = graph.events(graph.run("silver_only", *keys("south", day(0), day(1))), "silver/transactions")

    def versions(events: dict[str | None, object]) -> list[str]:
        return [events[k].tags["dagster/data_version"] for k in keys("south", day(0), day(1))]  # type: ignore[attr-defined, union-attr]

    assert versions(before)[0] == versions(after)[0]
    assert versions(before)[1] != versions(after)[1]


def test_one_partition_alone_reports_by_result(graph: Graph, delivered: Deliver) -> None:
    """A run of one partition carries inputs' versions too, as Dagster makes them."""
    delivered("south", day(0))
    result = graph.run("region_days", *keys("south", day(0)))
    assert result.success
    (event,) = graph.events(result, "gold/sales").values()
    assert "dagster/input_data_version/silver/transactions" in event.tags
    assert graph.status("gold/sales", *keys("south", day(0))) == "M"


def test_checks_are_kept_by_partition(graph: Graph, delivered: Deliver) -> None:
    """A gate fails for the day it is about, and a warning never fails the run."""
    delivered("south", day(0))
    delivered("south", day(1), sales(day(1), bad=4))
    delivered("south", day(2), sales(day(2)).replace("price", "price,new").replace("1.00", "1.00,x"))
    result = graph.run("silver_only", *keys("south", day(0), day(2)))
    first, second, third = keys("south", *map(day, range(3)))
    share = graph.checks(result, "silver/transactions", "rejection_share")
    assert share == {first: True, second: False, third: True}
    assert graph.checks(result, "silver/transactions", "domain_rules") == {first: True, second: False, third: True}
    assert graph.checks(result, "silver/transactions", "keys") == {first: True, second: True, third: True}
    assert graph.checks(result, "silver/transactions", "reconciliation") == {first: True, second: True, third: True}
    assert graph.checks(result, "silver/transactions", "drift") == {first: True, second: True, third: False}
    assert graph.status("silver/transactions", first, second, third) == "MFM"


def test_an_unreadable_delivery_fails_the_reconciliation(graph: Graph, delivered: Deliver) -> None:
    """Nothing of it can be accounted for; the day's last good version stays what it was."""
    delivered("south", day(0))
    assert graph.run("silver_only", *keys("south", day(0))).success
    before = silver.states(graph.platform, "south", "transactions")[0].published
    delivered("south", day(0), "no;header;that;fits\n1;2;3;4\n")
    result = graph.run("region_days", *keys("south", day(0)))
    assert not result.success
    assert graph.checks(result, "silver/transactions", "reconciliation") == {f"{day(0)}|south": False}
    assert silver.states(graph.platform, "south", "transactions")[0].published == before
    assert graph.status("silver/transactions", *keys("south", day(0))) == "F"
    assert graph.status("gold/sales", *keys("south", day(0))) == "F"


def test_a_delivery_that_bronze_lost_fails_its_own_day_and_no_other(graph: Graph, delivered: Deliver) -> None:
    for number in range(2):
        delivered("south", day(number))
    days = keys("south", day(0), day(1))
    assert graph.run("region_days", days[0], days[1], keys=["bronze/transactions"]).success
    bronze.slots(graph.platform.layout("south"), "transactions")[0].current.content.unlink()
    result = graph.run("region_days", days[0], days[1], keys=["silver/transactions", "gold/sales"])
    assert not result.success
    assert graph.status("silver/transactions", *days) == graph.status("gold/sales", *days) == "FM"
    reasons = {(t["day"], t["asset"]): t["reason"] for t in troubles(result)}
    assert set(reasons) == {(str(day(0)), "silver/transactions"), (str(day(0)), "gold/sales")}
    assert "is gone, with what was delivered as transactions south" in reasons[str(day(0)), "silver/transactions"]


def test_a_part_of_the_assets_is_all_that_is_done(graph: Graph, delivered: Deliver, built: Gold) -> None:
    """Silver alone builds no gold and reports no bronze."""
    delivered("south", day(0))
    result = graph.run("region_days", *keys("south", day(0)), keys=["silver/transactions"])
    assert result.success
    assert not built.builds
    assert graph.status("silver/transactions", *keys("south", day(0))) == "M"
    assert graph.status("bronze/transactions", *keys("south", day(0))) == "-"
    assert {e.asset_key.to_user_string() for e in result.filter_events(lambda e: e.is_step_materialization)} == {
        "silver/transactions"
    }


def test_gold_alone_says_what_is_missing_before_it(graph: Graph, delivered: Deliver) -> None:
    """A day without a delivery and a day not validated yet are no gold days; a day in silver is."""
    delivered("south", day(0))
    assert graph.run("silver_only", *keys("south", day(0))).success
    delivered("south", day(1))
    days = keys("south", *map(day, range(3)))
    result = graph.run("gold_only", days[0], days[-1])
    assert not result.success
    assert graph.status("gold/sales", *days) == "MFF"
    reasons = {t["day"]: t["reason"] for t in troubles(result)}
    assert reasons == {
        str(day(1)): "its deliveries have not been validated",
        str(day(2)): "there is no delivery",
    }


def test_restated_days_are_reported_whatever_days_the_run_was_for(
    graph: Graph, delivered: Deliver, built: Gold
) -> None:
    """A late row re-states an earlier day; a day that is not whole, or no partition, is not reported."""
    for number in (0, 3):
        delivered("south", day(number))
        assert graph.run("silver_only", *keys("south", day(number))).success
    built.restated["south"] = (day(-400), day(0), day(2), day(3))
    result = graph.run("region_days", *keys("south", day(3)))
    assert result.success
    assert set(graph.events(result, "gold/sales")) == set(keys("south", day(0), day(3)))
    assert graph.status("gold/sales", *keys("south", day(0), day(2), day(3))) == "M-M"


def test_whole_and_global_models_follow_in_the_same_step(graph: Graph, delivered: Deliver) -> None:
    """They are not part of the run, and are reported all the same: they were brought up to date."""
    delivered("south", day(0))
    result = graph.run("region_days", *keys("south", day(0)))
    assert set(graph.events(result, "gold/sales_total")) == {"south"}
    assert set(graph.events(result, "global/sales_total")) == {None}
    assert graph.status("gold/sales_total", "north", "south") == "-M"


def test_gold_that_cannot_be_built_fails_its_days_and_nothing_before(
    graph: Graph, delivered: Deliver, built: Gold
) -> None:
    """The last good version is served on; the failed test is shown as a failed check."""
    delivered("south", day(0))
    failed = gold.TestResult("not_null_sales", "sales", False, "error", 3, "3 rows")
    built.error = gold.GoldFailed("gold of south", ["test not_null_sales failed"], (failed,), "mend it")
    result = graph.run("region_days", *keys("south", day(0)))
    assert not result.success
    assert graph.status("silver/transactions", *keys("south", day(0))) == "M"
    assert graph.status("gold/sales", *keys("south", day(0))) == "F"
    assert graph.checks(result, "gold/sales", "not_null_sales") == {f"{day(0)}|south": False}
    assert "test not_null_sales failed" in troubles(result)[0]["reason"]


@pytest.mark.parametrize("job", ["region_models", "global_models"])
def test_whole_models_can_be_built_alone(graph: Graph, built: Gold, job: str) -> None:
    """A region's whole models by region, global ones at once."""
    if job == "region_models":
        assert graph.run(job, "north", "south").success
        assert graph.status("gold/dim_customers", "north", "south") == "MM"
        assert built.builds == ["north", "south"]
    else:
        assert graph.defs.resolve_job_def(job).execute_in_process(instance=graph.instance).success
        assert built.builds == ["global"]


@pytest.mark.parametrize("job", ["region_days", "silver_only", "region_models"])
def test_a_run_for_no_partition_says_what_to_choose(graph: Graph, built: Gold, job: str) -> None:
    """The launchpad asks, and lets it be launched all the same."""
    result = graph.defs.resolve_job_def(job).execute_in_process(instance=graph.instance, raise_on_error=False)
    (failure,) = result.filter_events(lambda event: event.is_step_failure)
    assert "this run is for no partition; choose one" in str(failure.step_failure_data.error)
    assert not built.builds


def test_what_landed_is_received_for_the_days_of_the_run_alone(graph: Graph, platform: Platform) -> None:
    """Landing files of other days wait for their own run."""
    landing = platform.layout("south").landing("transactions")
    landing.mkdir(parents=True)  # type: ignore[union-attr]
    for number in (0, 1):
        (landing / f"sales-{day(number)}.csv").write_text(sales(day(number)))
    assert graph.run("region_days", *keys("south", day(1))).success
    assert [s.slot.day for s in silver.states(platform, "south", "transactions")] == [day(1)]
