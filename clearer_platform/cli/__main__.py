"""`python -m clearer_platform.cli` is `clearer`."""

from clearer_platform.cli import main

main()
