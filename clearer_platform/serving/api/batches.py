"""Batches: rows in, and what became of them."""

from datetime import date
from typing import Annotated

from fastapi import Header, Path, Query, Request, Response
from pydantic import AwareDatetime, BaseModel, Field

from clearer_platform.bronze import Decision, OnInvalid
from clearer_platform.governance import Operation
from clearer_platform.serving import batches
from clearer_platform.serving.api import bodies
from clearer_platform.serving.api.access import Asking, OneTable, Serving, among, endpoints, forbidden, guarded, needs
from clearer_platform.serving.api.problems import documented
from clearer_platform.serving.api.tables import TableName
from clearer_platform.sources.batches import MOST_ROWS, Batch, BatchRecord, Form, InvalidRow, Status, Summary, Taken

router = endpoints("batches")
PAGE = 100
BATCH_ID = "^[A-Za-z0-9][A-Za-z0-9._-]{0,119}$"
ROWS = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {
                "type": "array",
                "minItems": 1,
                "maxItems": MOST_ROWS,
                "items": {"type": "object"},
                "description": "Rows; the keys are the names of the table's columns.",
            },
            "example": [{"id": 1, "department": "Product Management"}, {"id": 2, "department": "Sales"}],
        },
        "text/csv": {
            "schema": {"type": "string", "description": "Written like the region's files, but in UTF-8."},
            "example": "1,Product Management\r\n2,Sales\r\n",
        },
    },
}


class BatchLog(BaseModel):
    """What became of a batch: what was decided when it came, and how far it has come since."""

    id: str
    region: str
    table: str = Field(examples=["departments"])
    day: date = Field(description="Day of receipt in the region's zone: the business day of its delivery.")
    received_at: AwareDatetime
    form: Form
    on_invalid: OnInvalid
    decision: Decision = Field(description="rejected: nothing of it is written.")
    rows: int = Field(examples=[2])
    valid: int = Field(description="Rows that broke no rule.", examples=[2])
    invalid: int = Field(examples=[0])
    written: int = Field(description="Rows that go on to gold.", examples=[2])
    invalid_rows: list[InvalidRow] = Field(description="What the invalid rows broke: never what they hold.")
    status: Status = Field(description="received, sealed into a delivery, validated, or published in gold.")
    delivery: str | None = Field(description="The delivery that it was sealed into.")
    client: str = Field(description="The API key that sent it, or what else did.")

    @classmethod
    def of(cls, record: BatchRecord) -> "BatchLog":
        """The log that is kept of a batch, without where it came from and without its idempotency key."""
        return cls(**record.model_dump(exclude={"key_hash", "origin"}), written=record.written)


class Batches(BaseModel):
    """Some batches, in the order in which they came."""

    batches: list[BatchLog]
    after: str | None = Field(description="Where to go on: the `after` of the next request; null at the end.")


@router.post(
    "/migrate/{table}",
    status_code=201,
    responses={
        200: {"model": BatchLog, "description": "The key was known: the first answer."},
        **documented(400, 401, 403, 404, 408, 413, 415, 422, 429, 503),
    },
    openapi_extra={"requestBody": ROWS},
)
@guarded(needs(Operation.WRITE))
async def migrate(
    request: Request,
    response: Response,
    service: Serving,
    caller: Asking,
    table: TableName,
    on_invalid: Annotated[
        OnInvalid, Query(description="reject_rows: the valid rows are written; reject_batch: all rows or none.")
    ] = OnInvalid.REJECT_ROWS,
    header: Annotated[
        bodies.Header | None,
        Query(description="CSV: whether the first line names the columns; also as `text/csv; header=present`."),
    ] = None,
    idempotency_key: Annotated[
        str | None,
        Header(
            pattern="^[!-~]{1,255}$",
            description="A name for this batch: sent again, it is answered as the first time and not written again.",
        ),
    ] = None,
    content_encoding: Annotated[str, Header(description="gzip, where the body is packed.")] = "identity",
) -> BatchLog:
    """Write 1 to 1,000 rows into a table of the key's region: JSON objects, or CSV.

    The batch is on the disk when the answer comes; its day is the day of receipt in the region. A batch whose
    `decision` is `rejected` was logged, and nothing of it was written. Follow it to `published` by
    `GET /v1/batches/{id}`.
    """
    form, has_header = bodies.form_of(request, header)
    content = await request.body()

    def take() -> Taken:
        """Unpack, look and write, off the event loop."""
        settings, source = service.platform.settings, service.platform.source(caller.region, table)
        rows = bodies.unpacked(content, content_encoding.strip().lower(), settings.api_max_unpacked_bytes)
        bodies.check_fields(rows, form, source, settings.api_max_field_chars)
        batch = Batch(rows, form, has_header, on_invalid, idempotency_key, client=caller.key.id)
        return batches.take(service.platform, caller.region, table, batch)

    taken = await service.workers.run(take)
    response.status_code = 201 if taken.is_new else 200
    response.headers["Location"] = f"/v1/batches/{taken.record.id}"
    return BatchLog.of(taken.record)


@router.get("/batches")
@guarded(needs(Operation.FOLLOW))
async def list_batches(
    service: Serving,
    caller: Asking,
    table: OneTable = None,
    status: Annotated[Status | None, Query(description="Only batches that have come so far.")] = None,
    after: Annotated[str | None, Query(pattern=BATCH_ID, description="Only batches that came after this one.")] = None,
    limit: Annotated[int, Query(ge=1, le=1000, description="Batches at the most.")] = PAGE,
) -> Batches:
    """The batches of the key's region, in the order in which they came."""
    may_follow = among(service, caller, Operation.FOLLOW, table)
    found = await service.workers.run(
        batches.listed, service.platform, caller.region, table=table, status=status, after=after, limit=limit
    )
    shown = [BatchLog.of(record) for record in found if f"silver.{record.table}" in may_follow]
    return Batches(batches=shown, after=found[-1].id if len(found) == limit else None)


@router.get("/batches/summary")
@guarded(needs(Operation.FOLLOW))
async def summarize_batches(
    service: Serving,
    caller: Asking,
    table: OneTable = None,
) -> Summary:
    """What all batches of the key's region came to, or those for one table."""
    may_follow = among(service, caller, Operation.FOLLOW, table)
    if table is None and len(may_follow) < len(service.tables(caller.region, "silver")):
        raise forbidden(caller, Operation.FOLLOW, "every table", hint="name one: table=")
    return await service.workers.run(batches.summary, service.platform, caller.region, table=table)


@router.get("/batches/{batch_id}")
@guarded(needs(Operation.FOLLOW))
async def follow_batch(service: Serving, caller: Asking, batch_id: Annotated[str, Path(pattern=BATCH_ID)]) -> BatchLog:
    """What became of a batch, from receipt to gold."""
    record = await service.workers.run(batches.find, service.platform, caller.region, batch_id)
    among(service, caller, Operation.FOLLOW, record.table)
    return BatchLog.of(record)
