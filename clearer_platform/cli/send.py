"""`clearer send`: a file to the service in batches, with a progress bar and a summary."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clearer_platform.cli.failures import FAILED_DAYS
from clearer_platform.cli.options import Json
from clearer_platform.cli.output import note, plural, print_json, print_table, progress, say
from clearer_platform.errors import ClearerError

if TYPE_CHECKING:
    from clearer_platform.serving.sending import Sent

KEY = "CLEARER_API_KEY"


def send(
    file: Annotated[Path, typer.Argument(help="A .csv file without a header line, or .jsonl.", show_default=False)],
    table: Annotated[str, typer.Option("--table", "-t", help="The table that its rows are for.", show_default=False)],
    batch_size: Annotated[int, typer.Option("--batch-size", min=1, max=1000, help="Rows of a batch.")] = 1000,
    parallel: Annotated[int, typer.Option(min=1, max=32, help="Batches that are under way at once.")] = 1,
    on_invalid: Annotated[
        str, typer.Option("--on-invalid", help="reject_rows: the others are written; reject_batch: none is.")
    ] = "reject_rows",
    header: Annotated[bool, typer.Option("--header", help="The first line names the columns.")] = False,
    delimiter: Annotated[str, typer.Option(help="What separates the fields.")] = ",",
    url: Annotated[
        str, typer.Option(envvar="CLEARER_API_URL", help="Where the service answers.")
    ] = "http://127.0.0.1:3001",
    logs: Annotated[
        bool, typer.Option("--logs/--no-logs", help="Write what came of it beside the file, without values.")
    ] = True,
    json: Json = False,
) -> None:
    """Send a file to the service in batches of 1 to 1,000 rows.

    The API key stands in the variable CLEARER_API_KEY. What does not arrive
    is tried again; a file that is sent once more adds nothing to what has
    arrived. With --parallel the batches may arrive in another order than the
    file's. What came of it is written to <file>.summary.json, and of each
    batch with an invalid row to <file>.batches/. The exit code is 3 where
    rows or batches were not written.

    [bold]Examples[/bold]

        clearer send hired_employees.csv --table hired_employees
        clearer send jobs.csv -t jobs --batch-size 50 --on-invalid reject_batch
    """
    from clearer_platform.serving import sending

    if on_invalid not in ("reject_rows", "reject_batch"):
        raise typer.BadParameter(f"{on_invalid!r}: use reject_rows or reject_batch")
    if len(delimiter) != 1:
        raise typer.BadParameter(f"{delimiter!r}: a delimiter is one character")
    if not (key := os.environ.get(KEY, "")):
        raise ClearerError(f"{KEY} is not set", hint="make a key: clearer api-keys create --role ... --region ...")
    cut = sending.cut(file, batch_size, header=header, delimiter=delimiter)
    service = sending.Service(url, key, table, on_invalid)
    with progress(f"sending {plural(len(cut.pieces), 'batch')}") as advance:
        sent = sending.send(cut, service, parallel, advance)
    summary = sending.write_logs(file, sent) if logs else None
    if json:
        print_json(sent.summary)
    else:
        _print(sent)
        note(f"the log of it is {summary}" if summary else "no log was written")
    if sent.failed or sent.total("invalid"):
        raise typer.Exit(FAILED_DAYS)


def _print(sent: "Sent") -> None:
    from clearer_platform.serving.sending import SHOWN, in_order

    repeated = sum(one.is_repeated for one in sent.answered)
    header = ["batches", "arrived before", "rejected", "failed", "rows", "valid", "invalid", "written"]
    totals = [sent.total(name) for name in ("rows", "valid", "invalid")]
    row = [len(sent.answered), repeated, len(sent.rejected), len(sent.failed), *totals, sent.written]
    print_table(None, header, [row], right=header)
    broken = list(in_order(sent.answered))
    for line, rule in broken[:SHOWN]:
        say(f"  line {line}  {rule}")
    if len(broken) > SHOWN:
        note(f"  ... and {len(broken) - SHOWN:,} more (--json has all)")
    for failed in sent.failed[:SHOWN]:
        say(f"batch {failed.piece.number} (from line {failed.piece.lines[0]}): {failed.reason}", style="red")
    if sent.failed:
        note("send the file again: what has arrived is not written twice")
