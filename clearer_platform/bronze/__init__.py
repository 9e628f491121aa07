"""Bronze: deliveries, exactly as they arrived, and their manifests. Nothing in here is ever changed."""

from clearer_platform.bronze.delivery import Delivery, Manifest
from clearer_platform.bronze.receive import Receipt, receive
from clearer_platform.bronze.series import Decision, OnInvalid, SealedBatch, Series
from clearer_platform.bronze.slots import Slot, current, history, is_intact, is_json_lines, slots

__all__ = [
    "Decision",
    "Delivery",
    "Manifest",
    "OnInvalid",
    "Receipt",
    "SealedBatch",
    "Series",
    "Slot",
    "current",
    "history",
    "is_intact",
    "is_json_lines",
    "receive",
    "slots",
]
