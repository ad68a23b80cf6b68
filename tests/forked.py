"""Servers that are forked from a process that has imported the program: a start takes a tenth of the time.

For tests that kill a server hundreds of times. Each is a process of its own all the same, runs the same command, and
dies of SIGKILL like any other.
"""

import multiprocessing
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.servers import Server

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["tests.warm"])


class ForkedServer(Server):
    """`knownas serve` as a fork; everything else is as with any server."""

    def _spawn(self, command: list[str], **how: Any) -> "Fork":
        return Fork(command[command.index("knownas") :], self.folder, self._log, how["env"])


class Fork:
    """The process, as far as `subprocess.Popen` is asked of it."""

    def __init__(self, arguments: list[str], folder: Path, log: Path, environment: dict[str, str]) -> None:
        self._process = _context.Process(target=_run, args=(arguments, folder, log, environment), daemon=True)
        self._process.start()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        return self._process.exitcode

    def send_signal(self, sig: int, /) -> None:
        if self.poll() is None:
            os.kill(self.pid, sig)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired("knownas", timeout or 0)
        return self._process.exitcode


def _run(arguments: list[str], folder: Path, log: Path, environment: dict[str, str]) -> None:
    """In the new process: become the command."""
    os.chdir(folder)
    with log.open("ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    assert "knownas.cli" in sys.modules, "nothing was imported beforehand, so this start is as slow as any"
    from knownas.cli import main

    os.environ.clear()
    os.environ.update(environment)
    sys.argv = arguments
    main()
