"""`python -m bench.dispatch`: how many signed webhook calls one server process makes, to a receiver that takes 20 ms.

First while messages are posted, then alone: the same events are made due again while no server runs, and the time is
taken that a server needs to deliver them all, from its first call to its last.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import cast

import uvloop

from bench import server
from bench.databases import ENGINES
from bench.load import Address, ask_all
from bench.processes import ROOT, Cores, cpu_s
from bench.tokens import Signer

CONVERSATIONS = 500
"""Of as many users: one user's events go one after the other."""
ANSWER_S = 0.02
AT_LEAST = 1000.0
PATIENCE_S = 120.0
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"


class Receiver(asyncio.Protocol):
    """Answers each call after ANSWER_S. It runs in this process, on the core that the server does not use."""

    arrivals: list[float]
    ids: set[bytes]

    def __init__(self, arrivals: list[float], ids: set[bytes]) -> None:
        self.arrivals = arrivals
        self.ids = ids
        self._pending = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._pending += data
        while (end := self._pending.find(b"\r\n\r\n")) >= 0:
            head = self._pending[:end].lower()
            length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
            if len(self._pending) < end + 4 + length:
                return
            if b"webhook-signature: v1," not in head:
                raise RuntimeError("an unsigned call")
            self._pending = self._pending[end + 4 + length :]
            self.ids.add(head.partition(b"webhook-id:")[2].partition(b"\r\n")[0])
            self.arrivals.append(perf_counter())
            asyncio.get_running_loop().call_later(ANSWER_S, self._answer)

    def _answer(self) -> None:
        if not self._transport.is_closing():
            self._transport.write(ANSWER)


@dataclass(frozen=True)
class Dispatched:
    """`posting_per_s` is what was answered while both went on; rates are calls a second, `server_us` CPU per call."""

    engine: str
    events: int
    posting_per_s: float
    per_s_while_posting: float
    per_s: float
    server_us: float
    server_core: float


class Shop:
    """An app with one webhook, and conversations that are told to it."""

    def __init__(self, address: Address, app: server.App, target: str) -> None:
        self.address, self.app, self._target = address, app, target
        self._token = Signer(app.key_id, app.secret).app()
        self.conversations: list[str] = []

    def request(self, path: str, body: object) -> bytes:
        content = json.dumps(body).encode()
        head = (
            f"POST /v2/apps/{self.app.id}{path} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {self._token}\r\n"
            f"content-type: application/json\r\ncontent-length: {len(content)}\r\n\r\n"
        )
        return head.encode() + content

    async def open(self) -> None:
        hook = {"target": self._target, "triggers": ["conversation:message"]}
        await self._all([self.request("/integrations", {"type": "custom", "displayName": "b", "webhooks": [hook]})])
        await self._all([self.request("/users", {"externalId": f"d{number}"}) for number in range(CONVERSATIONS)])
        opened = await self._all(
            [
                self.request("/conversations", {"type": "personal", "participants": [{"userExternalId": f"d{number}"}]})
                for number in range(CONVERSATIONS)
            ]
        )
        self.conversations = [json.loads(body)["conversation"]["id"] for body in opened]

    async def post(self, count: int) -> None:
        said = {"author": {"type": "business"}, "content": {"type": "text", "text": "Your parcel is on its way."}}
        await self._all(
            [
                self.request(f"/conversations/{self.conversations[number % CONVERSATIONS]}/messages", said)
                for number in range(count)
            ]
        )

    async def _all(self, requests: list[bytes]) -> list[bytes]:
        return await ask_all(self.address, requests, 201, connections=16, seconds=PATIENCE_S)


async def measure(engine: str, events: int, folder: Path) -> Dispatched:
    cores = Cores()
    os.sched_setaffinity(0, {cores.load})
    arrivals: list[float] = []
    ids: set[bytes] = set()
    listening = await asyncio.get_running_loop().create_server(lambda: Receiver(arrivals, ids), "127.0.0.1", 0)
    target = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/"
    with ExitStack() as stack:
        database = stack.enter_context(ENGINES[engine](folder, cores.load))
        async with server.knownas(database.url, cores.server, folder / "first.log") as running:
            shop = Shop(running.address, server.create_app(database.url), target)
            await shop.open()
            began = perf_counter()
            await shop.post(events)
            posted_s = perf_counter() - began
            await until_all(arrivals, ids, events)
            while_posting = events / (arrivals[-1] - arrivals[0])
        redeliver(database.url, shop.app.id)
        arrivals.clear()
        ids.clear()
        async with server.knownas(database.url, cores.server, folder / "second.log") as running:
            used = partial(cpu_s, running.pid)
            before = used()
            await until_all(arrivals, ids, events)
            cpu, took_s = used() - before, arrivals[-1] - arrivals[0]
    listening.close()
    return Dispatched(
        engine, events, events / posted_s, while_posting, events / took_s, cpu / events * 1e6, cpu / took_s
    )


async def until_all(arrivals: list[float], ids: set[bytes], events: int) -> None:
    gives_up_at = perf_counter() + PATIENCE_S
    while len(ids) < events:
        if perf_counter() > gives_up_at:
            raise RuntimeError(f"{len(ids)} of {events} events arrived, in {len(arrivals)} calls")
        await asyncio.sleep(0.005)
    if len(arrivals) != events:
        raise RuntimeError(f"{events} events came in {len(arrivals)} calls")


def redeliver(url: str, app_id: str) -> None:
    """Make all of it due again through the CLI, while no server runs."""
    webhook = knownas("webhooks", "list", "--app", app_id, url=url)["webhooks"][0]["id"]
    knownas("webhooks", "redeliver", webhook, "--app", app_id, "--since", "1d", url=url)


def knownas(*words: str, url: str) -> dict[str, list[dict[str, str]]]:
    command = [sys.executable, "-m", "knownas", *words, "--database", url, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, env=server.own_environment(), timeout=PATIENCE_S)
    if done.returncode:
        raise RuntimeError(f"knownas {' '.join(words)} failed ({done.returncode}):\n{done.stdout}{done.stderr}")
    found: dict[str, list[dict[str, str]]] = json.loads(done.stdout)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.dispatch", description="How fast webhooks are told.")
    parser.add_argument("--only", choices=list(ENGINES), help="one engine")
    parser.add_argument("--events", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=ROOT / "bench" / "dispatch.json")
    arguments = parser.parse_args()
    os.environ["KNOWNAS_WEBHOOK_PRIVATE_ADDRESSES"] = "true"
    found = []
    for engine in [arguments.only] if arguments.only else ENGINES:
        rounds = []
        for _ in range(arguments.rounds):
            with (
                tempfile.TemporaryDirectory(prefix="knownas-bench-") as folder,
                asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop,
            ):
                rounds.append(loop.run(measure(engine, arguments.events, Path(folder))))
            one = rounds[-1]
            print(
                f"{engine}: {one.per_s:,.0f} calls/s alone ({one.server_us:.0f} us of CPU each, its core at"
                f" {one.server_core:.0%}); {one.per_s_while_posting:,.0f} calls/s"
                f" beside {one.posting_per_s:,.0f} posts/s"
            )
        rate = median(one.per_s for one in rounds)
        found.append({"engine": engine, "per_s": rate, "at_least": AT_LEAST, "met": rate >= AT_LEAST})
        found[-1]["rounds"] = [asdict(one) for one in rounds]
    arguments.out.write_text(json.dumps(found, indent=2) + "\n")
    if not all(one["met"] for one in found):
        sys.exit(f"fewer than {AT_LEAST:,.0f} calls a second")


if __name__ == "__main__":
    main()
