"""PostgreSQL: reads as they come, one data-modifying CTE for all that a verb holds.

A verb's reads are single statements outside any transaction; what it decided on is guarded in the write itself: by
unique indexes and by statements that must touch a row. So a lost race is seen as an error of the write and the verb
is run again. Most logins cost two round trips, which they share with whoever asks the same just then (groups.py).
Why: docs/decisions/0003-two-engines-one-source-of-statements.md.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any, Final, Literal, cast

import asyncpg

from knownas.database import Binding, P, T, Verb
from knownas.errors import DomainError, LostRace, Unavailable
from knownas.storage import migrate
from knownas.storage.chance import SystemRandomness, now_ms
from knownas.storage.connections import UNREACHABLE, Connections
from knownas.storage.cte import compose, telling
from knownas.storage.directory import Directory, check_master_key
from knownas.storage.groups import IN_GROUPS, Groups
from knownas.storage.transaction import RACES, NewApp, SqlTransaction, refuse_writes
from knownas.storage.unit import Held, Reads, Row, SeqOf, Unit
from knownas.storage.vault import Vault

# Together as many as six workers may have at the server's default of 100.
CONNECTIONS: Final = 12
GROUP_CONNECTIONS: Final = 4
OPTIMISTIC: Final = 3
"""How many races a verb may lose before it queues up behind the others who do."""
TAKE_TURN: Final = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))"
MIGRATION_LOCK: Final = 0x6B6E6F776E6173  # "knownas"

# Every statement here looks rows up by a key. A plan made while the tables were small must not read them whole once
# they are large, and planning the same statement again costs more than running it.
KEYED_PLANS: Final = {
    "application_name": "knownas",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "plan_cache_mode": "force_generic_plan",
    "jit": "off",
    # Kept by the server, because a timer of ours for each statement costs a tenth of a look-up.
    "statement_timeout": "30s",
    "tcp_user_timeout": "30s",
}
# A young table has no statistics, and the planner then believes that the app id alone finds few rows. Autovacuum would
# tell it better after a minute; we look after so many writes, more often at first, and analyze what has doubled since.
LOOK_AFTER_WRITES: Final = (50, 500)
GROWN: Final = """
    SELECT quote_ident(schemaname) || '.' || quote_ident(relname) FROM pg_stat_user_tables
    WHERE schemaname = current_schema() AND n_mod_since_analyze >= greatest(50, n_live_tup / 2) ORDER BY 1"""
# DivisionByZero is how a composed statement says that a row it must touch was not there (cte.py).
_log = logging.getLogger(__name__)
_RACE_LOST: Final = (
    asyncpg.UniqueViolationError, asyncpg.DivisionByZeroError, asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
)  # fmt: skip


class Postgres:
    """A database on a PostgreSQL server, shared by any number of processes."""

    engine: Literal["sqlite", "postgresql"] = "postgresql"
    shared = True

    def __init__(self, url: str, vault: Vault) -> None:
        self._vault = vault
        options = {"statement_cache_size": 1000, "max_cached_statement_lifetime": 0}
        self._connections = Connections(url, CONNECTIONS, server_settings=KEYED_PLANS, **options)
        grouped = Connections(url, GROUP_CONNECTIONS, server_settings=KEYED_PLANS | IN_GROUPS, **options)
        self._groups = Groups(grouped, self.row)
        self._randomness = SystemRandomness()
        self._writes = 0
        self._wake: Callable[[], None] | None = None
        self._analyzing: asyncio.Task[None] | None = None
        self.directory = Directory(self, vault)

    @property
    def waiting_writes(self) -> int:
        """Callers that wait for a connection, or for the answer to what they share one for."""
        return self._connections.waiting + self._groups.waiting

    def on_events(self, wake: Callable[[], None]) -> None:
        """Have `wake` called whenever this process has committed events."""
        self._wake = wake

    def new_app(self) -> NewApp:
        """A binding for an app that is not there yet."""
        return NewApp(self._randomness.id(now_ms()))

    async def start(self) -> None:
        """Connect and bring the schema up to date."""
        try:
            connection = await self._connections.take()
        except (*UNREACHABLE, asyncpg.PostgresError) as failure:
            raise Unavailable(f"PostgreSQL cannot be reached: {failure}") from failure
        try:
            await _migrate(connection)
        finally:
            self._connections.give_back(connection)
        await check_master_key(self, self._vault)

    async def close(self) -> None:
        """Let running statements end, then disconnect."""
        if self._analyzing is not None:
            self._analyzing.cancel()
            await asyncio.wait([self._analyzing])
        await self._groups.close()
        await self._connections.close()

    async def ping(self) -> None:
        """Return when the server answers."""
        await self.row("SELECT max(version) FROM schema_history")
        await self.sole_row("SELECT max(version) FROM schema_history")

    async def row(self, sql: str, *params: Any) -> Row | None:
        """The first row of a query outside any app."""
        return await self._connections.use(lambda connection: connection.fetchrow(sql, *params))

    async def rows(self, sql: str, *params: Any) -> Sequence[Row]:
        """All rows of a query outside any app."""
        return await self._connections.use(lambda connection: connection.fetch(sql, *params))

    async def sole_row(self, sql: str, *params: Any) -> Row:
        """The row of a query that has exactly one, asked together with others."""
        return await self._groups.ask(sql, *params)

    async def read(self, app: Binding, verb: Verb[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a verb that only reads."""

        async def work(connection: asyncpg.Connection) -> T:
            tx = self._transaction(_On(connection), app)
            answer = await verb(tx, *args, **kwargs)
            refuse_writes(tx)
            return answer

        return await self._connections.use(work)

    async def write(self, app: Binding, verb: Verb[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a verb and write what it holds, again when it lost a race."""

        async def work(connection: asyncpg.Connection | None) -> tuple[T | None, DomainError | None]:
            """The verb's answer, or the refusal whose trace it keeps."""
            tx = self._transaction(_On(connection) if connection else self, app)
            try:
                answer, refusal = await verb(tx, *args, **kwargs), None
            except DomainError as refused:
                if not refused.keeps_trace:
                    raise
                answer, refusal = None, refused.with_traceback(None)  # whose frames hold it
            if tx.unit.wrote:
                await self._flush(connection, tx.unit)
            return answer, refusal

        async def work_in_turn(connection: asyncpg.Connection) -> tuple[T | None, DomainError | None]:
            """The same, one after the other with everybody else who keeps losing in this app."""
            async with connection.transaction():
                await connection.execute(TAKE_TURN, app.id)
                return await work(connection)

        for lost in range(RACES):
            try:
                if lost == 0:
                    answer, refusal = await work(None)
                else:
                    answer, refusal = await self._connections.use(work if lost < OPTIMISTIC else work_in_turn)
            except LostRace:
                continue
            if refusal is not None:
                try:
                    raise refusal
                finally:
                    del refusal  # or it would hold this frame, and this frame it
            return cast("T", answer)
        raise Unavailable("Too many others are changing the same records: try again")

    async def _flush(self, connection: asyncpg.Connection | None, unit: Unit) -> None:
        """Write what the unit holds, on this connection or wherever there is room."""
        try:
            await self._carry_out(connection, unit)
        except _RACE_LOST as lost:
            raise LostRace from lost
        if unit.stale:
            self.directory.forget()
        if unit.events and self._wake is not None:
            self._wake()
        self._writes += 1
        often, seldom = LOOK_AFTER_WRITES
        if self._writes % (often if self._writes < seldom else seldom) == 0 and (
            self._analyzing is None or self._analyzing.done()
        ):
            self._analyzing = asyncio.create_task(self._analyze())

    async def _carry_out(self, connection: asyncpg.Connection | None, unit: Unit) -> None:
        plan = unit.plan()
        if any(held.ordered for held in plan):
            if connection is None:
                await self._connections.use(lambda connection: _one_by_one(connection, plan))
            else:
                await _one_by_one(connection, plan)
            return
        sql, params = compose(plan)
        if connection is not None:
            await connection.fetchrow(sql, *params)
        elif unit.sociable:
            await self._groups.ask(sql, *params)
        else:
            await self.row(sql, *params)

    async def _analyze(self) -> None:
        """Let the planner look at the tables that grew, whose cached plans are made anew then."""
        try:
            for table in await self.rows(GROWN):
                await self.rows(f"ANALYZE {table[0]}")
        except (DomainError, asyncpg.PostgresError) as failure:
            _log.warning("ANALYZE was put off: %s", type(failure).__name__)

    def _transaction(self, reads: Reads, app: Binding) -> SqlTransaction:
        return SqlTransaction(Unit(reads, app.id, app.settings, now_ms(), self._randomness), self._vault)


class _On:
    """Reads on one connection (Reads)."""

    __slots__ = ("row", "rows", "sole_row")
    engine: Literal["sqlite", "postgresql"] = "postgresql"

    def __init__(self, connection: asyncpg.Connection) -> None:
        self.row = self.sole_row = connection.fetchrow
        self.rows = connection.fetch


async def _one_by_one(connection: asyncpg.Connection, plan: list[Held]) -> None:
    """Run a plan whose statements have to see each other, as an ordinary transaction."""
    async with connection.transaction():
        returned: list[Any] = []
        for held in plan:
            params = [returned[value.write] if type(value) is SeqOf else value for value in held.params]
            sql = telling(held.sql) if held.must else held.sql
            row = await connection.fetchrow(sql, *params)
            if held.must and row is None:
                raise LostRace
            returned.append(row[0] if row else None)


async def _migrate(connection: asyncpg.Connection) -> None:
    """Take the steps that are still to be taken, one process at a time and without waiting long for anybody's lock."""
    async with connection.transaction():
        await connection.execute("SET LOCAL lock_timeout = '10s'")
        await connection.execute("SET LOCAL statement_timeout = 0")
        await connection.execute("SELECT pg_advisory_xact_lock($1)", MIGRATION_LOCK)
        await connection.execute(migrate.CREATE_HISTORY)
        applied = [row[0] for row in await connection.fetch(migrate.APPLIED)]
        for step in migrate.pending(applied):
            for statement in step.for_engine("postgresql"):
                await connection.execute(statement)
            await connection.execute(migrate.RECORD, step.version, step.name, now_ms())
