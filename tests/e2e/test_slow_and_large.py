"""Bodies that are large or come slowly: one server serves these tests, so that the waiting is done once."""

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from knownas.attachments import FILE_BYTES_AT_MOST
from knownas.http.protocol import BODY_BYTES_PER_S, BODY_TIMEOUT_S
from tests.e2e.acme import Acme, open_shop, server_on
from tests.e2e.uploads import MEGABYTE, MULTIPART, PNG, PUBLIC, attach, fetch, form, title, upload
from tests.s3 import s3_bucket


@dataclass
class Sender:
    """A thread that sends pieces of a request at its own pace, and what came of it."""

    port: int
    head: bytes
    pieces: Iterator[bytes]
    pause_s: float
    began: float = field(default_factory=time.monotonic)
    ended_after_s: float = 0.0
    said: bytes = b""

    def start(self) -> threading.Thread:
        thread = threading.Thread(target=self._run, daemon=True)
        thread.start()
        return thread

    def _run(self) -> None:
        with closing(socket.create_connection(("127.0.0.1", self.port), 5)) as sock:
            try:
                sock.sendall(self.head)
                sock.settimeout(self.pause_s)
                for piece in self.pieces:
                    sock.sendall(piece)
                    try:
                        heard = sock.recv(65536)
                    except TimeoutError:
                        continue
                    self.said += heard
                    if not heard:
                        break
                sock.settimeout(10)
                while heard := sock.recv(65536):
                    self.said += heard
            except OSError:
                pass
        self.ended_after_s = time.monotonic() - self.began


def endless(piece: bytes) -> Iterator[bytes]:
    until = time.monotonic() + 3 * BODY_TIMEOUT_S
    while time.monotonic() < until:
        yield piece


def steadily(body: bytes, bytes_at_once: int) -> Iterator[bytes]:
    return (body[start : start + bytes_at_once] for start in range(0, len(body), bytes_at_once))


PACE_S = 0.25
ALIVE = form(bytes(int(BODY_BYTES_PER_S * 1.2 * (BODY_TIMEOUT_S + 8))), "film.bin", "application/octet-stream")


@dataclass
class Slow:
    acme: Acme
    senders: dict[str, tuple[Sender, threading.Thread]]

    def ended(self, name: str) -> Sender:
        sender, thread = self.senders[name]
        thread.join(max(0, sender.began + BODY_TIMEOUT_S + 25 - time.monotonic()))
        assert not thread.is_alive(), name
        return sender


@pytest.fixture(scope="module")
def slow(tmp_path_factory: Any) -> Iterator[Slow]:
    with server_on(f"sqlite:///{tmp_path_factory.mktemp('slow') / 'knownas.db'}") as server:
        acme = open_shop(server).new_app()

        def sender(credentials: str, length: int | None, pieces: Iterator[bytes], then: str = "close") -> Sender:
            size = "transfer-encoding: chunked" if length is None else f"content-length: {length}"
            head = (
                f"POST /v2/apps/{acme.app_id}/attachments{PUBLIC} HTTP/1.1\r\nhost: 127.0.0.1:{server.port}\r\n"
                f"authorization: {credentials}\r\ncontent-type: {MULTIPART}\r\n{size}\r\nconnection: {then}\r\n\r\n"
            )
            return Sender(server.port, head.encode(), pieces, PACE_S)

        chunk = b"400\r\n" + b"x" * 0x400 + b"\r\n"
        senders = {
            "drops": sender(acme.as_backend, 100_000, chain([form(b"")[:-50]], endless(b"x"))),
            "alive": sender(acme.as_backend, len(ALIVE), steadily(ALIVE, int(BODY_BYTES_PER_S * 1.2 * PACE_S))),
            "sends on": sender("Basic nobody", None, endless(chunk), "keep-alive"),
        }
        yield Slow(acme, {name: (sender, sender.start()) for name, sender in senders.items()})


def memory_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096


