"""What the registry may say of a table that is read from an HTTP API: where it is, how it pages, how patient to be."""

import re
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

Name = Annotated[str, Field(min_length=1)]
DAY = "{day}"


class HttpSource(BaseModel):
    """One API endpoint. Each business day is a window, read whole, and becomes a delivery of its own."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str = Field(description="http(s) address; `{day}` in it is the business day (YYYY-MM-DD).")
    format: Literal["json", "csv"] = Field(default="json", description="csv: as the table's csv block says.")
    style: Literal["page", "cursor", "none"] = Field(
        default="none", description="Pages by number, pages by a cursor that each page gives, or all at once."
    )
    since: Name | None = Field(default=None, description="Query parameter: the business day's first instant, in UTC.")
    until: Name | None = Field(default=None, description="Query parameter: the next business day's first instant.")
    page: Name = Field(default="page", description="Query parameter: the number of the page.")
    first_page: int = Field(default=1, description="The number of the first page.")
    cursor: Name = Field(default="cursor", description="Query parameter: where to go on.")
    next: Name | None = Field(default=None, description="Dotted path of the next page's cursor; the last has none.")
    size: Name | None = Field(default=None, description="Query parameter: how many records a page should have.")
    page_size: int | None = Field(default=None, ge=1, description="How many that is.")
    records: str = Field(default="", description="Dotted path of the list of records; empty: the body is that list.")
    total: Name | None = Field(default=None, description="Dotted path of the number of records in the whole window.")
    header: Name = Field(default="Authorization", description="The header that carries the secret.")
    token_env: Name | None = Field(default=None, description="The environment variable that holds its value.")
    last: date | None = Field(default=None, description="The last business day that this source has, if it ended.")
    lookback: int = Field(default=2, ge=0, description="Days after which a business day's records no longer change.")
    every: float = Field(default=300, ge=0, description="Seconds between two polls of a window.")
    timeout: float = Field(default=30, gt=0, description="Seconds to wait for the server to say something.")
    deadline: float = Field(default=900, gt=0, description="Seconds that a whole window may take.")
    attempts: int = Field(default=5, ge=1, description="How often a page, or a whole window, is tried.")
    max_bytes: int = Field(default=1_000_000_000, gt=0, description="A window larger than this is refused.")

    @field_validator("url")
    @classmethod
    def _address(cls, url: str) -> str:
        if not re.match(r"https?://[^/?#@]+(?:[/?#]|$)", url):
            raise ValueError("url is not an http(s) address without user name and password (secrets: token_env)")
        return url

    @model_validator(mode="after")
    def _fits(self) -> "HttpSource":
        if DAY not in self.url and not (self.since and self.until):
            raise ValueError("nothing tells one day from another: put {day} into url, or name since and until")
        if self.style == "cursor" and self.next is None:
            raise ValueError("style cursor needs next, the path of the next page's cursor")
        if self.format == "csv" and (self.style == "cursor" or self.records or self.next or self.total):
            raise ValueError("csv has no paths: no records, next or total, and no style cursor")
        if (self.size is None) != (self.page_size is None):
            raise ValueError("size and page_size belong together")
        return self


def http_source(region: dict[str, Any], table: dict[str, Any]) -> HttpSource:
    """A table's entry over what its region says for all; a `url` that begins with / goes on from the region's."""
    url = table.get("url", "")
    if url.startswith("/"):
        table = {**table, "url": f"{region.get('url', '')}".rstrip("/") + url}
    return HttpSource.model_validate({**region, **table})
