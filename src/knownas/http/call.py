"""One request as endpoints see it, and the answer they give."""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec
from msgspec import Struct

from knownas.errors import DomainError
from knownas.http.decode import InvalidBody, decode_json, parse_query

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import Receive, Scope

    from knownas.http.services import Services

T = TypeVar("T")
JSON_BYTES: Final = 100 * 1024
"""The vendor's limit on JSON bodies: 100 kB (spec/sunshine-v2.yaml, Request Size Limits)."""

_JSON: Final = (b"content-type", b"application/json; charset=utf-8")
_encode = msgspec.json.Encoder().encode


class Answer(Struct):
    """A status, a body and its headers."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[bytes, bytes], ...] = ()


def json_answer(value: object, status: int = 200, headers: tuple[tuple[bytes, bytes], ...] = ()) -> Answer:
    """An answer with a JSON body."""
    return Answer(status, _encode(value), (_JSON, *headers))


class TooLarge(DomainError):
    """The body is larger than the limit."""

    kind = "too_large"
    code = "payload_too_large"

    def __init__(self, limit: int) -> None:
        super().__init__(f"The request body is larger than {limit // 1024} kB")


class Call:
    """One request. Headers are looked up in lower case; the body is read once, up to a limit."""

    __slots__ = ("_body", "_headers", "_receive", "params", "scope", "services")

    def __init__(self, scope: "Scope", receive: "Receive", params: "Mapping[str, str]", services: "Services") -> None:
        self.scope = scope
        self.params = params
        self.services = services
        self._receive = receive
        self._body: bytes | None = None
        self._headers: list[tuple[bytes, bytes]] = scope["headers"]

    @property
    def method(self) -> str:
        """The HTTP method."""
        return str(self.scope["method"])

    def header(self, name: bytes) -> bytes | None:
        """The first header of this lower-case name."""
        for key, value in self._headers:
            if key == name:
                return value
        return None

    def query(self) -> dict[str, Any]:
        """The query's parameters; `page[size]=10` and `page={"size": 10}` both give `{"page": {"size": ...}}`."""
        return parse_query(self.scope["query_string"])

    @property
    def origin(self) -> str:
        """The address under which the caller reached this server, such as `https://chat.example.org`."""
        if self.services.public_url:
            return self.services.public_url
        return self.host_origin

    @property
    def host_origin(self) -> str:
        """The address that this request's Host header names, whatever the settings say."""
        host = (self.header(b"host") or b"127.0.0.1").decode("latin-1")
        return f"{self.scope['scheme']}://{host}"

    async def chunks(self, limit: int, too_large: DomainError | None = None) -> AsyncIterator[bytes]:
        """The body as it arrives, for those who need not have it whole; once, and instead of `body`.

        Raises `too_large`, else TooLarge, as soon as it is known to be longer than the limit.
        """
        refusal = too_large or TooLarge(limit)
        if self._announced() > limit:
            raise refusal
        size, more = 0, True
        while more:
            chunk, more = await self._next()
            size += len(chunk)
            if size > limit:
                raise refusal
            if chunk:
                yield chunk

    async def _next(self) -> tuple[bytes, bool]:
        """What arrives next of the body, and whether more does."""
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise InvalidBody("The connection was closed before the whole body had arrived")
        return message.get("body", b""), message.get("more_body", False)

    def _announced(self) -> int:
        """The length that the caller says the body has; 0 where it does not say."""
        announced = self.header(b"content-length")
        # Any number of digits may come, and int() refuses to read thousands of them.
        return int(announced.lstrip(b"0")[:19] or b"0") if announced is not None and announced.isdigit() else 0

    async def body(self, limit: int = JSON_BYTES) -> bytes:
        """The whole body. Raises TooLarge, before reading it where the caller says its length."""
        if self._body is not None:
            return self._body
        if self._announced() > limit:
            raise TooLarge(limit)
        body, more = await self._next()
        if more:
            chunks, size = [body], len(body)
            while more and size <= limit:
                chunk, more = await self._next()
                size += len(chunk)
                chunks.append(chunk)
            body = b"".join(chunks)
        if len(body) > limit:
            raise TooLarge(limit)
        self._body = body
        return body

    async def json(self, shape: type[T], *, optional: bool = False) -> T:
        """The body as `shape`; with `optional`, an empty body counts as `{}`. Raises InvalidBody, TooLarge."""
        body = await self.body()
        if optional and not body.strip():
            body = b"{}"
        return decode_json(body, shape)
