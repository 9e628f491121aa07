"""Takes the README's pictures anew: `python -m docs.pictures`, on the home that `clearer demo` made.

Terminal pictures are what the commands print; the UI's are screenshots of `clearer up` in a headless Chromium
(Debian's, or one that `playwright install chromium` brought).
"""

import html
import io
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from itertools import groupby
from pathlib import Path

from playwright.sync_api import Page, sync_playwright
from playwright.sync_api import TimeoutError as PlaywrightTimeout
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

PICTURES = Path(__file__).parent / "pictures"
WIDTH = 118
TEXT = re.compile(r'(<text [^>]*\bx=")([0-9.]+)("[^>]*textLength=")([0-9.]+)("[^>]*>)([^<]+)</text>')
COMMANDS = {
    "demo": ["demo"],
    "status": ["status"],
    "quarantine": ["quarantine", "list", "--region", "eu"],
}
PAGES = {
    "partitions": "/assets/silver/transactions?view=partitions&partition=2024-10-31%7Cvn",
    "checks": "/assets/silver/transactions?view=checks",
    "lineage": "/assets/gold/branch_performance_daily?view=lineage",
    "overview": "/assets/silver/transactions?view=overview",
    "groups": "/asset-groups",
    "automation": "/automation",
}


def terminal(name: str, arguments: list[str], settings: Mapping[str, str] | None = None) -> None:
    """What `clearer <arguments>` prints, as an SVG."""
    environment = {
        **os.environ,
        **(settings or {}),
        "FORCE_COLOR": "1",
        "COLUMNS": str(WIDTH),
        "TERM": "xterm-256color",
    }
    command = [sys.executable, "-m", "clearer_platform.cli", *arguments]
    printed = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    console = Console(record=True, width=WIDTH, file=io.StringIO())
    console.print(Text(f"$ clearer {' '.join(arguments)}", style="bold"))
    console.print(Text.from_ansi(printed))
    svg = TEXT.sub(_in_its_places, console.export_svg(title="clearer"))
    (PICTURES / f"{name}.svg").write_text(svg, "utf-8")


def _in_its_places(text: re.Match[str]) -> str:
    """A text of an SVG; one with wide characters in runs: Rich takes all for narrow."""
    before, x, between, length, after, content = text.groups()
    characters, place, found = html.unescape(content), float(x), ""
    width = float(length) / len(characters)
    if cell_len(characters) <= len(characters):
        return text.group()
    for places, run in groupby(characters, cell_len):
        some = "".join(run)
        taken = len(some) * places * width
        found += f"{before}{place:g}{between}{taken:g}{after}{html.escape(some)}</text>"
        place += taken
    return found


def screenshot(page: Page, base: str, name: str, path: str) -> None:
    """One page of the UI, once it has settled."""
    page.goto(base + path)
    with suppress(PlaywrightTimeout):  # The asset graph goes on asking.
        page.wait_for_load_state("networkidle", timeout=15_000)
    page.wait_for_timeout(4000)
    page.screenshot(path=str(PICTURES / f"{name}.png"))


def main() -> None:
    """Take them all."""
    PICTURES.mkdir(exist_ok=True)
    for name, arguments in COMMANDS.items():
        terminal(name, arguments)
    with tempfile.TemporaryDirectory() as home:
        terminal("softcart", ["softcart", "demo"], {"CLEARER_HOME": home})
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    base = f"http://127.0.0.1:{port}"
    up = subprocess.Popen([sys.executable, "-m", "clearer_platform.cli", "up", "--port", str(port)])
    try:
        wait_for(base)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-background-networking"]
            )
            page = browser.new_page(viewport={"width": 1600, "height": 1000})
            for name, path in PAGES.items():
                screenshot(page, base, name, path)
            browser.close()
    finally:
        up.terminate()
        up.wait(30)


def wait_for(base: str) -> None:
    """Until the UI answers."""
    for _ in range(120):
        try:
            urllib.request.urlopen(f"{base}/server_info", timeout=2)
        except OSError:
            time.sleep(1)
        else:
            return
    raise SystemExit(f"{base} does not answer")


if __name__ == "__main__":
    main()
