"""What only a socket can send: heads that are none, never end or come too slowly, bodies that are not what they say.

The server answers in shape or hangs up, keeps its memory, logs no traceback and serves the next caller.
"""

import base64
import http.client
import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from knownas.http.protocol import HEAD_BYTES, HEAD_TIMEOUT_S
from tests.servers import Server, knownas

ANSWER_WITHIN_S = 5.0
MEGABYTE = 1024 * 1024


@dataclass
class Slow:
    """A connection on which a thread sends a piece now and then, and when the server had enough of it."""

    sock: socket.socket
    began: float = field(default_factory=time.monotonic)
    closed_after_s: float | None = None

    def drip(self, piece: bytes) -> None:
        """Send `piece` twice a second until the server hangs up."""
        self.sock.settimeout(0.5)
        while self.closed_after_s is None and time.monotonic() - self.began < 3 * HEAD_TIMEOUT_S:
            try:
                self.sock.sendall(piece)
                if self.sock.recv(65536) == b"":
                    self.closed_after_s = time.monotonic() - self.began
            except TimeoutError:
                continue
            except OSError:
                self.closed_after_s = time.monotonic() - self.began


@dataclass
class Target:
    """A server with an app, and connections that have been slow since it started."""

    server: Server
    app_id: str
    authorization: bytes
    slow: dict[str, tuple[Slow, threading.Thread]] = field(default_factory=dict)

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.server.port), ANSWER_WITHIN_S)

    def start_slowly(self, name: str, first: bytes, piece: bytes) -> None:
        slow = Slow(self.connect())
        slow.sock.sendall(first)
        thread = threading.Thread(target=slow.drip, args=(piece,), daemon=True)
        thread.start()
        self.slow[name] = slow, thread

    def head(self, method: str, path: str, *lines: bytes) -> bytes:
        first = f"{method} {path.replace('{app}', self.app_id)} HTTP/1.1".encode()
        return b"\r\n".join((first, b"host: test", self.authorization, *lines, b"", b""))

    def memory(self) -> int:
        """Bytes of the server's resident memory."""
        pages = int(Path(f"/proc/{self.server.pid}/statm").read_text().split()[1])
        return pages * 4096


@pytest.fixture(scope="module")
def target(tmp_path_factory: Any) -> Iterator[Target]:
    database = f"sqlite:///{tmp_path_factory.mktemp('bad') / 'knownas.db'}"
    with Server(database) as server:
        made = knownas("apps", "create", "Acme", database=database)
        credentials = base64.b64encode(f"{made['key']['id']}:{made['key']['secret']}".encode())
        target = Target(server, made["app"]["id"], b"authorization: Basic " + credentials)
        target.start_slowly("silent", b"", b"")
        target.start_slowly("a head in drops", b"GET /v2/apps HTTP/1.1\r\nx: ", b"y")
        target.start_slowly("headers in drops", b"GET /v2/apps HTTP/1.1\r\n", b"x: y\r\n")
        target.start_slowly("blank lines", target.head("GET", "/v2/apps/{app}"), b"\r\n")
        yield target
        for slow, thread in target.slow.values():
            slow.closed_after_s = slow.closed_after_s or 0
            thread.join(2)
            slow.sock.close()


@pytest.fixture(autouse=True)
def unharmed(target: Target) -> Iterator[None]:
    """After each test the server serves, and its log has no traceback."""
    yield
    with closing(http.client.HTTPConnection("127.0.0.1", target.server.port, timeout=ANSWER_WITHIN_S)) as connection:
        connection.request("GET", "/healthz")
        assert connection.getresponse().status == 200
    log = target.server.log_text()
    assert "Traceback" not in log
    assert " ERROR " not in log


def replies(target: Target, *pieces: bytes, end: bool = False) -> list[tuple[int, bytes]]:
    """All answers on one connection that is sent these pieces, until the server hangs up or has nothing more to say."""
    with closing(target.connect()) as sock:
        try:
            for piece in pieces:
                sock.sendall(piece)
            if end:
                sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # refused before it was whole
        sock.settimeout(0.4)
        said = b""
        try:
            while piece := sock.recv(65536):
                said += piece
                sock.settimeout(0.2)
        except OSError:
            pass
    found = []
    while said:
        head, _, rest = said.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: (\d+)", head)
        size = int(length[1]) if length else 0
        found.append((int(head.split(b" ", 2)[1]), rest[:size]))
        said = rest[size:]
    return found


