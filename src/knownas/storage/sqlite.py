"""SQLite: reads inline on the event loop, writes through one thread that commits them in groups.

An answered write survives power loss: `synchronous=FULL` in WAL mode, and a caller is answered only after COMMIT.
Why it is built like this: docs/decisions/0003-two-engines-one-source-of-statements.md.
"""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from time import monotonic, sleep
from typing import Any, Final, Literal

import apsw

from knownas.database import Binding, P, T, Verb
from knownas.errors import LostRace, Unavailable
from knownas.storage import sqlite_schema
from knownas.storage.chance import SystemRandomness, now_ms
from knownas.storage.directory import Directory, check_master_key
from knownas.storage.parameters import for_sqlite
from knownas.storage.sqlite_writer import BUSY_MS, Job, Writer
from knownas.storage.transaction import RACES, NewApp, SqlTransaction, refuse_writes
from knownas.storage.unit import Row, Unit
from knownas.storage.vault import Vault

# The inner pages of the indexes of a million users fit; without them each look-up costs one read more. Larger caches
# leave too little of the 200 MB that the server may take.
_READER_CACHE_KIB: Final = 16 * 1024
_WRITER_CACHE_KIB: Final = 24 * 1024
_CHECKPOINT_CACHE_KIB: Final = 1024
_NOT_NOW: Final = (apsw.BusyError, apsw.LockedError, apsw.IOError, apsw.CantOpenError)


class Sqlite:
    """A database in one file, served by one process; others may open it beside (the CLI does)."""

    engine: Literal["sqlite", "postgresql"] = "sqlite"
    shared = False

    def __init__(self, path: Path, vault: Vault, *, synchronous: str = "FULL") -> None:
        self._path = path
        self._vault = vault
        self._synchronous = synchronous
        self._reader: apsw.Connection | None = None
        self._reading: apsw.Cursor | None = None
        self._writer: Writer | None = None
        self._wake: Callable[[], None] = _nobody
        self._randomness = SystemRandomness()
        self.directory = Directory(self, vault)

    @property
    def waiting_writes(self) -> int:
        """Writes taken and not answered yet."""
        return self._writer.waiting if self._writer else 0

    def on_events(self, wake: Callable[[], None]) -> None:
        """Have `wake` called whenever events were committed here."""
        self._wake = wake

    def new_app(self) -> NewApp:
        """A binding for an app that is not there yet."""
        return NewApp(self._randomness.id(now_ms()))

    async def start(self) -> None:
        """Open the file, making it when there is none, and bring the schema up to date."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        try:
            writing, self._reader = self._connect(_WRITER_CACHE_KIB), self._connect(_READER_CACHE_KIB)
            sqlite_schema.bring_up_to_date(writing)
        except _NOT_NOW as failure:
            raise Unavailable(f"The database file cannot be opened: {failure}") from failure
        self._reader.execute("PRAGMA query_only = 1")
        self._reading = self._reader.cursor()
        await check_master_key(self, self._vault)
        self._writer = Writer(
            writing,
            self._connect(_CHECKPOINT_CACHE_KIB),
            self._transactions(writing),
            asyncio.get_running_loop(),
            lambda: self._wake(),
        )

    async def close(self) -> None:
        """Finish the writes that were taken, then close the file."""
        if self._writer is not None:
            await asyncio.to_thread(self._writer.stop)
        if self._reader is not None:
            self._reader.close()
        self._reader = self._reading = self._writer = None

    async def ping(self) -> None:
        """Return when the file can be read and writes are being taken."""
        await self.row("SELECT max(version) FROM schema_history")
        if self._writer is None or not self._writer.alive:
            raise Unavailable("The database writer has stopped")

    async def row(self, sql: str, *params: Any) -> Row | None:
        """The first row of a query outside any app."""
        rows = await self.rows(sql, *params)
        return rows[0] if rows else None

    async def rows(self, sql: str, *params: Any) -> Sequence[Row]:
        """All rows of a query outside any app."""
        assert self._reading is not None, "start() comes first"  # noqa: S101
        try:
            return self._reading.execute(for_sqlite(sql), params).fetchall()
        except _NOT_NOW as failure:
            raise Unavailable("The database cannot be read at the moment") from failure

    async def sole_row(self, sql: str, *params: Any) -> Row:
        """The row of a query that has exactly one."""
        return (await self.rows(sql, *params))[0]

    async def read(self, app: Binding, verb: Verb[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a verb that only reads, here and now."""
        tx = SqlTransaction(Unit(self, app.id, app.settings, now_ms(), self._randomness), self._vault)
        answer = await verb(tx, *args, **kwargs)
        refuse_writes(tx)
        return answer

    async def write(self, app: Binding, verb: Verb[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a verb in the writer, again when it lost a race."""
        assert self._writer is not None, "start() comes first"  # noqa: S101
        for _ in range(RACES):
            job = Job(app, verb, args, kwargs, asyncio.get_running_loop().create_future())
            self._writer.take(job)
            try:
                answer: T = await job.future
            except LostRace:
                continue
            finally:
                if job.stale:
                    self.directory.forget()
                del job  # a failure that it holds holds this frame
            return answer
        raise Unavailable("Too many others are changing the same records: try again")

    def _transactions(self, writing: apsw.Connection) -> Callable[[Binding], SqlTransaction]:
        """What opens a transaction in the writer's thread."""
        reads, randomness = _On(writing), SystemRandomness()
        return lambda app: SqlTransaction(Unit(reads, app.id, app.settings, now_ms(), randomness), self._vault)

    def _connect(self, cache_kib: int) -> apsw.Connection:
        connection = apsw.Connection(str(self._path), statementcachesize=500)
        connection.set_busy_timeout(BUSY_MS)
        connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
        _write_ahead(connection)
        for pragma in (
            f"synchronous = {self._synchronous}",
            "wal_autocheckpoint = 0",
            "secure_delete = ON",
            f"cache_size = -{cache_kib}",
            "temp_store = MEMORY",
        ):
            connection.execute(f"PRAGMA {pragma}").fetchall()
        return connection


def _write_ahead(connection: apsw.Connection) -> None:
    """Turn the write-ahead log on, which one of those who open a new file at once does. SQLite has no patience here."""
    gives_up_at = monotonic() + BUSY_MS / 1000
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL").fetchall()
            return
        except apsw.BusyError:
            if monotonic() > gives_up_at:
                raise
            sleep(0.001)


def _nobody() -> None:
    """Nobody waits for events."""


class _On:
    """Reads on one connection (Reads), through one cursor: to make another for each costs more than some of them do."""

    __slots__ = ("_execute",)
    engine: Literal["sqlite", "postgresql"] = "sqlite"

    def __init__(self, connection: apsw.Connection) -> None:
        self._execute = connection.cursor().execute

    async def row(self, sql: str, *params: Any) -> Row | None:
        """The first row, all of them fetched: a half-read statement would pin an old snapshot."""
        rows = self._execute(for_sqlite(sql), params).fetchall()
        return rows[0] if rows else None

    async def rows(self, sql: str, *params: Any) -> Sequence[Row]:
        """All rows."""
        return self._execute(for_sqlite(sql), params).fetchall()

    async def sole_row(self, sql: str, *params: Any) -> Row:
        """The row of a query that has exactly one."""
        return self._execute(for_sqlite(sql), params).fetchall()[0]
