"""What becomes of conversations when their users are merged, removed or erased (R9, R10)."""

from typing import Any

import msgspec
import pytest

from knownas.apps.delete import delete_app
from knownas.conversations import Conversation, ConversationNotFound, DefaultConversationStays, Origin, Reference
from knownas.conversations.activity import post_activity
from knownas.conversations.create import open_default
from knownas.conversations.delete import delete_conversation
from knownas.conversations.find import get_conversation
from knownas.conversations.join import join_conversation
from knownas.conversations.leave import leave_conversation
from knownas.merges.absorb import merge_users
from knownas.sessions import Access
from knownas.transaction import Transaction
from knownas.users import User
from knownas.users.delete import delete_user, erase_personal_information
from knownas.users.find import get_user
from tests.given import BY, World, claims, device, numbered_without_gaps
from tests.unit.test_conversations import found, group, invite, personal, say, seats

TABLES = ("conversations", "participants", "former_participants", "messages", "events", "users")


async def merge(world: World, surviving: User, discarded: User) -> None:
    async def merge(tx: Transaction) -> None:
        await merge_users(tx, await get_user(tx, surviving.id), await get_user(tx, discarded.id), "api")

    await world.do(merge)


async def family(world: World, conversation: Conversation) -> list[str]:
    async def family(tx: Transaction) -> list[str]:
        return await tx.conversations.family(conversation.id)

    return await world.ask(family)


async def meeting(world: World) -> tuple[Access, Conversation, Conversation]:
    """An identified user and a visitor who is her, each with a conversation; and her login, which finds out."""
    ada = await world.log_in(claims("1234"), device())
    hers = await personal(world, ada.user)
    visitor = await world.visitor(phone := device())
    theirs = await personal(world, visitor.user)
    await say(world, hers)
    await say(world, theirs)
    await say(world, theirs)
    return await world.log_in(claims("1234"), phone, visitor), hers, theirs


async def journal(world: World) -> dict[str, Any]:
    [row] = (await world.snapshot())["merges"]
    before: dict[str, Any] = msgspec.json.decode(row["before"])
    return before


async def test_two_users_with_one_conversation_each_have_one_together(world: World) -> None:
    """R9: a pointer; either id answers with the survivor, and nothing was copied."""
    ada, hers, theirs = await meeting(world)
    for talk in (hers, theirs):
        one = await world.ask(get_conversation, talk.id)
        assert (one.id, one.is_default, one.message_count) == (hers.id, True, 3)
    assert await family(world, hers) == [hers.id, theirs.id]
    assert await found(world, ada.user) == [hers.id]
    [seat] = await seats(world, theirs)
    assert (seat.user_id, seat.unread_count) == (ada.user.id, 3)
    with pytest.raises(DefaultConversationStays):
        await world.do(delete_conversation, theirs.id)
    await say(world, theirs, ada.user)
    assert (await world.ask(get_conversation, hers.id)).message_count == 4
    assert numbered_without_gaps(await world.snapshot())


async def test_a_merge_is_told_and_journalled_with_what_undo_needs(world: World) -> None:
    ada, hers, theirs = await meeting(world)
    [told] = [event for event in await world.events(ada.user.id) if event["event"] == "users.merged"]
    assert (told["surviving_user"]["id"], told["surviving_user"]["absorbed"]) == (ada.user.id, 1)
    assert (told["discarded_user"]["id"], told["discarded_user"]["external_id"]) == (told["discarded"], None)
    merged = told["merged_conversations"]
    assert (merged["surviving"]["id"], merged["discarded"]["id"]) == (hers.id, theirs.id)
    assert merged["surviving"]["message_count"] == 3
    assert told["discarded_metadata"] == {}
    before = (await journal(world))["conversations"]
    at_first, brought = before.pop("last_message_at"), before.pop("brought")
    assert before.pop("default_of") == told["discarded"]
    assert before == {"surviving": hers.id, "discarded": theirs.id, "united": True}
    rows = {row["id"]: row for row in (await world.snapshot())["conversations"]}
    assert (rows[theirs.id]["merged_into"], rows[theirs.id]["message_count"]) == (hers.id, 2)
    assert hers.created_at < at_first < brought == rows[hers.id]["last_message_at"]


async def test_conversations_come_along_in_a_chain_of_merges(world: World) -> None:
    users = [await world.user(name) for name in "abc"]
    talks = [await personal(world, user) for user in users]
    await merge(world, users[1], users[0])
    await merge(world, users[2], users[1])
    for talk in talks:
        assert (await world.ask(get_conversation, talk.id)).id == talks[2].id
    assert set(await family(world, talks[2])) == {talk.id for talk in talks}
    for reference in (*(Reference(user.id) for user in users), *(Reference(external_id=name) for name in "abc")):
        assert await found(world, reference) == [talks[2].id]


async def test_the_only_conversation_stays_the_default_whoever_of_the_two_had_it(world: World) -> None:
    await world.log_in(claims("1234"), device())
    visitor = await world.visitor(phone := device())
    talk = await personal(world, visitor.user)
    ada = await world.log_in(claims("1234"), phone, visitor)
    assert await found(world, ada.user) == [talk.id]
    [seat] = await seats(world, talk)
    assert (seat.user_id, seat.external_id) == (ada.user.id, "1234")

    async def opened(tx: Transaction, user: User) -> str:
        return (await open_default(tx, user, subscribe=True, reason="message", origin=Origin()))[0].id

    assert await world.do_to("1234", opened) == talk.id
    await world.do(post_activity, talk.id, "conversation:read", Reference(external_id="1234"))
    assert (await seats(world, talk))[0].last_read is not None
    assert "conversations" not in await journal(world)


