"""What commands print: tables, lines, JSON and progress bars, on a terminal or into a pipe."""

import codecs
import json
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

Advance = Callable[[int, int], None]
"""Says how many of how many are done."""
Step = Callable[[str, str, int, int], None]
"""Says where, what, and how much of it is done."""


def console(*, stderr: bool = False) -> "Console":
    """A console for plain output: nothing in it is read as markup, nothing but what we colour is coloured."""
    from rich.console import Console

    class Plain(Console):
        def on_broken_pipe(self) -> None:
            """Leave a reader that has seen enough to `failures`, where Rich itself would end the process with 1."""
            raise

    return Plain(stderr=stderr, markup=False, highlight=False, soft_wrap=True)


def say(line: str = "", style: str | None = None) -> None:
    """Print one line."""
    console().print(line, style=style)


def note(line: str) -> None:
    """Print one line beside the output proper, on stderr."""
    console(stderr=True).print(line, style="dim")


def print_json(value: Any) -> None:
    """Print `value` as one JSON document; where the output is not UTF-8, with JSON's own codes."""
    is_utf8 = codecs.lookup(sys.stdout.encoding or "utf-8").name == "utf-8"
    sys.stdout.write(json.dumps(value, indent=2, default=str, ensure_ascii=not is_utf8) + "\n")


def print_table(
    title: str | None, header: Sequence[str], rows: Iterable[Sequence[object]], right: Collection[str] = ()
) -> None:
    """Print a table; the columns named in `right` are aligned to the right. Into a pipe it is as wide as it needs."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for name in header:
        table.add_column(name, justify="right" if name in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(cell if isinstance(cell, Text) else Text(shown(cell)) for cell in row))
    out = console()
    if not out.is_terminal:
        out.width = 10_000
    out.print(table, soft_wrap=False)


def shown(value: object) -> str:
    """A value as a table shows it: numbers grouped, nothing for None."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:,}" if isinstance(value, int) else str(value)


def share(part: int, whole: int) -> str:
    """A share in per cent."""
    return f"{100 * part / whole:.2f} %" if whole else "0.00 %"


def days(number: int) -> str:
    """`1 day`, `2 days`."""
    return plural(number, "day")


def plural(number: int, noun: str) -> str:
    """A number with its noun."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


@contextmanager
def steps(title: str) -> Iterator[Step]:
    """A progress bar on stderr that says what is being done; nothing where stderr is no terminal."""
    err = console(stderr=True)
    if not err.is_terminal:
        yield lambda where, what, done, total: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=err, transient=True) as bars:
        task = bars.add_task(title, total=None)

        def advance(where: str, what: str, done: int, total: int) -> None:
            bars.update(task, description=f"{where} {what}".strip() or title, completed=done, total=total)

        yield advance


@contextmanager
def progress(title: str) -> Iterator[Advance]:
    """A progress bar under one title."""
    with steps(title) as advance:
        yield lambda done, total: advance(title, "", done, total)
