"""Kinds of columns that several domains have."""

from typing import Annotated

import ibis.expr.datatypes as dt

ID = r"^[^\s](?:.*[^\s])?$"
"""A text that neither begins nor ends with a space."""

Instant = Annotated[dt.Timestamp, "UTC", None, True]
Money = Annotated[dt.Decimal, 18, 2, True]

NOT_DELETED = {"default": "false"}
DELETED = "True in a tombstone: the row deletes its key and needs no other value."
