"""`clearer backup`, `clearer backups` and `clearer restore`: tables of a region as Avro files, and back again."""

import sys
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clearer_platform.cli.options import Json, Regions
from clearer_platform.cli.output import note, plural, print_json, print_table, progress, say, steps
from clearer_platform.errors import ClearerError

if TYPE_CHECKING:
    from upath import UPath

    from clearer_platform.platform import Platform
    from clearer_platform.serving.backups import Backup

app = typer.Typer(help="List, verify and remove backups of tables.", no_args_is_help=True, rich_markup_mode="rich")
Table = Annotated[str | None, typer.Option("--table", "-t", help="Only this table.", show_default=False)]
OneRegion = Annotated[str, typer.Option("--region", "-r", help="The region whose backup it is.", show_default=False)]


def backup(
    table: Annotated[
        list[str] | None, typer.Argument(help="Tables that regions deliver, or of their gold.", show_default=False)
    ] = None,
    region: Regions = None,
    all_: Annotated[bool, typer.Option("--all", help="Every table.")] = False,
    json: Json = False,
) -> None:
    """Back tables up: what each says now, as an Avro file in its region's own root.

    Of a delivered table that is the current row of every key; gold goes with
    the note of which deliveries it was built from. A table that cannot be
    backed up stops no other; the exit code is then 1.

    [bold]Examples[/bold]

        clearer backup transactions customers --region eu
        clearer backup --all
    """
    from clearer_platform.serving import backups
    from clearer_platform.serving.opening import chosen_regions, open_platform

    if bool(table) == all_:
        raise typer.BadParameter("name tables, or say --all")
    platform = open_platform()
    wanted = _wanted(platform, chosen_regions(platform, region), table or None)
    made: list[Backup] = []
    failed: list[ClearerError] = []
    with steps(f"backing up {plural(len(wanted), 'table')}") as advance:
        for number, (of, name) in enumerate(wanted):
            advance(of, name, number, len(wanted))
            try:
                made.append(backups.create(platform, of, name))
            except ClearerError as e:
                failed.append(e)
    if json:
        print_json([_as_json(one) for one in made])
    else:
        for one in made:
            say(f"{one.id}  {one.region}  {plural(one.rows, 'row')}, {plural(one.bytes, 'byte')}")
    if failed:
        for error in failed[:-1]:
            note(f"not backed up: {error.message}")
        raise failed[-1]


def _wanted(platform: "Platform", regions: list[str], tables: list[str] | None) -> list[tuple[str, str]]:
    """Region and table of what is asked for (None: all); what no region has is asked of the first, which says why."""
    from clearer_platform.serving import backups

    if tables is None:
        return [(region, table) for region in regions for table in backups.possible(platform, region)]
    found = [(of, table) for of in regions for table in tables if backups.is_possible(platform, of, table)]
    missing = set(tables) - {table for _, table in found}
    return [*found, *((regions[0], table) for table in tables if table in missing)]


@app.command("list")
def list_(region: Regions = None, table: Table = None, json: Json = False) -> None:
    """List the backups there are, the newest first.

    [bold]Example[/bold]

        clearer backups list --region eu --table customers
    """
    from clearer_platform.serving import backups
    from clearer_platform.serving.opening import chosen_regions, open_platform

    platform = open_platform()
    regions = chosen_regions(platform, region)
    found = [one for name in regions for one in backups.listed(platform, name, table)]
    damaged = [(name, one) for name in regions for one in backups.damaged(platform, name, table)]
    if json:
        print_json([_as_json(one) for one in found])
    elif not found:
        say("there is no backup")
    else:
        rows = [
            (b.id, b.region, b.layer, b.rows, b.bytes, f"{b.created_at.astimezone(UTC):%Y-%m-%d %H:%M}") for b in found
        ]
        print_table(None, ["backup", "region", "layer", "rows", "bytes", "made (UTC)"], rows, right=["rows", "bytes"])
        note("`clearer restore BACKUP --table TABLE --region REGION` brings one back")
    for name, one in damaged:
        note(f"{name}: the manifest of {one} is damaged; it cannot be restored")


