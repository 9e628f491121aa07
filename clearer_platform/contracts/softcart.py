"""The SoftCart domain: what a web shop sells, as its own database has it.

A sale that comes without a time counts, in gold, from when it was received first.
"""

from typing import Optional

import ibis.expr.datatypes as dt
import pandera.ibis as pa

from clearer_platform.contracts.contract import Contract, Personal
from clearer_platform.contracts.fields import DELETED, NOT_DELETED, Instant, Money


class Sales(pa.DataFrameModel):
    """Sales of the shop, one row a product sold to a customer; the latest row of a sale wins."""

    rowid: dt.Int64 = pa.Field(description="The shop's id of the sale.")
    product_id: dt.Int64 = pa.Field(description="The product that was sold.")
    customer_id: dt.Int64 = pa.Field(
        description="The customer who bought it.", metadata={"personal": Personal.IDENTIFIER}
    )
    price: Money = pa.Field(ge=0, description="Price of one unit in the region's currency.")
    quantity: dt.Int32 = pa.Field(ge=1, description="Units sold.")
    timestamp: Optional[Instant] = pa.Field(nullable=True, description="When it was sold (UTC), if that is known.")
    is_deleted: Optional[bool] = pa.Field(nullable=True, description=DELETED, metadata=NOT_DELETED)


SALES = Contract(
    name="sales", domain="softcart", model=Sales, key=("rowid",), event_time="timestamp", tombstone="is_deleted"
)
