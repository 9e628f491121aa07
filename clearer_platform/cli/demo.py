"""`clearer demo`: everything once, on sample deliveries, and what came of it."""

import time
from typing import TYPE_CHECKING, Annotated

import typer

from clearer_platform.cli.output import plural, print_table, progress, say
from clearer_platform.errors import ClearerError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from upath import UPath

    from clearer_platform.platform import Platform
    from clearer_platform.serving.reconciliation import Balance


def demo(
    days: Annotated[int, typer.Option(min=1, max=366, help="Days of deliveries.")] = 14,
    per_day: Annotated[int, typer.Option(min=1, help="Transactions a region and day, about.")] = 400,
) -> None:
    """Run the whole platform once on sample deliveries: four regions, two weeks, in two waves.

    The second wave brings late, changed and corrected files. Shows branch
    performance, the reconciliation of records, what was rejected and why, and
    where every region's days stand. The home must be a sample's or new; on a
    sample home the demo goes on from what is there, so a second demo has
    little to do.

    [bold]Examples[/bold]

        clearer demo
        clearer demo --home try && clearer up --home try
    """
    from clearer_platform import sample
    from clearer_platform.cli.sample import sample_home, sample_service
    from clearer_platform.serving.opening import open_platform

    home, began = sample_home(), time.monotonic()
    _title(f"1  Sample deliveries, first wave -> {home}")
    say(_arrived(sample.write(home, days=days, per_day=per_day)))
    platform = open_platform()
    with sample_service(home):
        _title("2  Materialize: landing folders and API -> bronze -> silver -> gold")
        _materialize(platform)
        _title("3  Second wave: late, changed and corrected files")
        say(_arrived(sample.second_wave(home)))
        _fetch(platform)
        _materialize(platform)
    _title("4  Branch performance, all regions, in the reporting currency")
    _branches(platform)
    _title("5  Subscriptions: stores that have the app, and what they pay for")
    _subscriptions(platform)
    _title("6  Hiring: departments above the mean of their year, and who waits")
    _hiring(platform)
    _title("7  Reconciliation: delivered = accepted + rejected")
    balanced = _reconciliation(platform)
    _title("8  What was rejected, and why")
    _rejected(platform)
    _title("9  Where every region's days stand")
    _status(platform)
    say()
    say(f"done in {time.monotonic() - began:.0f} s. Look at it in the UI: clearer up --home {home}", style="bold green")
    if not balanced:
        raise ClearerError("records are missing: delivered is not accepted + rejected", hint="see step 7; report it")


def _title(text: str) -> None:
    say()
    say(text, style="bold")


def _arrived(written: "Sequence[Path | UPath]") -> str:
    """How many files have landed, and how many days an API has anything (or anything new) for."""
    landed = sum(1 for path in written if path.parent.parent.name == "landing")
    return f"{plural(landed, 'file')} landed, {plural(len(written) - landed, 'day')} of records new in an API"


def _fetch(platform: "Platform") -> None:
    """Read the API again: what it had was settled, so every day is asked for by name."""
    from clearer_platform.cli.fetch import fetched, print_fetched, wanted

    regions = list(platform.registry.regions)
    print_fetched(fetched(platform, wanted(platform, regions, None, platform.registry.start, None)))


def _materialize(platform: "Platform") -> None:
    """Run what is new; that some days are refused belongs to the sample, so it is no failure here."""
    from clearer_platform.cli.materialize import planned, print_outcomes, run
    from clearer_platform.serving.plan import Only

    wanted = planned(platform, list(platform.registry.regions), (Only.MISSING, Only.CHANGED))
    print_outcomes(run(platform, wanted))


