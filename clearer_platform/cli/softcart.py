"""`clearer softcart demo`: a shop's database, carried to a warehouse and kept equal to it."""

import os
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Annotated

import typer

from clearer_platform.cli.output import plural, print_table, say
from clearer_platform.errors import ClearerError

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from clearer_platform.platform import Platform
    from clearer_platform.sample.softcart import Shop

app = typer.Typer(help="SoftCart: from a shop's MySQL to a warehouse in PostgreSQL.", no_args_is_help=True)
CHANGED, CANCELLED = 20, 15


@app.callback()
def softcart() -> None:
    """SoftCart: from a shop's MySQL to a warehouse in PostgreSQL."""


@app.command()
def demo(
    rows: Annotated[int, typer.Option(min=1, help="Sales that the shop begins with.")] = 5_000,
    extract: Annotated[
        list[Path] | None,
        typer.Option(
            "--extract",
            exists=True,
            dir_okay=False,
            show_default=False,
            help="A CSV extract of the shop, without a header, to begin with (may be repeated).",
        ),
    ] = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="Leave the servers running until Ctrl-C, to look at them.")
    ] = False,
) -> None:
    """Carry a shop's sales from a real MariaDB through gold to a real PostgreSQL, and keep the two equal.

    Starts both servers on free ports, with data that is gone afterwards.
    Reads the sales by their watermark, builds the facts and cubes, publishes
    them; then sells, corrects and cancels, and does it again. Ends with an
    error where the warehouse does not hold what the shop holds.

    [bold]Examples[/bold]

        clearer softcart demo --home try-softcart
        clearer softcart demo --home mine --extract old.csv --extract new.csv
    """
    from clearer_platform.sample import softcart as shops
    from clearer_platform.sample.databases import mariadb, postgresql

    began = time.monotonic()
    with ExitStack() as stack:
        say("1  A shop in MariaDB, a warehouse in PostgreSQL", style="bold")
        shop_server, target = stack.enter_context(mariadb()), stack.enter_context(postgresql())
        os.environ[shops.SHOP_PASSWORD], os.environ[shops.WAREHOUSE_PASSWORD] = shop_server.password, target.password
        shop, warehouse = shops.Shop(shop_server), stack.enter_context(shops.warehouse(target))
        shop.open()
        for path in extract or ():
            shop.sell(shops.extract(path))
        if not extract:
            shop.sell(shops.made_up(1, rows))
        say(f"{plural(shop.totals()[0], 'sale')} at {shop_server.url.render_as_string()}")
        platform = _platform(shops.registry(shop_server, target, datetime.now(UTC)))
        _carry(platform, "2  The first time: all of it", shop, warehouse)
        shop.sell(shops.made_up(shop.last() + 1, 250, seed=7))
        _carry(platform, "3  250 more sales: only what is new is read", shop, warehouse)
        chance = Random(11)
        chosen = chance.sample(range(1, shop.last() - 200), CHANGED + CANCELLED)
        shop.correct(chosen[:CHANGED])
        shop.cancel(chosen[CHANGED:])
        say()
        say(f"{CHANGED} sales are corrected and {CANCELLED} deleted: no watermark shows that, a comparison does")
        _carry(platform, "4  All rows compared", shop, warehouse, compare=True)
        _carry(platform, "5  Nothing has happened: nothing is read, built or written", shop, warehouse)
        _cubes(platform)
        say()
        say(f"done in {time.monotonic() - began:.0f} s", style="bold green")
        if wait:
            _wait(target.url.render_as_string(hide_password=False))


def _platform(registry: str) -> "Platform":
    """The platform on a home of its own. Raises ClearerError where the home is another's."""
    from clearer_platform.sample.softcart import REGION
    from clearer_platform.serving.opening import open_platform, open_settings
    from clearer_platform.storage import publish_bytes

    settings = open_settings()
    if settings.registry_path.exists() and f"[regions.{REGION}]" not in settings.registry_path.read_text("utf-8"):
        raise ClearerError(
            f"{settings.registry_path} is another registry", hint="name a new folder: clearer softcart demo --home try"
        )
    if (settings.home / REGION).exists():
        raise ClearerError(f"{settings.home} holds an earlier demo, of a shop that is gone", hint="name a new folder")
    publish_bytes(registry.encode(), settings.registry_path)
    return open_platform()


def _carry(platform: "Platform", title: str, shop: "Shop", warehouse: "Engine", *, compare: bool = False) -> None:
    """Read the shop, build gold, publish it; and show what either side holds then."""
    from clearer_platform.cli.fetch import print_read, read, servers
    from clearer_platform.cli.materialize import planned, print_outcomes, run
    from clearer_platform.cli.publish import print_results, published
    from clearer_platform.sample import softcart as shops
    from clearer_platform.serving.plan import Only

    say()
    say(title, style="bold")
    asked = servers(platform, [shops.REGION], None, None, None)
    print_read(read(platform, asked, compare), len(asked))
    print_outcomes(run(platform, planned(platform, [shops.REGION], (Only.MISSING, Only.CHANGED))))
    results = published(platform, None, None, force=False, dry_run=False)
    print_results(results, dry_run=False)
    sold, held = shop.totals(), shops.totals(warehouse, "fct_sales", "total_price")
    header = ["", "sales", "price x quantity"]
    sides = [(name, count, f"{total / 100:,.2f}") for name, (count, total) in (("shop", sold), ("warehouse", held))]
    print_table(None, header, sides, right=header[1:])
    if sold != held:
        raise ClearerError("the warehouse does not hold what the shop holds", hint="report it, with this output")


def _cubes(platform: "Platform") -> None:
    """Print the products that earned most, from the published cube."""
    from clearer_platform.sample.softcart import REGION
    from clearer_platform.serving.reading import read

    say()
    say("6  From the cubes: the best products", style="bold")
    rows = read(platform, "sales_by_product", region=REGION).to_pylist()
    best = sorted(rows, key=lambda row: -row["revenue"])[:6]
    header = ["level", "product", "sales", "quantity", "revenue"]
    shown = [
        (row["level"], f"{row['product_id'] or ''}", row["sales"], row["quantity"], f"{row['revenue']:,.2f}")
        for row in best
    ]
    print_table(None, header, shown, right=header[2:])


def _wait(url: str) -> None:
    say(f"the warehouse answers at {url} until Ctrl-C")
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        say("ended")
