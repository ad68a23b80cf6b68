"""Opening, finding, changing and removing conversations; who takes part; what they do."""

from typing import Any

import pytest
from hypothesis import given as example
from hypothesis import strategies as st

from knownas.conversations import (
    PARTICIPANTS_AT_MOST,
    Conversation,
    ConversationChanges,
    ConversationNotFound,
    ConversationType,
    DefaultConversationStays,
    InvalidConversation,
    Invitation,
    NotAMember,
    Origin,
    Participant,
    Reference,
    Start,
    TooManyParticipants,
)
from knownas.conversations.activity import post_activity
from knownas.conversations.create import check_invitations, create_conversation, hold_personal, open_default
from knownas.conversations.delete import delete_conversation
from knownas.conversations.find import get_conversation, list_conversations, list_participants
from knownas.conversations.join import join_conversation
from knownas.conversations.leave import leave_conversation
from knownas.conversations.retain import retain
from knownas.conversations.update import update_conversation
from knownas.messages import Author
from knownas.messages.draft import Draft
from knownas.messages.post import post_message
from knownas.transaction import Transaction
from knownas.users import User, UserChanges, UserNotFound
from knownas.users.create import new_user
from knownas.users.delete import erase_personal_information
from knownas.users.metadata import InvalidMetadata
from tests.given import BY, Clock, World, numbered_without_gaps

PLAIN = ConversationChanges()
HELLO = {"type": "text", "text": "hello"}


def invite(user: User, *, subscribe: bool | None = False) -> Invitation:
    return Invitation(Reference(user.id), subscribe)


async def personal(world: World, user: User, **details: Any) -> Conversation:
    return await world.do(create_conversation, "personal", [invite(user)], ConversationChanges(**details))


async def group(world: World, *users: User) -> Conversation:
    return await world.do(create_conversation, "sdkGroup", [invite(user) for user in users], PLAIN)


async def say(world: World, conversation: Conversation, user: User | None = None) -> None:
    author = Author("user", user.id) if user else Author("business")
    await world.do(post_message, conversation.id, Draft(author, HELLO))


async def seats(world: World, conversation: Conversation, limit: int = 100) -> list[Participant]:
    return await world.ask(list_participants, conversation.id, after=None, before=None, limit=limit)


async def found(world: World, user: User | Reference) -> list[str]:
    reference = user if isinstance(user, Reference) else Reference(user.id)
    return [one.id for one in await world.ask(list_conversations, reference, after=None, before=None, limit=100)]


# Opening.


async def test_the_first_personal_conversation_is_the_default_one(world: World) -> None:
    ada = await world.user("1234", given_name="Ada")
    made = await personal(world, ada, display_name="Help", description="d", icon_url="https://x/i", metadata={"a": 1})
    assert (made.type, made.is_default, made.display_name, made.metadata) == ("personal", True, "Help", {"a": 1})
    assert await world.ask(get_conversation, made.id) == made
    [seat] = await seats(world, made)
    assert (seat.user_id, seat.external_id, seat.unread_count, seat.last_read, seat.associations) == (
        ada.id, "1234", 0, None, (),
    )  # fmt: skip
    [event] = [event for event in await world.events(ada.id) if event["event"] == "conversation.created"]
    assert (event["conversation"]["id"], event["reason"], event["user"]["given_name"]) == (made.id, "none", "Ada")
    assert numbered_without_gaps(await world.snapshot())


async def test_a_second_personal_conversation_needs_multi_convo(world: World) -> None:
    ada = await world.user("1234")
    first = await personal(world, ada)
    before = await world.snapshot()
    with pytest.raises(InvalidConversation, match=f"conversation {first.id} already.*multiConvoEnabled"):
        await personal(world, ada)
    assert await world.snapshot() == before
    await world.choose(multiConvoEnabled=True)
    second = await personal(world, ada)
    assert (first.is_default, second.is_default) == (True, False)
    assert await found(world, Reference(external_id="1234")) == [first.id, second.id]


