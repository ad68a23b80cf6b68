"""`python -m bench.instructions login_first`: how many instructions a request costs, by valgrind's callgrind.

Clocks of a shared machine differ by a third from one second to the next; this number by a hundredth. The application
runs in one process without its HTTP server, over SQLite, and is given requests twenty at a time; what it needs to start
and to seed is taken off. Of the scenarios, those of logins (scenarios.py).
"""

import argparse
import asyncio
import math
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from bench import server
from bench.load import Address
from bench.processes import ROOT
from bench.scenarios import SCENARIOS
from bench.tokens import Signer
from bench.world import World, known_person
from knownas import main as program
from knownas.storage import directory

if TYPE_CHECKING:
    from starlette.types import Message, Scope

USERS = 200
AT_ONCE = 20
WARM_UP = 200
COUNTED = 400


def main() -> None:
    arguments = _arguments()
    if arguments.sent is not None:
        # Under valgrind half a second is over at once, and a thread that runs beside takes as long as it likes.
        with patch.object(directory, "REMEMBERED_S", math.inf), patch.object(program, "load_agents"):
            asyncio.run(_serve(arguments.scenario, arguments.sent))
        return
    with tempfile.TemporaryDirectory(prefix="knownas-instructions-") as folder:
        none, all_of_them = (_counted(arguments.scenario, count, Path(folder)) for count in (0, COUNTED))
    print(f"{arguments.scenario}: {(all_of_them - none) // COUNTED:,} instructions a request")


def _counted(scenario: str, count: int, folder: Path) -> int:
    """Instructions of a whole run in which so many requests are answered after the warm-up."""
    out = folder / f"callgrind.{count}"
    program = [sys.executable, "-m", "bench.instructions", scenario, "--sent", str(count)]
    environment = {
        **server.own_environment(),
        "KNOWNAS_DATABASE": f"sqlite:///{folder / f'{count}.db'}",
        "KNOWNAS_BACKGROUND": "false",
        "PYTHONHASHSEED": "0",
    }
    command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", *program]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"the run under valgrind failed ({done.returncode}):\n{done.stdout}{done.stderr}")
    summary = next(line for line in out.read_text().splitlines() if line.startswith(("summary:", "totals:")))
    return int(summary.split()[1])


async def _serve(scenario: str, count: int) -> None:
    """Answer the seeding, the warm-up and `count` requests."""
    made = server.create_app(os.environ["KNOWNAS_DATABASE"])
    world = World(Address("127.0.0.1", 1), made.id, made.integration_id, Signer(made.key_id, made.secret), USERS)
    seeding = [world.login(person, person.device) for person in map(known_person, range(USERS))]
    requests = [*seeding, *SCENARIOS[scenario].requests(world, WARM_UP + COUNTED)]
    calls = [_taken_apart(request) for request in requests[: USERS + WARM_UP + count]]
    app = program.create_app()
    started, over = asyncio.Event(), asyncio.Event()

    async def receive() -> "Message":
        if not started.is_set():
            return {"type": "lifespan.startup"}
        await over.wait()
        return {"type": "lifespan.shutdown"}

    async def send(message: "Message") -> None:
        started.set()

    life = asyncio.create_task(app({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, receive, send))
    await started.wait()
    expected = {200, SCENARIOS[scenario].expected}
    for first in range(0, len(calls), AT_ONCE):
        statuses = await asyncio.gather(*[_answered(app, *call) for call in calls[first : first + AT_ONCE]])
        if unexpected := set(statuses) - expected:
            raise RuntimeError(f"answers with {unexpected}")
    over.set()
    await life


def _taken_apart(request: bytes) -> tuple["Scope", bytes]:
    head, body = request.split(b"\r\n\r\n", 1)
    first, *lines = head.split(b"\r\n")
    method, path, _ = first.split(b" ")
    headers = [(name, value) for name, _, value in (line.partition(b": ") for line in lines)]
    scope = {
        "type": "http", "method": method.decode(), "raw_path": path, "path": path.decode(), "query_string": b"",
        "headers": headers, "client": ("127.0.0.1", 1), "scheme": "http",
    }  # fmt: skip
    return scope, body


async def _answered(app: Any, scope: "Scope", body: bytes) -> int:
    """The status of the answer."""
    statuses: list[int] = []

    async def receive() -> "Message":
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: "Message") -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    await app(scope, receive, send)
    return statuses[0]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.instructions", description=__doc__)
    parser.add_argument("scenario", choices=[name for name in SCENARIOS if name.startswith("login_")])
    parser.add_argument("--sent", type=int, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
