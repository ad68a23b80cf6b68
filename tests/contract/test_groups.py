"""Statements that are sent to PostgreSQL together: nobody gets another's answer, failure, lock or place in line."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import asyncpg
import pytest

from knownas.apps.delete import delete_app
from knownas.errors import Unavailable
from knownas.messages.delete import delete_all_messages
from knownas.storage import groups as module
from knownas.storage.connections import Connections
from knownas.storage.groups import IN_GROUPS, Groups
from knownas.users import UserChanges
from knownas.users.delete import delete_user
from knownas.users.update import update_user
from tests.garbage import left_behind
from tests.given import BY, World, beside, claims, device, numbered_without_gaps
from tests.servers import fresh_database
from tests.unit.test_messages import by, open_with, say, text

TRANSACTION = "SELECT CAST(pg_current_xact_id() AS TEXT), CAST($1 AS INTEGER)"
SHARE = "SELECT 12 / CAST($1 AS INTEGER)"
INSERT = "INSERT INTO things (id) VALUES (CAST($1 AS INTEGER)) RETURNING id"
COUNT = "WITH w AS (UPDATE things SET seen = seen + 1 WHERE id = CAST($1 AS INTEGER) RETURNING id) SELECT id FROM w"
SLEEP = "SELECT pg_sleep(CAST($1 AS FLOAT))"


@dataclass
class Grouped:
    """Groups over one connection, with a table of things, and the statements that were run alone."""

    groups: Groups
    admin: Any
    url: str
    alone: list[Any]


@asynccontextmanager
async def grouped(postgres_url: str, **settings: str) -> AsyncIterator[Grouped]:
    async with AsyncExitStack() as stack:
        url = stack.enter_context(fresh_database(postgres_url))
        admin: Any = await asyncpg.connect(url)
        stack.push_async_callback(admin.close)
        await admin.execute("CREATE TABLE things (id INTEGER PRIMARY KEY, seen INTEGER NOT NULL DEFAULT 0)")
        singles, ran_alone = Connections(url, 4), []
        stack.push_async_callback(singles.close)

        async def alone(sql: str, *params: Any) -> Any:
            ran_alone.append(params[0])
            return await singles.use(lambda connection: connection.fetchrow(sql, *params))

        groups = Groups(Connections(url, 1, server_settings=IN_GROUPS | settings), alone)
        stack.push_async_callback(groups.close)
        yield Grouped(groups, admin, url, ran_alone)


async def all_at_once(*awaitables: Awaitable[Any]) -> list[Any]:
    return await asyncio.gather(*awaitables, return_exceptions=True)


async def test_who_asks_at_once_gets_her_own_answer_out_of_one_transaction(postgres_url: str) -> None:
    async with grouped(postgres_url) as on:
        rows = await all_at_once(*(on.groups.ask(TRANSACTION, number) for number in range(16)))
        assert [row[1] for row in rows] == list(range(16))
        assert len({row[0] for row in rows}) == 1
        assert on.alone == []
        assert on.groups.waiting == 0


async def test_a_group_is_not_larger_than_it_may_be(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GROUP", 10)
    async with grouped(postgres_url) as on:
        rows = await all_at_once(*(on.groups.ask(TRANSACTION, number) for number in range(50)))
        assert len({row[0] for row in rows}) == 5


async def test_one_failure_is_its_own_callers_and_nobody_else_is_written_twice(postgres_url: str) -> None:
    async with grouped(postgres_url) as on:
        shares = await all_at_once(*(on.groups.ask(SHARE, divisor) for divisor in (1, 2, 0, 3)))
        assert [row[0] for row in shares[:2] + shares[3:]] == [12, 6, 4]
        assert isinstance(shares[2], asyncpg.DivisionByZeroError)
        written = await all_at_once(*(on.groups.ask(INSERT, number) for number in (1, 2, 2, 3)))
        assert [type(outcome).__name__ for outcome in written].count("UniqueViolationError") == 1
        assert [row[0] for row in await on.admin.fetch("SELECT id FROM things ORDER BY id")] == [1, 2, 3]
        nonsense = await all_at_once(on.groups.ask(SHARE, 4), on.groups.ask(SHARE, "four"), on.groups.ask(SHARE, 6))
        assert (nonsense[0][0], nonsense[2][0]) == (3, 2)
        assert isinstance(nonsense[1], asyncpg.DataError)


async def test_who_fails_is_found_by_halving_so_that_the_others_still_go_together(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "GROUP", 64)
    async with grouped(postgres_url) as on:
        fails = "SELECT CAST(pg_current_xact_id() AS TEXT), 1 / (CAST($1 AS INTEGER) - 41)"
        outcomes = await all_at_once(*(on.groups.ask(fails, number) for number in range(64)))
        assert isinstance(outcomes.pop(41), asyncpg.DivisionByZeroError)
        assert len({row[0] for row in outcomes}) == 6
        assert on.alone == []


async def test_failures_leave_nothing_for_the_garbage_collector(postgres_url: str) -> None:
    async with grouped(postgres_url) as on:

        async def failing(number: int) -> None:
            with suppress(asyncpg.DivisionByZeroError):
                await on.groups.ask(SHARE, number * 0)

        assert await left_behind(failing, 20) < 20


async def test_a_slow_statement_goes_on_alone(postgres_url: str) -> None:
    async with grouped(postgres_url, statement_timeout="200ms") as on:
        await all_at_once(on.groups.ask(SLEEP, 0.5), on.groups.ask(SLEEP, 0))
        assert sorted(on.alone) == [0, 0.5]


async def test_a_lock_keeps_only_the_one_waiting_who_needs_it(postgres_url: str) -> None:
    """A group holds all its members' rows: waiting with them would pass the wait on to everybody."""
    async with grouped(postgres_url) as on:
        await on.admin.execute("INSERT INTO things (id) VALUES (1), (2), (3)")
        transaction = on.admin.transaction()
        await transaction.start()
        await on.admin.execute("UPDATE things SET seen = seen + 1 WHERE id = 2")
        asked = [asyncio.create_task(on.groups.ask(COUNT, number)) for number in (1, 2, 3)]
        async with asyncio.timeout(5):
            await asyncio.gather(asked[0], asked[2])
            await on.groups.ask(COUNT, 1)
        assert not asked[1].done()
        await transaction.commit()
        await asked[1]
        assert [tuple(row) for row in await on.admin.fetch("SELECT id, seen FROM things ORDER BY id")] == [
            (1, 2),
            (2, 2),
            (3, 1),
        ]


