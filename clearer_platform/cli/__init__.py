"""The command line: thin commands over serving, sources, silver and defs. `clearer --help` says what there is.

A command's module holds its options, its help and what it prints; whatever could be asked for from Python stands in
serving. Heavy packages are imported inside the commands, so that help and errors come at once.
"""


def main() -> None:
    """The `clearer` script."""
    import sys

    try:
        from clearer_platform.cli.app import app

        app(prog_name="clearer")
    except KeyboardInterrupt:  # Before or after the command itself, where nothing else looks after it.
        sys.exit(130)
