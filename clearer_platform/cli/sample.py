"""`clearer sample`: a home with four regions and their deliveries, to try everything on."""

from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from clearer_platform.cli.output import plural, say
from clearer_platform.errors import ClearerError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def sample(
    second: Annotated[
        bool, typer.Option("--second-wave", help="Land what comes later: late, changed and corrected files.")
    ] = False,
    days: Annotated[int, typer.Option(min=1, max=366, help="Days of deliveries.")] = 14,
    per_day: Annotated[int, typer.Option(min=1, help="Transactions a region and day, about.")] = 400,
    seed: Annotated[int, typer.Option(help="Other seeds give other people and sales.")] = 2024,
) -> None:
    """Write sample deliveries into the landing folders of a sample home: four regions, all tables, realistic dirt.

    A home that holds anything else is left alone. Files that are there
    already stay as they are. One table comes from a small API; `clearer up`,
    `clearer materialize` and `clearer fetch` run it while they run.

    [bold]Examples[/bold]

        clearer sample --home try
        clearer materialize --home try
        clearer sample --home try --second-wave
        clearer fetch --home try --from 2024-10-24
    """
    from clearer_platform import sample as samples

    home = sample_home()
    written = samples.second_wave(home) if second else samples.write(home, days=days, seed=seed, per_day=per_day)
    say(f"{plural(len(written), 'file')} landed in {home}")


@contextmanager
def sample_service(home: "Path") -> "Iterator[None]":
    """While a command runs on a sample home, the API of the sample; nothing on any other home."""
    from clearer_platform.sample import is_marked

    if not is_marked(home):
        yield
        return
    from clearer_platform.sample.server import running

    with running(home):
        yield


def sample_home() -> "Path":
    """The home that the settings name. Raises ClearerError where they name a registry of its own as well."""
    from clearer_platform.serving.opening import open_settings

    settings = open_settings()
    if settings.registry_path.absolute() != (settings.home / "regions.toml").absolute():
        raise ClearerError(
            f"the sample has a registry of its own, and the settings name another ({settings.registry_path})",
            hint="unset CLEARER_REGIONS_FILE",
        )
    return settings.home
