"""Serve attachments at `/attachments/{app}/{name}/{filename}`: to everybody who knows the address, as inert bytes.

Whoever may upload chooses what the bytes are, and they are served under our address: so a browser is told to believe
the type, to run nothing, and to show nothing but pictures, sound, films, PDF and plain text.
"""

import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from knownas.attachments import Attachment, AttachmentNotFound
from knownas.attachments.delete import get_attachment
from knownas.attachments.filenames import disposition
from knownas.attachments.media import served_as
from knownas.errors import DomainError, Unavailable
from knownas.http.services import Services

PATH: Final = "/attachments/{app}/{name}/{filename:path}"
# A name never gets other bytes, so a browser may keep them; what stands between forgets a removed file in time.
_CACHED: Final = "public, max-age=31536000, s-maxage=900, immutable"
_ALWAYS: Final = {
    "x-content-type-options": "nosniff",
    "content-security-policy": "sandbox; default-src 'none'",
    "cross-origin-resource-policy": "cross-origin",
    "access-control-allow-origin": "*",
    "referrer-policy": "no-referrer",
}
_RANGE: Final = re.compile(r"bytes=(\d{0,15})-(\d{0,15})", re.ASCII)


class Span(Struct, frozen=True):
    """Bytes from `start` to before `end`."""

    start: int
    end: int


async def serve(services: Services, request: Request) -> Response:
    """GET and HEAD: the file, or a part of it (RFC 9110, 14), or 304 where the caller has it."""
    try:
        app_id = request.path_params["app"]
        attachment = await _attachment(services, app_id, request.path_params["name"])
        return await _answer(services, request, app_id, attachment)
    except DomainError as refusal:
        return _refusal(refusal)


async def _attachment(services: Services, app_id: str, name: str) -> Attachment:
    app = await services.database.directory.app(app_id)
    if app is None:
        raise AttachmentNotFound
    return await services.database.read(app, get_attachment, name)


async def _answer(services: Services, request: Request, app_id: str, attachment: Attachment) -> Response:
    tag = f'"{attachment.name[:32]}"'
    headers = {**_ALWAYS, "cache-control": _CACHED, "etag": tag, "accept-ranges": "bytes"}
    if _matches(request.headers.get("if-none-match"), tag):
        return Response(None, 304, headers)
    content_type, inline = served_as(attachment.media_type)
    headers["content-type"] = content_type
    headers["content-disposition"] = disposition(attachment.filename, inline=inline)
    wanted, status = Span(0, attachment.size), 200
    if request.headers.get("if-range", tag) == tag:
        try:
            part = span_of(request.headers.get("range"), attachment.size)
        except ValueError:
            return Response(None, 416, {**_ALWAYS, "content-range": f"bytes */{attachment.size}"})
        if part is not None:
            wanted, status = part, 206
            headers["content-range"] = f"bytes {part.start}-{part.end - 1}/{attachment.size}"
    headers["content-length"] = str(wanted.end - wanted.start)
    if request.method == "HEAD":
        return Response(None, status, headers)
    pieces = services.files.read(app_id, attachment.name, wanted.start, wanted.end)
    # The first piece is read before the answer begins: where there is no file, the answer can still say so.
    first = await anext(pieces)
    return StreamingResponse(_all(first, pieces), status, headers)


def span_of(header: str | None, size: int) -> Span | None:
    """The part of `size` bytes that a Range header asks for; None for all of them, as for what we do not understand.

    Several ranges count as not understood. Raises ValueError for a range that lies outside. Pure.
    """
    match = _RANGE.fullmatch(header.strip()) if header else None
    if match is None or (not match[1] and not match[2]):
        return None
    if not match[1]:
        start, end = max(0, size - int(match[2])), size
    else:
        start, end = int(match[1]), min(int(match[2]) + 1, size) if match[2] else size
        if match[2] and int(match[2]) < start:
            return None
    if start >= end:
        raise ValueError("outside of the file")
    return Span(start, end)


def _matches(header: str | None, tag: str) -> bool:
    """Whether an If-None-Match header has the tag."""
    if header is None:
        return False
    return header.strip() == "*" or tag in [part.strip().removeprefix("W/") for part in header.split(",")]


async def _all(first: bytes, rest: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    async with aclosing(rest):
        yield first
        async for piece in rest:
            yield piece


def _refusal(refusal: DomainError) -> Response:
    unavailable = isinstance(refusal, Unavailable)
    headers = {**_ALWAYS, "cache-control": "no-store"}
    if isinstance(refusal, Unavailable):
        headers["retry-after"] = str(refusal.retry_after_s)
    body = {"errors": [{"code": refusal.code, "title": str(refusal)}]}
    return JSONResponse(body, 503 if unavailable else 404, headers)
