"""Posting, listing and deleting messages: who may speak, what is kept, and what others see of it."""

from typing import Any

import msgspec
import pytest

from knownas.apps import AppSettings
from knownas.conversations import (
    MESSAGES_AT_MOST,
    Conversation,
    ConversationChanges,
    ConversationNotFound,
    Invitation,
    NotAMember,
    Origin,
    Reference,
)
from knownas.conversations.create import create_conversation
from knownas.conversations.find import get_conversation, get_with_participants
from knownas.messages import (
    ActionNotFound,
    Author,
    ConversationFull,
    IdempotencyKeyReused,
    InvalidMessage,
    Message,
    MessageNotFound,
)
from knownas.messages.actions import content_with_ids
from knownas.messages.content import AnyContent, TextContent
from knownas.messages.delete import delete_all_messages, delete_message
from knownas.messages.draft import Destination, Draft, draft
from knownas.messages.post import Posted, post_message
from knownas.messages.post import say as hold
from knownas.messages.postback import press_postback
from knownas.messages.read import Listed, list_messages, messages_of
from knownas.users import User, UserChanges, UserNotFound
from knownas.users.delete import erase_personal_information
from knownas.users.update import update_user
from tests.given import BY, World, claims, device

BUSINESS = Author("business")


def text(words: str, author: Author = BUSINESS, **more: Any) -> Draft:
    return draft(author, TextContent(text=words), **more)


def by(user: User, words: str = "Hello", **more: Any) -> Draft:
    return text(words, Author("user", user.id), **more)


def content(**fields: Any) -> AnyContent:
    found: AnyContent = msgspec.convert(fields, AnyContent)
    return found


async def open_with(world: World, *users: User) -> Conversation:
    kind = "personal" if len(users) == 1 else "sdkGroup"
    invited = [Invitation(Reference(user.id), subscribe=True) for user in users]
    return await world.do(create_conversation, kind, invited, ConversationChanges())


async def say(world: World, where: Conversation, what: Draft, key: str | None = None) -> Posted:
    return await world.do(post_message, where.id, what, key)


async def read(world: World, where: Conversation | str, **page: Any) -> list[Message]:
    listed: Listed = await world.ask(list_messages, where if isinstance(where, str) else where.id, **page)
    return messages_of(listed, animal_names=world.app.settings.use_animal_names)


async def words(world: World, where: Conversation | str, **page: Any) -> list[str]:
    return [message.content["text"] for message in await read(world, where, **page)]


def with_settings(world: World, **settings: Any) -> World:
    app = msgspec.structs.replace(world.app, settings=AppSettings(**settings))
    return World(world.database, app, world.url)


# Who speaks


async def test_a_business_says_something(world: World) -> None:
    ada = await world.user("1234")
    where = await open_with(world, ada)
    author = Author("business", display_name="Support", avatar_url="https://e.org/a.png", subtypes=("AI",))
    posted = (await say(world, where, text("Hi", author, metadata={"a": 1}))).message
    assert await read(world, where) == [posted]
    assert (posted.author, posted.content, posted.metadata) == (author, {"type": "text", "text": "Hi"}, {"a": 1})
    assert posted.origin == Origin("api:conversations")
    now = await world.ask(get_conversation, where.id)
    assert (now.message_count, now.last_message_at) == (1, posted.received)


async def test_a_user_speaks_under_her_name_unless_the_message_gives_another(world: World) -> None:
    ada = await world.user("1234", given_name="Ada", surname="King", avatar_url="https://e.org/ada.png")
    where = await open_with(world, ada)
    await say(world, where, by(ada))
    await say(world, where, text("Hi", Author("user", display_name="A."), external_id="1234"))
    assert [(m.author.user_id, m.author.display_name, m.author.avatar_url) for m in await read(world, where)] == [
        (ada.id, "Ada King", "https://e.org/ada.png"),
        (ada.id, "A.", "https://e.org/ada.png"),
    ]


async def test_an_unnamed_user_has_an_animals_name_where_the_app_wants_it(world: World) -> None:
    ada = await world.user("1234")
    where = await open_with(world, ada)
    assert (await say(world, where, by(ada))).message.author.display_name == f"User {ada.id[-4:]}"
    animal = (await say(with_settings(world, use_animal_names=True), where, by(ada))).message.author.display_name
    assert animal
    assert not animal.startswith("User")


