"""Who may call what: every endpoint says which operation it is, and nothing answers that does not.

A request is judged before its body is read: by its API key, by how often that asks, by its role, and by its region.
"""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.routing import APIRoute
from fastapi.security import HTTPBearer
from fastapi.security.utils import get_authorization_scheme_param

from clearer_platform import gold
from clearer_platform.errors import UnknownName
from clearer_platform.governance import LAYERS, Operation, Roles
from clearer_platform.serving.api.keys import Key
from clearer_platform.serving.api.problems import Problem, documented
from clearer_platform.serving.api.service import Service, service_of

F = TypeVar("F", bound=Callable[..., Any])
RULE = "clearer_rule"
USUAL = (401, 403, 404, 422, 429)
"""Problems that any guarded endpoint may end in."""
TABLE = "table"
"""The path parameter that names the table an endpoint is about."""

bearer = HTTPBearer(
    auto_error=False, scheme_name="api_key", description="An API key that `clearer api-keys create` made."
)
"""Says in the OpenAPI document what `GuardedRoute` asks for."""


@dataclass(frozen=True)
class Rule:
    """What a caller must be allowed to do for an endpoint to answer."""

    operation: Operation | None
    """None: nothing; the endpoint tells everybody what concerns them."""
    needs_key: bool = True
    fixed: str | None = None
    """The one table (`gold.hires_by_quarter`) that the endpoint is about, where its path names none."""


public = Rule(None, needs_key=False)
"""For endpoints that anybody may call."""
any_role = Rule(None)
"""For endpoints that tell whoever has a key what that key may do."""


def needs(operation: Operation, table: str | None = None) -> Rule:
    """The rule for an endpoint that is `operation` on the table its path names, on `table`, or else on any."""
    return Rule(operation, fixed=table)


def guarded(rule: Rule) -> Callable[[F], F]:
    """Give an endpoint its rule."""

    def give(endpoint: F) -> F:
        setattr(endpoint, RULE, rule)
        return endpoint

    return give


@dataclass(frozen=True)
class Caller:
    """Who asks: an API key that is valid, with the role and the region that it stands for."""

    key: Key
    roles: Roles

    @property
    def region(self) -> str:
        """The one region whose tables the caller may be told about."""
        return self.key.region

    def may(self, operation: Operation, table: str) -> bool:
        """Whether the caller's role may do `operation` on `<layer>.<name>`."""
        return self.roles.allows(self.key.role, operation, table)


class GuardedRoute(APIRoute):
    """A route that answers only whom its endpoint's rule allows. Without a rule there is no route."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        rule = getattr(endpoint, RULE, None)
        if not isinstance(rule, Rule):
            raise TypeError(f"{path}: the endpoint {endpoint.__name__} has no rule (@guarded): it would be open to all")
        self.rule = rule
        super().__init__(path, endpoint, **options)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's handler, behind the judgement."""
        handler = super().get_route_handler()

        async def guarded_handler(request: Request) -> Response:
            if self.rule.needs_key:
                service = service_of(request)
                caller = _authenticated(request, service)
                service.requests.take(caller.key.id)
                if self.rule.operation is not None:
                    await _authorize(request, service, caller, self.rule, self.rule.operation)
            return await handler(request)

        return guarded_handler


def endpoints(tag: str, path: str = "", *problems: int) -> APIRouter:
    """A router for guarded endpoints below `/v1` and `path`, which may end in these problems beside the usual ones."""
    return APIRouter(
        prefix=f"/v1{path}",
        route_class=GuardedRoute,
        tags=[tag],
        dependencies=[Depends(bearer)],
        responses=documented(*USUAL, *problems),
    )


def caller_of(request: Request) -> Caller:
    """Who asks, as the guard found out."""
    found: Caller = request.state.caller
    return found


OneTable = Annotated[str | None, Query(alias="table", description="Only what concerns this table.")]
Asking = Annotated[Caller, Depends(caller_of)]
Serving = Annotated[Service, Depends(service_of)]


def address(request: Request) -> str:
    """Where a request comes from."""
    return request.client.host if request.client else "unknown"


def among(service: Service, caller: Caller, operation: Operation, name: str | None = None) -> list[str]:
    """The full names of the tables on which the caller may do `operation`: of all, or of the one called `name`.

    Raises UnknownName for a table that the caller's region does not have, and Problem 403 where it is not allowed.
    """
    for layer in LAYERS[operation] if name is not None else ():
        if name in service.tables(caller.region, layer):  # Delivered tables come first: gold need not be looked at.
            full = f"{layer}.{name}"
            if full not in _allowed(service, caller, operation, [full]):
                raise forbidden(caller, operation, full)
            return [full]
    known = [f"{layer}.{each}" for layer in LAYERS[operation] for each in service.tables(caller.region, layer)]
    allowed = _allowed(service, caller, operation, known)
    if name is not None:
        raise UnknownName(f"table of region {caller.region}", name[:80], [full.split(".")[1] for full in allowed])
    return allowed


def _allowed(service: Service, caller: Caller, operation: Operation, tables: list[str]) -> list[str]:
    """Those of the tables on which the caller may do `operation`."""
    if operation is Operation.READ:
        return [full for full in readable(service, caller) if full in tables]
    return [full for full in tables if caller.may(operation, full)]


def readable(service: Service, caller: Caller) -> list[str]:
    """Full names of the tables of gold that may leave the caller's region, in a form that the role may see."""
    forms = gold.forms(service.platform, caller.region) & service.roles.sees(caller.key.role)
    named = [f"gold.{model.alias}" for model in service.models if model.leaves in forms]
    return [name for name in named if caller.may(Operation.READ, name)]


def _authenticated(request: Request, service: Service) -> Caller:
    """Who asks. Raises Problem 401, or 429 where that was said too often."""
    scheme, token = get_authorization_scheme_param(request.headers.get("authorization"))
    key = service.keys.known(token) if scheme.lower() == "bearer" else None
    request.state.key_id = key.id if key else service.keys.claimed(token)
    if key is None or key.revoked_at or not _is_declared(key, service):
        service.failures.take(address(request))
        # One answer for all: it tells nobody which keys there are.
        raise Problem(
            401,
            "no-valid-key",
            "this needs a valid API key",
            hint="send it as `Authorization: Bearer <key>`; `clearer api-keys create` makes one",
            headers={"WWW-Authenticate": "Bearer"},
        )
    request.state.caller = caller = Caller(key, service.roles)
    return caller


def _is_declared(key: Key, service: Service) -> bool:
    """Whether there are (still) a role and a region of which the key speaks."""
    return key.role in service.roles.roles and key.region in service.platform.registry.regions


async def _authorize(request: Request, service: Service, caller: Caller, rule: Rule, operation: Operation) -> None:
    """Raise Problem unless the caller's role may do what the rule says, and 404 for a table that is not there."""
    if rule.fixed is not None:
        if not caller.may(operation, rule.fixed):
            raise forbidden(caller, operation, rule.fixed)
        return
    if not service.roles.allows_any(caller.key.role, operation):
        raise forbidden(caller, operation, "any table")
    if TABLE in request.path_params:
        name = request.path_params[TABLE]
        found = await service.workers.run(among, service, caller, operation, name)
        request.state.table = found[0]


def forbidden(caller: Caller, operation: Operation, on: str, *, hint: str | None = None) -> Problem:
    """Says that the caller's role may not do `operation`."""
    said = f"the role {caller.key.role} may not {operation.replace('_', ' ')} {on} in {caller.region}"
    return Problem(403, "not-allowed", said, hint=hint)