def assert_in_shape(body: bytes, *shapes: str) -> None:
    """An error with words, in the shape of a facade, or in all of them where the path was not known yet."""
    error = json.loads(body)
    assert set(error) == set(shapes)
    if "errors" in shapes:
        assert error["errors"][0]["code"]
        assert len(error["errors"][0]["title"]) > 10
    if "error" in shapes:
        assert error["error"]["code"]
        assert len(error["error"]["description"]) > 10


NO_REQUESTS = {
    "garbage": b"GARBAGE\r\n\r\n",
    "method only": b"GET\r\n\r\n",
    "unknown version": b"GET /v2/apps HTTP/9.9\r\n\r\n",
    "small letters": b"get /v2/apps HTTP/1.1\r\n\r\n",
    "long method": b"A" * 300 + b" /v2/apps HTTP/1.1\r\n\r\n",
    "no colon": b"GET /v2/apps HTTP/1.1\r\nno-colon\r\n\r\n",
    "blank before colon": b"GET /v2/apps HTTP/1.1\r\nhost : x\r\n\r\n",
    "NUL in a header": b"GET /v2/apps HTTP/1.1\r\nx: a\x00b\r\n\r\n",
    "control character": b"GET /v2/apps HTTP/1.1\r\nx: a\x01b\r\n\r\n",
    "folded header": b"GET /v2/apps HTTP/1.1\r\nx: a\r\n b\r\n\r\n",
    "bare line feeds": b"GET /v2/apps HTTP/1.1\nhost: x\n\n",
    "byte in path": b"GET /v2/\xff HTTP/1.1\r\nhost: x\r\n\r\n",
    "text in path": "GET /sdk/v2/apps/é/login HTTP/1.1\r\nhost: x\r\n\r\n".encode(),
    "byte in query": b"GET /v2/apps?\xff HTTP/1.1\r\nhost: x\r\n\r\n",
    "no slash": b"GET v2/apps HTTP/1.1\r\nhost: x\r\n\r\n",
    "origin only": b"GET http://x HTTP/1.1\r\nhost: x\r\n\r\n",
    "connect": b"CONNECT x:80 HTTP/1.1\r\nhost: x\r\n\r\n",
    "long path": b"GET /v2/" + b"x" * 70_000 + b" HTTP/1.1\r\nhost: x\r\n\r\n",
    "negative length": b"POST /v2/apps HTTP/1.1\r\ncontent-length: -1\r\n\r\n",
    "length in words": b"POST /v2/apps HTTP/1.1\r\ncontent-length: five\r\n\r\n",
    "two lengths": b"POST /v2/apps HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nxy",
    "endless length": b"POST /v2/apps HTTP/1.1\r\ncontent-length: " + b"9" * 5000 + b"\r\n\r\n",
    "length and chunks": b"POST /v2/apps HTTP/1.1\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "unknown coding": b"POST /v2/apps HTTP/1.1\r\ntransfer-encoding: gzip\r\n\r\nx",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500),
    "pipelined garbage": b"GET /v2/apps HTTP/1.1\r\nhost: x\r\n\r\nGARBAGE\r\n\r\n",
}


@pytest.mark.parametrize("sent", NO_REQUESTS.values(), ids=NO_REQUESTS)
def test_what_is_no_request_is_refused_in_shape(target: Target, sent: bytes) -> None:
    answers = replies(target, sent)
    assert answers[-1][0] == 400
    assert_in_shape(answers[-1][1], "errors", "error")


@pytest.mark.parametrize(
    ("sent", "statuses"),
    [
        (b"GET /v2/apps HTTP/1.0\r\n\r\n", [401]),
        (b"GET /v2/apps\r\n\r\n", [401]),
        (b"GET http://elsewhere/v2/apps?page[size]=0 HTTP/1.1\r\nhost: x\r\n\r\n", [401]),
        (b"GET /v2/apps#fragment HTTP/1.1\r\nhost: x\r\n\r\n", [401]),
        (b"GET /v2/apps/%zz/%ff HTTP/1.1\r\nhost: x\r\n\r\n", [404]),
        (b"GET /v2/apps/%ff HTTP/1.1\r\nhost: x\r\n\r\n", [400]),
        (b"GET /v2/apps HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\nabcGET /v2/x HTTP/1.1\r\n\r\n", [401, 404]),
        (b"\r\n\r\nGET /v2/apps HTTP/1.1\r\nhost: x\r\n\r\n", [401]),
        (b"TRACE /v2/apps HTTP/1.1\r\nhost: x\r\n\r\n", [405]),
        (b"POST /v2/apps HTTP/1.1\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\n", [401]),
        (b"POST /v2/apps HTTP/1.1\r\nexpect: nonsense\r\ncontent-length: 0\r\n\r\n", [401]),
    ],
)
def test_unusual_requests_are_answered_like_others(target: Target, sent: bytes, statuses: list[int]) -> None:
    answers = replies(target, sent)
    assert [status for status, _ in answers] == statuses
    for _, body in answers:
        assert_in_shape(body, "errors")


