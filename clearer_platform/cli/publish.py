"""`clearer publish`: bring what regions let leave to the databases and folders that the registry names."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from clearer_platform.cli.failures import FAILED_DAYS, say_error
from clearer_platform.cli.options import Json, Regions
from clearer_platform.cli.output import note, plural, print_json, print_table, say, steps

if TYPE_CHECKING:
    from clearer_platform.platform import Platform
    from clearer_platform.serving.publishing import Published, Result


def publish(
    target: Annotated[
        list[str] | None,
        typer.Option("--target", "-t", help="Only to this target (may be repeated).", show_default=False),
    ] = None,
    region: Regions = None,
    force: Annotated[bool, typer.Option("--force", help="Compare row by row what is recorded as there, too.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what there is to do, and do nothing.")] = False,
    json: Json = False,
) -> None:
    """Publish gold to the targets of the registry: PostgreSQL, other databases, Delta Lake, CSV.

    All tables of a target are published as one, or none of them. What is there
    already is left as it is. Tables built across regions belong to none: they
    are published where no --region is named. A target that fails stops no
    other; the exit code is then 3. Where no gold has been built it is 1.

    [bold]Examples[/bold]

        clearer publish
        clearer publish --target warehouse --region eu --dry-run
    """
    from clearer_platform.errors import NotBuilt
    from clearer_platform.serving.opening import open_platform

    results = published(open_platform(), target, region, force=force, dry_run=dry_run)
    if json:
        print_json([_as_json(result) for result in results])
    else:
        print_results(results, dry_run=dry_run)
    for result in results:
        if result.error:
            say_error(result.error.message, result.error.hint)
    if any(result.error for result in results):
        raise typer.Exit(FAILED_DAYS)
    if not any(result.published for result in results):
        across = "; what is built across regions is published without --region" if region else ""
        raise NotBuilt("there is no gold to publish", hint=f"clearer materialize builds it{across}")


def published(
    platform: "Platform", targets: list[str] | None, regions: list[str] | None, *, force: bool, dry_run: bool
) -> "list[Result]":
    """What came of each target, with a progress bar. Raises ClearerError where nothing is to be published."""
    from clearer_platform.errors import ClearerError
    from clearer_platform.serving import publishing
    from clearer_platform.serving.opening import chosen_regions

    registry = platform.registry
    asked: list[str | None] = [*chosen_regions(platform, regions), *([] if regions else [None])]
    named = {name: registry.target(name) for name in (targets or registry.targets)}
    of = {name: [r for r in asked if r in (*registry.regions_of(entry), None)] for name, entry in named.items()}
    if not any(of.values()):
        raise ClearerError("no target is named for that", hint="a target is a block [targets.<name>] in the registry")
    with steps("publishing") as advance:
        return [
            publishing.publish(platform, name, found, force=force, dry_run=dry_run, advance=advance)
            for name, found in of.items()
            if found
        ]


def print_results(results: "list[Result]", *, dry_run: bool) -> None:
    """Print a row for each table of each region, `-` where it is built across them, and what was left out."""
    rows = [_row(one, dry_run=dry_run) for result in results for one in result.published]
    header = ["target", "table", "region", "rows", "added", "changed", "removed", "unchanged", "seconds"]
    if dry_run:
        header = [*header[:4], "what to do"]
    if rows:
        print_table(None, header, rows, right=header[3:9])
    for result in results:
        for reason in result.left_out:
            note(f"{result.target}: {reason}")
    done = [one for result in results for one in result.published]
    new, failed = sum(1 for one in done if one.is_new), sum(1 for result in results if result.error)
    verb = "to publish" if dry_run else "published"
    counts = f"{plural(new, 'table')} {verb}, {len(done) - new} as before"
    say(counts + (f"; {plural(failed, 'target')} failed" if failed else ""), style="yellow" if failed else None)


def _row(one: "Published", *, dry_run: bool) -> list[object]:
    place: list[object] = [one.target, one.table, one.region or "-", one.rows]
    if dry_run:
        return [*place, "publish" if one.is_new else "nothing: it is there"]
    return [*place, one.added, one.changed, one.removed, one.unchanged, f"{one.seconds:.2f}"]


def _as_json(result: "Result") -> dict[str, Any]:
    """What a script wants to know of one target."""
    return {
        "target": result.target,
        "error": result.error.message if result.error else None,
        "left_out": list(result.left_out),
        "published": [
            {
                "table": one.table,
                "region": one.region,
                "rows": one.rows,
                "added": one.added,
                "changed": one.changed,
                "removed": one.removed,
                "unchanged": one.unchanged,
                "is_new": one.is_new,
                "seconds": round(one.seconds, 3),
            }
            for one in result.published
        ],
    }
