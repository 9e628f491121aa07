"""The command line: thin commands over serving, sources, silver and defs. `clearer --help` says what there is.

A command's module holds its options, its help and what it prints; whatever could be asked for from Python stands in
serving. Heavy packages are imported inside the commands, so that help and errors come at once.
"""

import atexit
import gc
import io
import os
import sys

COLLECTED_EVERY = 200_000
"""Objects made, by default 700. Importing makes hundreds of thousands that stay, and the collector walked them all."""


def main() -> None:
    """The `clearer` script."""
    try:
        collect_rarely()
        prepare_streams()
        from clearer_platform.cli.app import app

        app(prog_name="clearer")
    except KeyboardInterrupt:  # Before or after the command itself, where nothing else looks after it.
        sys.exit(130)


def prepare_streams() -> None:
    """Have somewhere to write to where a stream was closed, and what its encoding does not have written as a code."""
    sys.stdout = sys.stdout or io.TextIOWrapper(io.FileIO(os.devnull, "w"))
    sys.stderr = sys.stderr or io.TextIOWrapper(io.FileIO(os.devnull, "w"))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def collect_rarely() -> None:
    """Before the heavy packages are imported: have the collector pass over what they make."""
    gc.set_threshold(COLLECTED_EVERY)
    atexit.register(gc.freeze)  # Else the interpreter looks for garbage in all of them once more before it ends.
