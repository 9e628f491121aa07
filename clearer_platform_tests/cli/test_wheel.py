"""A wheel, installed without the clone, has everything that commands need."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

from clearer_platform.settings import PROJECT


def test_an_installed_wheel_has_the_dbt_project_and_makes_a_sample(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", str(tmp_path)]
    subprocess.run([*build, str(PROJECT)], check=True, capture_output=True)
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        wheel.extractall(tmp_path / "installed")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "installed"), "CLEARER_HOME": str(tmp_path / "home")}
    del environment["CLEARER_DBT_PROJECT"]
    code = (
        "import sys, clearer_platform.cli as cli; from clearer_platform.settings import Settings;"
        "print((Settings().dbt_project / 'dbt_project.yml').resolve(strict=True)); sys.exit(cli.main())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "sample", "--days", "1"],
        cwd=tmp_path, env=environment, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(str(tmp_path / "installed"))
    assert list(tmp_path.glob("home/regions/*/landing/*/*"))