async def test_two_servers_groups_do_not_hold_each_other_up(postgres_url: str) -> None:
    """They lock rows in one order, whoever asked first, so neither has to be taken back."""
    count_of = COUNT.replace("$1", "$2") + " WHERE CAST($1 AS TEXT) = 'app'"
    async with grouped(postgres_url) as on, AsyncExitStack() as stack:
        other = Groups(Connections(on.url, 1, server_settings=IN_GROUPS), on.groups._alone)
        stack.push_async_callback(other.close)
        await on.admin.execute("INSERT INTO things (id) SELECT generate_series(11, 74)")
        for _ in range(10):
            there = [on.groups.ask(count_of, "app", number) for number in range(11, 75)]
            back = [other.ask(count_of, "app", number) for number in range(74, 10, -1)]
            await asyncio.gather(*there, *back)
        assert on.alone == []
        assert [row[0] for row in await on.admin.fetch("SELECT DISTINCT seen FROM things")] == [20]


async def test_who_gives_up_before_her_turn_writes_nothing_and_the_others_go_on(postgres_url: str) -> None:
    async with grouped(postgres_url) as on:
        asked = [asyncio.create_task(on.groups.ask(INSERT, number)) for number in range(6)]
        await until_waiting(on, 6)
        asked[2].cancel()
        asked[4].cancel()
        outcomes = await all_at_once(*asked)
        assert [type(outcome) for outcome in outcomes].count(asyncio.CancelledError) == 2
        assert [row[0] for row in await on.admin.fetch("SELECT id FROM things ORDER BY id")] == [0, 1, 3, 5]
        assert on.groups.waiting == 0


async def test_who_gives_up_while_her_statement_fails_is_nobody_elses_trouble(postgres_url: str) -> None:
    async with grouped(postgres_url) as on:
        fails = "SELECT 6 / (CAST($1 AS INTEGER) * count(*)) FROM pg_sleep(0.3)"
        gone = asyncio.create_task(on.groups.ask(fails, 0))
        await until_asleep(on)
        behind = asyncio.create_task(on.groups.ask(fails, 2))
        await until_waiting(on, 2)
        gone.cancel()
        assert (await behind)[0] == 3