async def test_a_subscribed_sdk_client_is_hers_whether_or_not_she_has_a_device(world: World) -> None:
    ada = await world.user("1234")
    made = await world.do(create_conversation, "personal", [invite(ada, subscribe=True)], PLAIN)
    [seat] = await seats(world, made)
    assert [(one.type, one.client_id) for one in seat.associations] == [("sdk", ada.client_id)]


async def test_a_group_has_any_number_of_users_up_to_ten(world: World) -> None:
    users = [await world.user(f"u{number}") for number in range(11)]
    assert await seats(world, await group(world)) == []
    full = await group(world, *users[:10])
    assert [seat.user_id for seat in await seats(world, full)] == [user.id for user in users[:10]]
    assert not full.is_default
    assert await world.told(full.id) == ["conversation.created"]
    with pytest.raises(TooManyParticipants):
        await group(world, *users)
    with pytest.raises(InvalidConversation, match="same user twice"):
        await group(world, users[0], users[0])


@example(st.sampled_from(["personal", "sdkGroup"]), st.lists(st.sampled_from([True, False, None]), max_size=13))
def test_participants_are_one_or_at_most_ten_who_say_whether_they_subscribe(
    type: ConversationType, subscriptions: list[bool | None]
) -> None:
    invitations = [Invitation(Reference("x"), subscribe) for subscribe in subscriptions]
    fine = (
        len(invitations) == 1
        if type == "personal"
        else len(invitations) <= PARTICIPANTS_AT_MOST and None not in subscriptions
    )
    try:
        check_invitations(type, invitations)
    except InvalidConversation:
        assert not fine
    else:
        assert fine


@pytest.mark.parametrize(
    ("reference", "refusal"),
    [
        (Reference(), InvalidConversation),
        (Reference("0" * 24, "1234"), InvalidConversation),
        (Reference("0" * 24), UserNotFound),
        (Reference("nobody"), UserNotFound),
        (Reference(external_id="nobody"), UserNotFound),
    ],
)
async def test_a_participant_is_named_by_one_id_of_a_user_who_is_there(
    world: World, reference: Reference, refusal: type[Exception]
) -> None:
    with pytest.raises(refusal):
        await world.do(create_conversation, "personal", [Invitation(reference)], PLAIN)
    with pytest.raises(refusal):
        await world.ask(list_conversations, reference, after=None, before=None, limit=10)


async def test_an_external_id_does_not_pass_for_an_id(world: World) -> None:
    await world.user("0" * 24)
    with pytest.raises(UserNotFound):
        await world.do(create_conversation, "personal", [Invitation(Reference("0" * 24))], PLAIN)


async def test_open_default_makes_it_once(world: World) -> None:
    ada = await world.user("1234")

    async def opened(tx: Transaction, user: User) -> str:
        conversation, seat = await open_default(tx, user, subscribe=True, reason="message", origin=Origin())
        assert seat.user_id == user.id
        return conversation.id

    assert await world.do_to(ada, opened) == await world.do_to(ada, opened)
    assert (await world.told(ada.id)).count("conversation.created") == 1


async def test_a_user_and_her_conversation_and_a_message_in_it_can_begin_together(world: World) -> None:
    """What an SDK does with a visitor's first message: nothing of it is there before all of it is."""

    async def begin(tx: Transaction) -> str:
        user = new_user(tx, None, "sdk", UserChanges(), authenticated=False)
        conversation, _ = hold_personal(tx, user, PLAIN, Start("message", Origin()), None, first=True)
        tx.conversations.count_message(conversation, tx.now, None)
        return conversation.id

    made = await world.ask(get_conversation, await world.do(begin))
    assert (made.message_count, made.last_message_at, made.is_default) == (1, made.created_at, True)
    assert [seat.unread_count for seat in await seats(world, made)] == [1]
    assert numbered_without_gaps(await world.snapshot())


