"""What the tests need that pip does not bring: installed where that is possible, said plainly where it is not.

python -m clearer_platform_tests.needs
"""

import os
import shutil
import subprocess
import sys

from clearer_platform.sample.databases import NoServer, mariadb, postgresql

PACKAGES = ("mariadb-server-core", "mariadb-client-core")
COST = "the tests of SQL sources, SoftCart and publishing that want it are skipped"
QUIET = {"DEBIAN_FRONTEND": "noninteractive"}


def main() -> None:
    """Look for both servers; install MariaDB where it is missing. It never fails: tests say what they miss."""
    if reason := _missing(mariadb):
        print("MariaDB is not there: installing it for the tests", file=sys.stderr)
        _install()
        reason = _missing(mariadb)
        if reason:
            print(f"MariaDB cannot be used: {reason}\n  {COST}", file=sys.stderr)
    if reason := _missing(postgresql):
        print(f"PostgreSQL cannot be used: {reason}\n  {COST}", file=sys.stderr)


def _missing(server) -> str | None:
    """Why a server cannot be started; None where it can."""
    try:
        with server():
            return None
    except NoServer as e:
        return str(e)


def _install() -> None:
    """By the machine's package manager, if we may use it."""
    if not shutil.which("apt-get"):
        return
    ask = [] if os.geteuid() == 0 else ["sudo", "-n"]
    if ask and not shutil.which("sudo"):
        return
    install = [*ask, "apt-get", "install", "-y", "-qq", "--no-install-recommends", *PACKAGES]
    if not _done(install):
        _done([*ask, "apt-get", "update", "-qq"])
        _done(install)


def _done(command: list[str]) -> bool:
    return subprocess.run(command, env={**os.environ, **QUIET}, stdout=subprocess.DEVNULL, check=False).returncode == 0


if __name__ == "__main__":
    main()