async def test_only_those_who_take_part_speak(world: World) -> None:
    ada, eve = await world.user("1234"), await world.user("5678")
    for where in (await open_with(world, ada), await open_with(world, ada, await world.user("b"))):
        before = await world.snapshot()
        with pytest.raises(NotAMember):
            await say(world, where, by(eve))
        with pytest.raises(UserNotFound):
            await say(world, where, text("Hi", Author("user", "0123456789ab0123456789ab")))
        with pytest.raises(UserNotFound):
            await say(world, where, text("Hi", Author("user"), external_id="a\x00b"))
        assert await world.snapshot() == before


@pytest.mark.parametrize(
    ("author", "external_id"),
    [
        (Author("user"), None),
        (Author("user", "0123456789ab0123456789ab"), "1234"),
        (Author("user", "0123456789ab0123456789ab", subtypes=("AI",)), None),
        (Author("business", "0123456789ab0123456789ab"), None),
        (Author("business"), "1234"),
        (Author("business", subtypes=("agent",)), None),
        (Author("business", subtypes=("AI", "activity")), None),
    ],
)
def test_an_author_that_cannot_be_sent_is_refused(author: Author, external_id: str | None) -> None:
    with pytest.raises(InvalidMessage, match="author"):
        draft(author, TextContent(text="Hi"), external_id=external_id)


async def test_a_merged_user_speaks_as_the_survivor_and_the_past_reads_as_hers(world: World) -> None:
    visitor = await world.visitor(phone := device())
    where = await open_with(world, visitor.user)
    await say(world, where, by(visitor.user, "before"))
    ada = await world.user("1234", given_name="Ada")
    await world.log_in(claims("1234"), phone, visitor)
    posted = (await say(world, where, by(visitor.user, "after"))).message
    assert posted.author.user_id == ada.id
    assert [(m.author.user_id, m.author.display_name) for m in await read(world, where)] == [(ada.id, "Ada")] * 2


async def test_a_name_follows_the_profile_and_goes_with_it(world: World) -> None:
    """R10: a message holds no copy of a profile that is erased later."""
    ada = await world.user("1234", given_name="Secret", avatar_url="https://e.org/Secret.png")
    where = await open_with(world, ada)
    await say(world, where, by(ada))
    await world.do_to(ada, update_user, UserChanges(surname="Also Secret"))
    assert (await read(world, where))[0].author.display_name == "Secret Also Secret"
    await world.do_to(ada, erase_personal_information, BY)
    assert await world.traces_of("Secret") == []
    [message] = await read(world, where)
    assert (message.author.display_name, message.author.avatar_url) == (f"User {ada.id[-4:]}", None)


# What is told


async def test_a_posted_message_is_told_whole(world: World) -> None:
    ada = await world.user("1234", given_name="Ada")
    where = await open_with(world, ada)
    first = (await say(world, where, text("Hi"))).message
    await say(world, where, by(ada, "Yes", quoted=first.id))
    [business, user] = [event for event in await world.events(ada.id) if event["event"] == "message.posted"]
    assert business["message"]["content"] == {"type": "text", "text": "Hi"}
    assert business["user"] is None
    assert user["message"]["author"] == {"type": "user", "userId": ada.id, "displayName": "Ada"}
    assert (user["user"]["given_name"], user["quoted"]["id"]) == ("Ada", first.id)
    assert (user["conversation"]["id"], user["conversation"]["message_count"]) == (where.id, 2)


async def test_a_groups_messages_are_told_in_its_own_stream(world: World) -> None:
    ada, bob = await world.user("1234"), await world.user("5678")
    where = await open_with(world, ada, bob)
    await say(world, where, by(ada))
    await say(world, where, text("Hi"))
    told = [event for event in await world.events(where.id) if event["event"] == "message.posted"]
    assert [(event["user_id"], event["message"]["author"]["type"]) for event in told] == [
        (None, "user"),
        (None, "business"),
    ]
    _, seats = await world.ask(get_with_participants, where.id)
    assert {seat.user_id: seat.unread_count for seat in seats} == {ada.id: 1, bob.id: 2}


