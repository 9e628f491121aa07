"""Problem details (RFC 9457): the one shape in which the service says that something went wrong.

No problem quotes a value of a row: it names the place, the reason and what to do.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from clearer_platform.errors import (
    BackupError,
    BuildError,
    Busy,
    ClearerError,
    ContractError,
    NotBuilt,
    NothingYet,
    RegistryError,
    RolesError,
    StorageError,
    UnknownName,
)
from clearer_platform.sources.batches import BatchError, KeyReused, MalformedBatch, TooManyRows, UnknownBatch

MEDIA_TYPE = "application/problem+json"
SOON = "5"
"""Seconds after which it is worth asking again for what may pass."""


_OF_ERRORS: tuple[tuple[type[ClearerError], int, str], ...] = (
    (UnknownName, 404, "unknown-name"),
    (UnknownBatch, 404, "unknown-name"),
    (NotBuilt, 404, "not-built"),
    (NothingYet, 404, "not-built"),
    (MalformedBatch, 400, "malformed-batch"),
    (TooManyRows, 413, "too-many-rows"),
    (KeyReused, 422, "idempotency-key-reused"),
    (BatchError, 422, "refused-batch"),
    (BackupError, 409, "unusable-backup"),
)
"""How errors are answered whose messages are meant for whoever asks; the first that fits."""
_OPERATORS = (StorageError, BuildError, ContractError, RegistryError, RolesError)
"""Errors that are the operator's affair: their messages name paths."""
_DESCRIBED = {
    400: "The request cannot be read.",
    401: "There is no valid API key.",
    403: "The key's role may not do this.",
    404: "There is no such thing, or not yet, or not for this key.",
    406: "No such format is made.",
    408: "The body came too slowly.",
    409: "It contradicts what is there.",
    413: "The body, or what it unpacks to, is too large.",
    415: "The body is of a kind that is not read.",
    422: "The request does not fit its description.",
    429: "Too many requests in a minute.",
    503: "It cannot be done now; ask again after Retry-After.",
}


class Mistake(BaseModel):
    """One thing that is wrong with a request."""

    where: str = Field(description="A parameter (`query.year`), a header, or a place in the body (`row 3, name`).")
    why: str


class ProblemDetails(BaseModel):
    """What went wrong, why, and what to do about it (RFC 9457)."""

    model_config = ConfigDict(json_schema_extra={"required": ["type", "title", "status"]})

    type: str = Field(description="Stable name of the kind of problem.", examples=["urn:clearer:problem:unknown-name"])
    title: str = Field(description="The kind of problem in words.")
    status: int = Field(description="The HTTP status code.")
    detail: str | None = Field(default=None, description="What is wrong in this case.")
    hint: str | None = Field(default=None, description="What to do about it.")
    errors: list[Mistake] | None = Field(default=None, description="Each thing that is wrong, where there are several.")


class Problem(HTTPException):
    """Ends a request with problem details."""

    def __init__(
        self,
        status: int,
        kind: str,
        detail: str | None = None,
        *,
        hint: str | None = None,
        errors: Sequence[Mistake] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(status, detail or kind, headers)
        self.kind = kind
        self.details = ProblemDetails(
            type=f"urn:clearer:problem:{kind}",
            title=kind.replace("-", " ").capitalize(),
            status=status,
            detail=detail,
            hint=hint,
            errors=list(errors) if errors else None,
        )

    def response(self) -> JSONResponse:
        """The answer."""
        content = self.details.model_dump(exclude_none=True)
        return JSONResponse(content, self.status_code, headers=self.headers, media_type=MEDIA_TYPE)


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The OpenAPI descriptions of these problems, and of any other."""
    reference = {"$ref": f"#/components/schemas/{ProblemDetails.__name__}"}
    content = {"content": {MEDIA_TYPE: {"schema": reference}}}
    described: dict[int | str, str] = {status: _DESCRIBED[status] for status in statuses}
    described["default"] = "Any other problem."
    return {status: {"description": text, **content} for status, text in described.items()}


def schemas() -> dict[str, Any]:
    """The OpenAPI components that `documented` refers to."""
    schema = ProblemDetails.model_json_schema(ref_template="#/components/schemas/{model}")
    return {**schema.pop("$defs"), ProblemDetails.__name__: schema}


def of_error(error: ClearerError) -> Problem:
    """The problem behind an error of the platform."""
    if error.may_pass:
        kind = "busy" if isinstance(error, Busy) else "unreachable"
        return Problem(503, kind, "what is asked for cannot be reached now", headers={"Retry-After": SOON})
    for error_kind, status, kind in _OF_ERRORS:
        if isinstance(error, error_kind):
            return Problem(status, kind, error.message, hint=error.hint)
    if isinstance(error, _OPERATORS):
        return Problem(500, "out-of-order", "the service is not in order", hint="its operator runs `clearer check`")
    return Problem(409, "refused", error.message, hint=error.hint)


def of_http(error: HTTPException) -> Problem:
    """The problem behind what the framework itself refuses."""
    if isinstance(error, Problem):
        return error
    kinds = {400: "malformed-request", 404: "not-found", 405: "method-not-allowed"}
    return Problem(error.status_code, kinds.get(error.status_code, "refused"), headers=error.headers)


def of_validation(error: RequestValidationError) -> Problem:
    """The problem behind parameters or a body that do not fit; what was sent is not repeated."""
    mistakes = [Mistake(where=_place(each), why=each["msg"]) for each in error.errors()]
    return Problem(422, "invalid-request", "the request does not fit its description", errors=mistakes)


def _place(error: Mapping[str, Any]) -> str:
    return ".".join(map(str, error["loc"]))
