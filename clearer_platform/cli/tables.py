"""`clearer tables`: what there is to read."""

from dataclasses import asdict
from typing import Annotated

import typer

from clearer_platform.cli.options import Json
from clearer_platform.cli.output import print_json, print_table, say


def tables(
    table: Annotated[str | None, typer.Argument(help="Show the columns of this table.", show_default=False)] = None,
    json: Json = False,
) -> None:
    """List the tables that `clearer load` can read, or the columns of one.

    [bold]Examples[/bold]

        clearer tables
        clearer tables branch_performance_daily
    """
    from clearer_platform.errors import UnknownName
    from clearer_platform.serving.catalogue import tables as all_tables
    from clearer_platform.serving.opening import open_platform

    found = all_tables(open_platform())
    if table is not None:
        named = [each for each in found if each.name == table]
        if not named:
            raise UnknownName("table", table, [each.name for each in found])
        found = named
    if json:
        print_json([asdict(each) for each in found])
    elif table is None:
        print_table(None, ["table", "layer", "description"], [(t.name, t.layer, _first(t.description)) for t in found])
        say("gold and silver: clearer load TABLE --region R; global: clearer load TABLE", style="dim")
    else:
        for each in found:
            say(f"{each.name} ({each.layer}): {each.description}")
            print_table(
                None, ["column", "type", "description"], [(c.name, c.type, c.description) for c in each.columns]
            )


def _first(text: str) -> str:
    """The first sentence."""
    return text.strip().split(". ")[0].split("\n\n")[0].replace("\n", " ")