async def test_a_conversation_of_another_app_is_not_there(world: World) -> None:
    where = await open_with(world, await world.user("1234"))
    message = (await say(world, where, text("Hi"))).message
    other = await world.another_app()
    for attempt in (
        other.do(post_message, where.id, text("Hi")),
        other.ask(list_messages, where.id),
        other.do(delete_message, where.id, message.id),
        other.do(delete_all_messages, where.id),
        world.do(post_message, "nothing", text("Hi")),
        world.ask(list_messages, "0123456789ab0123456789ab"),
    ):
        with pytest.raises(ConversationNotFound):
            await attempt
    assert await words(world, where) == ["Hi"]


# What is said beside the content


async def test_what_is_sent_beside_the_content_is_kept(world: World) -> None:
    where = await open_with(world, await world.user("1234"))
    sent = text(
        "Hi",
        destination=Destination(integration_type="none"),
        override={"whatsapp": {"payload": {"a": [1]}}},
        schema="whatsapp",
        references=[{"uri": "https://e.org"}],
        externalMessageId="x",
    )
    await say(world, where, sent)
    [message] = await read(world, where)
    assert message.extras == {
        "destination": {"integrationType": "none"},
        "override": {"whatsapp": {"payload": {"a": [1]}}},
        "schema": "whatsapp",
        "references": [{"uri": "https://e.org"}],
        "externalMessageId": "x",
    }


async def test_a_destination_needs_a_client_of_the_conversations_user(world: World) -> None:
    ada = await world.user("1234")
    where, group = await open_with(world, ada), await open_with(world, ada, await world.user("b"))
    await say(world, where, text("Hi", destination=Destination(integration_type="web")))
    for refused, place in (
        (Destination(integration_type="whatsapp"), where),
        (Destination(integration_id="0123456789ab0123456789ab"), where),
        (Destination(integration_type="none"), group),
    ):
        with pytest.raises(InvalidMessage, match="destination"):
            await say(world, place, text("Hi", destination=refused))
    for author, to in ((BUSINESS, Destination()), (Author("user", ada.id), Destination(integration_type="none"))):
        with pytest.raises(InvalidMessage, match="destination"):
            text("Hi", author, destination=to)


async def test_a_quoted_message_is_one_of_the_conversation_and_may_go_later(world: World) -> None:
    ada = await world.user("1234")
    where, other = await open_with(world, ada), await open_with(world, ada, await world.user("b"))
    first = (await say(world, where, text("first"))).message
    elsewhere = (await say(world, other, text("elsewhere"))).message
    answer = await say(world, where, text("answer", quoted=first.id))
    assert answer.quoted == first
    with pytest.raises(InvalidMessage, match="quotedMessage"):
        await say(world, where, text("no", quoted=elsewhere.id))
    listed: Listed = await world.ask(list_messages, where.id)
    assert listed.quoted == {first.id: first}
    await world.do(delete_message, where.id, first.id)
    listed = await world.ask(list_messages, where.id)
    assert (listed.quoted, messages_of(listed, animal_names=False)[0].quoted) == ({}, first.id)


async def test_card_numbers_in_what_users_say_are_masked_where_the_app_wants_it(world: World) -> None:
    ada = await world.user("1234")
    where = await open_with(world, ada)
    careful = with_settings(world, mask_credit_card_numbers=True)
    await say(world, where, by(ada, "4242 4242 4242 4242"))
    await say(careful, where, by(ada, "4242 4242 4242 4242"))
    await say(careful, where, text("4242 4242 4242 4242"))
    assert await words(world, where) == ["4242 4242 4242 4242", "XXXX XXXX XXXX 4242", "4242 4242 4242 4242"]
    [_, told, _] = [e["message"]["content"] for e in await world.events(ada.id) if e["event"] == "message.posted"]
    assert told["text"] == "XXXX XXXX XXXX 4242"


# Repeating


