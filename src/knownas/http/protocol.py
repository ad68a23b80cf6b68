"""uvicorn's HTTP protocol with a bound on what a request may cost before anybody has asked who it is.

httptools itself accepts heads, trailers and chunk extensions of any length, so a stranger could fill the memory with
one header that never ends.
"""

import json
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_BYTES: Final = 128 * 1024
HEAD_TIMEOUT_S: Final = 20.0
BODY_TIMEOUT_S: Final = 30.0
BODY_BYTES_PER_S: Final = 16 * 1024
"""How fast a body has to arrive after its first 30 seconds, on average: slow, but alive."""


class BoundedHttp(HttpToolsProtocol):
    """Answers 431 and hangs up when a head grows too large, and hangs up on one that takes too long to arrive.

    A body that comes too slowly gets 408: it has 30 seconds, and one more for each 16 kB that came.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._in_head = True
        self._progress = False
        self._unread_bytes = 0
        self._deadline: Any = None
        self._in_body = False
        self._body_bytes = 0
        self._body_began = 0.0
        self._body_check: Any = None

    def connection_made(self, transport: Any) -> None:
        """Give the first head its time."""
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing to wait for any more."""
        self._stop_waiting()
        self._stop_checking()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count what arrives and leads to nothing: a head that does not end, trailers, a chunk's extension, blanks.

        A body's bytes lead somewhere, and have limits of their own (Call.body).
        """
        self._progress = False
        super().data_received(data)
        if self.transport.is_closing():
            self._stop_waiting()
            self._stop_checking()
            return
        if self._in_body and self._body_check is None:
            self._body_began = self.loop.time()
            self._body_check = self.loop.call_later(BODY_TIMEOUT_S, self._check_body)
        self._unread_bytes = 0 if self._progress else self._unread_bytes + len(data)
        if self._unread_bytes > HEAD_BYTES:
            self._stop_waiting()
            self._refuse(
                "431 Request Header Fields Too Large",
                "headers_too_large",
                f"The head of a request has at most {HEAD_BYTES // 1024} kB",
            )
        elif self._in_head or not self._progress:
            self._wait()
        else:
            self._stop_waiting()

    def on_message_begin(self) -> None:
        """A new head begins."""
        self._in_head = self._progress = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The head is whole. Trailers go nowhere: they would join headers that were checked (RFC 9110, 6.5.1)."""
        self._in_head, self._progress, self._in_body, self._body_bytes = False, True, True, 0
        super().on_headers_complete()
        self.headers = []

    def on_chunk_header(self) -> None:
        """A chunk's size and extension are whole."""
        self._progress = True

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        self._progress = True
        self._body_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is whole."""
        self._progress, self._in_body = True, False
        if self._body_check is not None:
            self._stop_checking()
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Say that the bytes are no request."""
        self._refuse("400 Bad Request", "bad_request", "The request is not valid HTTP")

    def _unsupported_upgrade_warning(self) -> None:
        """Say nothing: without WebSockets an upgrade is a request like any other, and strangers do not fill the log."""

    def _wait(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(HEAD_TIMEOUT_S, self._too_slow)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_slow(self) -> None:
        self._deadline = None
        cycle: Any = self.cycle  # None before the first request, whatever its type says
        if cycle is not None and not cycle.response_complete:
            self._wait()  # the request before it is still being answered
        elif not self.transport.is_closing():
            self.transport.close()

    def _check_body(self) -> None:
        """Hang up on a body that is late; else look again when it would be."""
        self._body_check = None
        if self.transport.is_closing():
            return
        now, cycle = self.loop.time(), self.cycle
        if self.flow.read_paused:  # it waits for us, and not we for it
            self._body_began, self._body_bytes, due = now, 0, now + BODY_TIMEOUT_S
        else:
            due = self._body_began + BODY_TIMEOUT_S + self._body_bytes / BODY_BYTES_PER_S
        # What still comes after the answer is only waited for so that the caller can read the answer.
        if due > now and not cycle.response_complete:
            self._body_check = self.loop.call_later(due - now, self._check_body)
        elif cycle.response_started:
            self.transport.close()
        else:
            self._refuse("408 Request Timeout", "request_timeout", "The body of the request arrives too slowly")

    def _stop_checking(self) -> None:
        if self._body_check is not None:
            self._body_check.cancel()
            self._body_check = None

    def _refuse(self, status: str, code: str, text: str) -> None:
        """Answer and hang up. The path may be unknown yet, so the body has the shapes of all facades."""
        if self.transport.is_closing():
            return
        body = json.dumps({"errors": [{"code": code, "title": text}], "error": {"code": code, "description": text}})
        head = f"HTTP/1.1 {status}\r\ncontent-type: application/json; charset=utf-8\r\nconnection: close\r\n"
        self.transport.write(f"{head}content-length: {len(body)}\r\n\r\n{body}".encode("ascii"))
        self.transport.close()
