"""What both engines promise of conversations: their stories, and what happens when two do things at once."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import asyncpg
import pytest

from knownas.apps.delete import delete_app
from knownas.conversations import (
    MESSAGES_AT_MOST,
    PARTICIPANTS_AT_MOST,
    Conversation,
    ConversationChanges,
    ConversationNotFound,
    InvalidConversation,
    NotAMember,
    Origin,
    Reference,
    Start,
    TooManyParticipants,
)
from knownas.conversations.activity import post_activity
from knownas.conversations.create import create_conversation, hold_personal, open_default
from knownas.conversations.delete import delete_conversation
from knownas.conversations.find import get_conversation, list_conversations
from knownas.conversations.join import join_conversation
from knownas.conversations.leave import leave_conversation
from knownas.conversations.retain import retain
from knownas.conversations.update import update_conversation
from knownas.errors import Unavailable
from knownas.messages import Author, ConversationFull
from knownas.messages.draft import Draft
from knownas.messages.post import post_message
from knownas.sessions.log_in import log_in
from knownas.switchboards import Switchboard, SwitchboardIntegration
from knownas.transaction import Transaction
from knownas.users import User, UserChanges
from knownas.users.create import new_user
from knownas.users.delete import delete_user, erase_personal_information
from tests.contract.test_storage import overtaken, waiting_for_locks
from tests.given import BY, World, claims, device, numbered_without_gaps, proof
from tests.unit.test_conversations import HELLO, PLAIN, found, group, invite, personal, say, seats


async def all_at_once(*awaitables: Awaitable[Any]) -> Counter[str]:
    results = await asyncio.gather(*awaitables, return_exceptions=True)
    return Counter(type(result).__name__ for result in results)


async def check_what_always_holds(world: World) -> None:
    """What spans tables: nobody and nothing points to what is gone, and counts count."""
    snapshot = await world.snapshot()
    assert numbered_without_gaps(snapshot)
    users = {row["id"]: row for row in snapshot["users"]}
    conversations = {row["id"]: row for row in snapshot["conversations"]}
    for row in snapshot["participants"]:
        assert row["user_id"] in users, f"an orphan: {row}"
        assert row["conversation_id"] in conversations, f"an orphan: {row}"
    for row in snapshot["messages"]:
        assert row["conversation_id"] in conversations, f"an orphan: {row}"
        assert row["author_id"] is None or row["author_id"] in users, f"an orphan: {row}"
    said = Counter(row["conversation_id"] for row in snapshot["messages"])
    merged = Counter[str]()
    for row in conversations.values():
        assert row["merged_into"] is None or row["merged_into"] in conversations, "a pointer to nowhere"
        if row["merged_into"] is not None:
            merged[row["merged_into"]] += row["message_count"]
    for row in conversations.values():
        assert row["message_count"] == said[row["id"]] + merged[row["id"]], row
    defaults = Counter(
        survivor_of(users, row["default_of"])
        for row in conversations.values()
        if row["default_of"] is not None and row["merged_into"] is None
    )
    assert all(count == 1 for count in defaults.values()), defaults


def survivor_of(users: dict[str, dict[str, Any]], user_id: str) -> str:
    while users[user_id]["merged_into"] is not None:
        user_id = users[user_id]["merged_into"]
    return user_id


# Stories, because SQL is special.


async def test_a_conversation_from_beginning_to_end(world_on_both: World) -> None:
    world = world_on_both
    await world.choose(multiConvoEnabled=True)
    ada, eve = await world.user("1234"), await world.user("5678")
    first = await personal(world, ada, metadata={"a": 1})
    await world.do(update_conversation, first.id, ConversationChanges(display_name="Help", metadata={"b": 2}))
    second, talk = await personal(world, ada), await group(world, ada)
    await world.do(join_conversation, talk.id, invite(eve, subscribe=True))
    for author in (None, ada, eve):
        await say(world, talk, author)
    await world.do(post_activity, talk.id, "conversation:read", Reference(external_id="5678"))
    await world.do(post_activity, talk.id, "conversation:read", None)
    assert [seat.unread_count for seat in await seats(world, talk)] == [2, 0]
    assert await found(world, ada) == [first.id, second.id, talk.id]
    page = await world.ask(list_conversations, Reference(ada.id), after=None, before=talk.id, limit=1)
    assert [one.id for one in page] == [second.id]
    one = await world.ask(get_conversation, first.id)
    assert (one.display_name, one.metadata, one.is_default) == ("Help", {"a": 1, "b": 2}, True)
    await world.do(leave_conversation, talk.id, Reference(eve.id))
    await world.do(delete_conversation, second.id)
    await check_what_always_holds(world)
    await world.do(delete_conversation, talk.id)
    assert await found(world, ada) == [first.id]
    await check_what_always_holds(world)
    await world.do(delete_app)
    snapshot = await world.snapshot()
    assert not any(snapshot[table] for table in ("conversations", "participants", "former_participants", "messages"))


async def test_a_visitors_first_message_makes_all_of_it_at_once(world_on_both: World) -> None:
    world = world_on_both

    async def begin(tx: Transaction, business: bool) -> str:
        user = new_user(tx, None, "sdk", UserChanges(), authenticated=False)
        conversation, _ = hold_personal(tx, user, PLAIN, Start("message"), None, first=True)
        tx.conversations.count_message(conversation, tx.now, None if business else user.id)
        return conversation.id

    for business, unread in ((True, 1), (False, 0)):
        made = await world.ask(get_conversation, await world.do(begin, business))
        assert (made.message_count, [seat.unread_count for seat in await seats(world, made)]) == (1, [unread])
    assert numbered_without_gaps(await world.snapshot())


async def test_a_login_unites_two_conversations(world_on_both: World) -> None:
    world = world_on_both
    ada = await world.log_in(claims("1234"), device())
    visitor = await world.visitor(phone := device())
    hers, theirs = await personal(world, ada.user), await personal(world, visitor.user)
    talk = await group(world, visitor.user, ada.user)
    for conversation in (hers, theirs, theirs, talk):
        await say(world, conversation)
    await world.log_in(claims("1234"), phone, visitor)
    one = await world.ask(get_conversation, theirs.id)
    assert (one.id, one.message_count) == (hers.id, 3)
    assert [seat.unread_count for seat in await seats(world, hers)] == [3]
    assert [seat.user_id for seat in await seats(world, talk)] == [ada.user.id]
    await say(world, talk, ada.user)
    await world.do(post_activity, talk.id, "conversation:read", Reference(ada.user.id))
    assert [seat.unread_count for seat in await seats(world, talk)] == [0]
    assert await found(world, visitor.user) == [hers.id, talk.id]
    await check_what_always_holds(world)
    await world.do_to("1234", delete_user, BY)
    snapshot = await world.snapshot()
    assert [row["id"] for row in snapshot["conversations"]] == [talk.id]
    assert snapshot["participants"] == []
    await check_what_always_holds(world)


async def test_removing_and_erasing_leave_nothing_of_her_in_groups(world_on_both: World) -> None:
    world = world_on_both
    ada, eve = await world.user("ada@acme", given_name="Ada"), await world.user("eve@acme")
    talk = await group(world, ada, eve)
    for author in (ada, eve, ada):
        await say(world, talk, author)
    await world.do_to(ada, erase_personal_information, BY)
    assert await world.traces_of("Ada") == []
    assert (await world.ask(get_conversation, talk.id)).message_count == 3
    await check_what_always_holds(world)
    await say(world, talk, ada)
    await world.do_to(ada, delete_user, BY)
    assert await world.traces_of("ada@acme") == []
    assert (await world.ask(get_conversation, talk.id)).message_count == 1
    await check_what_always_holds(world)


async def test_idle_conversations_are_emptied(world_on_both: World) -> None:
    world = world_on_both
    talk = await personal(world, await world.user("1234"))
    await say(world, talk)
    await world.choose(conversationRetentionSeconds=1)
    await world.database.write(world.app, backdate, talk)
    await world.do(retain)
    assert (await world.ask(get_conversation, talk.id)).message_count == 0
    await check_what_always_holds(world)


async def backdate(tx: Transaction, talk: Conversation) -> None:
    conversation = await get_conversation(tx, talk.id)
    tx.conversations.change(conversation, last_message_at=tx.now - 5_000)


async def test_a_full_conversation_takes_no_more(world_on_both: World) -> None:
    world = world_on_both
    talk = await personal(world, await world.user("1234"))

    async def fill(tx: Transaction) -> None:
        tx.conversations.change(await get_conversation(tx, talk.id), message_count=MESSAGES_AT_MOST - 1)

    await world.do(fill)
    outcomes = await all_at_once(*(say(world, talk) for _ in range(4)))
    assert outcomes == {"NoneType": 1, ConversationFull.__name__: 3}
    assert (await world.ask(get_conversation, talk.id)).message_count == MESSAGES_AT_MOST


async def test_who_answers_is_read_with_the_conversation(world_on_both: World) -> None:
    world = world_on_both

    async def wire(tx: Transaction) -> SwitchboardIntegration:
        board = tx.new_id()
        one = SwitchboardIntegration(tx.new_id(), board, "bot", None, "custom", False, None, None, tx.now)
        tx.switchboards.add(Switchboard(board, True, one.id, tx.now))
        tx.switchboards.add_integration(one)
        return one

    first = await world.do(wire)
    made = await personal(world, await world.user("1234"))
    assert made.active is not None
    assert made.active == (await world.ask(get_conversation, made.id)).active
    assert (made.active.id, made.active.name, made.pending) == (first.id, "bot", None)


# At once.


async def test_of_two_first_conversations_at_once_one_is_made(world_on_both: World) -> None:
    world = world_on_both
    ada = await world.user("1234")
    made = await all_at_once(*(personal(world, ada) for _ in range(8)))
    assert made == {"Conversation": 1, "InvalidConversation": 7}
    assert len(await found(world, ada)) == 1
    await check_what_always_holds(world)


async def test_with_multi_convo_one_of_many_at_once_is_the_default(world_on_both: World) -> None:
    world = world_on_both
    await world.choose(multiConvoEnabled=True)
    ada = await world.user("1234")
    made = await asyncio.gather(*(personal(world, ada) for _ in range(6)))
    assert [one.is_default for one in sorted(made, key=lambda one: not one.is_default)] == [True] + 5 * [False]
    await check_what_always_holds(world)


async def test_a_default_conversation_opened_at_once_is_one(world_on_both: World) -> None:
    world = world_on_both
    ada = await world.user("1234")

    async def opened(tx: Transaction, user: User) -> str:
        return (await open_default(tx, user, subscribe=True, reason="message", origin=Origin()))[0].id

    assert len(set(await asyncio.gather(*(world.do_to(ada, opened) for _ in range(8))))) == 1
    await check_what_always_holds(world)


async def test_the_index_guards_the_default_one_by_itself(world_on_both: World) -> None:
    """Also from a verb that reads nothing: the second one is lost for ever, and says so."""
    world = world_on_both
    ada = await world.user("1234")

    async def blindly(tx: Transaction) -> None:
        user = await tx.users.by_id(ada.id)
        assert user is not None
        hold_personal(tx, user, PLAIN, Start(), None, first=True)

    await world.do(blindly)
    with pytest.raises(Unavailable, match="Too many others"):
        await world.do(blindly)


async def test_a_group_holds_ten_however_many_join_at_once(world_on_both: World) -> None:
    world = world_on_both
    users = [await world.user(f"u{number}") for number in range(14)]
    talk = await group(world, *users[:7])
    joined = await all_at_once(*(world.do(join_conversation, talk.id, invite(user)) for user in users[7:]))
    assert joined == {"Participant": 3, "TooManyParticipants": 4}
    assert len(await seats(world, talk)) == PARTICIPANTS_AT_MOST
    await check_what_always_holds(world)


async def test_one_user_who_joins_and_leaves_twice_at_once_does_it_once(world_on_both: World) -> None:
    world = world_on_both
    ada = await world.user("1234")
    talk = await group(world)
    joined = await asyncio.gather(*(world.do(join_conversation, talk.id, invite(ada)) for _ in range(4)))
    assert len({seat.id for seat in joined}) == 1
    left = await all_at_once(*(world.do(leave_conversation, talk.id, Reference(ada.id)) for _ in range(4)))
    assert left == {"NoneType": 1, "NotAMember": 3}
    assert (await world.told(talk.id)).count("conversation.joined") == 1
    assert (await world.told(talk.id)).count("conversation.left") == 1
    await check_what_always_holds(world)


async def test_a_merge_and_a_first_conversation_at_once_make_one_default(world_on_both: World) -> None:
    world = world_on_both
    for number in range(4):
        who = f"u{number}"
        ada = await world.log_in(claims(who), device())
        visitor = await world.visitor(phone := device())
        await asyncio.gather(
            personal(world, visitor.user),
            personal(world, ada.user),
            world.log_in(claims(who), phone, visitor),
            return_exceptions=True,
        )
        assert len(await found(world, Reference(external_id=who))) == 1
    await check_what_always_holds(world)


async def test_nobody_is_left_in_a_conversation_who_is_removed_at_once(world_on_both: World) -> None:
    world = world_on_both
    for number in range(4):
        ada = await world.user(f"u{number}")
        talk = await group(world)
        await asyncio.gather(
            world.do(join_conversation, talk.id, invite(ada)),
            personal(world, ada),
            group(world, ada),
            world.do_to(ada, delete_user, BY),
            return_exceptions=True,
        )
    await check_what_always_holds(world)


async def test_messages_and_the_removal_of_their_conversation_at_once(world_on_both: World) -> None:
    world = world_on_both
    await world.choose(multiConvoEnabled=True)
    ada = await world.user("1234")
    await personal(world, ada)
    draft = Draft(Author("business"), HELLO)
    for _ in range(3):
        talk = await personal(world, ada)
        outcomes = await all_at_once(
            *(world.do(post_message, talk.id, draft) for _ in range(3)),
            world.do(delete_conversation, talk.id),
            *(world.do(post_message, talk.id, draft) for _ in range(3)),
        )
        assert outcomes["NoneType"] == 1
        assert set(outcomes) <= {"NoneType", "Posted", ConversationNotFound.__name__}
    await check_what_always_holds(world)


# PostgreSQL alone lets units of work overlap: between what a verb reads and what it writes, another may happen whole.


async def test_a_conversation_that_a_merge_brings_meanwhile_is_the_only_default(world_on_postgres: World) -> None:
    world = world_on_postgres
    ada = await world.log_in(claims("1234"), device())
    visitor = await world.visitor(phone := device())
    talk = await personal(world, visitor.user)
    outcome = await overtaken(
        world, create_conversation, "personal", [invite(ada.user)], PLAIN,
        by=lambda: world.log_in(claims("1234"), phone, visitor),
    )  # fmt: skip
    assert isinstance(outcome, InvalidConversation)
    assert await found(world, ada.user) == [talk.id]
    await check_what_always_holds(world)


async def test_a_first_conversation_opened_meanwhile_is_united_too(world_on_postgres: World) -> None:
    world = world_on_postgres
    ada = await world.log_in(claims("1234"), device())
    visitor = await world.visitor(phone := device())
    talk = await personal(world, visitor.user)
    await overtaken(world, log_in, claims("1234"), None, proof(visitor), by=lambda: personal(world, ada.user))
    assert (await world.log_in(claims("1234"), phone)).user.absorbed == 1
    assert len(await found(world, ada.user)) == 1
    assert (await world.ask(get_conversation, talk.id)).id != talk.id
    await check_what_always_holds(world)


async def test_a_message_said_meanwhile_in_a_conversation_that_is_united_is_counted(world_on_postgres: World) -> None:
    world = world_on_postgres
    ada = await world.log_in(claims("1234"), device())
    visitor = await world.visitor(device())
    hers, theirs = await personal(world, ada.user), await personal(world, visitor.user)
    await overtaken(world, log_in, claims("1234"), None, proof(visitor), by=lambda: say(world, theirs))
    assert (await world.ask(get_conversation, hers.id)).message_count == 1
    assert [seat.unread_count for seat in await seats(world, hers)] == [1]
    await check_what_always_holds(world)


@pytest.mark.parametrize("verb", [delete_user, erase_personal_information])
async def test_nobody_who_goes_meanwhile_joins_or_is_told_of(
    world_on_postgres: World, verb: Callable[..., Awaitable[Any]]
) -> None:
    """R10: whatever was read of her before must not be written after."""
    world = world_on_postgres
    talk = await group(world)
    ada: User
    begun: list[tuple[Callable[..., Awaitable[Any]], Callable[[], tuple[Any, ...]]]] = [
        (join_conversation, lambda: (talk.id, invite(ada))),
        (create_conversation, lambda: ("sdkGroup", [invite(ada)], PLAIN)),
        (create_conversation, lambda: ("personal", [invite(ada)], PLAIN)),
        (post_activity, lambda: (talk.id, "conversation:read", Reference(ada.id))),
        (leave_conversation, lambda: (talk.id, Reference(ada.id))),
    ]
    for number, (other, args) in enumerate(begun):
        ada = await world.user(f"u{number}", given_name="Secret")
        if number >= 3:
            await world.do(join_conversation, talk.id, invite(ada))
        await overtaken(world, other, *args(), by=partial(world.do_to, ada, verb, BY))
        assert await world.traces_of("Secret") == [], other
    await check_what_always_holds(world)


async def test_who_has_left_meanwhile_is_not_a_member(world_on_postgres: World) -> None:
    world = world_on_postgres
    ada = await world.user("1234")
    talk = await group(world, ada)
    leave = partial(world.do, leave_conversation, talk.id, Reference(ada.id))
    assert isinstance(await overtaken(world, leave_conversation, talk.id, Reference(ada.id), by=leave), NotAMember)
    assert (await world.told(talk.id)).count("conversation.left") == 1


async def test_two_changes_of_its_properties_at_once_are_both_kept(world_on_postgres: World) -> None:
    world = world_on_postgres
    talk = await personal(world, await world.user("1234"))
    one, other = ConversationChanges(metadata={"a": 1}), ConversationChanges(metadata={"b": 2})
    await overtaken(world, update_conversation, talk.id, one, by=partial(world.do, update_conversation, talk.id, other))
    assert (await world.ask(get_conversation, talk.id)).metadata == {"a": 1, "b": 2}


async def test_the_last_place_is_taken_once(world_on_postgres: World) -> None:
    world = world_on_postgres
    users = [await world.user(f"u{number}") for number in range(11)]
    talk = await group(world, *users[:9])
    first = partial(world.do, join_conversation, talk.id, invite(users[9]))
    late = await overtaken(world, join_conversation, talk.id, invite(users[10]), by=first)
    assert isinstance(late, TooManyParticipants)


async def test_the_last_message_is_said_once(world_on_postgres: World) -> None:
    world = world_on_postgres
    talk = await personal(world, await world.user("1234"))

    async def fill(tx: Transaction) -> None:
        tx.conversations.change(await get_conversation(tx, talk.id), message_count=MESSAGES_AT_MOST - 1)

    await world.do(fill)
    draft = Draft(Author("business"), HELLO)
    late = await overtaken(world, post_message, talk.id, draft, by=partial(say, world, talk))
    assert isinstance(late, ConversationFull)
    assert (await world.ask(get_conversation, talk.id)).message_count == MESSAGES_AT_MOST


async def test_a_removal_that_waits_for_a_message_takes_it_along(world_on_postgres: World) -> None:
    """Its one statement sees the database as it was when it began to wait, unless that is prevented."""
    world = world_on_postgres
    await world.choose(multiConvoEnabled=True)
    ada = await world.user("1234")
    await personal(world, ada)
    talk = await personal(world, ada)
    holder: Any = await asyncpg.connect(world.url)
    try:
        transaction = holder.transaction()
        await transaction.start()
        await holder.execute("SELECT 1 FROM conversations WHERE id = $1 FOR UPDATE", talk.id)
        saying = asyncio.create_task(say(world, talk))
        await waiting_for_locks(holder, 1)
        ending = asyncio.create_task(world.do(delete_conversation, talk.id))
        await waiting_for_locks(holder, 2)
        await transaction.commit()
        await asyncio.gather(saying, ending)
    finally:
        await holder.close()
    assert (await world.snapshot())["messages"] == []
    await check_what_always_holds(world)