# Listing.


async def test_pages_go_both_ways(world: World) -> None:
    await world.choose(multiConvoEnabled=True)
    ada = await world.user("1234")
    made = [(await personal(world, ada)).id for _ in range(5)]

    async def page(after: str | None = None, before: str | None = None) -> list[str]:
        page = await world.ask(list_conversations, Reference(ada.id), after=after, before=before, limit=2)
        return [one.id for one in page]

    assert await page() == made[:2]
    assert await page(after=made[1]) == made[2:4]
    assert await page(before=made[3]) == made[1:3]
    assert await page(before=made[0]) == []
    users = [await world.user(f"u{number}") for number in range(3)]
    talk = await group(world, *users)
    all_seats = await seats(world, talk)
    assert await world.ask(list_participants, talk.id, after=None, before=all_seats[2].id, limit=1) == all_seats[1:2]
    assert await world.ask(list_participants, talk.id, after=all_seats[0].id, before=None, limit=9) == all_seats[1:]


async def test_nothing_of_one_app_is_found_in_another(world: World) -> None:
    ada = await world.user("1234")
    made = await personal(world, ada)
    other = await world.another_app()
    for verb in (get_conversation, delete_conversation):
        with pytest.raises(ConversationNotFound):
            await other.do(verb, made.id)
    with pytest.raises(UserNotFound):
        await found(other, ada)


# Changing and removing.


async def test_an_update_changes_what_it_names_and_null_clears(world: World) -> None:
    ada = await world.user("1234")
    made = await personal(world, ada, display_name="Help", metadata={"a": 1, "b": 2})
    changes = ConversationChanges(display_name=None, description="d", metadata={"a": None, "c": True})
    for _ in range(2):
        changed = await world.do(update_conversation, made.id, changes)
        assert (changed.display_name, changed.description, changed.metadata) == (None, "d", {"b": 2, "c": True})
        assert changed.icon_url is None
    [event] = [event for event in await world.events(ada.id) if event["event"] == "conversation.updated"]
    assert event["fields"] == ["display_name", "description", "metadata"]
    assert event["conversation"]["metadata"] == {"b": 2, "c": True}
    wrong: list[dict[str, Any]] = [{"deep": {}}, {"big": "x" * 4097}]
    for metadata in wrong:
        with pytest.raises(InvalidMetadata, match=r"(?i)metadata"):
            await world.do(update_conversation, made.id, ConversationChanges(metadata=metadata))
    with pytest.raises(ConversationNotFound):
        await world.do(update_conversation, "0" * 24, changes)


async def test_the_default_conversation_stays_and_others_go_with_all_that_is_in_them(world: World) -> None:
    await world.choose(multiConvoEnabled=True)
    ada = await world.user("1234")
    first, second, third = await personal(world, ada), await personal(world, ada), await group(world, ada)
    for talk in (second, third):
        await say(world, talk)
    with pytest.raises(DefaultConversationStays) as refusal:
        await world.do(delete_conversation, first.id)
    assert str(refusal.value) == f"Conversation {first.id} cannot be deleted because it is the default."
    for gone in (second, third):
        await world.do(delete_conversation, gone.id)
        with pytest.raises(ConversationNotFound):
            await world.ask(get_conversation, gone.id)
    assert await found(world, ada) == [first.id]
    snapshot = await world.snapshot()
    assert snapshot["messages"] == []
    assert {row["conversation_id"] for row in snapshot["participants"]} == {first.id}
    assert (await world.told(ada.id))[-1] == "conversation.removed"
    assert (await world.told(world.app.id))[-1] == "conversation.removed"
    assert "message.posted" in await world.told(third.id), "somebody may still have to be told"
    assert numbered_without_gaps(snapshot)


