"""A bounded set of PostgreSQL connections, the one used last first.

asyncpg's own pool costs a task, a timer and a proxied call for each use, which together is more than the work of a
look-up (docs/decisions/0003-two-engines-one-source-of-statements.md). Nothing here changes a connection's state, so
there is nothing to reset; whoever leaves a connection in a transaction loses it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

import asyncpg

from knownas.errors import Unavailable

T = TypeVar("T")
WAIT_S: Final = 5.0
WAITING_AT_MOST: Final = 4096
UNREACHABLE: Final = (
    OSError, TimeoutError, asyncpg.InterfaceError, asyncpg.PostgresConnectionError, asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError, asyncpg.AdminShutdownError, asyncpg.CrashShutdownError, asyncpg.DiskFullError,
    asyncpg.InternalClientError,
    asyncpg.ReadOnlySQLTransactionError,
)  # fmt: skip


class Connections:
    """At most `limit` connections, opened when they are needed; a broken one is replaced at its next use."""

    def __init__(self, url: str, limit: int, **options: Any) -> None:
        self._url = url
        self._limit = limit
        self._options = options
        self._open = 0
        self._free: list[asyncpg.Connection] = []
        self._waiting: deque[asyncio.Future[asyncpg.Connection | None]] = deque()
        self._closed = False

    @property
    def waiting(self) -> int:
        """How many wait for a connection."""
        return len(self._waiting)

    async def use(self, work: Callable[[asyncpg.Connection], Awaitable[T]]) -> T:
        """Do something with a connection of one's own. Raises Unavailable when the server is not there."""
        try:
            connection = await self.take()
        except UNREACHABLE as failure:
            raise Unavailable("PostgreSQL cannot be reached at the moment") from failure
        try:
            return await work(connection)
        except UNREACHABLE as failure:
            connection.terminate()
            raise Unavailable("PostgreSQL cannot be reached at the moment") from failure
        except asyncio.CancelledError:
            connection.terminate()  # it may be in the middle of a statement
            raise
        finally:
            self.give_back(connection)

    async def take(self) -> asyncpg.Connection:
        """A connection for the caller alone, to be given back. Raises Unavailable, and what connecting raises."""
        while not self._closed:
            while self._free:
                connection = self._free.pop()
                if not connection.is_closed():
                    return connection
                self._open -= 1
            if self._open < self._limit:
                return await self._connect()
            handed = await self._wait()
            if handed is not None:
                return handed
        raise Unavailable("The server is stopping")

    def give_back(self, connection: asyncpg.Connection) -> None:
        """End of use. A connection in the middle of something is dropped, and the server rolls back what it held."""
        if self._closed or connection.is_closed() or connection.is_in_transaction():
            self._open -= 1
            connection.terminate()
            self._hand_on(None)
        elif not self._hand_on(connection):
            self._free.append(connection)

    async def close(self) -> None:
        """Disconnect what is free; what is in use is dropped when it is given back."""
        self._closed = True
        while self._hand_on(None):
            pass
        free, self._free = self._free, []
        await asyncio.gather(*(connection.close(timeout=WAIT_S) for connection in free), return_exceptions=True)

    async def _connect(self) -> asyncpg.Connection:
        self._open += 1
        try:
            return await asyncpg.connect(self._url, timeout=WAIT_S, **self._options)
        except BaseException:
            self._open -= 1
            self._hand_on(None)
            raise

    async def _wait(self) -> asyncpg.Connection | None:
        """The connection that somebody gives back, or None when there is room for a new one."""
        if len(self._waiting) >= WAITING_AT_MOST:
            raise Unavailable("Too many requests are waiting for the database")
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[asyncpg.Connection | None] = loop.create_future()
        self._waiting.append(turn)
        patience = loop.call_later(WAIT_S, _give_up, turn)
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                handed = turn.result()
                if handed is None:
                    self._hand_on(None)
                else:
                    self.give_back(handed)
            raise
        finally:
            patience.cancel()
            del turn  # a failure that it holds holds this frame

    def _hand_on(self, connection: asyncpg.Connection | None) -> bool:
        """Pass a connection, or the room for one, to whoever has waited longest; False when nobody waits."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(connection)
                return True
        return False


def _give_up(turn: asyncio.Future[asyncpg.Connection | None]) -> None:
    if not turn.done():
        turn.set_exception(Unavailable("The database is too busy"))
