"""The `clearer` command: its subcommands, and the options that each of them takes."""

import os
from typing import Any

import typer
from typer.core import TyperGroup

from clearer_platform.cli import (
    api,
    api_keys,
    aside,
    backups,
    check,
    deliver,
    demo,
    fetch,
    load,
    materialize,
    publish,
    quarantine,
    revalidate,
    sample,
    send,
    softcart,
    status,
    tables,
    up,
)
from clearer_platform.cli.failures import handled

EPILOG = """Every command also takes --home FOLDER (or CLEARER_HOME; by default .clearer) and --debug.

Exit codes: 0 done, 1 an error, 2 wrong usage, 3 some region-days or targets failed, 130 interrupted."""


class Commands(TyperGroup):
    """The group of all commands: takes --home and --debug anywhere on the line, and answers for every error."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Move the common options to the front, where this group reads them."""
        return super().parse_args(ctx, _common_first(args))

    def invoke(self, ctx: Any) -> Any:
        """Run the command; what goes wrong in it is answered in one place."""
        with handled(bool(ctx.params.get("debug"))):
            return super().invoke(ctx)


def _common_first(args: list[str]) -> list[str]:
    common: list[str] = []
    rest: list[str] = []
    waiting = iter(args)
    for arg in waiting:
        if arg == "--":
            rest += [arg, *waiting]
        elif arg == "--debug" or arg.startswith("--home="):
            common.append(arg)
        elif arg == "--home":
            common += [arg, *([value] if (value := next(waiting, None)) is not None else [])]
        else:
            rest.append(arg)
    return [*common, *rest]


app = typer.Typer(
    cls=Commands,
    help="From what regions deliver to branch performance: receive, validate, build, read.",
    epilog=EPILOG,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


@app.callback()
def common(
    home: str | None = typer.Option(None, metavar="FOLDER", help="Folder that holds everything (CLEARER_HOME)."),
    debug: bool = typer.Option(False, "--debug", help="Show a trace where something goes wrong."),
) -> None:
    """From what regions deliver to branch performance: receive, validate, build, read."""
    if home is not None:
        os.environ["CLEARER_HOME"] = home  # Child processes (the UI, the daemon, dbt) read it too.


app.command("demo", rich_help_panel="Begin")(demo.demo)
app.command("sample", rich_help_panel="Begin")(sample.sample)
app.command("up", rich_help_panel="Begin")(up.up)
app.command("api", rich_help_panel="Begin")(api.api)
app.command("check", rich_help_panel="Begin")(check.check)
app.command("deliver", rich_help_panel="Run")(deliver.deliver)
app.command("fetch", rich_help_panel="Run")(fetch.fetch)
app.command("send", rich_help_panel="Run")(send.send)
app.command("materialize", rich_help_panel="Run")(materialize.materialize)
app.command("revalidate", rich_help_panel="Run")(revalidate.revalidate)
app.command("publish", rich_help_panel="Run")(publish.publish)
app.command("status", rich_help_panel="Look")(status.status)
app.command("tables", rich_help_panel="Look")(tables.tables)
app.command("load", rich_help_panel="Look")(load.load)
app.command("backup", rich_help_panel="Keep")(backups.backup)
app.command("restore", rich_help_panel="Keep")(backups.restore)
app.add_typer(backups.app, name="backups", rich_help_panel="Keep")
app.add_typer(quarantine.app, name="quarantine", rich_help_panel="Look")
app.add_typer(aside.app, name="aside", rich_help_panel="Look")
app.add_typer(softcart.app, name="softcart", rich_help_panel="Begin")
app.add_typer(api_keys.app, name="api-keys", rich_help_panel="Run")
