"""The outermost layer: route a request to its facade, run the endpoint, and turn whatever happens into an answer.

Nothing leaves here without a body in the shape of the facade that was called: not a wrong path, a wrong method, a
refusal or a bug.
"""

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from knownas.errors import DomainError, Kind, Unavailable
from knownas.http.call import Answer, Call, json_answer
from knownas.http.router import BadPath, Router
from knownas.http.services import Services

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

Endpoint = Callable[[Call], Awaitable[Answer]]
HEADERS_AT_MOST: Final = 100
_log = logging.getLogger(__name__)

STATUS_OF: Final[dict[Kind, int]] = {
    "invalid": 400,
    "unauthenticated": 401,
    "payment_required": 402,
    "forbidden": 403,
    "not_found": 404,
    "conflict": 409,
    "too_large": 413,
    "locked": 423,
    "not_implemented": 501,
    "unavailable": 503,
}
"""The status of each kind of refusal, the same in all facades; their bodies differ."""


class RouteNotFound(DomainError):
    """Nothing lives at this path."""

    kind = "not_found"
    code = "not_found"

    def __init__(self) -> None:
        super().__init__("Resource not found")


class MethodNotAllowed(DomainError):
    """Something lives here, but not for this method."""

    kind = "invalid"
    code = "method_not_allowed"
    status = 405

    def __init__(self, allowed: Sequence[str]) -> None:
        super().__init__(f"This resource answers {', '.join(allowed)}")
        self.headers = ((b"allow", ", ".join(allowed).encode()),)


class BadRequest(DomainError):
    """The request line or the headers cannot be served."""

    kind = "invalid"
    code = "bad_request"


class HeadersTooLarge(DomainError):
    """More header than anybody needs."""

    kind = "invalid"
    code = "headers_too_large"
    status = 431

    def __init__(self) -> None:
        super().__init__(f"A request has at most {HEADERS_AT_MOST} headers")


class InternalError(DomainError):
    """A bug of ours; the log has the details, the caller has none."""

    kind = "unavailable"
    code = "internal_error"
    status = 500

    def __init__(self) -> None:
        super().__init__("Something went wrong on the server; it has been logged")


class Facade(Struct):
    """One wire format: its routes, its way to write errors, and the headers that its errors or all answers carry."""

    name: str
    prefixes: tuple[str, ...]
    routes: list[tuple[str, str, Endpoint]]
    render_error: Callable[[DomainError], object]
    cors: bool = False
    error_headers: tuple[tuple[bytes, bytes], ...] = ()


class Edge:
    """The ASGI application: facades by path, everything else (pages, static files) to `pages`."""

    def __init__(self, services: Services, facades: Sequence[Facade], pages: "ASGIApp") -> None:
        self._services = services
        self._pages = pages
        self._router: Router[tuple[Facade, Endpoint]] = Router(
            (method, prefix + path, (facade, endpoint))
            for facade in facades
            for prefix in facade.prefixes
            for method, path, endpoint in facade.routes
        )
        # By the first segment or two, so that an unknown path below /sc/v2 is answered in its facade's shape.
        self._facades = {prefix.encode(): facade for facade in facades for prefix in facade.prefixes}

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Serve one connection's request."""
        if scope["type"] != "http":
            await self._pages(scope, receive, send)
            return
        raw_path: bytes = scope["raw_path"]
        facade = self._facade_of(raw_path)
        if facade is None:
            await self._pages(scope, receive, send)
            return
        method = scope["method"]
        if facade.cors and method == "OPTIONS":
            answer = Answer(204)
        else:
            answer = await self._answer(facade, method, raw_path, scope, receive)
        headers = [*answer.headers]
        if answer.status != 204:  # which has no length, not even none (RFC 9110, 8.6)
            headers.append((b"content-length", b"%d" % len(answer.body)))
        if facade.cors:
            headers += _cors(scope)
        self._services.metrics.answered(facade.name, method, answer.status)
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})

    async def _answer(self, facade: Facade, method: str, raw_path: bytes, scope: "Scope", receive: "Receive") -> Answer:
        try:
            _check_headers(scope["headers"])
            found = self._router.find(raw_path)
            if found is None:
                raise RouteNotFound
            target = found.methods.get(method)
            if target is None:
                raise MethodNotAllowed(sorted(found.methods))
            return await target[1](Call(scope, receive, found.params, self._services))
        except BadPath as wrong:
            return self._refusal(facade, BadRequest(str(wrong)))
        except DomainError as refusal:
            return self._refusal(facade, refusal)
        except Exception:  # noqa: BLE001  whatever it was, the caller gets an answer and the log the reason
            _log.exception("a bug: %s %s", method, facade.name)
            return self._refusal(facade, InternalError())

    def _refusal(self, facade: Facade, refusal: DomainError) -> Answer:
        status: int = getattr(refusal, "status", None) or STATUS_OF[refusal.kind]
        headers: tuple[tuple[bytes, bytes], ...] = (*getattr(refusal, "headers", ()), *facade.error_headers)
        if isinstance(refusal, Unavailable):
            headers = (*headers, (b"retry-after", b"%d" % refusal.retry_after_s))
        if status == 401:
            headers = (*headers, (b"www-authenticate", b'Basic realm="Knownas", Bearer realm="Knownas"'))
            self._services.metrics.refused(getattr(refusal, "cause", refusal.code))
        return json_answer(facade.render_error(refusal), status, headers)

    def _facade_of(self, raw_path: bytes) -> Facade | None:
        first = raw_path.find(b"/", 1)
        facade = self._facades.get(raw_path if first < 0 else raw_path[:first])
        if facade is None and first > 0:
            second = raw_path.find(b"/", first + 1)
            facade = self._facades.get(raw_path if second < 0 else raw_path[:second])
        return facade


def _check_headers(headers: list[tuple[bytes, bytes]]) -> None:
    """Their number; how many bytes they have is bounded where they are read (protocol.py).

    Of two credentials somebody before us may have checked the other one, so neither counts (RFC 9110, 5.3).
    """
    if len(headers) > HEADERS_AT_MOST:
        raise HeadersTooLarge
    if [name for name, _ in headers].count(b"authorization") > 1:
        raise BadRequest("The request has more than one Authorization header")


def _cors(scope: "Scope") -> list[tuple[bytes, bytes]]:
    """Any origin may call: there are no cookies, and whoever holds a token may use it from where they like.

    Errors carry them too, or a browser hides a 401 and its token is never renewed (facts on the SDK, web#707).
    """
    headers = [
        (b"access-control-allow-origin", b"*"),
        (b"access-control-expose-headers", b"retry-after"),
    ]
    if scope["method"] == "OPTIONS":
        asked = next((value for name, value in scope["headers"] if name == b"access-control-request-headers"), None)
        headers += [
            (b"access-control-allow-methods", b"GET, POST, PUT, PATCH, DELETE, OPTIONS"),
            (b"access-control-allow-headers", asked or b"authorization, content-type"),
            (b"access-control-max-age", b"86400"),
        ]
    return headers
