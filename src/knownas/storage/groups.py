"""Statements of several callers sent to PostgreSQL together: one round trip, one transaction, one COMMIT for them all.

A look-up or a short write costs PostgreSQL more in being called and committed than in being done. Whoever asks while
the same statement is under way waits for its answer, and then goes with all others who came meanwhile
(docs/decisions/0016-statements-sent-together.md).
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final

import asyncpg

from knownas.errors import Unavailable
from knownas.storage.connections import WAIT_S, WAITING_AT_MOST, Connections
from knownas.storage.unit import Row

GROUP: Final = 64
LOCK_TIMEOUT: Final = "100ms"
"""A group holds the rows of all its members, so it must not wait long for anybody else's: its members then go alone."""
_log = logging.getLogger(__name__)
_Waiting = tuple[tuple[Any, ...], "asyncio.Future[Row | None]"]


class Groups:
    """Runs statements that answer exactly one row each, those of one text in groups, one group of a text at a time.

    A group is written as a whole or not at all. One that fails is taken back, and `alone` runs each of its statements
    by itself, so that nobody suffers from another's failure or from a lock that another waits for.
    """

    def __init__(self, connections: Connections, alone: Callable[..., Awaitable[Row | None]]) -> None:
        self._connections = connections
        self._alone = alone
        self._lines: dict[str, _Line] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._asking = 0

    @property
    def waiting(self) -> int:
        """How many statements are not answered yet."""
        return self._asking

    async def ask(self, sql: str, *params: Any) -> Row:
        """The row that the statement answers. Raises Unavailable, and what the statement raises when run alone."""
        if self._asking >= WAITING_AT_MOST:
            raise Unavailable("Too many requests are waiting for the database")
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Row | None] = loop.create_future()
        line = self._lines.get(sql)
        if line is None:
            line = self._lines[sql] = _Line(loop)
            # It begins with the loop's next turn, when all who are awake now have asked.
            task = loop.create_task(self._serve(sql, line))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        line.queue.append((params, answer))
        self._asking += 1
        try:
            row = await answer
        finally:
            self._asking -= 1
        if row is None:
            row = await self._alone(sql, *params)
            assert row is not None, "only statements that always answer a row are asked here"  # noqa: S101
        return row

    async def close(self) -> None:
        """Let what was taken be answered, then disconnect."""
        while self._tasks:
            await asyncio.wait(self._tasks)
        await self._connections.close()

    async def _serve(self, sql: str, line: _Line) -> None:
        """Answer all who wait for this statement, until nobody does."""
        queue = line.queue
        try:
            while queue:
                group = [queue.popleft() for _ in range(min(GROUP, len(queue)))]
                group = [waiting for waiting in group if not waiting[1].done()]  # who gave up before her turn
                if group:
                    line.be_patient()
                    try:
                        await self._answer(sql, group)
                    finally:
                        _fail(group, "The server is stopping")
        finally:
            line.patience.cancel()
            del self._lines[sql]
            _fail(queue, "The server is stopping")

    async def _answer(self, sql: str, group: list[_Waiting]) -> None:
        try:
            rows = await self._connections.use(partial(_run, sql, [params for params, _ in group]))
        except Unavailable as failure:
            _fail(group, str(failure))
        except Exception as failure:  # noqa: BLE001  whatever it was, each finds out for herself
            _log.debug("a group of %d was taken back: %s", len(group), type(failure).__name__)
            for _, answer in group:
                if not answer.done():
                    answer.set_result(None)
        else:
            for (_, answer), row in zip(group, rows, strict=True):
                if not answer.done():
                    answer.set_result(row)


class _Line:
    """Those who wait for one statement, behind the group that is under way."""

    __slots__ = ("_loop", "patience", "queue")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.queue: deque[_Waiting] = deque()
        self.patience = loop.call_later(WAIT_S, self._give_up)

    def be_patient(self) -> None:
        """Wait so long, from now on, for the group that goes now."""
        self.patience.cancel()
        self.patience = self._loop.call_later(WAIT_S, self._give_up)

    def _give_up(self) -> None:
        """Refuse those who wait behind a group that the server does not answer; that one ends by KEYED_PLANS."""
        _fail(self.queue, "The database is too busy")
        self.queue.clear()
        self.be_patient()


async def _run(sql: str, group: list[tuple[Any, ...]], connection: asyncpg.Connection) -> list[Row]:
    """One row for each; all of it or nothing."""
    rows: list[Row] = await connection.fetchmany(sql, group)
    return rows


def _fail(group: list[_Waiting] | deque[_Waiting], reason: str) -> None:
    """Refuse those who have no answer yet."""
    for _, answer in group:
        if not answer.done():
            answer.set_exception(Unavailable(reason))