async def test_what_a_removed_group_told_of_a_user_goes_when_she_is_erased(world: World) -> None:
    """R10: the group's events outlive it, but not her."""
    ada, eve = await world.user("ada"), await world.user("eve")
    talk = await group(world, ada, eve)
    await say(world, talk, ada)
    await say(world, talk, eve)
    await world.do(delete_conversation, talk.id)
    assert ada.id in str(await world.events(talk.id))
    await world.do_to(ada, erase_personal_information, BY)
    left = str(await world.events(talk.id))
    assert ada.id not in left
    assert eve.id in left


# Joining and leaving.


async def test_joining_twice_has_the_effect_of_once(world: World) -> None:
    ada = await world.user("1234")
    talk = await group(world)
    seat = await world.do(join_conversation, talk.id, invite(ada))
    assert seat.associations == ()
    again = await world.do(join_conversation, talk.id, invite(ada, subscribe=True))
    assert (again.id, [one.client_id for one in again.associations]) == (seat.id, [ada.client_id])
    assert await world.do(join_conversation, talk.id, invite(ada, subscribe=True)) == again
    assert await seats(world, talk) == [again]
    assert await world.told(talk.id) == ["conversation.created", "conversation.joined"]


async def test_ten_are_the_most(world: World) -> None:
    users = [await world.user(f"u{number}") for number in range(11)]
    talk = await group(world, *users[:10])
    with pytest.raises(TooManyParticipants, match="Too many participants"):
        await world.do(join_conversation, talk.id, invite(users[10]))
    await world.do(leave_conversation, talk.id, Reference(users[0].id))
    await world.do(join_conversation, talk.id, invite(users[10]))


async def test_a_group_says_whether_an_sdk_client_is_subscribed(world: World) -> None:
    ada = await world.user("1234")
    with pytest.raises(InvalidConversation, match="subscribeSDKClient"):
        await world.do(create_conversation, "sdkGroup", [invite(ada, subscribe=None)], PLAIN)
    talk = await group(world)
    with pytest.raises(InvalidConversation, match="subscribeSDKClient"):
        await world.do(join_conversation, talk.id, invite(ada, subscribe=None))


async def test_who_leaves_is_named_by_exactly_one_of_three(world: World) -> None:
    users = [await world.user(f"u{number}") for number in range(3)]
    talk = await group(world, *users)
    third = (await seats(world, talk))[2]
    await world.do(leave_conversation, talk.id, Reference(users[0].id))
    await world.do(leave_conversation, talk.id, Reference(external_id="u1"))
    await world.do(leave_conversation, talk.id, Reference(), third.id)
    assert await seats(world, talk) == []
    assert (await world.told(talk.id)).count("conversation.left") == 3
    for reference, seat in ((Reference(users[0].id), None), (Reference(), third.id)):
        with pytest.raises(NotAMember, match="User is not a member of the conversation"):
            await world.do(leave_conversation, talk.id, reference, seat)
    with pytest.raises(UserNotFound):
        await world.do(leave_conversation, talk.id, Reference(external_id="nobody"))
    for reference, seat in ((Reference(), None), (Reference(users[0].id), third.id)):
        with pytest.raises(InvalidConversation, match="exactly one"):
            await world.do(leave_conversation, talk.id, reference, seat)


async def test_a_personal_conversation_is_neither_joined_nor_left(world: World) -> None:
    ada, eve = await world.user("1234"), await world.user("5678")
    talk = await personal(world, ada)
    with pytest.raises(InvalidConversation, match="sdkGroup"):
        await world.do(join_conversation, talk.id, invite(eve))
    with pytest.raises(InvalidConversation, match="sdkGroup"):
        await world.do(leave_conversation, talk.id, Reference(ada.id))


# Activities.


