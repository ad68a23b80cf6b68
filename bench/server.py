"""`knownas serve` as a real process on a core of its own, with one app to put under load."""

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.load import Address
from bench.processes import environment, free_address, pinned, until_ready

MASTER_KEY = "5a" * 32


@dataclass(frozen=True)
class Running:
    pid: int
    address: Address


@dataclass(frozen=True)
class App:
    id: str
    key_id: str
    secret: str
    integration_id: str


@asynccontextmanager
async def knownas(url: str, core: int, log: Path) -> AsyncIterator[Running]:
    """Serve the database at `url` from `core` until the block ends."""
    address = free_address()
    command = [sys.executable, "-m", "knownas", "serve", "--host", address.host, "--port", str(address.port)]
    with pinned([*command, "--database", url], core, log, env=own_environment()) as process:
        await until_ready(process, address, log)
        yield Running(process.pid, address)


@asynccontextmanager
async def bare(core: int, log: Path) -> AsyncIterator[Running]:
    """Serve the bare route from `core` until the block ends."""
    address = free_address()
    command = [sys.executable, "-m", "bench.bare", str(address.port)]
    with pinned(command, core, log, env=environment()) as process:
        await until_ready(process, address, log)
        yield Running(process.pid, address)


def create_app(url: str) -> App:
    """Make the app through the CLI, as an operator would."""
    command = [sys.executable, "-m", "knownas", "apps", "create", "bench", "--database", url, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, env=own_environment(), timeout=60)
    if done.returncode:
        raise RuntimeError(f"knownas apps create failed ({done.returncode}):\n{done.stdout}{done.stderr}")
    made = json.loads(done.stdout)
    return App(made["app"]["id"], made["key"]["id"], made["key"]["secret"], made["integration"]["id"])


def own_environment() -> dict[str, str]:
    return {**environment(), "KNOWNAS_MASTER_KEY": os.environ.get("KNOWNAS_MASTER_KEY", MASTER_KEY)}
