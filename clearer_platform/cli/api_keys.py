"""`clearer api-keys`: who may ask the REST service; make, list and revoke keys."""

from typing import TYPE_CHECKING, Annotated

import typer

from clearer_platform.cli.options import Json
from clearer_platform.cli.output import note, print_json, print_table, say

if TYPE_CHECKING:
    from clearer_platform.serving.api.keys import Key

app = typer.Typer(
    help="Make, list and revoke API keys of the REST service.", no_args_is_help=True, rich_markup_mode="rich"
)


@app.command()
def create(
    role: Annotated[str, typer.Option(help="What the key may do: a role of data/roles.toml.", show_default=False)],
    region: Annotated[str, typer.Option("--region", "-r", help="The one region that it is for.", show_default=False)],
    name: Annotated[str, typer.Option(help="Whose it is, for your own lists.", show_default=False)] = "",
    json: Json = False,
) -> None:
    """Make a key and show it, this once: only its hash is kept.

    [bold]Example[/bold]

        clearer api-keys create --role junior_engineer --region eu --name loader
    """
    from clearer_platform.governance import load_roles
    from clearer_platform.serving.api.keys import Keys
    from clearer_platform.serving.opening import open_platform

    platform = open_platform()
    load_roles(platform.settings.roles_file).role(role)
    key, token = Keys(platform.settings.home).create(role, platform.region(region).name, name)
    if json:
        print_json({"key": token, **_shown(key)})
    else:
        say(token)
        note(f"key {key.id}: {role} in {region}. Keep it now: it cannot be shown again. Send it as")
        note("  Authorization: Bearer <key>")


@app.command("list")
def list_(json: Json = False) -> None:
    """List the keys that were made; what proves them is not known here.

    [bold]Example[/bold]

        clearer api-keys list
    """
    from clearer_platform.serving.api.keys import Keys
    from clearer_platform.serving.opening import open_settings

    keys = Keys(open_settings().home).all()
    if json:
        print_json([_shown(key) for key in keys])
    elif not keys:
        say("there are no API keys; `clearer api-keys create` makes one")
    else:
        rows = [(k.id, k.name, k.role, k.region, f"{k.created_at:%Y-%m-%d}", _day_revoked(k)) for k in keys]
        print_table(None, ["key", "name", "role", "region", "made", "revoked"], rows)


@app.command()
def revoke(
    key: Annotated[str, typer.Argument(help="As `clearer api-keys list` names it.", show_default=False)],
) -> None:
    """Make a key worthless, at once and for ever.

    [bold]Example[/bold]

        clearer api-keys revoke 3f9c1a2b4d5e
    """
    from clearer_platform.serving.api.keys import Keys
    from clearer_platform.serving.opening import open_settings

    revoked = Keys(open_settings().home).revoke(key)
    say(f"key {revoked.id} ({revoked.role} in {revoked.region}) is revoked")


def _shown(key: "Key") -> dict[str, object]:
    return key.model_dump(mode="json", exclude={"sha256"})


def _day_revoked(key: "Key") -> str:
    return f"{key.revoked_at:%Y-%m-%d}" if key.revoked_at else ""
