"""`clearer up`: the Dagster UI and daemon on this home, and the REST service."""

import os
import signal
import sys
import time
from typing import TYPE_CHECKING, Annotated

import typer

from clearer_platform.cli.output import console, say
from clearer_platform.errors import Busy, ClearerError

if TYPE_CHECKING:
    from pathlib import Path

    from clearer_platform.cli.servers import Servers
    from clearer_platform.settings import Settings


def up(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", "-p", min=1, max=65535, help="Port of the UI.")] = 3000,
    api_port: Annotated[
        int | None,
        typer.Option(min=1, max=65535, help="Port of the REST service; by default the next one.", show_default=False),
    ] = None,
) -> None:
    """Start the UI, the daemon and the REST service, until Ctrl-C.

    The UI shows the asset graph by region and day, and materialises any part
    of it; the daemon runs what is queued, due or newly landed; the REST service
    takes batches of rows in and gives figures out. One `clearer up` runs on a
    home at a time. Whatever ends it ends everything it started.

    [bold]Example[/bold]

        clearer up --port 3333
    """
    from clearer_platform.cli.ports import free
    from clearer_platform.cli.ports import url as url_of
    from clearer_platform.cli.servers import Servers, ended, script
    from clearer_platform.defs.alive import end_gone
    from clearer_platform.defs.internals import KNOWN, are_known
    from clearer_platform.defs.names import MODULE
    from clearer_platform.defs.runs import instance
    from clearer_platform.governance import load_roles
    from clearer_platform.sample import environment, is_marked
    from clearer_platform.serving.opening import open_platform

    platform = open_platform()
    settings = platform.settings
    load_roles(settings.roles_file)
    api_port = api_port or port % 65535 + 1
    url = url_of(host, port)
    lock = _one_per_home(settings.dagster_home, url)
    free(host, port, "--port")
    free(host, api_port, "--api-port")
    with instance(platform) as home:  # Makes DAGSTER_HOME what it has to be before anything reads it.
        end_gone(home, is_first=True)
    signal.signal(signal.SIGTERM, ended)
    signal.signal(signal.SIGHUP, ended)
    if not are_known():
        say(f"this Dagster is not {KNOWN}: runs will start as with Dagster alone, some seconds later", style="yellow")
    say(f"starting the UI and the daemon on {settings.home} ...")
    servers = Servers({**_environment(settings), **environment(settings.home), "CLEARER_UI_URL": url}, lock, _forward)
    try:
        if is_marked(settings.home):
            servers.start("api", [sys.executable, "-m", "clearer_platform.sample.server"])
        servers.start("web", [script("dagster-webserver"), "-h", host, "-p", str(port), "-m", MODULE])
        if sys.platform == "linux":  # Elsewhere libraries do not bear being forked.
            servers.start("runs", [sys.executable, "-m", "clearer_platform.defs"], is_spare=True)
        # What our own code tells is shown at any level. Below these stand lines a second of looking, and a warning each
        # minute, when the daemon takes a new code server to see what has changed in the registry.
        levels = ["--log-level", "warning", "--code-server-log-level", "error"]
        servers.start("daemon", [script("dagster-daemon"), "run", "-m", MODULE, *levels])
        _watch(servers, url, [sys.executable, "-m", "clearer_platform.cli", "api", "-p", str(api_port), "--host", host])
    except KeyboardInterrupt:
        pass  # Ctrl-C is how it is meant to end.
    finally:
        say("ending ...")
        servers.close()
        os.close(lock)


def _watch(servers: "Servers", url: str, rest: list[str]) -> None:
    """Say when the UI answers, and start the REST service then; come back only when something has ended."""
    is_up = False
    while True:
        if ended := servers.ended():
            name, code, lines = ended
            raise ClearerError(f"the {name} process ended by itself (exit code {code})", hint="\n  ".join(lines))
        servers.revive()
        if not is_up and _answers(url):
            is_up = True
            say(f"the UI answers at {url}   (Ctrl-C ends it)", style="bold green")
            servers.start("rest", rest, is_spare=True)  # Not before: the UI is waited for, and would come later.
        time.sleep(0.3)


def _answers(url: str) -> bool:
    from urllib.error import URLError
    from urllib.request import ProxyHandler, build_opener

    try:
        with build_opener(ProxyHandler({})).open(f"{url}/server_info", timeout=2) as response:
            return bool(response.status == 200)
    except (URLError, OSError):
        return False


def _one_per_home(folder: "Path", url: str) -> int:
    """The lock of this home, held until the last process is gone. Raises Busy, naming who holds it."""
    import fcntl

    from clearer_platform.storage import reported

    with reported("write", folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder / "up.lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        holder = os.read(lock, 200).decode("utf-8", "replace").strip()
        os.close(lock)
        raise Busy(
            f"`clearer up` runs on this home already ({holder})", hint="use that one, or end it and try again"
        ) from None
    os.ftruncate(lock, 0)
    os.write(lock, f"process {os.getpid()}, {url}".encode())
    return lock


def _environment(settings: "Settings") -> dict[str, str]:
    return {
        **os.environ,
        "CLEARER_HOME": str(settings.home.resolve()),
        "CLEARER_REGIONS_FILE": str(settings.registry_path.resolve()),
        "DAGSTER_HOME": str(settings.dagster_home.resolve()),
        "PYTHONUNBUFFERED": "1",
        # A run that could not be launched within a minute would be called failed, and go on all the same.
        "DAGSTER_GRPC_TIMEOUT_SECONDS": os.environ.get("DAGSTER_GRPC_TIMEOUT_SECONDS", "300"),
    }


def _forward(name: str, line: str) -> None:
    """Print a line of a server, without the repetition that every Dagster line begins with."""
    text = line.split(" - ", 3)[-1] if line.count(" - ") >= 3 else line
    style = "red" if "ERROR" in line or "Traceback" in line else "yellow" if "WARNING" in line else "dim"
    console().print(f"{name:>6} | {text}", style=style)
