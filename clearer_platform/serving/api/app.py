"""The application: every endpoint behind the guard, every error as problem details."""

import dataclasses
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import iter_route_contexts
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from clearer_platform.errors import ClearerError
from clearer_platform.platform import Platform
from clearer_platform.serving.api import about, backups, batches, reports, tables
from clearer_platform.serving.api.access import GuardedRoute, address
from clearer_platform.serving.api.limits import Limited
from clearer_platform.serving.api.problems import Problem, of_error, of_http, of_validation, schemas
from clearer_platform.serving.api.service import Service, service_of
from clearer_platform.serving.traces import write_trace

ENDPOINTS = (about, batches, reports, tables, backups)
DESCRIPTION = """Rows in by one way (the same contracts as every other delivery), figures out.

Every request but `/v1/health` carries an API key (`Authorization: Bearer <key>`): it stands for a role in a region.
Errors are problem details (RFC 9457). Rows reach gold by `clearer up` or `clearer materialize`."""
AUDITED = (401, 403, 408, 413, 415, 429)
"""How refused attempts are answered."""
HEADERS = {
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
}
"""What every answer says to browsers, unless it says something else itself."""


class Application(FastAPI):
    """FastAPI, with the schema of problems in its OpenAPI document."""

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI document."""
        document = super().openapi()
        document.setdefault("components", {}).setdefault("schemas", {}).update(schemas())
        return document


def create_app(platform: Platform) -> FastAPI:
    """The REST service of a platform. Raises RolesError, and TypeError for an endpoint that no rule guards."""
    settings = platform.settings
    patience = min(settings.lock_timeout, settings.api_timeout)
    impatient = settings.model_copy(update={"lock_timeout": patience})
    service = Service.open(dataclasses.replace(platform, settings=impatient))

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        service.close()

    app = Application(
        title="clearer_platform",
        version=version("clearer-platform"),
        description=DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=about.OPENAPI,
        redirect_slashes=False,
    )
    app.state.service = service
    for endpoints in ENDPOINTS:
        app.include_router(endpoints.router)
    check_guarded(app)
    for kind in (HTTPException, RequestValidationError, ClearerError):
        app.add_exception_handler(kind, _refused)
    app.add_middleware(
        Limited,
        concurrency=settings.api_concurrency,
        body_bytes=settings.api_max_body_bytes,
        seconds=settings.api_timeout,
    )
    app.add_middleware(_Answering)
    return app


def check_guarded(app: FastAPI) -> None:
    """Raise TypeError for a route that no rule guards; the OpenAPI document alone is for everybody."""
    for context in iter_route_contexts(app.routes):
        route = context.original_route
        if not isinstance(route, GuardedRoute) and context.path != app.openapi_url:
            raise TypeError(f"{context.path}: the route is not guarded: it would be open to all")


async def _refused(request: Request, error: Exception) -> Response:
    """The answer to a request that cannot be granted; refused attempts are written down."""
    if isinstance(error, ClearerError):
        problem = of_error(error)
    elif isinstance(error, RequestValidationError):
        problem = of_validation(error)
    else:
        assert isinstance(error, HTTPException)
        problem = of_http(error)
    if problem.status_code in AUDITED:
        route = request.scope.get("route")
        service_of(request).audit.refused(
            key=getattr(request.state, "key_id", None),
            address=address(request),
            what=f"{request.method} {getattr(route, 'path', 'no endpoint')}",
            table=getattr(request.state, "table", None),
            status=problem.status_code,
            why=problem.kind,
        )
    return problem.response()


class _Answering:
    """Sees to it that every request is answered: what nobody expected becomes a problem, without its message."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = False

        async def answer(message: Message) -> None:
            nonlocal began
            if message["type"] == "http.response.start":
                began = True
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            await self._app(scope, receive, answer)
        except ClientDisconnect:
            return  # Nobody waits for an answer.
        except Exception as error:
            # Let through, it would be logged with its message, which may quote data.
            service: Service = scope["app"].state.service
            trace = write_trace(service.platform.settings.home, error, f"{scope['type']} {scope.get('method', '')}")
            if began or scope["type"] != "http":
                return
            where = f"where it happened stands in logs/{trace.name}" if trace else None
            problem = Problem(500, "unexpected", "something unexpected went wrong in the service", hint=where)
            await problem.response()(scope, receive, answer)
