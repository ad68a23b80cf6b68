"""The outbox and delivery on both engines: nothing committed is ever passed over, nothing is delivered twice."""

import asyncio
from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from knownas.deliveries import BEGINNING, Cursor, EventNotFound, LostLease, Reader, Recorded, Wanted, cursor_of
from knownas.deliveries.fan_out import fan_out, mend, take_lease
from knownas.deliveries.forget import forget_events
from knownas.deliveries.redeliver import find_event, start_at
from knownas.storage import migrate, outbox
from knownas.storage.chance import now_ms
from knownas.transaction import Transaction
from knownas.users.delete import erase_personal_information
from tests.delivering import Posts, add_webhook, attempts, delivering, hurry, rows_of, until
from tests.given import BY, World, claims, database_of, world_at

__all__ = ["hurry"]
TARGET = "https://example.org/"


async def after(world: World, cursor: Cursor, limit: int = 1000) -> list[Recorded]:
    async def read(tx: Transaction) -> list[Recorded]:
        return await tx.outbox.after(cursor, limit)

    return await world.database.read(world.database.new_app(), read)


async def lease(world: World, holder: str, *, by_force: bool = False, until: int = 2**60) -> Reader | None:
    return await world.database.write(world.database.new_app(), take_lease, holder, until, by_force=by_force)


async def reader(world: World) -> Reader:
    async def read(tx: Transaction) -> Reader:
        return await tx.outbox.reader("webhooks")

    return await world.database.read(world.database.new_app(), read)


async def test_events_are_read_in_bites_each_once_and_in_the_order_of_their_streams(world_on_both: World) -> None:
    world = world_on_both
    users = await asyncio.gather(*(world.user(f"user-{number}") for number in range(30)))
    for user in users[:5]:
        await world.do_to(user, erase_personal_information, BY)
    signed_in = await world.log_in(claims("ada", "ada@example.com"))
    assert len(await world.told(signed_in.user.id)) > 1, "one act tells of several things"
    seen: list[Recorded] = []
    cursor = BEGINNING
    while bite := await after(world, cursor, 7):
        assert [event.cursor for event in bite] == sorted(event.cursor for event in bite)
        seen += bite
        cursor = cursor_of(str(bite[-1].cursor))
    assert sorted(event.id for event in seen) == sorted(row["id"] for row in await rows_of(world, "events"))
    for stream in {event.stream for event in seen}:
        numbers = [event.seq for event in seen if event.stream == stream]
        assert numbers == sorted(numbers)


async def test_the_place_of_an_erased_event_is_never_given_to_another(world_on_both: World) -> None:
    """Or a reader that has seen the erased one would take the new one for it."""
    world = world_on_both
    ada = await world.user("ada")
    newest = (await after(world, BEGINNING))[-1].cursor
    await world.do_to(ada, erase_personal_information, BY)
    assert [event.type for event in await after(world, newest)] == ["user.erased"]


async def test_an_event_is_found_by_its_id_and_places_by_their_time(world_on_both: World) -> None:
    world = world_on_both
    for number in range(20):
        await world.user(f"user-{number}")
    events = await after(world, BEGINNING)
    for event in events:
        assert await world.ask(find_event, event.id) == event
        assert await world.ask(start_at, event.created_at) < event.cursor
    for wrong in ("0" * 24, "f" * 24, "nonsense"):
        with pytest.raises(EventNotFound):
            await world.ask(find_event, wrong)
    with pytest.raises(EventNotFound):
        await (await world.another_app()).ask(find_event, events[-1].id)


async def test_a_place_by_time_is_not_before_everything(world_on_both: World) -> None:
    """Half an hour apart, so that looking shortly before the second finds the first behind it."""
    world = world_on_both
    await world.user("early")
    early = (await after(world, BEGINNING))[-1]
    await world.user("late")
    late = (await after(world, BEGINNING))[-1]
    await write_raw(world, f"UPDATE events SET created_at = created_at - 1800000 WHERE id <> '{late.id}'")
    found = await world.ask(start_at, late.created_at)
    assert early.cursor <= found < late.cursor


