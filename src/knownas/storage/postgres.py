"""PostgreSQL: reads as they come, one data-modifying CTE for all that a verb holds.

A verb's reads are single statements outside any transaction; what it decided on is guarded in the write itself: by
unique indexes and by statements that must touch a row. So most logins cost two round trips, and a lost race is seen
as an error of the write and the verb is run again. Why: docs/decisions/0003-two-engines-one-source-of-statements.md.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, TypeAlias

import asyncpg

from knownas.database import Binding, P, T, Verb
from knownas.errors import DomainError, LostRace, Unavailable
from knownas.ids import make_id
from knownas.storage import migrate
from knownas.storage.chance import SystemRandomness, now_ms
from knownas.storage.cte import compose
from knownas.storage.directory import Directory
from knownas.storage.transaction import RACES, NewApp, SqlTransaction, refuse_writes
from knownas.storage.unit import Held, Row, SeqOf, Unit
from knownas.storage.vault import Vault

_Connection: TypeAlias = Any  # the pool's proxy of a connection, for which asyncpg has no type that can be named

POOL: Final = 10
WAIT_FOR_CONNECTION_S: Final = 5.0
STATEMENT_TIMEOUT_S: Final = 30.0
MIGRATION_LOCK: Final = 0x6B6E6F776E6173  # "knownas"

_UNREACHABLE: Final = (
    OSError, TimeoutError, asyncpg.InterfaceError, asyncpg.PostgresConnectionError, asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError, asyncpg.AdminShutdownError, asyncpg.CrashShutdownError, asyncpg.DiskFullError,
    asyncpg.ReadOnlySQLTransactionError,
)  # fmt: skip
# DivisionByZero is how a composed statement says that a row it must touch was not there (cte.py).
_RACE_LOST: Final = (
    asyncpg.UniqueViolationError, asyncpg.DivisionByZeroError, asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
)  # fmt: skip


class Postgres:
    """A database on a PostgreSQL server, shared by any number of processes."""

    def __init__(self, url: str, vault: Vault) -> None:
        self._url = url
        self._vault = vault
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None
        self._randomness = SystemRandomness()
        self.directory = Directory(self, vault)

    def new_app(self) -> NewApp:
        """A binding for an app that is not there yet."""
        return NewApp(make_id(now_ms(), self._randomness.bytes(6)))

    async def start(self) -> None:
        """Connect and bring the schema up to date."""
        try:
            self._pool = await asyncpg.create_pool(
                self._url,
                min_size=1,
                max_size=POOL,
                reset=_no_reset,
                statement_cache_size=1000,
                max_inactive_connection_lifetime=0,
                command_timeout=STATEMENT_TIMEOUT_S,
            )
        except _UNREACHABLE as failure:
            raise Unavailable(f"PostgreSQL cannot be reached: {failure}") from failure
        async with self._connection() as connection:
            await _migrate(connection)

    async def close(self) -> None:
        """Let running statements end, then disconnect."""
        if self._pool is not None:
            await self._pool.close()
        self._pool = None

    async def ping(self) -> None:
        """Return when the server answers."""
        await self.row("SELECT max(version) FROM schema_history")

    async def row(self, sql: str, *params: Any) -> Row | None:
        """The first row of a query outside any app."""
        async with self._connection() as connection:
            found: Row | None = await connection.fetchrow(sql, *params)
            return found

    async def rows(self, sql: str, *params: Any) -> Sequence[Row]:
        """All rows of a query outside any app."""
        async with self._connection() as connection:
            found: Sequence[Row] = await connection.fetch(sql, *params)
            return found

    async def read(self, app: Binding, verb: Verb[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a verb that only reads."""
        async with self._connection() as connection:
            tx = self._transaction(connection, app)
            answer = await verb(tx, *args, **kwargs)
            refuse_writes(tx)
            return answer

    async def write(self, app: Binding, verb: Verb[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a verb and write what it holds, again when it lost a race."""
        for _ in range(RACES):
            try:
                return await self._write_once(app, verb, *args, **kwargs)
            except LostRace:
                continue
        raise Unavailable("Too many others are changing the same records: try again")

    async def _write_once(self, app: Binding, verb: Verb[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        async with self._connection() as connection:
            tx = self._transaction(connection, app)
            try:
                answer = await verb(tx, *args, **kwargs)
            except DomainError as refusal:
                if refusal.keeps_trace:
                    await self._flush(connection, tx.unit)
                raise
            await self._flush(connection, tx.unit)
            return answer

    async def _flush(self, connection: _Connection, unit: Unit) -> None:
        if not unit.wrote:
            return
        plan = unit.plan()
        try:
            if any(held.ordered for held in plan):
                await _one_by_one(connection, plan)
            else:
                sql, params = compose(plan)
                await connection.fetchrow(sql, *params)
        except _RACE_LOST as lost:
            raise LostRace from lost
        if unit.stale:
            self.directory.forget()

    def _transaction(self, connection: _Connection, app: Binding) -> SqlTransaction:
        return SqlTransaction(Unit(_On(connection), app.id, app.settings, now_ms(), self._randomness), self._vault)

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[_Connection]:
        """A connection of the pool. Whoever leaves it in a transaction has it rolled back, as the pool does not."""
        assert self._pool is not None, "start() comes first"  # noqa: S101
        try:
            connection = await self._pool.acquire(timeout=WAIT_FOR_CONNECTION_S)
        except _UNREACHABLE as failure:
            raise Unavailable("PostgreSQL cannot be reached at the moment") from failure
        try:
            yield connection
        except _UNREACHABLE as failure:
            raise Unavailable("PostgreSQL did not answer") from failure
        finally:
            if not connection.is_closed() and connection.is_in_transaction():
                await asyncio.shield(connection.execute("ROLLBACK"))
            await self._pool.release(connection)


class _On:
    """Reads on one connection (Reads)."""

    __slots__ = ("row", "rows")

    def __init__(self, connection: _Connection) -> None:
        self.row = connection.fetchrow
        self.rows = connection.fetch


async def _one_by_one(connection: _Connection, plan: list[Held]) -> None:
    """Run a plan whose statements have to see each other, as an ordinary transaction."""
    async with connection.transaction():
        returned: list[Any] = []
        for held in plan:
            params = [returned[value.write] if type(value) is SeqOf else value for value in held.params]
            sql = held.sql if not held.must or "RETURNING" in held.sql else f"{held.sql} RETURNING 1"
            row = await connection.fetchrow(sql, *params)
            if held.must and row is None:
                raise LostRace
            returned.append(row[0] if row else None)


async def _migrate(connection: _Connection) -> None:
    """Take the steps that are still to be taken, one process at a time and without waiting long for anybody's lock."""
    async with connection.transaction():
        await connection.execute("SET LOCAL lock_timeout = '10s'")
        await connection.execute("SELECT pg_advisory_xact_lock($1)", MIGRATION_LOCK)
        await connection.execute(migrate.CREATE_HISTORY)
        applied = [row[0] for row in await connection.fetch(migrate.APPLIED)]
        for step in migrate.pending(applied):
            for statement in step.statements:
                await connection.execute(statement)
            await connection.execute(migrate.RECORD, step.version, step.name, now_ms())


async def _no_reset(connection: object) -> None:
    """Spare the round trip that would reset a connection: nothing here changes a connection's state."""