async def test_what_is_said_waits_for_everybody_else_until_it_is_read(world: World, clock: Clock) -> None:
    ada, eve = await world.user("1234"), await world.user("5678")
    talk = await group(world, ada, eve)
    await say(world, talk)
    await say(world, talk, ada)
    assert [seat.unread_count for seat in await seats(world, talk)] == [1, 2]
    await world.do(post_activity, talk.id, "conversation:read", Reference(external_id="5678"))
    hers, eves = await seats(world, talk)
    assert (hers.unread_count, hers.last_read, eves.unread_count) == (1, None, 0)
    assert eves.last_read is not None
    event = (await world.events(talk.id))[-1]
    assert (event["event"], event["type"], event["author"]["id"]) == (
        "conversation.activity",
        "conversation:read",
        eve.id,
    )
    after = await world.ask(get_conversation, talk.id)
    assert (after.message_count, after.business_last_read) == (2, None)
    assert after.last_message_at is not None
    assert after.last_message_at > talk.created_at


async def test_the_business_reads_and_types(world: World) -> None:
    ada = await world.user("1234")
    talk = await personal(world, ada)
    await say(world, talk, ada)
    await world.do(post_activity, talk.id, "conversation:read", None)
    after = await world.ask(get_conversation, talk.id)
    assert after.business_last_read is not None
    for type in ("typing:start", "typing:stop"):
        await world.do(post_activity, talk.id, type, None)
    assert await world.ask(get_conversation, talk.id) == after
    told = [event for event in await world.events(ada.id) if event["event"] == "conversation.activity"]
    assert [event["type"] for event in told] == ["conversation:read", "typing:start", "typing:stop"]
    assert told[0]["conversation"]["business_last_read"] == after.business_last_read


async def test_a_server_tells_only_of_a_users_reading_and_an_sdk_of_her_typing_too(world: World) -> None:
    ada, eve = await world.user("1234"), await world.user("5678")
    talk = await personal(world, ada)
    with pytest.raises(InvalidConversation, match="conversation:read"):
        await world.do(post_activity, talk.id, "typing:start", Reference(ada.id))
    with pytest.raises(NotAMember):
        await world.do(post_activity, talk.id, "conversation:read", Reference(eve.id))
    with pytest.raises(UserNotFound):
        await world.do(post_activity, talk.id, "conversation:read", Reference(external_id="nobody"))

    async def types(tx: Transaction, user: User) -> None:
        await post_activity(tx, talk.id, "typing:start", user)

    await world.do_to(ada, types)
    assert (await world.events(ada.id))[-1]["author"]["id"] == ada.id


# Retention.


async def test_what_was_said_in_idle_conversations_goes_and_the_conversations_stay(world: World, clock: Clock) -> None:
    ada, eve = await world.user("1234"), await world.user("5678")
    idle, lively = await personal(world, ada), await personal(world, eve)
    for talk in (idle, lively):
        await say(world, talk)
    assert await world.do(retain) is None, "nothing goes unless the app asks for it"
    await world.choose(conversationRetentionSeconds=60)
    clock.skip(50_000)
    await say(world, lively)
    clock.skip(20_000)
    assert await world.do(retain) is None
    left = {row["conversation_id"] for row in (await world.snapshot())["messages"]}
    assert left == {lively.id}
    assert (await world.ask(get_conversation, idle.id)).message_count == 0
    assert (await world.told(ada.id))[-1] == "message.all_deleted"
    before = await world.snapshot()
    await world.do(retain)
    assert await world.snapshot() == before


async def test_retention_goes_on_where_a_bite_ended(
    world: World, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("knownas.conversations.retain.LOOKED_AT", 4)
    monkeypatch.setattr("knownas.conversations.retain.CLEARED", 2)
    await world.choose(conversationRetentionSeconds=60)
    for number in range(7):
        await say(world, await personal(world, await world.user(f"u{number}")))
    clock.skip(70_000)
    bites, after = 0, ""
    while (following := await world.do(retain, after)) is not None:
        assert following > after
        bites, after = bites + 1, following
    assert bites == 3
    assert (await world.snapshot())["messages"] == []
