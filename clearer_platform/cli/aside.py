"""`clearer aside`: files that were set aside because they can be no delivery; see why, and put them back."""

from datetime import UTC
from typing import TYPE_CHECKING, Annotated

import typer

from clearer_platform.cli.options import Json, Regions
from clearer_platform.cli.output import note, plural, print_json, print_table, say
from clearer_platform.errors import ClearerError

if TYPE_CHECKING:
    from clearer_platform.platform import Platform
    from clearer_platform.sources.aside import Aside

app = typer.Typer(
    help="List and restore files that were set aside: they can be no delivery.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)
SHOWN = 5


@app.command("list")
def list_(region: Regions = None, json: Json = False) -> None:
    """List the files that were set aside, the newest first, each with its reason.

    They lie in the root in which they were found, below `aside/`, beside a
    file that says why. A file whose reason is mended can be restored.

    [bold]Example[/bold]

        clearer aside list --region eu
    """
    from clearer_platform.serving.opening import chosen_regions, open_platform
    from clearer_platform.sources.aside import set_asides

    platform = open_platform()
    found = set_asides(platform, chosen_regions(platform, region) if region else None)
    if json:
        print_json([_as_json(aside) for aside in found])
    elif not found:
        say("nothing was set aside")
    else:
        rows = [(a.name, a.reason.reason, f"{a.reason.at.astimezone(UTC):%Y-%m-%d %H:%M}") for a in found]
        print_table(None, ["file", "reason", "set aside (UTC)"], rows)
        note("`clearer aside restore FILE` puts one back into its landing folder")


@app.command()
def restore(
    file: Annotated[
        list[str] | None, typer.Argument(help="As `clearer aside list` names it.", show_default=False)
    ] = None,
    all_: Annotated[bool, typer.Option("--all", help="Every file (of the regions named).")] = False,
    region: Regions = None,
) -> None:
    """Put files back into the landing folders from which they came.

    What is still wrong with them sets them aside again.

    [bold]Examples[/bold]

        clearer aside restore eu/weather/w-2024-10-27.csv
        clearer aside restore --all --region eu
    """
    from clearer_platform.serving.opening import chosen_regions, open_platform
    from clearer_platform.sources.aside import restore as put_back
    from clearer_platform.sources.aside import set_asides

    if bool(file) == all_:
        raise typer.BadParameter("name files, or say --all")
    platform = open_platform()
    there = {a.name: a for a in set_asides(platform, chosen_regions(platform, region) if region else None)}
    if unknown := [name for name in file or [] if name not in there]:
        raise ClearerError(f"no file {unknown[0]} was set aside", hint="`clearer aside list` names those that were")
    for aside in [there[name] for name in file] if file else there.values():
        say(f"{aside.name} -> {put_back(aside)}")
    if not there:
        say("nothing was set aside")


def say_set_aside(platform: "Platform", regions: list[str] | None) -> None:
    """Say how many files were set aside, and why the newest were."""
    from clearer_platform.sources.aside import set_asides

    found = set_asides(platform, regions)
    if not found:
        return
    say(f"{plural(len(found), 'file')} set aside:", style="yellow")
    for aside in found[:SHOWN]:
        say(f"  {aside.name}: {aside.reason.reason}")
    if len(found) > SHOWN:
        say(f"  ... and {len(found) - SHOWN} more; see `clearer aside list`")


def _as_json(aside: "Aside") -> dict[str, object]:
    return {"name": aside.name, "path": str(aside.path), **aside.reason.model_dump(mode="json")}
