"""Sources: how deliveries arrive. Each source ends in `bronze.receive`, so that there is one way in."""

from clearer_platform.sources.files import Arrival, Stray, changed, collect, deliver_file, landed, pending

__all__ = ["Arrival", "Stray", "changed", "collect", "deliver_file", "landed", "pending"]
