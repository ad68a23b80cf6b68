"""The one thread that writes to SQLite: it takes up to 64 units at a time and commits them together.

Every job that was taken is settled exactly once: after COMMIT, or with the failure that kept it from being written.
"""

import asyncio
import logging
import queue
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any, Final

import apsw

from knownas.database import Binding
from knownas.errors import DomainError, LostRace, Unavailable
from knownas.storage.parameters import for_sqlite, many_rows
from knownas.storage.transaction import SqlTransaction
from knownas.storage.unit import Held, SeqOf, params_of, runs_of_rows

GROUP: Final = 64
WAITING_AT_MOST: Final = 4096
CHECKPOINT_EVERY_S: Final = 1.0
BUSY_MS: Final = 5000
LONG_LOG_FRAMES = 32 * 1024  # 128 MiB
EMPTY_EVERY_S: Final = 1.0
"""How soon the log is emptied again after an erasure, and how often that is tried while a reader is in the way."""
EMPTYING_BUSY_MS: Final = 200
REWRITTEN_AT_MOST: Final = 64 * 1024 * 1024
"""`secure_delete` overwrites what is deleted, but when rows move between pages SQLite leaves their old copies in the
unused middle of a page. Only VACUUM removes these; above this size it would hold writes up for too long."""
PAUSES: Final = 50
"""After an erasure the file is rewritten, and the log emptied, for a fiftieth of the time at most."""
_log = logging.getLogger(__name__)

# What says that nothing at all can be written now, whatever the unit: the whole group fails, and nobody is blamed.
_STORAGE_FAILURES: Final = (
    apsw.FullError, apsw.IOError, apsw.BusyError, apsw.LockedError, apsw.CantOpenError, apsw.ReadOnlyError,
    apsw.NoMemError, apsw.CorruptError, apsw.NotADBError, apsw.ProtocolError,
)  # fmt: skip


class _Spoiled(Exception):
    """A unit could not be written, and what it had written until then is among what the others wrote."""


class Job:
    """One verb to run, and who waits for it."""

    __slots__ = ("answer", "app", "args", "erased", "failure", "future", "kwargs", "stale", "verb")

    def __init__(
        self,
        app: Binding,
        verb: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        future: asyncio.Future[Any],
    ) -> None:
        self.app = app
        self.verb = verb
        self.args = args
        self.kwargs = kwargs
        self.future = future
        self.answer: Any = None
        self.failure: BaseException | None = None
        self.stale = False
        self.erased = False