@app.command()
def verify(
    id_: Annotated[str, typer.Argument(metavar="BACKUP", help="As `clearer backups list` names it.")],
    region: OneRegion,
    json: Json = False,
) -> None:
    """Read every byte and row of a backup, and say whether they are those that were written.

    [bold]Example[/bold]

        clearer backups verify customers-20241027T061500.000000Z-0123456789abcdef --region eu
    """
    from clearer_platform.serving import backups
    from clearer_platform.serving.opening import open_platform

    with progress(f"reading {id_}"):
        found = backups.verify(open_platform(), region, id_)
    if json:
        print_json(_as_json(found))
    else:
        say(f"{found.id} is whole: {plural(found.rows, 'row')}, {plural(found.bytes, 'byte')}")


@app.command()
def prune(
    table: Annotated[str, typer.Option("--table", "-t", help="The table.", show_default=False)],
    region: OneRegion,
    keep: Annotated[int, typer.Option("--keep", min=1, help="How many of the newest stay.", show_default=False)],
) -> None:
    """Remove all but the newest backups of a table; the newest one that can be restored always stays.

    [bold]Example[/bold]

        clearer backups prune --table customers --region eu --keep 7
    """
    from clearer_platform.serving import backups
    from clearer_platform.serving.opening import open_platform

    gone = backups.prune(open_platform(), region, table, keep)
    for one in gone:
        say(f"removed {one.id}")
    if not gone:
        say("nothing to remove")


def restore(
    backup: Annotated[
        str,
        typer.Argument(help="As `clearer backups list` names it, or the path of its Avro file.", show_default=False),
    ],
    table: Annotated[str, typer.Option("--table", "-t", help="The table it is of.", show_default=False)],
    region: OneRegion,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    json: Json = False,
) -> None:
    """Put a backup's rows in the place of what the table says now.

    It is read and verified in full before anything is replaced. A delivered
    table is restored by a delivery for today: what was delivered before
    counts no more (it stays in bronze), what is delivered later wins again.
    A table of gold is only put back where gold was built from exactly the
    deliveries that the backup was made of.

    [bold]Example[/bold]

        clearer restore customers-20241027T061500.000000Z-0123456789abcdef --table customers --region eu
    """
    from clearer_platform.serving import backups
    from clearer_platform.serving.opening import open_platform

    platform = open_platform()
    platform.region(region)
    if not yes:
        _ask(f"replace all that {table} of {region} says by {backup}?")
    with progress(f"restoring {table} {region}"):
        done = backups.restore(platform, region, _named(backup), table)
    if json:
        print_json({"backup": _as_json(done.backup), "day": done.day, "slot": done.slot})
        return
    say(f"{table} {region}: {plural(done.backup.rows, 'row')} restored from {done.backup.id}")
    if done.day:
        say(f"publish: clearer materialize --region {region} --from {done.day} --to {done.day}", style="dim")


def _ask(question: str) -> None:
    """Ask whether to go on. Raises where the answer is no, or nobody is there to give one."""
    if not sys.stdin.isatty():
        raise typer.BadParameter("nobody is there to be asked: say --yes")
    typer.confirm(question, abort=True)


def _named(backup: str) -> "str | Path | UPath":
    """An id as it is; what ends like an Avro file as its path or URL."""
    if not backup.endswith(".avro"):
        return backup
    from upath import UPath

    return UPath(backup) if "://" in backup else Path(backup)


def _as_json(one: "Backup") -> dict[str, Any]:
    """What a script wants to know of a backup: all but what gold was built from."""
    return {"id": one.id, **one.manifest.model_dump(mode="json", exclude={"gold"}), "file": str(one.file)}
