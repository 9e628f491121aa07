"""`clearer check`: is everything that stands above the data in order? Nothing is run and nothing is built."""

import typer

from clearer_platform.cli.options import Json
from clearer_platform.cli.output import print_json, say


def check(
    deliveries: bool = typer.Option(
        False, "--deliveries", help="Hash every delivery in bronze as well: is it what was delivered?"
    ),
    json: Json = False,
) -> None:
    """Check settings, registry, contracts, dbt project and asset definitions before anything runs.

    Every part is checked, whatever the others say; the exit code is 1 when
    any of them is not in order.

    [bold]Example[/bold]

        clearer check && clearer materialize
    """
    from clearer_platform.cli.checks import run_checks

    findings = []
    for finding in run_checks(deliveries=deliveries):
        findings.append(finding)
        if json:
            continue
        if finding.error is None:
            say(f"✓ {finding.what}: {finding.detail}", style="green")
            if finding.warning:
                say(f"  warning: {finding.warning}", style="yellow")
        else:
            say(f"✗ {finding.what}: {finding.error}", style="red")
            if finding.hint:
                say(f"  {finding.hint}")
    if json:
        print_json(
            [
                {"what": f.what, "ok": f.error is None, "detail": f.detail, "error": f.error, "warning": f.warning}
                for f in findings
            ]
        )
    if any(finding.error for finding in findings):
        raise typer.Exit(1)