class Writer:
    """The writing thread, and another that moves committed pages into the file so that no commit has to."""

    def __init__(
        self,
        connection: apsw.Connection,
        checkpointing: apsw.Connection,
        transaction: Callable[[Binding], SqlTransaction],
        loop: asyncio.AbstractEventLoop,
        wake: Callable[[], None] = lambda: None,
    ) -> None:
        self._connection = connection
        self._cursor = connection.cursor()
        self._checkpointing = checkpointing
        self._transaction = transaction
        self._loop = loop
        self._wake = wake
        self._told = False
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._waiting = 0
        self._stopping = False
        self._ended = False  # cheaper to ask than whether the thread is alive, and every write asks
        self._committed = threading.Event()
        self._long_log = threading.Event()
        self._empty_at: float | None = None
        self._empty_not_before = 0.0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="knownas-writer", daemon=True)
        self._checkpointer = threading.Thread(target=self._checkpoint, name="knownas-checkpoint", daemon=True)
        self._thread.start()
        self._checkpointer.start()

    @property
    def alive(self) -> bool:
        """Whether jobs are being taken."""
        return not (self._ended or self._stopping)

    @property
    def waiting(self) -> int:
        """How many jobs have been taken and not yet settled."""
        return self._waiting

    def take(self, job: Job) -> None:
        """Queue a job, from the loop's thread. Raises Unavailable when too many wait already."""
        if not self.alive:
            raise Unavailable("The server is stopping")
        if self._waiting >= WAITING_AT_MOST:
            raise Unavailable("Too many writes are waiting")
        self._waiting += 1
        self._jobs.put(job)
        if self._ended:
            self._refuse_the_rest()

    def stop(self) -> None:
        """Write what was taken, then end both threads and close their connections."""
        self._stopping = True
        self._jobs.put(None)
        self._thread.join()
        if self._empty_at is not None:
            self._empty_log()
        self._refuse_the_rest()
        self._stopped.set()
        self._committed.set()
        self._checkpointer.join()
        self._connection.close()
        self._checkpointing.close()

    def _run(self) -> None:
        try:
            while group := self._next_group():
                self._write(group)
        finally:
            self._ended = True

    def _next_group(self) -> list[Job]:
        """Whatever waits, GROUP jobs at most; nothing when there is nothing left and the end was asked for."""
        group: list[Job] = []
        job = self._first_job()
        while job is not None:
            group.append(job)
            if len(group) == GROUP or self._jobs.empty():
                return group
            job = self._jobs.get()
        if group:
            self._jobs.put(None)
        return group

    def _first_job(self) -> Job | None:
        """Wait for a job, or the end. What was erased leaves the log meanwhile, also when nobody writes any more."""
        while True:
            wait_s = None if self._empty_at is None else max(self._empty_at - time.monotonic(), 0)
            try:
                return self._jobs.get(timeout=wait_s)
            except queue.Empty:
                self._empty_log()

    def _refuse_the_rest(self) -> None:
        """Answer jobs that were queued at the very moment of stopping, when nobody takes them any more."""
        late: list[Job] = []
        while not self._jobs.empty():
            job = self._jobs.get()
            if job is not None:
                job.failure = Unavailable("The server is stopping")
                late.append(job)
        if late:
            self._loop.call_soon_threadsafe(self._settle, late)

    def _write(self, group: list[Job]) -> None:
        """Run the group in one transaction and settle all of it."""
        if self._long_log.is_set() or (self._empty_at is not None and time.monotonic() >= self._empty_at):
            self._empty_log()
        try:
            try:
                self._run_group(group, apart=False)
            except _Spoiled:
                self._connection.execute("ROLLBACK")
                self._run_group(group, apart=True)
            self._connection.execute("COMMIT")
            self._committed.set()
            if any(job.erased and job.failure is None for job in group):
                self._empty_soon()
        except BaseException as failure:  # noqa: BLE001  whatever it was, nobody may wait for ever
            self._give_up(group, failure)
        try:
            self._loop.call_soon_threadsafe(self._settle, group, self._told)
        except RuntimeError:
            _log.warning("the event loop closed before %d writes could be answered", len(group))

    def _empty_log(self) -> None:
        """Begin the write-ahead log anew. Under steady writes nobody else could: there is always one more frame.

        A reader that holds on to an old state is not waited for: writes would wait with us. After an erasure it is
        tried again.
        """
        self._long_log.clear()
        began = time.monotonic()
        self._connection.set_busy_timeout(EMPTYING_BUSY_MS)
        try:
            if self._empty_at is not None and self._size() <= REWRITTEN_AT_MOST:
                self._connection.execute("VACUUM")
            self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
            self._empty_at = None
        except apsw.Error as failure:
            _log.warning("emptying the log was put off: %s", type(failure).__name__)
            if self._empty_at is not None:
                self._empty_at = time.monotonic() + EMPTY_EVERY_S
        finally:
            self._connection.set_busy_timeout(BUSY_MS)
        ended = time.monotonic()
        self._empty_not_before = ended + max(EMPTY_EVERY_S, (ended - began) * PAUSES)

    def _size(self) -> int:
        """Of the database in bytes, without the log."""
        pages, size = (self._connection.pragma(name) for name in ("page_count", "page_size"))
        return int(pages) * int(size)

    def _empty_soon(self) -> None:
        """Have the log emptied soon: it still holds the pages as they were before something was erased."""
        if self._empty_at is None:
            self._empty_at = max(time.monotonic(), self._empty_not_before)

    def _run_group(self, group: list[Job], *, apart: bool) -> None:
        """Run all units in one transaction, each of them whole or not at all.

        What a unit read is what it writes on, so hardly ever one fails as it writes: then the whole group is taken back
        and run again, with a savepoint around each (`apart`). That costs a unit a fifth of its writing, because SQLite
        sets a copy of every page aside.
        """
        self._told = False
        self._connection.execute("BEGIN IMMEDIATE")
        for job in group:
            self._run_one(job, apart=apart)

    def _run_one(self, job: Job, *, apart: bool) -> None:
        job.answer, job.failure, job.stale, job.erased = None, None, False, False
        if job.future.cancelled():
            return
        tx = self._transaction(job.app)
        try:
            job.answer = drive(job.verb(tx, *job.args, **job.kwargs))
        except _STORAGE_FAILURES:
            raise
        except DomainError as refusal:
            # Nobody looks where it was raised, and its frames would hold this job, which holds it: garbage in a circle.
            job.failure = refusal.with_traceback(None)
            if not refusal.keeps_trace:
                return
        except Exception as failure:  # noqa: BLE001  it belongs to this job's caller alone
            job.failure = failure
            return
        if not tx.unit.wrote:
            return
        job.stale = tx.unit.stale
        job.erased = tx.unit.erased
        try:
            flush(self._cursor, tx.unit.plan(), apart=apart)
        except _STORAGE_FAILURES:
            raise
        except Exception as failure:
            if not apart:
                raise _Spoiled from failure
            job.failure = LostRace() if isinstance(failure, apsw.ConstraintError) else failure
        else:
            if tx.unit.events:
                self._told = True

    def _give_up(self, group: list[Job], failure: BaseException) -> None:
        """Take the whole group back: none of it was committed."""
        if self._connection.in_transaction:
            try:
                self._connection.execute("ROLLBACK")
            except apsw.Error:
                _log.exception("rolling back failed")
        _log.error("a group of %d writes failed: %s", len(group), type(failure).__name__, exc_info=failure)
        for job in group:
            refusal = Unavailable("The database cannot be written at the moment")
            refusal.__cause__ = failure
            job.failure = refusal

    def _settle(self, group: list[Job], told: bool = False) -> None:
        """Answer everybody who still waits, on the loop's thread, and wake whoever reads events when there are any."""
        self._waiting -= len(group)
        if told:
            self._wake()
        for job in group:
            if job.future.done():
                continue
            if job.failure is not None:
                job.future.set_exception(job.failure)
            else:
                job.future.set_result(job.answer)

    def _checkpoint(self) -> None:
        while True:
            self._committed.wait()
            if self._stopped.wait(CHECKPOINT_EVERY_S):
                return
            self._committed.clear()
            try:
                frames, _ = self._checkpointing.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
                if frames > LONG_LOG_FRAMES:
                    self._long_log.set()
            except apsw.Error as failure:
                _log.warning("checkpoint put off: %s", type(failure).__name__)


