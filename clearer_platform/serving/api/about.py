"""What anybody may ask: whether the service answers, and how it is used."""

from importlib.metadata import version

from fastapi import APIRouter
from fastapi.openapi.docs import get_swagger_ui_html
from pydantic import BaseModel, Field
from starlette.responses import HTMLResponse

from clearer_platform.serving.api.access import GuardedRoute, guarded, public
from clearer_platform.serving.api.problems import documented

OPENAPI = "/v1/openapi.json"
_PAGE_MAY_LOAD = (
    "default-src 'none'; connect-src 'self'; img-src data: https://fastapi.tiangolo.com; frame-ancestors 'none'; "
    "script-src 'unsafe-inline' https://cdn.jsdelivr.net; style-src 'unsafe-inline' https://cdn.jsdelivr.net"
)

router = APIRouter(prefix="/v1", route_class=GuardedRoute, tags=["about"], responses=documented())


class Health(BaseModel):
    """That the service answers."""

    status: str = Field(description="Always `ok`: a service that is not does not answer.", examples=["ok"])
    version: str = Field(description="The version of the platform.", examples=["0.1.0"])


@router.get("/health")
@guarded(public)
async def health() -> Health:
    """Whether the service answers. It needs no API key and says nothing about data."""
    return Health(status="ok", version=version("clearer-platform"))


@router.get("/docs", include_in_schema=False)
@guarded(public)
async def page() -> HTMLResponse:
    """The OpenAPI document as a page. A browser loads Swagger UI for it from a public server."""
    html = get_swagger_ui_html(openapi_url=OPENAPI, title="clearer_platform")
    html.headers["content-security-policy"] = _PAGE_MAY_LOAD
    return html
