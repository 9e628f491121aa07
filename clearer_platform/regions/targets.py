"""What the registry may say of where gold is published to: a database, or a folder of files that others read."""

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from clearer_platform.databases import DatabaseAddress

MARGIN = 30.0
"""Seconds that a server gets to end a statement that took too long."""


class _Target(BaseModel):
    """What every target has."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    name: str
    regions: tuple[str, ...] = Field(
        default=(), description="Whose gold is published; by default every region's, and what is built across them."
    )
    tables: tuple[str, ...] = Field(
        min_length=1, description="Models of gold, of regions or across them, by name; `*` stands for any characters."
    )
    mode: Literal["replace", "upsert"] = Field(
        default="replace",
        description="replace: what is there equals gold; upsert: rows that gold no longer has stay.",
    )

    @field_validator("name")
    @classmethod
    def _identifier(cls, name: str) -> str:
        if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
            raise ValueError("a target's name is lower-case letters, digits and underscores")
        return name


class DatabaseTarget(_Target, DatabaseAddress):
    """Tables in a database: PostgreSQL by its own bulk copy, any other by what SQLAlchemy knows of it."""

    kind: Literal["postgresql", "sql"]
    schema_name: str | None = Field(
        default=None, alias="schema", pattern=r"^\w+$", description="Schema of the tables; by default the user's own."
    )
    lock_timeout: float = Field(
        default=30, gt=0, description="Seconds to wait for a reader or another publisher that holds a lock."
    )
    statement_timeout: float = Field(default=3600, gt=0, description="Seconds that one statement may take.")
    text: int = Field(default=1000, gt=0, description="Length of text columns where a database wants one.")
    key_text: int = Field(default=128, gt=0, description="Length of text columns of a key, where it wants one.")

    @model_validator(mode="after")
    def _kind_fits(self) -> "DatabaseTarget":
        if self.kind == "postgresql" and self.backend != "postgresql":
            raise ValueError("kind postgresql has an address that begins with postgresql://; any other is kind sql")
        if self.kind == "sql" and self.backend == "postgresql":
            raise ValueError('a PostgreSQL is published to by its own bulk copy: kind = "postgresql"')
        return self

    @property
    def patience(self) -> float:
        """Seconds after which a server that says nothing is given up: it should have ended the statement itself."""
        return self.statement_timeout + MARGIN


class FolderTarget(_Target):
    """Files below a folder or bucket: CSV for bulk loaders, or Delta tables."""

    kind: Literal["csv", "delta"]
    root: str = Field(description="Folder (relative to the home) or URL.")
    options: dict[str, Any] = Field(default_factory=dict, description="The store's client options; no secrets.")
    null: str = Field(
        default="",
        max_length=4,
        pattern=r'^[^",\s]*$',
        description="csv: what stands, unquoted, where there is no value.",
    )
    scripts: Literal["db2"] | None = Field(
        default=None, description="csv: whose statements for the tables, and for loading the files, stand beside them."
    )
    schema_name: str | None = Field(default=None, alias="schema", pattern=r"^\w+$", description="Their schema there.")
    text: int = Field(default=1000, gt=0, description="Length of text columns there.")
    key_text: int = Field(default=128, gt=0, description="Length of text columns of a key there.")

    @model_validator(mode="after")
    def _mode_fits(self) -> "FolderTarget":
        if self.mode == "upsert":
            raise ValueError(f"what is published as {self.kind} is replaced as a whole: leave mode out")
        if self.kind == "delta" and (self.null or self.scripts):
            raise ValueError("null and scripts are about csv")
        return self


Target = Annotated[DatabaseTarget | FolderTarget, Field(discriminator="kind")]