def test_the_largest_file_is_taken_and_does_not_fill_the_memory(slow: Slow) -> None:
    content = PNG + bytes(FILE_BYTES_AT_MOST - len(PNG))
    server = slow.acme.server
    attach(slow.acme)
    before, most, done = memory_of(server.pid), 0, threading.Event()

    def watch() -> None:
        nonlocal most
        while not done.wait(0.005):
            most = max(most, memory_of(server.pid))

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        url = attach(slow.acme, content)
        got = fetch(url)
    finally:
        done.set()
        watching.join()
    assert got.body == content
    assert most - before < 16 * MEGABYTE
    assert fetch(url, range="bytes=52428799-").body == b"\0"


def test_a_byte_more_is_too_large_announced_or_not(slow: Slow) -> None:
    body = form(PNG + bytes(FILE_BYTES_AT_MOST + 1 - len(PNG)))
    refused = (413, "The file is larger than 50 MB")
    assert title(upload(slow.acme, body)) == refused
    place = urlsplit(slow.acme.server.url)
    with closing(http.client.HTTPConnection(str(place.hostname), place.port, timeout=30)) as connection:
        headers = {"authorization": slow.acme.as_backend, "content-type": MULTIPART}
        path = f"/v2/apps/{slow.acme.app_id}/attachments{PUBLIC}"
        connection.request("POST", path, steadily(body, 1 << 20), headers, encode_chunked=True)
        answer = connection.getresponse()
        assert (answer.status, json.loads(answer.read())["errors"][0]["title"]) == refused
    folders = Path(slow.acme.server.database.removeprefix("sqlite:///")).parent / "attachments" / "incoming"
    assert max(path.stat().st_size for path in folders.iterdir()) < 2 * MEGABYTE, "what was refused is gone"


def test_files_lie_beside_the_database_for_the_servers_user_alone(slow: Slow) -> None:
    url = attach(slow.acme)
    folder = Path(slow.acme.server.database.removeprefix("sqlite:///")).parent / "attachments"
    app_id, name = url.split("/")[4:6]
    path = folder / app_id / name[:2] / name
    assert path.read_bytes() == PNG
    assert path.stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700
    assert slow.acme.v2("POST", "/attachments/remove", {"mediaUrl": url}).status == 200
    assert not path.exists(), "removed after the commit, and not only at the next sweep"


def test_a_bucket_serves_as_well_as_a_folder(tmp_path: Path) -> None:
    with s3_bucket() as bucket:
        settings = {
            "KNOWNAS_S3_BUCKET": bucket.bucket,
            "KNOWNAS_S3_ENDPOINT": bucket.endpoint,
            "KNOWNAS_S3_REGION": bucket.region,
            "KNOWNAS_S3_PREFIX": bucket.prefix,
            "KNOWNAS_S3_KEY": bucket.key,
            "KNOWNAS_S3_SECRET": bucket.secret,
        }
        with server_on(f"sqlite:///{tmp_path / 'knownas.db'}", **settings) as server:
            acme = open_shop(server).new_app()
            large = PNG + bytes(7 * MEGABYTE)
            small, url = attach(acme), attach(acme, large)
            assert fetch(small).body == PNG
            assert fetch(url).body == large
            assert fetch(url, range="bytes=4-9").body == large[4:10]
            assert fetch(url, "HEAD").headers["content-length"] == str(len(large))
            assert fetch(url).headers["content-security-policy"] == "sandbox; default-src 'none'"
            assert acme.v2("POST", "/attachments/remove", {"mediaUrl": url}).status == 200
            assert fetch(url).status == 404
            assert not (tmp_path / "attachments").exists()


def test_a_body_in_drops_is_given_up_and_a_living_one_is_not(slow: Slow) -> None:
    drops = slow.ended("drops")
    assert drops.said.startswith(b"HTTP/1.1 408 ")
    assert b"arrives too slowly" in drops.said
    assert BODY_TIMEOUT_S - 1 < drops.ended_after_s < BODY_TIMEOUT_S + 5
    alive = slow.ended("alive")
    assert alive.ended_after_s > BODY_TIMEOUT_S + 2
    assert alive.said.startswith(b"HTTP/1.1 201 "), alive.said[:200]


def test_who_sends_on_after_the_answer_is_not_listened_to_for_ever(slow: Slow) -> None:
    sender = slow.ended("sends on")
    assert sender.said.startswith(b"HTTP/1.1 401 ")
    assert BODY_TIMEOUT_S - 1 < sender.ended_after_s < BODY_TIMEOUT_S + 5