async def test_the_sdk_client_of_a_merged_user_is_the_survivors(world: World) -> None:
    """Decision 4: it is the sum of all her devices."""
    await world.log_in(claims("1234"), device())
    visitor = await world.visitor(phone := device())

    async def opened(tx: Transaction, user: User) -> Conversation:
        return (await open_default(tx, user, subscribe=True, reason="message", origin=Origin()))[0]

    talk = await world.do_to(visitor.user, opened)
    ada = await world.log_in(claims("1234"), phone, visitor)
    [seat] = await seats(world, talk)
    assert [one.client_id for one in seat.associations] == [ada.user.client_id]


async def test_with_multi_convo_conversations_stay_apart_and_one_is_the_default(world: World) -> None:
    await world.choose(multiConvoEnabled=True)
    ada, hers, theirs = await meeting(world)
    assert await found(world, ada.user) == [hers.id, theirs.id]
    assert [(await world.ask(get_conversation, talk.id)).is_default for talk in (hers, theirs)] == [True, False]
    assert (await journal(world))["conversations"]["united"] is False
    [told] = [event for event in await world.events(ada.user.id) if event["event"] == "users.merged"]
    assert told["merged_conversations"] is None
    await world.do(delete_conversation, theirs.id)
    assert await found(world, ada.user) == [hers.id]


async def test_in_a_group_where_both_were_she_has_one_place(world: World) -> None:
    ada, other, eve = [await world.user(name) for name in ("ada", "other", "eve")]
    talk = await group(world, other, ada, eve)
    await say(world, talk)
    await merge(world, ada, other)
    assert [seat.user_id for seat in await seats(world, talk)] == [ada.id, eve.id]
    assert await found(world, ada) == [talk.id]
    await say(world, talk, ada)
    assert [seat.unread_count for seat in await seats(world, talk)] == [1, 2], "what she says does not wait for her"
    assert (await world.do(join_conversation, talk.id, invite(other))).user_id == ada.id
    await world.do(leave_conversation, talk.id, Reference(external_id="other"))
    assert [seat.user_id for seat in await seats(world, talk)] == [eve.id]


# Removed and erased.


async def test_a_removed_user_takes_her_conversations_along_and_leaves_groups_to_others(world: World) -> None:
    await world.choose(multiConvoEnabled=True)
    ada, eve = await world.user("ada@acme", given_name="Ada"), await world.user("eve@acme")
    first, second = await personal(world, ada), await personal(world, ada)
    talk, left = await group(world, ada, eve), await group(world, eve)
    for conversation in (first, second):
        await say(world, conversation)
        await say(world, conversation, ada)
    for user in (ada, eve, ada):
        await say(world, talk, user)
    await world.do(join_conversation, left.id, invite(ada))
    await world.do(leave_conversation, left.id, Reference(ada.id))
    await world.do_to(ada, delete_user, BY)
    for conversation in (first, second):
        with pytest.raises(ConversationNotFound):
            await world.ask(get_conversation, conversation.id)
    kept = await world.ask(get_conversation, talk.id)
    assert kept.message_count == 1
    assert [seat.user_id for seat in await seats(world, talk)] == [eve.id]
    snapshot = await world.snapshot()
    assert [row["author_id"] for row in snapshot["messages"]] == [eve.id]
    assert await world.traces_of("Ada", "ada@acme", first.id, second.id, ada.client_id) == []
    said = {trace.split(".")[0] for trace in await world.traces_of(ada.id)}
    assert said == {"audit", "audit_subjects", "erasures", "events"}, "only that she was removed"
    assert {event["event"] for event in await world.events(talk.id)} == {"conversation.created", "message.posted"}
    assert numbered_without_gaps(snapshot)


async def test_a_user_who_was_merged_goes_with_both_conversations(world: World) -> None:
    ada, hers, theirs = await meeting(world)
    await world.do_to(ada.user, delete_user, BY)
    snapshot = await world.snapshot()
    for table in ("conversations", "participants", "messages"):
        assert snapshot[table] == []
    assert await world.traces_of(hers.id, theirs.id) == []


async def test_an_erased_user_keeps_conversations_and_events_of_groups_say_nothing_of_her(world: World) -> None:
    ada, eve = await world.user("1234", given_name="Ada"), await world.user("5678", given_name="Eve")
    mine, talk = await personal(world, ada), await group(world, ada, eve)
    await say(world, mine, ada)
    for user in (ada, eve):
        await say(world, talk, user)
    await world.do(leave_conversation, talk.id, Reference(ada.id))
    await world.do_to(ada, erase_personal_information, BY)
    assert await world.traces_of("Ada") == []
    assert await world.traces_of("Eve") == ["events.body", "users.given_name"]
    assert await found(world, ada) == [mine.id]
    assert (await world.ask(get_conversation, talk.id)).message_count == 2
    assert len((await world.snapshot())["messages"]) == 3


async def test_everything_goes_with_the_app(world: World) -> None:
    ada = await world.user("1234")
    talk = await group(world, ada)
    await say(world, await personal(world, ada))
    await say(world, talk, ada)
    await world.do(leave_conversation, talk.id, Reference(ada.id))
    await world.do(delete_app)
    snapshot = await world.snapshot()
    assert [table for table in TABLES if snapshot[table]] == []
