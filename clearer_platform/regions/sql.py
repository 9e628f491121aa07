"""What the registry may say of a table that is read from a database server: where it is, and how it is kept up with."""

from typing import Annotated, Any

from pydantic import Field, model_validator

from clearer_platform.databases import DatabaseAddress

Name = Annotated[str, Field(min_length=1)]


class SqlSource(DatabaseAddress):
    """One table or view of a server. Every reading that brings news becomes a delivery of its own."""

    table: Name = Field(description="The table there, with its schema where it needs one: sales.sales_data.")
    watermark: Name | None = Field(
        default=None,
        description="Its column that grows with every row or change; without one all rows are compared each time.",
    )
    nulls: tuple[str, ...] = Field(
        default=(), description="Further values that mean none: 0000-00-00, where a zero date is no mistake."
    )
    overlap: float = Field(
        default=0,
        ge=0,
        description="How far below the highest watermark known to read again: seconds, or units of a number. "
        "It covers transactions that were open for so long.",
    )
    compare: float | None = Field(
        default=86_400,
        ge=0,
        description="Seconds between comparisons of all rows, which find what a watermark cannot show: updates and "
        "deletes. 0: never.",
    )
    rows: int = Field(default=1_000_000, ge=1, description="Rows of a delivery; more rows become more deliveries.")
    attempts: int = Field(default=3, ge=1, description="How often a reading is tried.")
    timeout: int = Field(default=300, gt=0, description="Seconds to wait for the server to say something.")

    @model_validator(mode="after")
    def _keeps_up(self) -> "SqlSource":
        if self.watermark is None and self.overlap:
            raise ValueError("an overlap is how far below a watermark to read again: name one, or leave it out")
        return self


def sql_source(region: dict[str, Any], name: str, table: dict[str, Any]) -> SqlSource:
    """A table's entry over what its region says for all; by default the table is called there as here."""
    return SqlSource.model_validate({"table": name, **region, **table})
