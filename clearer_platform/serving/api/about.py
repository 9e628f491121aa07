"""What anybody may ask: whether the service answers, and how it is used."""

from enum import StrEnum
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

from fastapi import APIRouter
from fastapi.openapi.docs import get_swagger_ui_html
from pydantic import BaseModel, Field
from starlette.responses import FileResponse, HTMLResponse

from clearer_platform.serving.api.access import GuardedRoute, guarded, public
from clearer_platform.serving.api.problems import documented

OPENAPI = "/v1/openapi.json"
_PAGE_MAY_LOAD = (
    "default-src 'none'; connect-src 'self'; img-src 'self' data:; frame-ancestors 'none'; "
    "script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'"
)
ASSETS = Path(str(files("fastapi_offline"))) / "static"
"""Swagger UI's own files, as a package: a page that asked another server for them would tell it who reads."""

router = APIRouter(prefix="/v1", route_class=GuardedRoute, tags=["about"], responses=documented())


class Asset(StrEnum):
    """What the page is made of."""

    SCRIPT = "swagger-ui-bundle.js"
    STYLE = "swagger-ui.css"
    ICON = "favicon.png"


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
    """The OpenAPI document as a page. Everything on it comes from this service."""
    html = get_swagger_ui_html(
        openapi_url=OPENAPI,
        title="clearer_platform",
        swagger_js_url=f"docs/{Asset.SCRIPT}",
        swagger_css_url=f"docs/{Asset.STYLE}",
        swagger_favicon_url=f"docs/{Asset.ICON}",
    )
    html.headers["content-security-policy"] = _PAGE_MAY_LOAD
    return html


@router.get("/docs/{asset}", include_in_schema=False)
@guarded(public)
async def asset(asset: Asset) -> FileResponse:
    """A file of the page's."""
    return FileResponse(ASSETS / asset)
