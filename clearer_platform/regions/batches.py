"""What the registry may say of files that are sent through in batches, and of the queue that tells of them."""

import re
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

MOST_ROWS = 1000
"""Rows of a batch; more are refused."""


class BatchEntry(BaseModel):
    """How the landing files of a table are sent through."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    size: int = Field(default=MOST_ROWS, ge=1, le=MOST_ROWS, description="Rows of a batch.")
    on_invalid: Literal["reject_rows", "reject_batch"] = Field(
        default="reject_rows", description="What an invalid row does: it alone is rejected, or its whole batch."
    )


class QueueEntry(BaseModel):
    """The queue (SQS) into which a bucket tells of new objects."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str = Field(description="The queue's http(s) address.")
    options: dict[str, Any] = Field(default_factory=dict, description="botocore options of its client; no secrets.")

    @field_validator("url")
    @classmethod
    def _address(cls, url: str) -> str:
        if not re.match(r"https?://[^/?#@]+/[^?#]+$", url):
            raise ValueError("not the http(s) address of a queue, such as https://sqs.eu-central-1.amazonaws.com/1/q")
        return url

    @property
    def endpoint(self) -> str:
        """The server that has the queue."""
        return "/".join(self.url.split("/", 3)[:3])
