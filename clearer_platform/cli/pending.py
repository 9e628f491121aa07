"""Saying which accepted rows gold holds back: they are no quarantine, but they are not in gold either."""

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from clearer_platform.cli.output import note, plural, say

if TYPE_CHECKING:
    from clearer_platform.platform import Platform


def say_pending(platform: "Platform", regions: Iterable[str], tables: Collection[str] | None = None) -> None:
    """Say how many rows of these tables wait for a parent, and for which; nothing where none do."""
    from clearer_platform import gold

    found = [
        f"{region} {table}: {plural(number, 'accepted row')} held back until {reference} has come"
        for region in regions
        for (table, reference), number in gold.pending(platform, region).items()
        if tables is None or table in tables
    ]
    for line in found:
        say(line, style="yellow")
    if found:
        note("which rows: clearer load pending_rows --region R")