async def test_nobody_waits_for_ever_behind_a_group(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WAIT_S", 0.2)
    async with grouped(postgres_url) as on:
        slow = asyncio.create_task(on.groups.ask(SLEEP, 1.5))
        await until_asleep(on)
        behind = await all_at_once(*(on.groups.ask(SLEEP, 0) for _ in range(3)))
        late = await all_at_once(on.groups.ask(SLEEP, 0))
        assert [type(outcome) for outcome in behind + late] == [Unavailable] * 4
        assert "busy" in str(behind[0])
        assert not slow.done()
        await slow
        await on.groups.ask(SLEEP, 0)


async def test_a_server_that_vanished_holds_nobody_up_for_ever(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The group's connection is given up, nothing is run again, and the next caller gets another."""
    monkeypatch.setattr(module, "ENDED_WITHIN_S", 0.3)
    async with grouped(postgres_url) as on:
        silent = await all_at_once(on.groups.ask(SLEEP, 3), on.groups.ask(SLEEP, 3.1))
        assert [type(outcome) for outcome in silent] == [Unavailable] * 2
        await on.groups.ask(SLEEP, 0)
        assert on.alone == []


async def test_only_so_many_may_wait(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WAITING_AT_MOST", 3)
    async with grouped(postgres_url) as on:
        outcomes = await all_at_once(*(on.groups.ask(SHARE, 1) for _ in range(5)))
        assert [type(outcome) for outcome in outcomes[3:]] == [Unavailable] * 2
        assert [row[0] for row in outcomes[:3]] == [12] * 3


async def test_a_lost_connection_is_unavailable_to_the_group_and_to_nobody_after_it(postgres_url: str) -> None:
    async with grouped(postgres_url) as on:
        asleep = [asyncio.create_task(on.groups.ask(SLEEP, 20)) for _ in range(3)]
        pid = await until_asleep(on)
        behind = asyncio.create_task(on.groups.ask(SLEEP, 0))
        await until_waiting(on, 4)
        await on.admin.execute("SELECT pg_terminate_backend($1)", pid)
        outcomes = await all_at_once(*asleep)
        assert [type(outcome) for outcome in outcomes] == [Unavailable] * 3
        assert on.alone == []  # whether it had been written is not known, so it is not run again
        await behind


async def test_closing_answers_what_was_asked(postgres_url: str) -> None:
    async with grouped(postgres_url) as on:
        asked = [asyncio.create_task(on.groups.ask(INSERT, number)) for number in range(5)]
        await until_waiting(on, 5)
        await on.groups.close()
        assert [row[0] for row in await all_at_once(*asked)] == [0, 1, 2, 3, 4]
        with pytest.raises(Unavailable):
            await on.groups.ask(INSERT, 6)


async def until_waiting(on: Grouped, count: int) -> None:
    while on.groups.waiting < count:  # noqa: ASYNC110  nobody tells
        await asyncio.sleep(0)


async def until_asleep(on: Grouped) -> int:
    """Wait until the only connection sleeps; its process id."""
    async with asyncio.timeout(10):
        while True:
            rows = await on.admin.fetch(
                "SELECT pid FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()"
            )
            if rows:
                return int(rows[0][0])


async def test_the_outbox_has_each_streams_events_in_their_order(world_on_postgres: World) -> None:
    """Two servers, many writers of the same users: who waits within a transaction must not count as the earlier."""
    world, seed = world_on_postgres, random.Random(4)
    users = [await world.user(str(number)) for number in range(6)]
    rooms = [await open_with(world, users[number], users[(number + 1) % 6]) for number in range(6)]
    async with beside(world) as other:
        for turn in range(25):
            doings: list[Awaitable[Any]] = []
            for number in [seed.randrange(6) for _ in range(40)]:
                at = seed.choice((world, other))
                doings += (
                    say(at, rooms[number], seed.choice((text("from us"), by(users[number], "from her")))),
                    at.log_in(claims(str(number)), device()),
                    at.do_to(users[number], update_user, UserChanges(given_name=f"{turn}-{len(doings)}")),
                )
            seed.shuffle(doings)
            for outcome in await all_at_once(*doings):
                assert not isinstance(outcome, BaseException) or isinstance(outcome, Unavailable), outcome
    rows = await world.database.rows("SELECT stream, seq FROM events e ORDER BY e.written_in, e.position")
    in_order: dict[str, list[int]] = {}
    for stream, seq in rows:
        in_order.setdefault(stream, []).append(seq)
    assert [stream for stream, found in in_order.items() if found != sorted(found)] == []
    assert numbered_without_gaps(await world.snapshot())


async def test_what_touches_many_rows_or_a_busy_one_is_a_transaction_of_its_own(
    world_on_postgres: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else whoever asks the same would wait for all of it, and a lock in its way would take all of it back."""
    sent: list[str] = []
    ask = Groups.ask

    async def recorded(groups: Groups, sql: str, *params: Any) -> Any:
        sent.append(sql)
        return await ask(groups, sql, *params)

    monkeypatch.setattr(Groups, "ask", recorded)
    world = world_on_postgres
    ada = await world.user("1234")
    room = await open_with(world, ada)
    assert any("INSERT INTO users" in sql for sql in sent)
    sent.clear()
    await say(world, room, text("one"))
    await world.do(delete_all_messages, room.id)
    await world.do_to(ada, delete_user, BY)
    await world.do(delete_app)
    assert sent == []


async def test_logins_that_wait_together_share_a_transaction(world_on_postgres: World) -> None:
    """That they do is what makes PostgreSQL quick; that one of them is refused is not the others' business."""
    world = world_on_postgres
    await world.log_in(claims("owner", "ada@example.com"))
    newcomers = [world.log_in(claims(f"u{number}", f"u{number}@example.com"), device()) for number in range(20)]
    refused = world.log_in(claims("late", "ada@example.com"), device())
    outcomes = await all_at_once(*newcomers, refused)
    assert [type(outcome).__name__ for outcome in outcomes] == ["Access"] * 20 + ["EmailContested"]
    rows = await world.database.rows("SELECT count(DISTINCT written_in) FROM events WHERE type = 'user.created'")
    assert rows[0][0] <= 3
    assert numbered_without_gaps(await world.snapshot())
