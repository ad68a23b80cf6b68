"""A webhook receiver that runs beside a test: an HTTP server in a thread of its own, with good and bad manners."""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec
from aiohttp import web

from tests.servers import wait_until


@dataclass(frozen=True)
class Received:
    """One call: where to, when (of `time.perf_counter`), and what."""

    path: str
    at: float
    headers: dict[str, str]
    body: bytes

    @property
    def event(self) -> dict[str, Any]:
        """The one event in the envelope."""
        (event,) = msgspec.json.decode(self.body)["events"]
        return event


@dataclass
class Receiver:
    """What was received so far, in order. The path says how a call is answered: `/500`, `/hang`, `/ok` and so on."""

    port: int = 0
    calls: list[Received] = field(default_factory=list)
    statuses: dict[str, int] = field(default_factory=dict)
    """Answers for other paths than those below; a test may change them while it runs."""

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def at(self, path: str) -> list[Received]:
        """The calls of one path."""
        return [call for call in list(self.calls) if call.path == path]

    def wait_for(self, path: str, count: int, timeout_s: float = 30.0) -> list[Received]:
        """The calls of one path, once there are so many."""
        wait_until(
            lambda: len(self.at(path)) >= count,
            what=f"{count} calls of {path} ({len(self.at(path))})",
            timeout_s=timeout_s,
        )
        return self.at(path)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Note the call and answer as the path says."""
        at = time.perf_counter()
        body = await request.read()
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.calls.append(Received(request.path, at, headers, body))
        match request.path:
            case "/hang":
                await asyncio.sleep(3600)
            case "/slow":
                await asyncio.sleep(2)
            case "/close":
                assert request.transport is not None
                request.transport.abort()
            case "/redirect":
                return web.Response(status=307, headers={"location": self.url("/redirected")})
            case "/endless":
                answer = web.StreamResponse()
                await answer.prepare(request)
                while True:
                    await answer.write(b"x" * 4096)
                    await asyncio.sleep(0.01)
        status = self.statuses.get(request.path, int(request.path[1:]) if request.path[1:].isdigit() else 200)
        return web.Response(status=status)


@contextmanager
def receiver() -> Iterator[Receiver]:
    """A receiver on a free port of 127.0.0.1, until the end of the block."""
    made = Receiver()
    loop = asyncio.new_event_loop()
    ready = threading.Event()

    async def serve() -> web.AppRunner:
        application = web.Application()
        application.router.add_route("*", "/{rest:.*}", made.answer)
        runner = web.AppRunner(application, shutdown_timeout=0, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, backlog=1024)
        await site.start()
        made.port = runner.addresses[0][1]
        return runner

    def run() -> None:
        runner = loop.run_until_complete(serve())
        ready.set()
        loop.run_forever()
        for task in asyncio.all_tasks(loop):  # those who hang
            task.cancel()
        loop.run_until_complete(runner.cleanup())
        loop.close()

    thread = threading.Thread(target=run, name="receiver", daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield made
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
