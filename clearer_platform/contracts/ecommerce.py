"""The e-commerce domain: what regions deliver about customers, products, sales and conversations, and fx rates.

What real deliveries are known to contradict (a branch id under several names, a phone flag that disagrees with its
text) is warned about, never a reason to drop a row.
"""

from datetime import date
from typing import Annotated, Any, Optional

import ibis.expr.datatypes as dt
import pandera.ibis as pa

from clearer_platform.contracts.contract import Contract, LoadMode, Personal, Reference
from clearer_platform.contracts.fields import DELETED, ID, NOT_DELETED, Instant, Money

IDENTIFIER = {"personal": Personal.IDENTIFIER}
DIRECT = {"personal": Personal.DIRECT}

Weight = Annotated[dt.Decimal, 12, 3, True]
Rate = Annotated[dt.Decimal, 18, 8, True]


class Customers(pa.DataFrameModel):
    """The people who buy from a region's merchants; the latest row of a customer wins."""

    customer_id: str = pa.Field(str_matches=ID, description="The region's id of the customer.", metadata=IDENTIFIER)
    customer_name: str = pa.Field(description="Name as the region writes it.", metadata=DIRECT)
    gender: str = pa.Field(nullable=True, description="Gender as the source codes it (some code it as True/False).")
    birth_date: dt.Date = pa.Field(nullable=True, ge=date(1900, 1, 1), description="Date of birth.", metadata=DIRECT)
    area: str = pa.Field(
        isin=["North", "South", "East", "West"],
        description="Sales area (the source's Region): North, South, East, West.",
    )
    email: str = pa.Field(
        nullable=True, str_matches=r"^[^@\s]+@[^@\s]+$", description="E-mail address.", metadata=DIRECT
    )
    phone: Optional[str] = pa.Field(nullable=True, description="Telephone number.", metadata=DIRECT)
    address: Optional[str] = pa.Field(nullable=True, description="Postal address.", metadata=DIRECT)
    is_deleted: Optional[bool] = pa.Field(nullable=True, description=DELETED, metadata=NOT_DELETED)


class Products(pa.DataFrameModel):
    """What is sold; the latest row of a product wins, earlier ones make its price history."""

    product_id: str = pa.Field(str_matches=ID, description="The region's id of the product.")
    name: str = pa.Field(description="Name of the product.")
    category_id: str = pa.Field(description="Category id; ids and names are many to many in real deliveries.")
    category_name: str = pa.Field(description="Category name.")
    base_price: Money = pa.Field(ge=0, description="List price in the region's currency.")
    unit: str = pa.Field(nullable=True, description="Unit of sale (kg, piece, liter).")
    weight: Weight = pa.Field(nullable=True, ge=0, description="Weight in kilograms.")
    created_at: Instant = pa.Field(description="When the product was created (UTC).")
    stock: Optional[dt.Int64] = pa.Field(nullable=True, ge=0, description="Units in stock.")
    is_deleted: Optional[bool] = pa.Field(nullable=True, description=DELETED, metadata=NOT_DELETED)


class Transactions(pa.DataFrameModel):
    """Sales; a transaction's status may change in a later delivery, and the latest row wins."""

    transaction_id: str = pa.Field(str_matches=ID, description="The region's id of the transaction.")
    ordered_at: Instant = pa.Field(description="When the order was placed (UTC).")
    branch_id: str = pa.Field(description="Branch id; one id occurs under several names.")
    branch_name: str = pa.Field(description="Name of the branch: within a region, the branch itself.")
    customer_id: str = pa.Field(str_matches=ID, description="The customer who ordered.", metadata=IDENTIFIER)
    total_amount: Money = pa.Field(ge=0, description="Amount of the order in the region's currency.")
    status: str = pa.Field(nullable=True, description="The source's status code; it does not determine status_value.")
    status_value: str = pa.Field(isin=["Pending", "Completed", "Failed"], description="Pending, Completed or Failed.")
    product_id: str = pa.Field(str_matches=ID, description="The product that was ordered.")
    price: Money = pa.Field(ge=0, description="Unit price in the region's currency.")
    quantity: Optional[dt.Int64] = pa.Field(
        nullable=True, ge=1, description="Units ordered; 1 where absent.", metadata={"default": "1"}
    )
    is_deleted: Optional[bool] = pa.Field(nullable=True, description=DELETED, metadata=NOT_DELETED)


