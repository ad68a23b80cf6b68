"""The thread that writes to SQLite: every caller it took is answered exactly once, and an answered write is kept."""

import asyncio
import os
import random
import resource
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw
import pytest
import pytest_asyncio

from knownas.errors import Unavailable
from knownas.storage import sqlite, sqlite_writer
from knownas.storage.sqlite import Sqlite
from knownas.storage.sqlite_writer import GROUP, Writer
from knownas.transaction import Transaction
from knownas.users import UserExists
from knownas.users.create import create_user
from tests.given import KEY_ID, NOTHING_TYPED, World, database_of, world_at

ROUNDS = 4


@pytest_asyncio.fixture
async def impatient(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    """A world that waits 50 ms for a lock, and not five seconds."""
    monkeypatch.setattr(sqlite, "BUSY_MS", 50)
    async with world_at(f"sqlite:///{tmp_path / 'knownas.db'}") as world:
        yield world


def writer_of(world: World) -> Writer:
    assert isinstance(world.database, Sqlite)
    writer = world.database._writer
    assert writer is not None
    return writer


@contextmanager
def locked(world: World) -> Iterator[None]:
    """Another program is in the middle of a write."""
    other = apsw.Connection(world.url.removeprefix("sqlite:///"))
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


class Gate:
    """Keeps the writer busy with one verb until it is opened, so that whatever comes next waits in the queue."""

    def __init__(self, world: World) -> None:
        self._open = threading.Event()
        self._entered = threading.Event()
        self.task = asyncio.ensure_future(world.do(self._wait))

    async def _wait(self, tx: Transaction) -> None:
        self._entered.set()
        assert self._open.wait(10)

    async def entered(self) -> None:
        await asyncio.to_thread(self._entered.wait, 10)

    async def open(self) -> None:
        self._open.set()
        await self.task


async def new_user(tx: Transaction, external_id: str) -> str:
    return (await create_user(tx, external_id, NOTHING_TYPED, KEY_ID)).id


async def external_ids(world: World) -> list[str]:
    return sorted(row["external_id"] for row in (await world.snapshot())["users"])


async def all_of(*tasks: Any) -> Counter[str]:
    results = await asyncio.gather(*tasks, return_exceptions=True)
    return Counter(type(result).__name__ for result in results)


async def test_while_another_program_holds_the_lock_everybody_is_told_to_come_back(impatient: World) -> None:
    world = impatient
    await world.do(new_user, "before")
    with locked(world):
        assert await all_of(*(world.do(new_user, f"u{n}") for n in range(3 * GROUP))) == {"Unavailable": 3 * GROUP}
        assert (await world.get("before")).external_id == "before", "readers are not kept waiting"
    assert await all_of(*(world.do(new_user, f"v{n}") for n in range(GROUP))) == {"str": GROUP}
    assert await external_ids(world) == sorted(["before", *(f"v{n}" for n in range(GROUP))])
    assert writer_of(world).waiting == 0


async def test_a_short_lock_is_waited_for(impatient: World) -> None:
    with locked(impatient):
        waiting = asyncio.ensure_future(impatient.do(new_user, "1234"))
        while not writer_of(impatient).waiting:  # noqa: ASYNC110  the writer's thread tells nobody
            await asyncio.sleep(0)
    assert await waiting


async def test_a_new_file_that_another_program_is_making_is_waited_for(tmp_path: Path) -> None:
    """SQLite itself waits for any lock but the one that turning the write-ahead log on takes."""
    path = tmp_path / "new.db"
    other = apsw.Connection(str(path))
    other.execute("CREATE TABLE things (id)")
    other.execute("BEGIN IMMEDIATE")
    database = database_of(f"sqlite:///{path}")
    leaving = threading.Timer(0.3, lambda: other.execute("COMMIT"))
    leaving.start()
    await database.start()
    leaving.join()
    await database.close()


async def test_a_full_disk_is_unavailable_and_never_a_conflict(world: World) -> None:
    """Whatever was there before stays intact, and when there is room again all is well."""
    await world.do(new_user, "before")
    connection = writer_of(world)._connection
    [[pages]] = connection.execute("PRAGMA page_count").fetchall()
    connection.execute(f"PRAGMA max_page_count = {int(str(pages)) + 2}").fetchall()

    async def much(tx: Transaction, n: int) -> str:
        return (await create_user(tx, f"u{n}" + "x" * 1000, NOTHING_TYPED, KEY_ID)).id

    seen = await all_of(*(world.do(much, n) for n in range(200)))
    assert seen.keys() <= {"Unavailable", "str"}
    assert seen["Unavailable"] >= 100
    assert len(await external_ids(world)) == seen["str"] + 1
    connection.execute("PRAGMA max_page_count = 1000000").fetchall()
    assert await all_of(*(world.do(much, n + 200) for n in range(100))) == {"str": 100}
    await is_intact(world)


async def test_an_error_of_the_disk_is_unavailable_and_never_a_conflict(world: World) -> None:
    """A write beyond the process's limit of file size fails in the operating system, as a broken disk does."""
    await world.do(new_user, "before")
    wal = Path(world.url.removeprefix("sqlite:///") + "-wal")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (wal.stat().st_size + 5000, hard))
    try:
        seen = await all_of(*(world.do(new_user, f"u{n}" + "x" * 1000) for n in range(100)))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert seen == {"Unavailable": 100}
    assert await external_ids(world) == ["before"]
    assert await all_of(*(world.do(new_user, f"v{n}") for n in range(100))) == {"str": 100}
    await is_intact(world)


