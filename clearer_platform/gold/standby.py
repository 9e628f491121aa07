"""A process of a command's own that loads dbt while the command loads everything else, and builds what it asks for.

dbt takes seconds to import, and so does the orchestrator: side by side they take as long as the longer one. It serves
as a home's warm process does (`warm`, `forking`), but for one command, with which it ends.

    python -m clearer_platform.gold.standby FOLDER
"""

import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from clearer_platform import forking
from clearer_platform.gold import dbt, warm
from clearer_platform.gold.project import prepare
from clearer_platform.platform import Platform
from clearer_platform.settings import Settings


@contextmanager
def ahead(platform: Platform) -> Iterator[None]:
    """Within it builds need not wait for dbt to be imported, where a second core can do that meanwhile."""
    if "dbt" in sys.modules or forking.is_there(platform.settings.dagster_home) or os.cpu_count() == 1:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="clearer-standby-") as folder:
        process = subprocess.Popen(
            [sys.executable, "-m", __name__, folder],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,  # A build that it cannot make is made by the command, which says what is wrong.
            start_new_session=True,  # Ctrl-C is for the command, which ends it.
        )
        assert process.stdin
        try:
            with warm.served_at(Path(folder)), process.stdin:
                yield
        finally:
            process.kill()
            process.wait()


def _load() -> Mapping[str, forking.Answer]:
    platform = Platform.open(Settings())
    dbt.read_ahead(prepare(platform))
    return {warm.BUILD: warm.answer}


def _end_with_the_command() -> None:
    """End this process when the command has gone in any way: it writes nothing, so all that can come is the end."""
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    threading.Thread(target=_end_with_the_command, daemon=True).start()
    forking.serve(Path(sys.argv[1]), _load)