def test_head_is_no_method_of_an_api(target: Target) -> None:
    """The status says so; an answer to HEAD has no body to say it in."""
    for path in ("/v2/apps/{app}", "/sdk/v2/apps/{app}/appusers/x"):
        with closing(target.connect()) as sock:
            sock.sendall(target.head("HEAD", path))
            answer = http.client.HTTPResponse(sock, method="HEAD")
            answer.begin()
            assert answer.status == 405
            assert "GET" in str(answer.headers["allow"])
            assert answer.read() == b""


@pytest.mark.parametrize(("path", "shape"), [("/v2/apps/{app}", "errors"), ("/sdk/v2/apps/{app}/appusers/x", "error")])
def test_of_two_authorizations_neither_is_asked(target: Target, path: str, shape: str) -> None:
    """Somebody before us may have checked the other one."""
    for second in (b"authorization: Basic eDp5", target.authorization):
        ((status, body),) = replies(target, target.head("GET", path, second))
        assert status == 400
        assert_in_shape(body, shape)
        assert b"more than one Authorization header" in body


@pytest.mark.parametrize("protocol", [b"websocket", b"h2c"])
@pytest.mark.parametrize(("path", "shape"), [("/v2/apps", "errors"), ("/sdk/v2/apps/{app}/appusers/x", "error")])
def test_an_upgrade_of_an_api_path_is_an_ordinary_request(
    target: Target, path: str, shape: str, protocol: bytes
) -> None:
    upgrade = b"connection: Upgrade\r\nupgrade: %s\r\nsec-websocket-version: 13\r\n" % protocol
    key = b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ=="
    head = target.head("GET", path, upgrade + key).replace(target.authorization + b"\r\n", b"")
    ((status, body),) = replies(target, head)
    assert status == 401
    assert_in_shape(body, shape)


def flood(target: Target, first: bytes, piece: bytes, at_most: int) -> tuple[int, bytes]:
    """Send the piece over and over until the server has had enough: how much it took, and what it said."""
    taken, said = 0, b""
    with closing(target.connect()) as sock:
        sock.sendall(first)
        sock.settimeout(0.001)
        try:
            while taken < at_most:
                try:
                    taken += sock.send(piece)
                    said += (heard := sock.recv(65536))
                    if not heard:
                        break
                except TimeoutError:
                    continue
        except OSError:
            pass
    return taken, said


def test_a_head_without_end_is_cut_off(target: Target) -> None:
    endless = [
        (b"GET /v2/apps HTTP/1.1\r\nx: ", b"y" * 8192),
        (b"GET /v2/apps HTTP/1.1\r\n", b"x: y\r\n" * 1000),
        (b"GET /v2/apps HTTP/1.1\r\n", b"y" * 8192),
        (b"GET /v2/apps?", b"y" * 8192),
        (b"", b"\r\n" * 4096),
    ]
    before = target.memory()
    for _ in range(4):
        for first, piece in endless:
            taken, said = flood(target, first, piece, 20 * MEGABYTE)
            assert taken < HEAD_BYTES + 8 * MEGABYTE  # what the sockets' buffers hold, too
            assert said[:12] in (b"HTTP/1.1 431", b"HTTP/1.1 400", b"")
            if said:
                assert_in_shape(said.partition(b"\r\n\r\n")[2], "errors", "error")
    assert target.memory() - before < 16 * MEGABYTE


def test_what_follows_the_head_without_being_a_body_is_cut_off_too(target: Target) -> None:
    """Trailers and chunk extensions: httptools would keep them all."""
    chunked = target.head("POST", "/v2/apps/{app}/users", b"transfer-encoding: chunked")
    before = target.memory()
    for _ in range(4):
        for first, piece in (
            (b"2\r\n{}\r\n0\r\nx: ", b"y" * 8192),
            (b"2\r\n{}\r\n0\r\n", b"x: y\r\n" * 1000),
            (b"2;", b"y" * 8192),
        ):
            taken, _ = flood(target, chunked + first, piece, 20 * MEGABYTE)
            assert taken < HEAD_BYTES + 8 * MEGABYTE
    assert target.memory() - before < 16 * MEGABYTE