async def is_intact(world: World) -> None:
    assert [tuple(row) for row in await world.database.rows("PRAGMA integrity_check")] == [("ok",)]


async def test_what_goes_wrong_in_one_verb_does_not_touch_its_neighbours(world: World) -> None:
    """A refusal, a bug, a constraint and a suspended verb in the middle of one group."""

    async def bug(tx: Transaction) -> None:
        await create_user(tx, "half made", NOTHING_TYPED, KEY_ID)
        raise ZeroDivisionError

    async def suspends(tx: Transaction) -> None:
        await create_user(tx, "suspended", NOTHING_TYPED, KEY_ID)
        await asyncio.sleep(0)

    async def wrong_sql(tx: Any) -> None:
        await create_user(tx, "wrong sql", NOTHING_TYPED, KEY_ID)
        tx.unit.hold("INSERT INTO nowhere VALUES ($1)")

    await world.do(new_user, "taken")
    gate = Gate(world)
    await gate.entered()
    verbs: list[Any] = [bug, suspends, wrong_sql]
    mixed = [world.do(new_user, f"u{n}") for n in range(10)]
    mixed += [world.do(verb) for verb in verbs] + [world.do(new_user, "taken")]
    mixed += [world.do(new_user, f"v{n}") for n in range(10)]
    tasks = [asyncio.ensure_future(each) for each in mixed]
    await asyncio.sleep(0)
    await gate.open()
    assert await all_of(*tasks) == Counter(str=20, ZeroDivisionError=1, RuntimeError=1, SQLError=1, UserExists=1)
    assert await external_ids(world) == sorted(["taken", *(f"u{n}" for n in range(10)), *(f"v{n}" for n in range(10))])
    assert writer_of(world).waiting == 0


async def test_a_verb_that_waits_for_anything_else_is_refused(world: World) -> None:
    async def suspends(tx: Transaction) -> None:
        await asyncio.sleep(0)

    with pytest.raises(RuntimeError, match="may await nothing but its transaction"):
        await world.do(suspends)
    await world.do(new_user, "1234")


async def test_a_caller_who_left_before_her_turn_has_written_nothing(world: World) -> None:
    gate = Gate(world)
    await gate.entered()
    leaves, stays = [asyncio.ensure_future(world.do(new_user, who)) for who in ("leaves", "stays")]
    while writer_of(world).waiting < 3:  # noqa: ASYNC110
        await asyncio.sleep(0)
    leaves.cancel()
    await asyncio.sleep(0)
    await gate.open()
    await stays
    assert leaves.cancelled()
    assert await external_ids(world) == ["stays"]
    assert writer_of(world).waiting == 0


async def test_a_caller_who_left_after_her_turn_is_answered_to_nobody_and_kept(world: World) -> None:
    ran, go_on = threading.Event(), threading.Event()

    async def slow(tx: Transaction) -> None:
        await create_user(tx, "left late", NOTHING_TYPED, KEY_ID)
        ran.set()
        assert go_on.wait(10)

    leaves = asyncio.ensure_future(world.do(slow))
    stays = asyncio.ensure_future(world.do(new_user, "stays"))
    await asyncio.to_thread(ran.wait, 10)
    leaves.cancel()
    await asyncio.sleep(0)
    go_on.set()
    await stays
    assert leaves.cancelled()
    assert await external_ids(world) == ["left late", "stays"]
    assert writer_of(world).waiting == 0


async def test_too_many_writes_are_refused_at_once_with_a_time_to_come_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_writer, "WAITING_AT_MOST", 5)
    gate = Gate(world)
    await gate.entered()
    taken = [asyncio.ensure_future(world.do(new_user, f"u{n}")) for n in range(4)]
    await asyncio.sleep(0)
    with pytest.raises(Unavailable) as refused:
        await world.do(new_user, "one too many")
    assert refused.value.retry_after_s >= 1
    await gate.open()
    assert await all_of(*taken) == {"str": 4}
    await world.do(new_user, "later")


async def test_stopping_finishes_what_was_taken_and_takes_no_more(tmp_path: Path) -> None:
    async with world_at(f"sqlite:///{tmp_path / 'knownas.db'}") as world:
        gate = Gate(world)
        await gate.entered()
        taken = [asyncio.ensure_future(world.do(new_user, f"u{n}")) for n in range(3 * GROUP)]
        await asyncio.sleep(0)
        closing = asyncio.ensure_future(world.database.close())
        while writer_of(world).alive:  # noqa: ASYNC110
            await asyncio.sleep(0)
        with pytest.raises(Unavailable):
            await world.do(new_user, "too late")
        await gate.open()
        await closing
        assert await all_of(*taken) == {"str": 3 * GROUP}
    async with world_at(world.url) as again:
        count = "SELECT count(*) FROM users WHERE app_id = $1"
        assert [tuple(row) for row in await again.database.rows(count, world.app.id)] == [(3 * GROUP,)]


