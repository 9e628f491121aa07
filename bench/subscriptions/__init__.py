"""Subscriptions at any size: the platform beside PySpark, pandas and a hand-written DuckDB script, on one delivery."""
