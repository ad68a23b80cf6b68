"""What both engines promise of messages: limits under pressure, paging while others write, and one message per key."""

import asyncio
from collections import Counter
from collections.abc import Awaitable
from typing import Any

import pytest

from knownas.conversations import MESSAGES_AT_MOST, Conversation
from knownas.conversations.find import get_conversation, get_with_participants
from knownas.messages import Author, ConversationFull
from knownas.messages.delete import delete_all_messages, delete_message
from knownas.messages.draft import Draft
from knownas.messages.post import Posted, post_message
from knownas.messages.read import list_messages
from knownas.users import UserChanges
from knownas.users.update import update_user
from tests.given import World, claims, device, numbered_without_gaps
from tests.unit.test_messages import by, open_with, say, text, words

BODY = '{"author":{"type":"business"},"content":{"type":"text","text":"seeded"},"source":{"type":"api:conversations"}}'
# The ids' last digits count, so that they grow with `n` as those of a server do.
SEED_SQLITE = """
    WITH RECURSIVE numbers(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < ?3)
    INSERT INTO messages (app_id, conversation_id, id, received, author_id, body, idempotency_key)
    SELECT ?1, ?2, printf('%012x%012x', 1600000000000 + n, n), 1600000000000 + n, NULL, ?4, NULL FROM numbers"""
SEED_POSTGRES = """
    INSERT INTO messages (app_id, conversation_id, id, received, author_id, body, idempotency_key)
    SELECT $1, $2, lpad(to_hex(1600000000000 + n), 12, '0') || lpad(to_hex(n), 12, '0'), 1600000000000 + n, NULL,
        CAST($4 AS TEXT), NULL
    FROM generate_series(CAST(0 AS BIGINT), CAST($3 AS BIGINT) - 1) n"""


async def all_at_once(*awaitables: Awaitable[Any]) -> list[Any]:
    return await asyncio.gather(*awaitables, return_exceptions=True)


def outcomes(results: list[Any]) -> Counter[str]:
    return Counter(type(result).__name__ for result in results)


async def seed(world: World, where: Conversation, count: int) -> None:
    """So many messages at once, by the database itself."""

    async def hold(tx: Any) -> None:
        sql = SEED_SQLITE if world.url.startswith("sqlite") else SEED_POSTGRES
        tx.conversations.change(await get_conversation(tx, where.id), message_count=count)
        tx.unit.hold(sql, where.id, count, BODY)

    await world.do(hold)


async def count_of(world: World, where: Conversation) -> int:
    return (await world.ask(get_conversation, where.id)).message_count


# Stories, because SQL is special.


async def test_messages_are_posted_read_and_deleted(world_on_both: World) -> None:
    world = world_on_both
    ada, bob = await world.user("1234", given_name="Ada"), await world.user("5678")
    for where in (await open_with(world, ada), await open_with(world, ada, bob)):
        first = (await say(world, where, text("one", references=[{"uri": "https://e.org"}], schema="whatsapp"))).message
        second = (await say(world, where, by(ada, "two", quoted=first.id, metadata={"a": 1.5}), "key")).message
        third = (await say(world, where, by(ada, "three 'é\u2028"))).message
        assert await words(world, where) == ["one", "two", "three 'é\u2028"]
        assert await words(world, where, before=third.id) == ["one", "two"]
        assert await words(world, where, after=first.id) == ["two", "three 'é\u2028"]
        assert (await say(world, where, by(ada, "two", quoted=first.id, metadata={"a": 1.5}), "key")).message == second
        await world.do(delete_message, where.id, first.id)
        assert await words(world, where) == ["two", "three 'é\u2028"]
        _, seats = await world.ask(get_with_participants, where.id)
        assert [seat.unread_count for seat in seats] == ([0] if len(seats) == 1 else [0, 2])
        await world.do(delete_all_messages, where.id)
        assert (await words(world, where), await count_of(world, where)) == ([], 0)
    assert numbered_without_gaps(await world.snapshot())


async def test_the_messages_of_many_merged_visitors_read_as_one(world_on_both: World) -> None:
    world = world_on_both
    ada, said = await world.user("1234"), []
    hers = await open_with(world, ada)
    for number in range(60):  # more than one statement pages through
        visitor = await world.visitor(phone := device())
        theirs = await open_with(world, visitor.user)
        said.append((await say(world, theirs, by(visitor.user, str(number)))).message.id)
        await say(world, hers, text(f"answer {number}"))
        await world.log_in(claims("1234"), phone, visitor)
    assert (await words(world, hers))[-2:] == ["59", "answer 59"]
    assert await words(world, hers, before=said[20]) == [
        part for number in range(20) for part in (str(number), f"answer {number}")
    ]
    assert (await words(world, hers, after=said[0]))[:3] == ["answer 0", "1", "answer 1"]
    assert await count_of(world, hers) == 120
    await world.do(delete_all_messages, hers.id)
    assert (await words(world, hers), await count_of(world, hers)) == ([], 0)


# A whole conversation.