async def test_a_write_taken_at_the_very_moment_of_stopping_is_answered(tmp_path: Path) -> None:
    """`stop` runs in another thread: here between `take` seeing that jobs are taken and its queueing the job."""
    async with world_at(f"sqlite:///{tmp_path / 'knownas.db'}") as world:
        writer, may_stop = writer_of(world), threading.Event()
        jobs, stop = writer._jobs, writer.stop

        class JustBefore:
            """The writer's queue, for one job that comes just after the end."""

            def __getattr__(self, name: str) -> Any:
                return getattr(jobs, name)

            def put(self, job: Any) -> None:
                writer._jobs = jobs
                may_stop.set()
                while not jobs.qsize() and writer._thread.is_alive():
                    pass
                jobs.put(job)

        def stop_then() -> None:
            assert may_stop.wait(10)
            stop()

        writer._jobs = JustBefore()  # type: ignore[assignment]
        writer.stop = stop_then  # type: ignore[method-assign]
        closing = asyncio.ensure_future(world.database.close())
        await asyncio.sleep(0)
        late = asyncio.ensure_future(world.do(new_user, "late"))
        done, _ = await asyncio.wait([late], timeout=2)
        writer._jobs = jobs
        may_stop.set()
        await closing
        late.cancel()
        assert done, "the caller waits for ever"
        assert isinstance(late.exception(), Unavailable | None)


async def test_a_group_is_as_durable_as_its_last_unit_and_as_separate_as_its_units(world: World) -> None:
    """The same external id many times in one group: one is made, the others see it."""
    gate = Gate(world)
    await gate.entered()
    tasks = [asyncio.ensure_future(world.do(new_user, "1234")) for _ in range(GROUP)]
    await asyncio.sleep(0)
    await gate.open()
    assert await all_of(*tasks) == Counter({"str": 1, UserExists.__name__: GROUP - 1})


KILLED = """
import asyncio, os, sys
sys.path[:0] = {path!r}
from pathlib import Path
from knownas.apps import App, AppSettings
from knownas.storage.sqlite import Sqlite
from knownas.storage.vault import Vault
from knownas.users import UserChanges
from knownas.users.create import create_user

async def main():
    database = Sqlite(Path({file!r}), Vault(b"k" * 32))
    await database.start()
    app = App("a" * 24, "b" * 24, "Shop", AppSettings(), {{}}, 0)
    async def life(n):
        for turn in range(1_000_000):
            name = f"{round}-{{n}}-{{turn}}"
            user = await database.write(app, create_user, name, UserChanges(), "key")
            os.write(1, f"{{user.id}} {{name}}\\n".encode())
    await asyncio.gather(*(life(n) for n in range(20)))

asyncio.run(main())
"""


def test_an_answered_write_survives_that_the_process_is_killed(tmp_path: Path) -> None:
    """`kill -9` at a random moment, several times on one file: whatever was answered is there."""
    file = tmp_path / "knownas.db"
    chance = random.Random(7)
    answered: dict[str, str] = {}
    for round_ in range(ROUNDS):
        program = KILLED.format(path=sys.path, file=str(file), round=round_)
        with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, env=os.environ) as process:
            assert process.stdout is not None
            until = chance.randint(1, 400)
            lines = [process.stdout.readline() for _ in range(until)]
            assert all(lines), "the process ended by itself"
            process.send_signal(signal.SIGKILL)
            lines += process.stdout.readlines()
        answered |= dict(line.decode().split() for line in lines if line.endswith(b"\n"))
        connection = apsw.Connection(str(file))
        found: dict[Any, Any] = dict(connection.execute("SELECT id, external_id FROM users").fetchall())  # type: ignore[arg-type]
        owners: dict[Any, Any] = dict(connection.execute("SELECT user_id, value FROM identities").fetchall())  # type: ignore[arg-type]
        told = {row[0] for row in connection.execute("SELECT stream FROM events").fetchall()}
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        connection.close()
        assert answered.items() <= found.items()
        assert found == owners, "nothing half written"
        assert told == found.keys()
    assert len(answered) > ROUNDS


async def test_the_log_does_not_grow_for_ever_under_steady_writes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """There is always one more frame to checkpoint, so once the log is long it is begun anew."""
    monkeypatch.setattr(sqlite_writer, "LONG_LOG_FRAMES", 200)
    monkeypatch.setattr(sqlite_writer, "CHECKPOINT_EVERY_S", 0.02)
    log = tmp_path / "knownas.db-wal"
    async with world_at(f"sqlite:///{tmp_path / 'knownas.db'}") as world:

        async def write(worker: int) -> None:
            for number in range(100):
                await world.do(new_user, f"u{worker}-{number}")

        await asyncio.gather(*(write(worker) for worker in range(80)))
        assert log.stat().st_size < 16 * 1024 * 1024
