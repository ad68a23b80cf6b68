"""The load generator: keep-alive connections that each have one request in flight, and check every answer.

Requests come as finished bytes, so that inside a window nothing is left to do but send, read the head and count.
"""

import asyncio
import gc
import time
from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import quantiles
from typing import NamedTuple, cast

GRACE_S = 60.0
"""How long a window may outlast its time before it counts as hung."""

Meters = Mapping[str, Callable[[], float]]
"""By name, the CPU seconds that a party used so far."""

END_OF_HEAD = b"\r\n\r\n"
LENGTH = b"content-length: "


class Address(NamedTuple):
    host: str
    port: int


class BadAnswer(Exception):
    """The server answered something else than the scenario expects, or nothing."""


@dataclass(frozen=True)
class Window:
    """What one window saw. `cpu` is the share of one core that each metered party used meanwhile."""

    answered: int
    elapsed_s: float
    p50_ms: float
    p99_ms: float
    cpu: dict[str, float]

    @property
    def rate(self) -> float:
        return self.answered / self.elapsed_s


class _Run:
    """One window's shared state: what is still to be sent, what came back, and when it ends."""

    def __init__(self, requests: Sequence[bytes], expected: int, meters: Meters, keep_bodies: bool) -> None:
        self.requests = iter(requests)
        self.expected = b"HTTP/1.1 %d" % expected
        self.meters = meters
        self.bodies: list[bytes] | None = [] if keep_bodies else None
        self.latencies_s = array("d")
        self.in_flight = 0
        self.answered = 0
        self.measuring = False
        self.elapsed_s = 0.0
        self.cpu: dict[str, float] = {}
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def start(self) -> None:
        self.measuring = True
        self.cpu = {name: read() for name, read in self.meters.items()}
        self.started_at = time.perf_counter()

    def stop(self) -> None:
        """Close the window. What is still in flight is awaited and checked, but not counted."""
        if not self.measuring:
            return
        self.measuring = False
        self.elapsed_s = time.perf_counter() - self.started_at
        self.cpu = {name: (read() - self.cpu[name]) / self.elapsed_s for name, read in self.meters.items()}
        self.answered = len(self.latencies_s)

    def fail(self, reason: str) -> None:
        self.stop()
        if not self.done.done():
            self.done.set_exception(BadAnswer(reason))


class _Connection(asyncio.Protocol):
    __slots__ = ("pending", "request", "run", "sent_at", "transport")

    def __init__(self, run: _Run) -> None:
        self.run = run
        self.pending = b""
        self.request = b""
        self.sent_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.request:
            self.run.fail(f"connection lost in flight ({exc}) after {_line(self.request)}")

    def send(self) -> None:
        """Send the next request, if the window is open and one is left."""
        run = self.run
        request = next(run.requests, None) if run.measuring else None
        if request is None:
            run.stop()
            if run.in_flight == 0 and not run.done.done():
                run.done.set_result(None)
            return
        self.request = request
        run.in_flight += 1
        self.sent_at = time.perf_counter()
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        if self.pending:
            data = self.pending + data
        head_ends = data.find(END_OF_HEAD)
        if head_ends < 0:
            self.pending = data
            return
        body_at = head_ends + 4
        length = _content_length(data[: head_ends + 2])
        if length is None:
            self.run.fail(f"no content-length after {_line(self.request)}: {data[:2000]!r}")
            return
        if len(data) < body_at + length:
            self.pending = data
            return
        run = self.run
        if not self.request or not data.startswith(run.expected) or len(data) > body_at + length:
            run.fail(f"expected {run.expected.decode()} after {_line(self.request)}, got {data[:4000]!r}")
            return
        if run.measuring:
            run.latencies_s.append(time.perf_counter() - self.sent_at)
        if run.bodies is not None:
            run.bodies.append(data[body_at:])
        self.pending = self.request = b""
        run.in_flight -= 1
        self.send()


def _content_length(head: bytes) -> int | None:
    at = head.find(LENGTH)
    if at < 0:
        head = head.lower()
        at = head.find(LENGTH)
    if at < 0:
        return 0 if head.startswith((b"http/1.1 204", b"http/1.1 304")) else None
    at += len(LENGTH)
    return int(head[at : head.index(b"\r\n", at)])


def _line(request: bytes) -> str:
    return request.split(b"\r\n", 1)[0].decode()


async def drive(
    address: Address,
    requests: Sequence[bytes],
    expected: int,
    *,
    connections: int,
    seconds: float,
    meters: Meters | None = None,
) -> Window:
    """Send `requests` for `seconds`, or until they are used up, and count the answers.

    Raises BadAnswer, with the body, at the first answer that is not `expected`.
    """
    own_meters = {**(meters or {}), "load": time.process_time}
    run = await _drive(_Run(requests, expected, own_meters, False), address, connections, seconds)
    cuts = quantiles(run.latencies_s, n=100) if len(run.latencies_s) > 1 else [0.0] * 99
    return Window(run.answered, run.elapsed_s, cuts[49] * 1000, cuts[98] * 1000, run.cpu)


async def ask_all(
    address: Address, requests: Sequence[bytes], expected: int, *, connections: int, seconds: float
) -> list[bytes]:
    """Send every one of `requests` and give back the bodies, in no order. Raises BadAnswer if `seconds` run out."""
    run = await _drive(_Run(requests, expected, {}, True), address, connections, seconds)
    bodies = run.bodies or []
    if len(bodies) != len(requests):
        raise BadAnswer(f"{len(bodies)} of {len(requests)} requests answered in {seconds} s")
    return bodies


async def _drive(run: _Run, address: Address, connections: int, seconds: float) -> _Run:
    loop = asyncio.get_running_loop()
    opened = [(await loop.create_connection(lambda: _Connection(run), *address))[1] for _ in range(connections)]
    gc.collect()
    gc.freeze()
    gc.disable()
    timer = loop.call_later(seconds, run.stop)
    try:
        run.start()
        for connection in opened:
            connection.send()
        await asyncio.wait_for(run.done, seconds + GRACE_S)
    except TimeoutError:
        raise BadAnswer(f"{run.in_flight} requests unanswered {GRACE_S:.0f} s after the window") from None
    finally:
        timer.cancel()
        gc.enable()
        gc.unfreeze()
        for connection in opened:
            connection.request = b""
            connection.transport.abort()
    return run
