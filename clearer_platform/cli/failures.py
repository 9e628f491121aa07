"""Every error of every command ends here: what the user sees of it, and the exit code.

0 done, 1 an error, 2 wrong usage, 3 some region-days (materialize, demo) or targets (publish) failed, 130 interrupted.
"""

import os
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import typer

from clearer_platform.errors import ClearerError, causes

INTERRUPTED = 130
FAILED_DAYS = 3
T = TypeVar("T")


@contextmanager
def handled(debug: bool) -> Iterator[None]:
    """Turn whatever goes wrong inside into a message on stderr and an exit code; with `debug`, let it through."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read our output has seen enough; nothing may be written at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(0) from None
    except ClearerError as e:
        if debug:
            traceback.print_exc()
        say_error(e.message, e.hint)
        raise typer.Exit(e.exit_code) from None
    except KeyboardInterrupt:
        raise _interrupted() from None
    except OSError as e:
        if debug:
            raise
        _drop_output()
        where = f" ({e.filename})" if e.filename else ""
        say_error(f"the operating system says: {e.strerror or type(e).__name__}{where}", "check the disk and the path")
        raise typer.Exit(1) from None
    except Exception as e:
        if any(isinstance(cause, KeyboardInterrupt) for cause in causes(e)):  # A compiled module was being imported.
            raise _interrupted() from None
        if debug or _is_usage(e):
            raise
        say_error(f"something unexpected went wrong ({type(e).__name__})", _details(e))
        raise typer.Exit(1) from None


def of_each(regions: Iterable[str], look: Callable[[str], T]) -> tuple[dict[str, T], dict[str, ClearerError]]:
    """What `look` finds of each region, and why it cannot of others: one that does not answer stops no other.

    Raises why not, where it finds nothing of any.
    """
    found: dict[str, T] = {}
    missed: dict[str, ClearerError] = {}
    for region in regions:
        try:
            found[region] = look(region)
        except ClearerError as e:
            missed[region] = e
    if missed and not found:
        raise next(iter(missed.values()))
    return found, missed


def say_missed(missed: Mapping[str, ClearerError]) -> None:
    """Print why regions could not be looked at."""
    for region, error in missed.items():
        say_error(f"{region} was left out: {error.message}", error.hint)


def say_error(message: str, hint: str | None = None) -> None:
    """Print an error and what to do about it."""
    print(f"error: {message}", file=sys.stderr)
    if hint:
        print(f"  {hint}", file=sys.stderr)


def _interrupted() -> typer.Exit:
    print("\ninterrupted", file=sys.stderr)
    return typer.Exit(INTERRUPTED)


def _is_usage(error: Exception) -> bool:
    """Whether Typer itself answers: wrong usage, or an exit code that a command chose."""
    return any(kind.__name__ in ("ClickException", "Exit", "Abort") for kind in type(error).__mro__)


def _drop_output() -> None:
    """Forget what could not be written, or the interpreter complains once more while it ends."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _details(error: Exception) -> str:
    """Where the trace of `error` stands. Messages of other packages may quote data, so only --debug shows them."""
    from clearer_platform.serving.traces import write_trace

    file = write_trace(Path(os.environ.get("CLEARER_HOME", ".clearer")), error, " ".join(sys.argv[:2]))
    if file is None:
        return "run it again with --debug to see where"
    return f"where it happened: {file} (with --debug the message is shown too; it may quote data)"
