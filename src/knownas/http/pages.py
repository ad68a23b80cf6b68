"""What is not an API: the first page, and what machines ask about the server's health."""

from collections.abc import Awaitable, Callable
from importlib import resources
from typing import Final

from jinja2 import Environment, PackageLoader, select_autoescape
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from knownas import __version__
from knownas.errors import DomainError
from knownas.http.services import Services

Page = Callable[[Services, Request], Awaitable[Response]]
_templates = Environment(loader=PackageLoader("knownas.http", "templates"), autoescape=select_autoescape())
_POLICY: Final = (
    "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


async def home(services: Services, request: Request) -> Response:
    """What runs here and where to go next."""
    origin = services.public_url or str(request.base_url).rstrip("/")
    page = _templates.get_template("home.html").render(version=__version__, origin=origin)
    return HTMLResponse(page, headers={"content-security-policy": _POLICY, "x-content-type-options": "nosniff"})


async def style(services: Services, request: Request) -> Response:
    """The first page's style sheet."""
    sheet = resources.files("knownas.http").joinpath("templates/home.css").read_text("utf-8")
    return Response(sheet, media_type="text/css", headers={"cache-control": "max-age=3600"})


async def healthz(services: Services, request: Request) -> Response:
    """Whether the process serves requests; it asks nobody else."""
    return PlainTextResponse("ok\n")


async def readyz(services: Services, request: Request) -> Response:
    """Whether the database can be used: 200, or 503 with the reason."""
    try:
        await services.database.ping()
    except DomainError as failure:
        return PlainTextResponse(f"{failure}\n", 503, {"retry-after": "1"})
    return PlainTextResponse("ready\n")


async def metrics(services: Services, request: Request) -> Response:
    """Counters for Prometheus."""
    services.metrics.waiting_writes.set(services.database.waiting_writes)
    return Response(services.metrics.text(), media_type="text/plain; version=0.0.4")


PAGES: Final[dict[str, Page]] = {
    "/": home,
    "/home.css": style,
    "/healthz": healthz,
    "/readyz": readyz,
    "/metrics": metrics,
}


def served_with(services: Services, page: Page) -> Callable[[Request], Awaitable[Response]]:
    """The page as a Starlette endpoint."""

    async def endpoint(request: Request) -> Response:
        return await page(services, request)

    return endpoint
