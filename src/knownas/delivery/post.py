"""One attempt: a call that ends in time, whatever the other side does."""

import asyncio
import logging
import ssl
from time import monotonic
from typing import Final, Self

import aiohttp
from yarl import URL

from knownas.delivery.addresses import GuardedResolver, Refused, refuse_literal
from knownas.delivery.request import Answer, Timeouts

TIMEOUT_S: Final = 20.0
"""Name look-up, connecting and answering together; the vendor waits as long."""
READ_AT_MOST: Final = 64 * 1024
DRAIN_S: Final = 1.0
_KEEP_ALIVE_S: Final = 20.0
_NAMES_REMEMBERED_S: Final = 10
_NO_LIMITS: Final = aiohttp.ClientTimeout(total=None)  # beyond the one around the whole call
_log = logging.getLogger(__name__)


class Poster:
    """Calls targets. Nothing of one call reaches another: no cookies, no redirects, no proxy from the environment."""

    def __init__(self, *, private_too: bool, timeout_s: float = TIMEOUT_S) -> None:
        self._private_too = private_too
        self._timeout_s = timeout_s
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(
            limit=0,  # how many at once is for the sender to say
            limit_per_host=0,
            keepalive_timeout=_KEEP_ALIVE_S,
            ttl_dns_cache=_NAMES_REMEMBERED_S,
            resolver=GuardedResolver(private_too=self._private_too),
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            auto_decompress=False,
            skip_auto_headers=("accept", "accept-encoding"),
            timeout=_NO_LIMITS,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def post(self, target: str, body: bytes, headers: dict[str, str], timeouts: Timeouts | None = None) -> Answer:
        """Call the target once. Whatever goes wrong is said in the answer.

        With `timeouts` of its own the webhook waits so long for a connection, and then for the answer.
        """
        started_at = monotonic()
        status: int | None = None
        error: str | None = None
        retry_after: str | None = None
        timeout_s = self._timeout_s if timeouts is None else timeouts.connect_s + timeouts.read_s
        try:
            async with asyncio.timeout(timeout_s):
                status, retry_after = await self._call(target, body, headers, timeouts)
        except aiohttp.ConnectionTimeoutError:
            error = f"no connection within {timeouts.connect_s if timeouts else timeout_s:g} s"
        except TimeoutError:
            error = f"no answer within {timeouts.read_s if timeouts else timeout_s:g} s"
        except Exception as problem:  # noqa: BLE001  one webhook's trouble, whatever it is, ends with it
            error = _said(problem)
        return Answer(status, error, int((monotonic() - started_at) * 1000), retry_after)

    async def _call(
        self, target: str, body: bytes, headers: dict[str, str], timeouts: Timeouts | None
    ) -> tuple[int, str | None]:
        assert self._session is not None, "used with `async with`"  # noqa: S101
        url = URL(target)
        if not self._private_too:
            refuse_literal(url.host or "")
        limits = _NO_LIMITS
        if timeouts is not None:
            limits = aiohttp.ClientTimeout(total=None, connect=timeouts.connect_s, sock_read=timeouts.read_s)
        response = await self._session.post(url, data=body, headers=headers, allow_redirects=False, timeout=limits)
        try:
            await _drain(response)
        finally:
            response.release()
        return response.status, response.headers.get("retry-after")


async def _drain(response: aiohttp.ClientResponse) -> None:
    """Read what there is, so that the connection can be used again; a long or slow body costs the connection.

    The status says it all, so nothing that happens here changes the outcome.
    """
    left = READ_AT_MOST
    try:
        async with asyncio.timeout(DRAIN_S):
            while left > 0:
                chunk = await response.content.read(left)
                if not chunk:
                    return
                left -= len(chunk)
    except (TimeoutError, aiohttp.ClientError, OSError):
        pass
    response.close()


def _said(problem: Exception) -> str:
    """The cause in plain words, without addresses, which may hold user names and passwords."""
    cause: BaseException | None = problem
    while cause is not None:
        if isinstance(cause, Refused):
            return f"refused: {cause}"
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"the certificate is not valid: {cause.verify_message}"
        cause = cause.__cause__
    for kind, words in _WORDS:
        if isinstance(problem, kind):
            return words
    _log.warning("a call failed in a way that has no words yet: %s", type(problem).__name__)
    return f"the call failed: {type(problem).__name__}"


_WORDS: Final[tuple[tuple[type[Exception], str], ...]] = (
    (aiohttp.ClientConnectorDNSError, "the target's name has no address"),
    (aiohttp.ClientSSLError, "no TLS connection could be made"),
    (aiohttp.ClientConnectorError, "no connection could be made"),
    (aiohttp.ServerDisconnectedError, "the connection was closed without an answer"),
    (aiohttp.ClientOSError, "the connection broke"),
    (aiohttp.ClientResponseError, "the answer was not HTTP"),
    (aiohttp.ClientPayloadError, "the answer was not HTTP"),
    (aiohttp.InvalidURL, "the target is not an address"),
    (ValueError, "the target is not an address"),
    (ConnectionError, "the connection broke"),
    (OSError, "no connection could be made"),
)
