"""PySpark's own environment: made on first use, so that nobody who does not measure needs it."""

import shutil
import subprocess
import sys
from pathlib import Path

CONSTRAINTS = Path(__file__).with_name("pyspark-constraints.txt")
FOLDER = Path(__file__).resolve().parent.parent / ".work" / "pyspark-env"
PYTHON, MADE = FOLDER / "bin" / "python", FOLDER / "made.txt"


def is_there() -> bool:
    """Whether the environment has been made, and there is a Java to run it."""
    return _is_made() and shutil.which("java") is not None


def make() -> None:
    """Make the environment unless it is there."""
    if not _is_made():
        subprocess.run([sys.executable, "-m", "venv", "--clear", FOLDER], check=True)
        subprocess.run([PYTHON, "-m", "pip", "install", "--quiet", "-c", CONSTRAINTS, "pyspark"], check=True)
        MADE.write_text(CONSTRAINTS.read_text())


def _is_made() -> bool:
    return MADE.exists() and MADE.read_text() == CONSTRAINTS.read_text()
