"""The asset graph: partitions, assets, checks, jobs, sensors, schedules and resources.

Only this package and `definitions.py` import dagster. No business logic is in here: an asset calls the layer that does
the work and reports what came of it.
"""
