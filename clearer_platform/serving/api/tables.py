"""Tables: what a caller may do with which of them, and the rows of those that may leave the region."""

from datetime import date
from typing import Annotated, Any

import pyarrow as pa
from fastapi import Path, Query, Request, Response
from pydantic import BaseModel, Field

from clearer_platform.governance import LAYERS, Layer, Operation
from clearer_platform.serving import catalogue
from clearer_platform.serving.api.access import (
    Asking,
    Caller,
    Serving,
    any_role,
    endpoints,
    guarded,
    needs,
    readable,
)
from clearer_platform.serving.api.answers import CSV, Wish, as_csv, csv
from clearer_platform.serving.api.problems import Problem
from clearer_platform.serving.api.service import Service
from clearer_platform.serving.formats import in_full
from clearer_platform.serving.reading import read

router = endpoints("tables", "/tables", 406)

TableName = Annotated[str, Path(pattern="^[a-z][a-z0-9_]{0,99}$", description="A name that `GET /v1/tables` lists.")]
PAGE = 1000


class Column(BaseModel):
    """One column of a table."""

    name: str
    type: str
    description: str


class Table(BaseModel):
    """A table, and what the caller may do with it."""

    name: str = Field(examples=["hires_by_quarter"])
    layer: Layer = Field(description="silver: delivered by the region; gold: built from what was delivered.")
    description: str
    operations: list[Operation] = Field(description="What the API key may do with it.")
    columns: list[Column]

    @classmethod
    def of(cls, info: catalogue.TableInfo, operations: list[Operation]) -> "Table":
        """What the catalogue says of a table, and what may be done with it."""
        columns = [Column(name=c.name, type=c.type, description=c.description) for c in info.columns]
        return cls(
            name=info.name, layer=info.layer, description=info.description, operations=operations, columns=columns
        )


class Rows(BaseModel):
    """A part of a table's rows. Decimals are texts, so that no digit is lost; instants are in UTC."""

    table: str
    region: str
    rows: list[dict[str, Any]]
    more: bool = Field(description="Whether there are rows after these: ask again with a larger `offset`.")


@router.get("")
@guarded(any_role)
async def list_tables(service: Serving, caller: Asking) -> list[Table]:
    """The tables of the key's region with which the key may do anything, and what that is."""
    return await service.workers.run(_listed, service, caller)


@router.get("/{table}", response_model=Rows, responses=as_csv("The rows, ordered by all columns from the left."))
@guarded(needs(Operation.READ))
async def read_table(
    request: Request,
    response: Response,
    service: Serving,
    caller: Asking,
    wish: Wish,
    table: TableName,
    start: Annotated[date | None, Query(alias="from", description="First day.", examples=["2024-10-24"])] = None,
    end: Annotated[date | None, Query(alias="to", description="Last day, included.")] = None,
    limit: Annotated[int | None, Query(ge=1, description="Rows at the most; 1,000 unless it is said.")] = None,
    offset: Annotated[int, Query(ge=0, le=2**40, description="Rows to leave out.")] = 0,
) -> Response | Rows:
    """Rows of a table of gold. Only what may leave the region is read: figures, and, for some roles, pseudonyms.

    Where there are more rows, a `Link` header says where (`rel="next"`).
    """
    most = service.platform.settings.api_max_rows
    limit = limit or min(PAGE, most)
    if limit > most:
        raise Problem(422, "invalid-request", f"limit: an answer has {most:,} rows at the most")
    # One row more than was asked for says whether there are more.
    found = await service.workers.run(
        read, service.platform, table, region=caller.region, start=start, end=end, window=(limit + 1, offset)
    )
    part, more = found.slice(0, limit), found.num_rows > limit
    answer: Response | Rows
    if wish == CSV:
        answer = response = await service.workers.run(csv, part, service.platform.layout(caller.region).work)
    else:
        rows = await service.workers.run(_rows, part)
        answer = Rows(table=table, region=caller.region, rows=rows, more=more)
    if more:
        further = request.url.include_query_params(offset=offset + limit)
        response.headers["Link"] = f'<{further.path}?{further.query}>; rel="next"'
    return answer


def _rows(part: pa.Table) -> list[dict[str, Any]]:
    return [{name: in_full(value) for name, value in row.items()} for row in part.to_pylist()]


def _listed(service: Service, caller: Caller) -> list[Table]:
    described = {(each.layer, each.name): each for each in catalogue.tables(service.platform)}
    may_read = readable(service, caller)
    layers: tuple[Layer, ...] = ("silver", "gold")
    found = []
    for layer in layers:
        for name in service.tables(caller.region, layer):
            operations = [
                operation
                for operation in Operation
                if layer in LAYERS[operation]
                and caller.may(operation, f"{layer}.{name}")
                and (operation is not Operation.READ or f"{layer}.{name}" in may_read)
            ]
            if operations:
                found.append(Table.of(described[layer, name], operations))
    return found