async def test_the_same_idempotency_key_posts_once(world: World) -> None:
    ada = await world.user("1234", given_name="Ada")
    where, other = await open_with(world, ada), await open_with(world, ada, await world.user("b"))
    first = await say(world, where, by(ada, metadata={"a": 1}), "key")
    before = await world.snapshot()
    assert await say(world, where, by(ada, metadata={"a": 1}), "key") == first
    for another in (by(ada, "Hallo", metadata={"a": 1}), by(ada), text("Hello", metadata={"a": 1})):
        with pytest.raises(IdempotencyKeyReused):
            await say(world, where, another, "key")
    assert await world.snapshot() == before
    await say(world, other, by(ada), "key")
    await world.do(delete_message, where.id, first.message.id)
    assert (await say(world, where, by(ada), "key")).message.id != first.message.id


async def test_a_repeated_key_is_answered_in_a_full_conversation_too(world: World) -> None:
    where = await open_with(world, await world.user("1234"))
    first = await say(world, where, text("Hi"), "key")
    await fill(world, where)
    assert await say(world, where, text("Hi"), "key") == first
    with pytest.raises(ConversationFull):
        await say(world, where, text("Hi"), "another")


# Reading


async def test_messages_are_read_backwards_a_hundred_at_a_time(world: World) -> None:
    where = await open_with(world, await world.user("1234"))
    posted = [(await say(world, where, text(str(number)))).message for number in range(201)]
    last = await words(world, where)
    assert last == [str(number) for number in range(101, 201)]
    assert await words(world, where, before=posted[101].id) == [str(number) for number in range(1, 101)]
    assert await words(world, where, before=posted[1].id) == ["0"]
    assert await words(world, where, before=posted[0].id) == []
    assert await words(world, where, after=posted[0].id) == [str(number) for number in range(1, 101)]
    assert await words(world, where, after=posted[200].id) == []
    more = [(await world.ask(list_messages, where.id, before=posted[at].id)).more for at in (101, 100, 0)]
    assert more == [True, False, False]


async def test_messages_posted_in_the_same_millisecond_keep_their_order(world: World) -> None:
    where = await open_with(world, await world.user("1234"))

    async def post_two(tx: Any) -> None:
        conversation, participants = await get_with_participants(tx, where.id)
        for said in ("one", "two"):
            hold(tx, conversation, participants, text(said), None)

    await world.do(post_two)
    assert await words(world, where) == ["one", "two"]


async def test_merged_conversations_read_as_one(world: World) -> None:
    ada, visitor = await world.user("1234"), await world.visitor(phone := device())
    hers, theirs = await open_with(world, ada), await open_with(world, visitor.user)
    said = [(await say(world, (hers, theirs)[at % 2], text(str(at)))).message for at in range(220)]
    await world.log_in(claims("1234"), phone, visitor)
    assert (await world.ask(get_conversation, theirs.id)).id == hers.id
    assert await words(world, theirs.id) == await words(world, hers) == [str(at) for at in range(120, 220)]
    assert await words(world, hers, before=said[120].id) == [str(at) for at in range(20, 120)]
    assert await words(world, hers, after=said[9].id) == [str(at) for at in range(10, 110)]
    await say(world, theirs, text("after"))
    assert (await words(world, hers))[-1] == "after"
    await world.do(delete_message, hers.id, said[1].id)
    assert (await words(world, hers, before=said[3].id)) == ["0", "2"]
    await world.do(delete_all_messages, theirs.id)
    assert await words(world, hers) == []
    assert (await world.ask(get_conversation, hers.id)).message_count == 0


# Deleting


async def test_a_deleted_message_is_gone_and_frees_its_place(world: World) -> None:
    ada = await world.user("1234")
    where = await open_with(world, ada)
    first, second = [(await say(world, where, text(said))).message for said in ("one", "two")]
    await world.do(delete_message, where.id, first.id)
    assert await words(world, where) == ["two"]
    assert (await world.ask(get_conversation, where.id)).message_count == 1
    [seat] = (await world.ask(get_with_participants, where.id))[1]
    assert seat.unread_count == 1
    for gone in (first.id, "nothing", "0123456789ab0123456789ab"):
        with pytest.raises(MessageNotFound):
            await world.do(delete_message, where.id, gone)
    assert (await world.told(ada.id))[-1] == "message.deleted"
    assert second.id in [message.id for message in await read(world, where)]


