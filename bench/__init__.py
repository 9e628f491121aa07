"""The benchmark: the platform beside a hand-written DuckDB script and beside pandas + pandera, on the same deliveries.

`python -m bench` measures them in one run, alternating; see `__main__.py` for its arguments.
"""