async def test_only_one_delivers_until_its_lease_runs_out(world_on_both: World) -> None:
    world = world_on_both
    first = await lease(world, "one", until=now_ms() + 60_000)
    assert first is not None
    assert await lease(world, "other") is None
    assert await lease(world, "one", until=0) is not None, "it may renew it"
    second = await lease(world, "other")
    assert second is not None
    third = await lease(world, "third", by_force=True)
    assert third is not None
    for former in (first, second):
        with pytest.raises(LostLease):
            await world.database.write(world.database.new_app(), fan_out, former, Cursor(0, 5), 0, [])
    assert (await reader(world)).cursor == BEGINNING


async def test_deliveries_are_made_once_together_with_the_place_they_came_from(world_on_both: World) -> None:
    world = world_on_both
    webhook = await add_webhook(world)
    held = await lease(world, "one")
    assert held is not None
    await world.user("ada")
    events = await after(world, BEGINNING)
    wanted = [Wanted(webhook, event) for event in events]
    above = world.database.new_app()
    moved = await world.database.write(above, fan_out, held, events[-1].cursor, 2**60, wanted)
    assert len(await rows_of(world, "deliveries")) == len(events)
    with pytest.raises(LostLease):
        await world.database.write(above, fan_out, held, events[-1].cursor, 2**60, wanted)
    await world.database.write(above, fan_out, moved, events[-1].cursor, 2**60, wanted)
    assert len(await rows_of(world, "deliveries")) == len(events)


@pytest.mark.usefixtures("hurry")
async def test_everything_arrives_whatever_else_goes_on(world_on_both: World) -> None:
    """Users are made and erased side by side, one webhook fails for a while, and the deliverer is replaced."""
    world, posts = world_on_both, Posts(statuses={"https://failing.example.org/": 503})
    jump = count()
    clock = lambda: now_ms() + next(jump)  # noqa: E731  each look at it is a little later
    webhook = await add_webhook(world)
    await add_webhook(world, "https://failing.example.org/")
    made = 0
    for _ in range(3):
        async with delivering(world, posts, clock):
            await asyncio.gather(*(world.user(f"user-{number}") for number in range(made, made + 40)))
            made += 40
            await until(lambda: len(posts.to(TARGET)) >= made, "all calls")  # noqa: B023
    assert sorted(posts.to(TARGET)) == sorted(f"user-{number}" for number in range(made))
    assert [attempt.status for attempt in await attempts(world, webhook)] == [200] * made
    left = await rows_of(world, "deliveries")
    assert {row["webhook_id"] for row in left} != {webhook.id}
    assert len(left) == made


@pytest.mark.usefixtures("hurry")
async def test_old_events_go_and_unread_ones_stay_however_old(world_on_both: World) -> None:
    world = world_on_both
    await world.user("read")
    events = await after(world, BEGINNING)
    held = await lease(world, "one")
    assert held is not None
    above = world.database.new_app()
    await world.database.write(above, fan_out, held, events[-1].cursor, 2**60, [])
    await world.user("unread")
    assert await world.database.write(above, forget_events, now_ms() + 1000) == len(events)
    assert [event.type for event in await after(world, BEGINNING)] == ["user.created"]
    assert "unread" in (await after(world, BEGINNING))[0].body
    assert await world.database.write(above, forget_events, now_ms() + 1000) == 0


# What only PostgreSQL has to be kept from: transactions that overlap, and another server's numbers.


@pytest_asyncio.fixture
async def two_at_once(world_on_postgres: World) -> AsyncIterator[tuple[World, asyncpg.Connection, asyncpg.Connection]]:
    """A world, and two connections that write events beside it."""
    one, other = await asyncpg.connect(world_on_postgres.url), await asyncpg.connect(world_on_postgres.url)
    yield world_on_postgres, one, other
    await one.close()
    await other.close()


async def insert(connection: Any, stream: str) -> None:
    await connection.execute(
        "INSERT INTO events (app_id, stream, seq, id, type, body, created_at) VALUES ('a', $1, 1, $1, 't', '{}', 1)",
        stream,
    )


async def test_an_event_is_not_passed_over_while_an_earlier_one_is_not_committed(two_at_once: Any) -> None:
    world, one, other = two_at_once
    start = (await after(world, BEGINNING))[-1].cursor
    slow = one.transaction()
    await slow.start()
    await insert(one, "first to begin")
    await insert(other, "first to commit")
    assert await after(world, start) == [], "whoever read on from the second would never see the first"
    await slow.commit()
    assert [event.stream for event in await after(world, start)] == ["first to begin", "first to commit"]