def test_a_trailer_is_no_header(target: Target) -> None:
    head = target.head("POST", "/v2/apps/{app}/users", b"transfer-encoding: chunked")
    head = head.replace(target.authorization + b"\r\n", b"")
    pieces = (head, b"2\r\n{}\r\n", b"0\r\n" + target.authorization + b"\r\n\r\n")
    assert [status for status, _ in replies(target, b"".join(pieces))] == [401]
    whole = target.head("POST", "/v2/apps/{app}/users", b"transfer-encoding: chunked")
    assert [status for status, _ in replies(target, whole + b"2\r\n{}\r\n0\r\nx-checksum: 1\r\n\r\n")] == [201]


@pytest.mark.parametrize(("path", "shape"), [("/v2/apps", "errors"), ("/sdk/v2/apps/{app}/login", "error")])
def test_five_thousand_headers_are_too_many(target: Target, path: str, shape: str) -> None:
    head = target.head("POST", path, *(b"x-%d: y" % number for number in range(5000)))
    ((status, body),) = replies(target, head)
    assert status == 431
    assert_in_shape(body, shape)


@pytest.mark.parametrize(
    ("path", "shape"), [("/v2/apps/{app}/users", "errors"), ("/sdk/v2/apps/{app}/appusers", "error")]
)
@pytest.mark.parametrize("how", ["announced", "chunked"])
def test_a_large_body_is_refused_before_it_has_arrived(target: Target, path: str, shape: str, how: str) -> None:
    """Ten megabytes; the answer comes while the rest is still unsent, and none of it is kept."""
    size, before = 10 * MEGABYTE, target.memory()
    lines = [b"content-length: %d" % size] if how == "announced" else [b"transfer-encoding: chunked"]
    if "sdk" in path:
        head = target.head("POST", path, *lines).replace(target.authorization + b"\r\n", b"")
    else:
        head = target.head("POST", path, *lines)
    piece = b"x" * 65536 if how == "announced" else b"10000\r\n" + b"x" * 65536 + b"\r\n"
    with closing(target.connect()) as sock:
        began = time.monotonic()
        sock.sendall(head)
        for _ in range(2):
            sock.sendall(piece)
        answer = http.client.HTTPResponse(sock)
        answer.begin()
        assert answer.status == 413
        assert_in_shape(answer.read(), shape)
        assert time.monotonic() - began < 2
        for _ in range(size // 65536 - 2):
            sock.sendall(piece)
        if how == "chunked":
            sock.sendall(b"0\r\n\r\n")
        sock.sendall(target.head("GET", "/v2/apps/{app}"))
        after = http.client.HTTPResponse(sock)
        after.begin()
        assert after.status == 200  # what was thrown away did not get out of step with what came next
    assert target.memory() - before < 8 * MEGABYTE


def test_a_body_that_stops_short_is_no_body(target: Target) -> None:
    """Whoever hangs up in the middle has said nothing: no user is made of half a body, or of a whole one cut off."""
    users = target.head("GET", "/v2/apps/{app}/users/cut-off")
    body = b'{"externalId":"cut-off"}'
    for lines, sent in (
        (b"content-length: %d" % (len(body) + 1), body),
        (b"transfer-encoding: chunked", b"%x\r\n%s\r\n" % (len(body), body)),
    ):
        head = target.head("POST", "/v2/apps/{app}/users", lines)
        for end in (True, False):
            replies(target, head, sent, end=end)
            assert replies(target, users)[0][0] == 404


def test_a_chunk_that_is_none_is_refused(target: Target) -> None:
    head = target.head("POST", "/v2/apps/{app}/users", b"transfer-encoding: chunked")
    for rest in (b"zz\r\n{}\r\n", b"-2\r\n{}\r\n", b"ffffffffffffffffff\r\n", b"2\r\n{}xx0\r\n\r\n"):
        assert [status for status, _ in replies(target, head + rest)][-1] == 400


def test_a_connection_that_says_nothing_useful_for_long_is_closed(target: Target) -> None:
    """Slow since the tests began; each byte more does not give it more time."""
    for name, (slow, thread) in target.slow.items():
        thread.join(max(0, slow.began + HEAD_TIMEOUT_S + 6 - time.monotonic()))
        assert slow.closed_after_s is not None, name
        assert HEAD_TIMEOUT_S - 2 < slow.closed_after_s < HEAD_TIMEOUT_S + 5, name
