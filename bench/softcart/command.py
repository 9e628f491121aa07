"""The platform's job in a process that is set up as the command's is.

python -m bench.softcart.command HOME
"""

import sys
from pathlib import Path

from clearer_platform.cli import collect_rarely

if __name__ == "__main__":
    collect_rarely()
    from bench.softcart import platform_run

    platform_run.main(Path(sys.argv[1]))