async def test_what_was_rolled_back_holds_up_nobody(two_at_once: Any) -> None:
    world, one, other = two_at_once
    start = (await after(world, BEGINNING))[-1].cursor
    slow = one.transaction()
    await slow.start()
    await insert(one, "never")
    await insert(other, "at once")
    await slow.rollback()
    assert [event.stream for event in await after(world, start)] == ["at once"]


@pytest.mark.parametrize("read_so_far", ["all", "some"])
async def test_after_a_restore_on_another_server_nothing_is_lost_and_nothing_told_twice(
    world_on_postgres: World, read_so_far: str
) -> None:
    """A restored database holds transaction numbers that this server has not reached by far."""
    world = world_on_postgres
    for number in range(6):
        await world.user(f"user-{number}")
    events = await after(world, BEGINNING)
    read = len(events) if read_so_far == "all" else len(events) - 2
    ahead = 1 << 40
    await write_raw(
        world,
        f"UPDATE events SET written_in = CAST(CAST(position / 3 + {ahead} AS TEXT) AS xid8)",
    )
    last = events[read - 1].cursor.position
    await write_raw(
        world,
        f"UPDATE outbox_readers SET written_in = {ahead} + {last} / 3, position = {last}",
    )
    assert await after(world, BEGINNING) == [], "they seem to be of transactions that have not ended yet"
    held = await lease(world, "one")
    assert held is not None
    mended = None
    while mended is None:
        mended = await world.database.write(world.database.new_app(), mend, held)
    await world.user("new")
    bodies = [event.body for event in await after(world, mended.cursor)]
    assert bodies[:-1] == [event.body for event in events[read:]]
    assert '"new"' in bodies[-1]
    assert len(await after(world, BEGINNING)) == len(events) + 1


# The schema before, with events in it.


async def test_events_of_an_older_schema_are_kept(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    all_of_them = migrate.migrations()
    monkeypatch.setattr(migrate, "migrations", lambda: all_of_them[:1])
    old = database_of(database_url)
    await old.start()
    world = World(old, None, database_url)  # type: ignore[arg-type]
    for stream, seq in (("s1", 1), ("s1", 2), ("s2", 1)):
        await write_raw(
            world,
            "INSERT INTO events (app_id, stream, seq, id, type, body, created_at)"
            f" VALUES ('a', '{stream}', {seq}, '{stream}-{seq}', 't', '{{}}', {seq})",
        )
    await old.close()
    monkeypatch.setattr(migrate, "migrations", lambda: all_of_them)
    async with world_at(database_url) as world:
        kept = [event.id for event in await after(world, BEGINNING) if event.app_id == "a"]
        assert sorted(kept) == ["s1-1", "s1-2", "s2-1"]
        assert kept.index("s1-1") < kept.index("s1-2")


@pytest.mark.parametrize("reading", ["AFTER", "NEWEST", "OLDEST_READ"])
async def test_reading_on_costs_the_same_however_much_there_is(world_on_postgres: World, reading: str) -> None:
    """Where a word of the order means an output column and not the index's, all events are sorted for one."""
    statement = getattr(outbox, reading)["postgresql"]
    values = ["'0'", "0", "10", "'app'"]
    for number, value in enumerate(values, 1):
        statement = statement.replace(f"${number}", value)
    plan = "\n".join(row[0] for row in await world_on_postgres.database.rows(f"EXPLAIN {statement}"))
    assert "events_in_order" in plan
    assert "Sort" not in plan


def test_a_migration_names_only_engines_that_there_are() -> None:
    both, one = migrate.statements_of("-- a comment\nCREATE a;\n-- only: sqlite\nCREATE b;")
    assert (both.only, one.only, one.text) == (None, "sqlite", "CREATE b")
    with pytest.raises(ValueError, match="engine"):
        migrate.statements_of("-- only: sqllite\nCREATE b;")


async def write_raw(world: World, sql: str) -> None:
    """A statement that no verb has, on a connection of its own."""
    if world.url.startswith("sqlite"):
        import apsw

        connection = apsw.Connection(str(Path(world.url.removeprefix("sqlite:///"))))
        connection.set_busy_timeout(5000)
        connection.execute(sql)
        connection.close()
    else:
        connection = await asyncpg.connect(world.url)
        await connection.execute(sql)
        await connection.close()
