"""Options that several commands share, so that each is read and explained in one way."""

from datetime import date
from typing import Annotated

import typer

from clearer_platform.errors import ClearerError

EXAMPLE_DAY = "2024-10-27"


def day(text: str) -> date:
    """A day as the command line takes it."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a day; write it as {EXAMPLE_DAY}") from None


def in_order(start: date | None, end: date | None) -> None:
    """Raise ClearerError where a range ends before it starts."""
    if start and end and end < start:
        raise ClearerError(f"the range ends ({end}) before it starts ({start})", hint="swap --from and --to")


Regions = Annotated[
    list[str] | None, typer.Option("--region", "-r", help="Only this region (may be repeated).", show_default=False)
]
From = Annotated[
    date | None,
    typer.Option("--from", parser=day, metavar="DAY", help="First day, e.g. 2024-10-24.", show_default=False),
]
To = Annotated[
    date | None,
    typer.Option("--to", parser=day, metavar="DAY", help="Last day, included.", show_default=False),
]
AsOf = Annotated[
    date | None,
    typer.Option(
        "--as-of", parser=day, metavar="DAY", help="Look at what is still going on as of this day.", show_default=False
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
