"""Bronze: deliveries, exactly as they arrived, and their manifests. Nothing in here is ever changed."""

from clearer_platform.bronze.delivery import Delivery, Manifest
from clearer_platform.bronze.extract import Extract, Found
from clearer_platform.bronze.receive import Receipt, receive
from clearer_platform.bronze.series import Decision, OnInvalid, Part, SealedBatch, Series
from clearer_platform.bronze.slots import (
    DamagedDelivery,
    Slot,
    check_intact,
    current,
    history,
    is_intact,
    is_json_lines,
    sha256_of,
    slots,
)

__all__ = [
    "DamagedDelivery",
    "Decision",
    "Delivery",
    "Extract",
    "Found",
    "Manifest",
    "OnInvalid",
    "Part",
    "Receipt",
    "SealedBatch",
    "Series",
    "Slot",
    "check_intact",
    "current",
    "history",
    "is_intact",
    "is_json_lines",
    "receive",
    "sha256_of",
    "slots",
]
