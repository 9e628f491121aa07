"""`clearer api`: the REST service alone."""

import signal
from contextlib import suppress
from typing import Annotated

import typer

from clearer_platform.cli.output import note, say


def api(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", "-p", min=1, max=65535, help="Port to listen on.")] = 3001,
) -> None:
    """Start the REST service alone, until Ctrl-C; `clearer up` starts it too.

    It takes batches of rows in and gives figures out, to whoever has an API
    key (`clearer api-keys create`). `/v1/docs` shows what can be asked. It
    speaks plain HTTP: beyond this machine, put a proxy with TLS before it.

    [bold]Example[/bold]

        clearer api --port 8080
    """
    from clearer_platform.cli.ports import free, url
    from clearer_platform.cli.servers import ended
    from clearer_platform.serving.api.server import serve
    from clearer_platform.serving.opening import open_platform

    platform = open_platform()
    signal.signal(signal.SIGTERM, ended)
    free(host, port, "--port")

    def ready() -> None:
        say(f"the REST service answers at {url(host, port)}/v1/docs   (Ctrl-C ends it)", style="bold green")
        note("rows that it takes in reach gold by `clearer up` or `clearer materialize`")

    with suppress(KeyboardInterrupt):  # Ctrl-C is how it is meant to end.
        serve(platform, host, port, ready)