def _branches(platform: "Platform") -> None:
    """Print what every branch of every region earns, sells and whom it attracts, the best first."""
    from clearer_platform.serving.reading import read

    currency = platform.registry.reporting_currency
    rows = read(platform, "branch_performance").sort_by([("revenue_rank", "ascending"), ("branch", "ascending")])
    header = [
        "rank",
        "region",
        "branch",
        "revenue",
        "local",
        f"revenue {currency}",
        "customers",
        "products",
        "transactions",
    ]
    shown = [
        (
            row["revenue_rank"],
            row["region"],
            row["branch"],
            f"{row['revenue']:,.2f}",
            row["currency"],
            f"{row['reporting_revenue']:,.2f}" if row["reporting_revenue"] is not None else None,
            row["customers"],
            row["products"],
            row["transactions"],
        )
        for row in rows.to_pylist()
    ]
    print_table(None, header, shown, right=[name for name in header if name not in ("region", "branch", "local")])


def _subscriptions(platform: "Platform") -> None:
    """Print where each region's stores stand on the as-of day, and what changed in the four weeks up to it."""
    from clearer_platform.serving.reading import read

    shown = []
    for region in platform.registry.regions.values():
        activity = read(platform, "activity_by_day", region=region.name).to_pylist()
        revenue = read(platform, "revenue_by_day", region=region.name).to_pylist()
        if activity and revenue:
            lately, paid = activity[-28:], revenue[-1]
            shown.append(
                (
                    region.name,
                    activity[-1]["as_of"],
                    activity[-1]["active_stores"],
                    sum(day["new_stores"] for day in lately),
                    sum(day["churned_stores"] for day in lately),
                    paid["subscriptions"],
                    f"{paid['recurring_revenue']:,.2f}",
                    region.currency,
                )
            )
    header = ["region", "as of", "active stores", "new, 4 weeks", "churned", "subscriptions", "recurring", "local"]
    print_table(None, header, shown, right=header[2:7])


def _hiring(platform: "Platform") -> None:
    """Print the departments above the mean in each year of each region, and how many hires wait for theirs."""
    from clearer_platform.cli.pending import say_pending
    from clearer_platform.serving.reading import read

    shown = [
        (row["region"], f"{row['year']}", row["department"], row["hired"])
        for region in platform.registry.regions
        for row in read(platform, "departments_above_mean", region=region).to_pylist()
    ]
    print_table(None, ["region", "year", "department", "hired"], shown, right=["hired"])
    say_pending(platform, platform.registry.regions)


def _reconciliation(platform: "Platform") -> bool:
    """Print the balance of every region and table; whether all of them are in order."""
    from clearer_platform.serving.reconciliation import balances

    with progress("counting again") as advance:
        found = balances(platform, platform.registry.regions, advance)
    balanced = all(balance.is_balanced for balance in found)
    header = ["region", "table", "files", "delivered", "accepted", "rejected", "balanced", "refused files"]
    rows = [(b.region, b.table, *_figures([b])) for b in found]
    print_table(None, header, [*rows, ("all", "", *_figures(found))], right=[*header[2:6], header[7]])
    say(
        "delivered: counted in the bytes received by Python's csv module (JSON: by line); the rest in silver",
        "dim",
    )
    if uncounted := sum(b.uncounted for b in found):
        say(f"left out, for its quotes do not match and no two readers agree: {plural(uncounted, 'file')}", "dim")
    return balanced


def _figures(balances: "Sequence[Balance]") -> tuple[object, ...]:
    return (
        sum(b.files for b in balances),
        sum(b.counted for b in balances),
        sum(b.accepted for b in balances),
        sum(b.rejected for b in balances),
        "yes" if all(b.is_balanced for b in balances) else "NO",
        sum(b.refused for b in balances),
    )


def _rejected(platform: "Platform") -> None:
    from clearer_platform.cli.quarantine import print_by_rule
    from clearer_platform.serving.quarantine import groups

    print_by_rule(platform, groups(platform, platform.registry.regions))
    say("line by line: clearer quarantine list, clearer quarantine explain --region R --table T --day D", "dim")


def _status(platform: "Platform") -> None:
    from datetime import UTC, datetime

    from clearer_platform.cli.status import print_grid
    from clearer_platform.serving.facts import gather
    from clearer_platform.serving.status import by_region, cells, last_days

    now = datetime.now(UTC)
    facts = last_days(gather(platform, platform.registry.regions, now), 14)
    print_grid(by_region(cells(facts, now)))
