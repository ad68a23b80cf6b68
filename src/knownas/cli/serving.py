"""Run the server: one process, or several workers over PostgreSQL."""

import gc
import logging
import os
import socket
from collections.abc import Callable
from typing import Any, Final

import uvicorn
from msgspec import structs
from uvicorn.supervisors import Multiprocess

from knownas.cli.terminal import Refused
from knownas.http.protocol import BoundedHttp
from knownas.main import create_app
from knownas.settings import InvalidSetting, Settings
from knownas.storage.open import sqlite_path

STOP_TIMEOUT_S: Final = 10
START_TIMEOUT_S: Final = 30.0
BACKLOG: Final = 2048
GC_THRESHOLD: Final = 10_000
CONNECTIONS_AT_MOST: Final = 20_000
KEEP_ALIVE_S: Final = 75  # longer than proxies hold a connection, so that they are the ones to end it
_LEVELS: Final = ("debug", "info", "warning", "error")


def check(settings: Settings) -> None:
    """Refuse settings with which nothing can be served. Raises Refused and InvalidSetting."""
    if settings.workers < 1:
        raise InvalidSetting("Setting workers: at least one process serves")
    if settings.events_kept_days < 1:
        raise InvalidSetting("Setting events_kept_days: at least one day")
    if settings.workers > 1 and sqlite_path(settings.database) is not None:
        raise Refused("needs_postgresql", "A SQLite file has one writer: more than one worker needs PostgreSQL")
    if settings.log_level not in _LEVELS:
        raise InvalidSetting(f"Setting log_level: one of {', '.join(_LEVELS)}")


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens already, so that whoever connects from now on waits and is not refused; port 0 is any."""
    listening = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(BACKLOG)
    except (OSError, OverflowError) as failure:
        listening.close()
        reason = getattr(failure, "strerror", None) or str(failure)
        raise Refused("cannot_listen", f"Cannot listen on {host}, port {port}: {reason}") from failure
    listening.set_inheritable(True)
    return listening


def url_of(listening: socket.socket) -> str:
    """The address at which the socket is reached, with its real port."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def run(settings: Settings, listening: socket.socket, announce: Callable[[], None]) -> None:
    """Serve until a signal ends it; `announce` is called once requests are answered."""
    common: dict[str, Any] = {
        "loop": "uvloop",
        "http": BoundedHttp,
        "ws": "none",
        "lifespan": "on",
        "workers": settings.workers,
        "access_log": False,
        "server_header": False,
        "proxy_headers": False,
        "backlog": BACKLOG,
        "limit_concurrency": CONNECTIONS_AT_MOST,
        "timeout_keep_alive": KEEP_ALIVE_S,
        "timeout_graceful_shutdown": STOP_TIMEOUT_S,
        "log_config": _logging(settings.log_level),
    }
    # What was imported lives as long as the process: spare the collector from looking through it again and again.
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD)
    if settings.workers == 1:
        _Server(uvicorn.Config(create_app(settings), **common), announce).run([listening])
        return
    for name, value in structs.asdict(settings).items():
        os.environ[f"KNOWNAS_{name.upper()}"] = str(value)
    config = uvicorn.Config("knownas.main:create_app", factory=True, **common)
    _Workers(config, [listening], announce).run()


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, announce: Callable[[], None]) -> None:
        super().__init__(config)
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._announce()


class _Workers(Multiprocess):
    def __init__(self, config: uvicorn.Config, sockets: list[socket.socket], announce: Callable[[], None]) -> None:
        super().__init__(config, sockets)
        self._announce = announce

    def init_processes(self) -> None:
        super().init_processes()
        if all(process.wait_until_ready(START_TIMEOUT_S, self.should_exit) for process in self.processes):
            self._announce()


def _logging(level: str) -> dict[str, Any]:
    """Lines on standard error. uvicorn's own chatter is for debugging."""
    own = level.upper()
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"level": own, "handlers": ["stderr"]},
        "loggers": {"uvicorn": {"level": own if level == "debug" else max(logging.WARNING, logging.getLevelName(own))}},
    }