def drive(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run a verb to its end without an event loop: over SQLite it has nothing to wait for."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    coroutine.close()
    raise RuntimeError("a verb may await nothing but its transaction")


def flush(cursor: apsw.Cursor, plan: list[Held], *, apart: bool) -> None:
    """Run a unit's plan. With `apart` it is all of it or nothing; else a failure leaves what was written until then.

    A statement is whole by itself; only several of them need a savepoint. Raises LostRace when a statement that must
    touch a row finds none.
    """
    runs = runs_of_rows(plan)
    if not apart or len(runs) == 1:
        _run(cursor, plan, runs, apart=apart)
        return
    cursor.execute("SAVEPOINT unit")
    try:
        _run(cursor, plan, runs, apart=apart)
    except BaseException:
        if cursor.connection.in_transaction:  # a full disk has taken back everything already
            cursor.execute("ROLLBACK TO unit")
            cursor.execute("RELEASE unit")
        raise
    cursor.execute("RELEASE unit")


def _run(cursor: apsw.Cursor, plan: list[Held], runs: list[tuple[int, int]], *, apart: bool) -> None:
    returned: dict[int, Any] = {}
    for start, end in runs:
        held = plan[start]
        sql, params = held.sql, held.params
        if end - start > 1:
            sql = many_rows(sql, len(params), end - start, whole=apart)
            params = params_of(plan[start:end])
        if returned and SeqOf in map(type, params):
            params = tuple(returned[value.write] if type(value) is SeqOf else value for value in params)
        rows = cursor.execute(for_sqlite(sql), params).fetchall()
        if held.must and not cursor.connection.changes():
            raise LostRace
        if rows:
            returned[start] = rows[0][0]
