"""Silver: decode, parse, validate, write, audit, publish. One Parquet file a slot, every record in it."""

from clearer_platform.silver.bad import BATCH_REJECTED
from clearer_platform.silver.batches import connection
from clearer_platform.silver.bring_up import Unsettled, bring_up, judged
from clearer_platform.silver.outcome import REJECTED_SHARE, VALIDATION_VERSION, Outcome, Problem
from clearer_platform.silver.quarantine import quarantine
from clearer_platform.silver.replacing import that_count
from clearer_platform.silver.sql import accepted_columns
from clearer_platform.silver.states import SlotState, expected_fingerprint, source_of, states
from clearer_platform.silver.stored import Damaged, check_readable, rows_in

__all__ = [
    "BATCH_REJECTED",
    "REJECTED_SHARE",
    "VALIDATION_VERSION",
    "Damaged",
    "Outcome",
    "Problem",
    "SlotState",
    "Unsettled",
    "accepted_columns",
    "bring_up",
    "check_readable",
    "connection",
    "expected_fingerprint",
    "judged",
    "quarantine",
    "rows_in",
    "source_of",
    "states",
    "that_count",
]
