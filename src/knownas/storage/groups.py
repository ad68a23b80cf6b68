"""Statements of several callers sent to PostgreSQL together: one round trip, one transaction, one COMMIT for them all.

A look-up or a short write costs PostgreSQL more in being called and committed than in being done. Whoever asks while
the same statement is under way waits for its answer, and then goes with all others who came meanwhile
(docs/decisions/0016-statements-sent-together.md).
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from typing import Any, Final, NamedTuple

import asyncpg

from knownas.errors import Unavailable
from knownas.storage.connections import WAIT_S, WAITING_AT_MOST, Connections
from knownas.storage.unit import Row

GROUP: Final = 16
AT_ONCE: Final = 2
WORTH_ANOTHER: Final = 8
"""A second group of a text goes beside the first, so that nobody idles meanwhile, where so many wait for it."""
ENDED_WITHIN_S: Final = 10.0
"""A server that has vanished says nothing, and everybody who asks the same waits behind the group."""
IN_GROUPS: Final = {"lock_timeout": "100ms", "statement_timeout": "5s"}
"""A group holds the rows of all its members, so it must not wait long for anybody else's: its members then go alone."""
_log = logging.getLogger(__name__)
_HELD_UP: Final = (asyncpg.LockNotAvailableError, asyncpg.QueryCanceledError)


class _Waiting(NamedTuple):
    params: tuple[Any, ...]
    answer: asyncio.Future[Row | None]
    until: float


class Groups:
    """Runs statements that answer exactly one row each, those of one text in groups.

    A group is written as a whole or not at all. One that fails is taken back and run again in halves, until who failed
    is by herself; one that is held up is taken back, and `alone` runs each of its statements by itself, so that one
    who must wait waits alone.
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
        line.queue.append(_Waiting(params, answer, loop.time() + WAIT_S))
        if line.served == 0 or (line.served < AT_ONCE and len(line.queue) >= WORTH_ANOTHER):
            line.served += 1
            # It begins with the loop's next turn, when all who are awake now have asked.
            task = loop.create_task(self._serve(sql, line))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        self._asking += 1
        try:
            row = await answer
        finally:
            self._asking -= 1
            del answer  # a failure that it holds holds this frame
        if row is None:
            row = await self._alone(sql, *params)
            assert row is not None, "only statements that always answer a row are asked here"  # noqa: S101
        return row

    async def close(self) -> None:
        """Let what was taken be answered, then disconnect."""
        while self._tasks:  # each ends by itself: nobody waits longer than WAIT_S, no group longer than ENDED_WITHIN_S
            await asyncio.wait(self._tasks)
        await self._connections.close()

    async def _serve(self, sql: str, line: _Line) -> None:
        """Answer all who wait for this statement, until nobody does."""
        queue, group = line.queue, list[_Waiting]()
        try:
            while queue:
                group = [queue.popleft() for _ in range(min(GROUP, len(queue)))]
                # Behind the app's id stands the key of the first row that is written: all lock in one order.
                group.sort(key=lambda waiting: str(waiting.params[1:2]))
                await self._answer(sql, group)
        finally:
            _fail(group, "The server is stopping")
            line.served -= 1
            if line.served == 0:
                line.end()
                del self._lines[sql]
                _fail(queue, "The server is stopping")

    async def _answer(self, sql: str, group: list[_Waiting]) -> None:
        group = [waiting for waiting in group if not waiting.answer.done()]  # others gave up before their turn
        if not group:
            return
        try:
            async with asyncio.timeout(ENDED_WITHIN_S):
                rows = await self._connections.use(partial(_run, sql, [waiting.params for waiting in group]))
        except (Unavailable, TimeoutError) as failure:
            # Whether it was written is not known, so it is not run again.
            _fail(group, str(failure) or "PostgreSQL does not answer at the moment")
        except _HELD_UP:
            _settle(group, [None] * len(group))
        except Exception as failure:  # noqa: BLE001  whatever it was, it is for its own caller
            if len(group) == 1:
                if not group[0].answer.done():
                    group[0].answer.set_exception(failure.with_traceback(None))  # whose frames hold it
                return
            _log.debug("a group of %d was taken back: %s", len(group), type(failure).__name__)
            middle = len(group) // 2
            await self._answer(sql, group[:middle])
            await self._answer(sql, group[middle:])
        else:
            _settle(group, rows)


class _Line:
    """Those who wait for one statement, behind the groups that are under way: `served` says how many."""

    __slots__ = ("_loop", "_patience", "queue", "served")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.served = 0
        self.queue: deque[_Waiting] = deque()
        self._patience = loop.call_later(WAIT_S, self._give_up)

    def end(self) -> None:
        """Nobody waits here any more."""
        self._patience.cancel()

    def _give_up(self) -> None:
        """Refuse those who have waited too long for the groups before them."""
        now = self._loop.time()
        late = []
        while self.queue and self.queue[0].until <= now:
            late.append(self.queue.popleft())
        _fail(late, "The database is too busy")
        self._patience = self._loop.call_at(self.queue[0].until if self.queue else now + WAIT_S, self._give_up)


async def _run(sql: str, group: list[tuple[Any, ...]], connection: asyncpg.Connection) -> list[Row]:
    """One row for each; all of it or nothing."""
    rows: list[Row] = await connection.fetchmany(sql, group)
    return rows


def _settle(group: list[_Waiting], rows: Sequence[Row | None]) -> None:
    """Give everybody her own row."""
    if len(rows) != len(group):  # or somebody would be given another's
        raise RuntimeError("each statement that is sent together answers exactly one row")
    for waiting, row in zip(group, rows, strict=True):
        if not waiting.answer.done():
            waiting.answer.set_result(row)


def _fail(group: Iterable[_Waiting], reason: str) -> None:
    """Refuse those who have no answer yet."""
    for waiting in group:
        if not waiting.answer.done():
            waiting.answer.set_exception(Unavailable(reason))