async def test_deleting_all_keeps_the_conversation_with_nothing_unread(world: World) -> None:
    ada = await world.user("1234")
    where = await open_with(world, ada)
    for said in ("one", "two"):
        await say(world, where, text(said))
    await world.do(delete_all_messages, where.id)
    assert await words(world, where) == []
    now, [seat] = await world.ask(get_with_participants, where.id)
    assert (now.message_count, seat.unread_count) == (0, 0)
    assert (await world.told(ada.id))[-1] == "message.all_deleted"


async def fill(world: World, where: Conversation) -> None:
    """As many messages as one conversation may hold, as far as it counts."""
    await world.do(set_count, where.id, MESSAGES_AT_MOST)


async def set_count(tx: Any, conversation_id: str, count: int) -> None:
    tx.conversations.change(await get_conversation(tx, conversation_id), message_count=count)


async def test_a_full_conversation_is_locked_until_something_is_deleted(world: World) -> None:
    where = await open_with(world, await world.user("1234"))
    first = (await say(world, where, text("one"))).message
    await fill(world, where)
    before = await world.snapshot()
    with pytest.raises(ConversationFull, match=r"Message limit of 30000 per conversation reached\."):
        await say(world, where, text("two"))
    assert await world.snapshot() == before
    await world.do(delete_message, where.id, first.id)
    await say(world, where, text("two"))
    with pytest.raises(ConversationFull):
        await say(world, where, text("three"))
    await world.do(delete_all_messages, where.id)
    await say(world, where, text("four"))
    assert await words(world, where) == ["four"]


# Postbacks


async def with_buttons(world: World, where: Conversation) -> list[str]:
    """The ids of: a link of the message, a postback of it, a postback of a card."""
    link = {"type": "link", "text": "L", "uri": "https://e.org"}
    postback = {"type": "postback", "text": "Yes", "payload": "YES", "metadata": {"a": 1}}
    card = {"title": "T", "actions": [{"type": "postback", "text": "Card", "payload": "CARD"}]}
    await say(world, where, draft(BUSINESS, content(type="list", items=[card], actions=[link, postback])))
    [message] = await read(world, where)
    shown = content_with_ids(message.id, message.content)
    return [action["_id"] for action in (*shown["actions"], *shown["items"][0]["actions"])]


async def test_a_pressed_button_tells_its_payload_and_metadata(world: World) -> None:
    ada = await world.user("1234")
    where = await open_with(world, ada)
    link, postback, card = await with_buttons(world, where)
    assert len({link, postback, card}) == 3
    pressed = await world.do_to(ada, press_postback, where.id, postback, Origin("web"))
    assert (pressed.payload, pressed.metadata, pressed.echo) == ("YES", {"a": 1}, None)
    assert (await world.do_to(ada, press_postback, where.id, card, Origin("web"))).payload == "CARD"
    told = [event for event in await world.events(ada.id) if event["event"] == "message.postback"]
    assert [(event["payload"], event["metadata"]) for event in told] == [("YES", {"a": 1}), ("CARD", None)]
    assert len(await read(world, where)) == 1
    eve = await world.user("5678")
    with pytest.raises(NotAMember):
        await world.do_to(eve, press_postback, where.id, postback, Origin("web"))
    for wrong in (link, postback[:24], postback + "0", postback[:24] + "0É", "x", "f" * 26):
        with pytest.raises(ActionNotFound):
            await world.do_to(ada, press_postback, where.id, wrong, Origin("web"))


async def test_a_pressed_button_is_echoed_where_the_app_wants_it(world: World) -> None:
    ada = await world.user("1234")
    where = await open_with(world, ada)
    _, postback, _ = await with_buttons(world, where)
    echoing = with_settings(world, echo_postback=True)
    pressed = await echoing.do_to(ada, press_postback, where.id, postback, Origin("web"))
    assert pressed.echo is not None
    [_, echo] = await read(world, where)
    assert echo == pressed.echo.message
    assert (echo.author.user_id, echo.content, echo.origin) == (
        ada.id,
        {"type": "text", "text": "Yes", "payload": "YES"},
        Origin("web"),
    )
    assert (await world.told(ada.id))[-2:] == ["message.postback", "message.posted"]
    await fill(world, where)
    assert (await echoing.do_to(ada, press_postback, where.id, postback, Origin("web"))).echo is None
