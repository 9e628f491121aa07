"""What users get wrong: each time a line that says what, where and what to do, and the exit code for it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from clearer_platform.cli import app as app_module
from clearer_platform.cli.app import app
from clearer_platform_tests.cli.conftest import Cli, clearer, text

DELIVERY = ("--table", "transactions", "--region", "eu", "--day", "2024-03-30")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["status", "--region", "xx"], "unknown region 'xx'"),
        (["status", "--table", "xx"], "unknown table 'xx'"),
        (["materialize", "--region", "xx"], "unknown region 'xx'"),
        (["materialize", "--from", "2024-03-31", "--to", "2024-03-30"], "ends (2024-03-30) before it starts"),
        (["status", "--from", "2024-03-31", "--to", "2024-03-30"], "ends (2024-03-30) before it starts"),
        (["quarantine", "--region", "xx"], "unknown region 'xx'"),
        (["quarantine", "export", "--region", "xx"], "unknown region 'xx'"),
        (["quarantine", "list", "--table", "xx"], "unknown table 'xx'"),
        (["revalidate", "--table", "xx"], "unknown table 'xx'"),
        (["deliver", "gone.csv", *DELIVERY], "gone.csv is not a file"),
        (["deliver", "/", *DELIVERY], "/ is not a file"),
        (["deliver", "nope://x/y.csv", *DELIVERY], "cannot open nope://x/y.csv"),
        (["deliver", "x.csv", "-t", "xx", "-r", "eu", "-d", "2024-03-30"], "unknown table of region eu 'xx'"),
        (["deliver", "x.csv", "-t", "transactions", "-r", "xx", "-d", "2024-03-30"], "unknown region 'xx'"),
        (["deliver", "x.csv", "-t", "transactions", "-r", "eu", "-d", "2024-03-01"], "before the first day of eu"),
        (["deliver", "x.csv", "-t", "transactions", "-r", "eu", "-d", "2999-01-01"], "is in the future"),
        (["load", "x", "--from", "2024-03-31", "--to", "2024-03-30"], "before it starts"),
    ],
)
def test_wrong_names_and_days(empty, arguments, message):
    error = empty.error(*arguments)
    assert error.startswith("error: ")
    assert message in error
    assert len(error.splitlines()) == 2, "the message, and what to do about it"


@pytest.mark.parametrize(
    "arguments",
    [
        ["status", "--from", "2024-02-30"],
        ["status", "--from", "yesterday"],
        ["materialize", "--only", "everything"],
        ["load", "x", "--format", "excel"],
        ["load"],
        ["deliver", "x.csv"],
        ["up", "--port", "0"],
        ["sample", "--days", "0"],
        ["quarantine", "explain", "--line", "0"],
        ["nonsense"],
        ["status", "--nonsense"],
    ],
)
def test_wrong_usage_is_2(empty, arguments):
    assert empty.error(*arguments, code=2)


def test_only_names_its_choices(empty):
    error = " ".join(empty.error("materialize", "--only", "all", code=2).replace("│", " ").split())
    assert "missing, failed, changed" in error


@pytest.mark.parametrize("command", ["status", "tables", "materialize", "revalidate", "quarantine", "up"])
def test_no_registry(tmp_path, command):
    error = Cli(tmp_path).error(command)
    assert f"there is no registry at {tmp_path}/regions.toml" in error
    assert "clearer sample" in error


@pytest.mark.parametrize(
    ("variable", "value"), [("CLEARER_THREADS", "many"), ("CLEARER_LOCK_TIMEOUT", "-1"), ("CLEARER_WAREHOUSE", "x")]
)
def test_a_wrong_setting_names_its_variable(empty, monkeypatch, variable, value):
    monkeypatch.setenv(variable, value)
    assert f"settings: {variable}: " in empty.error("status")


def test_a_broken_registry_names_the_entry(empty):
    registry = empty.home / "regions.toml"
    registry.write_text(registry.read_text().replace("Europe/Berlin", "Europe/Berlim"))
    assert "regions.eu.timezone" in empty.error("status")


@pytest.mark.skipif(os.geteuid() == 0, reason="not run: root may read everything")
def test_an_unreadable_file(empty, tmp_path):
    path = tmp_path / "sales.csv"
    path.write_text("x")
    path.chmod(0)
    assert "no permission" in empty.error("deliver", path, *DELIVERY)


def test_the_home_may_be_named_anywhere(empty, tmp_path):
    for arguments in (["--home", str(empty.home), "status"], ["status", "--home", str(empty.home)]):
        assert CliRunner().invoke(app, arguments).exit_code == 0
    assert CliRunner().invoke(app, ["status", "--home"]).exit_code == 2


def test_something_unexpected_is_one_line_and_its_trace_holds_no_data(empty, monkeypatch):
    def explode(*_: object, **__: object) -> None:
        raise ValueError(f"conversion of {''.join(('Ja', 'ne'))} failed")

    monkeypatch.setattr("clearer_platform.serving.facts.gather", explode)
    error = empty.error("status")
    assert "something unexpected went wrong (ValueError)" in error
    assert "Jane" not in error
    (trace,) = (empty.home / "logs").iterdir()
    assert str(trace) in error
    assert "explode" in trace.read_text()
    assert "Jane" not in trace.read_text()


def test_debug_lets_the_exception_through(empty, monkeypatch):
    monkeypatch.setattr("clearer_platform.serving.facts.gather", lambda *_, **__: 1 / 0)
    result = CliRunner().invoke(app, ["status", "--debug", f"--home={empty.home}"])
    assert isinstance(result.exception, ZeroDivisionError)


def test_ctrl_c_is_130(empty, monkeypatch):
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("clearer_platform.serving.facts.gather", interrupt)
    assert "interrupted" in empty.error("status", code=130)


def test_ctrl_c_while_a_compiled_module_is_imported_is_130(empty, monkeypatch):
    def interrupted_import(*_: object, **__: object) -> None:
        raise ImportError("initialization failed") from KeyboardInterrupt()

    monkeypatch.setattr("clearer_platform.serving.facts.gather", interrupted_import)
    assert "interrupted" in empty.error("status", code=130)


@pytest.mark.parametrize("delay", [0.02, 0.2])  # At once it could come before main() is entered.
def test_ctrl_c_in_a_process_is_130_and_no_trace(empty, delay):
    script = f"import sys; sys.argv = ['clearer', 'status', '--home', {str(empty.home)!r}]\n"
    script += "from clearer_platform.cli import main; print('ready', flush=True); main()"
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    time.sleep(delay)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "Traceback" not in errors


@pytest.mark.parametrize(("form", "first"), [("--json", "["), ("", " ")])
def test_a_reader_that_leaves_is_no_error(empty, form, first):
    status = f"{sys.executable} -m clearer_platform.cli status {form} --from 2024-03-30 --to 2026-01-01"
    command = f"{status} --home {empty.home} | head -c 1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout, done.stderr) == (0, first, "")


ASCII = {**os.environ, "PYTHONIOENCODING": "ascii"}


def test_a_terminal_without_our_signs(empty):
    registry = empty.home / "regions.toml"
    registry.write_text(registry.read_text().replace("Europe/Berlin", "日本"))
    done = clearer("check", "--home", empty.home, env=ASCII)
    assert done.returncode == 1
    assert done.stdout.isascii()
    assert "unknown timezone '\\u65e5\\u672c'" in done.stdout
    (_, found, *_) = json.loads(clearer("check", "--json", "--home", empty.home, env=ASCII).stdout)
    assert "unknown timezone '日本'" in found["error"]


def test_an_output_that_was_closed(empty):
    command = f"{sys.executable} -m clearer_platform.cli status --json --home {empty.home} >&-"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_trace_is_written_in_any_locale(tmp_path):
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from pathlib import Path\nfrom clearer_platform.serving.traces import write_trace\n"
            f"assert write_trace(Path({str(tmp_path)!r}), ValueError(), 'clearer \\u00e9')",
        ],
        env={**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_full_disk_behind_the_output(empty):
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "clearer_platform.cli", "status", "--json", "--home", str(empty.home)]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=120)
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert "No space left on device" in done.stderr
    assert "Exception ignored" not in done.stderr


def test_a_full_disk_in_the_home(empty, monkeypatch, tmp_path):
    path = tmp_path / "sales.csv"
    path.write_bytes(text(["a,b"], "eu"))
    spool = empty.home / "eu/work/spool"
    spool.parent.mkdir(parents=True)
    spool.write_text("a file where a folder has to be")
    error = empty.error("deliver", path, *DELIVERY)
    assert "cannot write" in error
    assert str(spool) in error


def test_help_comes_at_once_and_imports_nothing_heavy():
    heavy = "pandas duckdb dagster dbt ibis pandera pyarrow polars"
    script = (
        "import sys, runpy; sys.argv = ['clearer', '--help']\n"
        "try: runpy.run_module('clearer_platform.cli', run_name='__main__')\n"
        f"except SystemExit: print('LOADED', [m for m in {heavy.split()} if m in sys.modules])"
    )
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert "LOADED []" in done.stdout
    assert time.monotonic() - began < 5, "a machine that does nothing else takes 0.4 s"


def every_command(group: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """The commands below a group, by their words."""
    deeper = [
        every_command(c, (*path, n)) if hasattr(c, "commands") else [(*path, n)] for n, c in group.commands.items()
    ]
    return [command for found in deeper for command in found]


def test_every_command_has_help_with_an_example():
    commands = every_command(typer.main.get_command(app))
    assert {("demo",), ("fetch",), ("aside", "list"), ("quarantine", "explain")} <= set(commands)
    for command in commands:
        shown = CliRunner().invoke(app, [*command, "--help"])
        assert shown.exit_code == 0
        assert "Example" in shown.output, command


def test_the_script_is_the_module():
    assert clearer("--help").stdout.split() == CliRunner().invoke(app, ["--help"], prog_name="clearer").output.split()


def test_common_options_are_found_behind_a_command_but_not_behind_two_dashes():
    assert app_module._common_first(["load", "--debug", "x", "--home", "h"]) == ["--debug", "--home", "h", "load", "x"]
    assert app_module._common_first(["load", "--", "--debug"]) == ["load", "--", "--debug"]