async def test_thirty_thousand_messages_page_from_end_to_end_each_once_while_others_write(world_on_both: World) -> None:
    world = world_on_both
    ada = await world.user("1234")
    where = await open_with(world, ada)
    seeded = MESSAGES_AT_MOST - 500
    await seed(world, where, seeded)
    reading = True

    async def write() -> None:
        number = 0
        while reading:
            await all_at_once(*(say(world, where, text(f"late {number + more}")) for more in range(2)))
            number += 2

    async def page(direction: str, cursor: str | None, pages: list[list[str]]) -> None:
        while True:
            listed = await world.ask(list_messages, where.id, **({direction: cursor} if cursor else {}))
            ids = [row.id for row in listed.rows]
            if not ids:
                return
            assert ids == sorted(ids)
            assert len(ids) == 100 or not listed.more
            pages.append(ids)
            cursor = ids[0] if direction == "before" else ids[-1]
            if not listed.more:
                return
            await asyncio.sleep(0)  # SQLite reads without ever suspending

    backwards: list[list[str]] = []
    forwards: list[list[str]] = []
    writing = asyncio.create_task(write())
    await page("before", None, backwards)
    await page("after", "0" * 24, forwards)
    reading = False
    await writing
    rows = await world.database.rows(
        "SELECT id FROM messages WHERE app_id = $1 AND conversation_id = $2 ORDER BY id", world.app.id, where.id
    )
    stored = [row[0] for row in rows]
    assert len(stored) > seeded, "nothing was written meanwhile"
    back = [id for ids in reversed(backwards) for id in ids]
    forth = [id for ids in forwards for id in ids]
    assert back == stored[: len(back)]
    assert len(back) >= seeded
    seen = set(forth)
    assert forth == [id for id in stored if id in seen]
    assert forth[:seeded] == stored[:seeded]
    assert await count_of(world, where) == len(stored)


async def test_of_two_who_say_the_last_message_one_is_refused(world_on_both: World) -> None:
    world = world_on_both
    ada = await world.user("1234")
    where = await open_with(world, ada)
    await seed(world, where, MESSAGES_AT_MOST - 1)
    results = await all_at_once(say(world, where, text("last")), say(world, where, by(ada, "last")))
    assert outcomes(results) == {"Posted": 1, "ConversationFull": 1}
    [(stored,)] = await world.database.rows(
        "SELECT count(*) FROM messages WHERE app_id = $1 AND conversation_id = $2", world.app.id, where.id
    )
    assert (stored, await count_of(world, where)) == (MESSAGES_AT_MOST, MESSAGES_AT_MOST)
    listed = await world.ask(list_messages, where.id)
    await world.do(delete_message, where.id, listed.rows[0].id)
    await say(world, where, text("fits"))
    with pytest.raises(ConversationFull):
        await say(world, where, text("full"))
    await world.do(delete_all_messages, where.id)
    await say(world, where, text("fits"))
    assert (await words(world, where), await count_of(world, where)) == (["fits"], 1)


# Races.


async def test_all_who_speak_at_once_are_heard_and_counted(world_on_both: World) -> None:
    world = world_on_both
    ada, bob = await world.user("1234"), await world.user("5678")
    for where in (await open_with(world, ada), await open_with(world, ada, bob)):
        results = await all_at_once(
            *(say(world, where, by(ada, f"user {n}") if n % 3 == 0 else text(f"business {n}")) for n in range(24))
        )
        assert outcomes(results) == {"Posted": 24}
        assert await count_of(world, where) == 24
        assert sorted(await words(world, where)) == sorted(
            f"user {n}" if n % 3 == 0 else f"business {n}" for n in range(24)
        )
    assert numbered_without_gaps(await world.snapshot())


async def test_one_key_used_many_times_at_once_is_one_message(world_on_both: World) -> None:
    world = world_on_both
    where = await open_with(world, await world.user("1234"))
    results = await all_at_once(*(say(world, where, text("once"), "key") for _ in range(8)))
    assert outcomes(results) == {"Posted": 8}
    assert len({result.message.id for result in results}) == 1
    assert (await words(world, where), await count_of(world, where)) == (["once"], 1)


async def test_deleting_while_others_write_keeps_the_count_right(world_on_both: World) -> None:
    world = world_on_both
    where = await open_with(world, await world.user("1234"))
    posted: list[Posted] = [await say(world, where, text(str(n))) for n in range(6)]
    results = await all_at_once(
        *(world.do(delete_message, where.id, one.message.id) for one in posted[:3]),
        world.do(delete_message, where.id, posted[0].message.id),
        *(say(world, where, text(f"new {n}")) for n in range(4)),
    )
    assert outcomes(results) == {"NoneType": 3, "MessageNotFound": 1, "Posted": 4}
    assert (len(await words(world, where)), await count_of(world, where)) == (7, 7)
    await all_at_once(
        world.do(delete_all_messages, where.id), *(say(world, where, text(f"newer {n}")) for n in range(4))
    )
    assert len(await words(world, where)) == await count_of(world, where) <= 4


async def test_what_is_told_of_an_author_is_true_when_it_is_written(world_on_postgres: World) -> None:
    """Her profile changes between the reading and the writing: the message is posted again, with the new one."""
    world = world_on_postgres
    ada = await world.user("1234", given_name="Before")
    where = await open_with(world, ada)
    runs = 0

    async def interrupted(tx: Any) -> Posted:
        nonlocal runs
        runs += 1
        posted = await post_message(tx, where.id, Draft(Author("user", ada.id), {"type": "text", "text": "Hi"}))
        if runs == 1:
            await world.do_to(ada, update_user, UserChanges(given_name="After"))
        return posted

    posted = await world.do(interrupted)
    assert (runs, posted.message.author.display_name) == (2, "After")
    [told] = [event for event in await world.events(ada.id) if event["event"] == "message.posted"]
    assert (told["user"]["given_name"], told["message"]["author"]["displayName"]) == ("After", "After")


async def test_a_message_is_not_lost_when_the_conversation_changes_meanwhile(world_on_postgres: World) -> None:
    world = world_on_postgres
    where = await open_with(world, await world.user("1234"))
    runs = 0

    async def interrupted(tx: Any) -> Posted:
        nonlocal runs
        runs += 1
        posted = await post_message(tx, where.id, text("Hi"))
        if runs == 1:
            await say(world, where, text("first"))
        return posted

    await world.do(interrupted)
    assert (runs, sorted(await words(world, where)), await count_of(world, where)) == (1, ["Hi", "first"], 2)