class Conversations(pa.DataFrameModel):
    """Messages between customers and a merchant's pages; the latest row of a conversation wins."""

    conversation_id: str = pa.Field(str_matches=ID, description="The region's id of the conversation.")
    from_id: str = pa.Field(description="Account that wrote.", metadata=IDENTIFIER)
    from_name: str = pa.Field(nullable=True, description="Name of the account.", metadata=DIRECT)
    from_email: str = pa.Field(nullable=True, description="E-mail address of the account.", metadata=DIRECT)
    message_id: str = pa.Field(description="Id of the message; ids repeat in real deliveries.")
    message: str = pa.Field(nullable=True, description="Text of the message.", metadata=DIRECT)
    type: str = pa.Field(description="Kind of message (RATING, COMMENT, ...).")
    inserted_at: Instant = pa.Field(description="When the message was written (UTC).")
    has_phone: bool = pa.Field(nullable=True, description="Whether the source found a telephone number in it.")
    phone_info: str = pa.Field(
        nullable=True, description="Telephone numbers as text, e.g. ['+5577127600'].", metadata=DIRECT
    )
    is_hidden: bool = pa.Field(nullable=True, description="Whether the message is hidden.")
    is_removed: bool = pa.Field(nullable=True, description="Whether the message was removed from its page.")
    like_count: dt.Int64 = pa.Field(nullable=True, ge=0, description="Number of likes.")
    page_id: str = pa.Field(description="Page on which it was written.")
    customer_id: str = pa.Field(str_matches=ID, description="The customer who takes part.", metadata=IDENTIFIER)
    is_deleted: Optional[bool] = pa.Field(nullable=True, description=DELETED, metadata=NOT_DELETED)

    @pa.dataframe_check(raise_warning=True, name="phone_flag_agrees_with_phone_info")
    @classmethod
    def phone_flag_agrees(cls, data: Any) -> Any:
        """`has_phone` is true exactly when phone_info lists a number."""
        return data.table.has_phone == (data.table.phone_info != "[None]")


class FxRates(pa.DataFrameModel):
    """What one unit of a currency is worth in the reporting currency on a day; one region delivers it for all."""

    currency: str = pa.Field(str_matches=r"^[A-Z]{3}$", description="ISO 4217 code.")
    day: dt.Date = pa.Field(description="Day on which the rate holds.")
    rate: Rate = pa.Field(gt=0, description="Units of the reporting currency for one unit of the currency.")


CUSTOMERS = Contract(
    name="customers", domain="ecommerce", model=Customers, key=("customer_id",), tombstone="is_deleted"
)
PRODUCTS = Contract(name="products", domain="ecommerce", model=Products, key=("product_id",), tombstone="is_deleted")
TRANSACTIONS = Contract(
    name="transactions",
    domain="ecommerce",
    model=Transactions,
    key=("transaction_id",),
    event_time="ordered_at",
    tombstone="is_deleted",
    references=(Reference(("customer_id",), "customers"), Reference(("product_id",), "products")),
)
CONVERSATIONS = Contract(
    name="conversations",
    domain="ecommerce",
    model=Conversations,
    key=("conversation_id",),
    event_time="inserted_at",
    tombstone="is_deleted",
    references=(Reference(("customer_id",), "customers"),),
)
FX_RATES = Contract(
    name="fx_rates",
    domain="finance",
    model=FxRates,
    key=("currency", "day"),
    load_mode=LoadMode.UPSERT,
    event_time="day",
    shared=True,
)
