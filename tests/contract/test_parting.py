"""R9: after an undo each has her conversations as they were, and what was said since stays with the survivor."""

from typing import Any

import msgspec
import pytest

from knownas.attachments import Attachment
from knownas.attachments.create import create_attachment
from knownas.conversations import Conversation, Participant, Reference
from knownas.conversations.activity import post_activity
from knownas.conversations.find import get_conversation, list_conversations
from knownas.ids import make_id
from knownas.messages import Author
from knownas.messages.delete import delete_message
from knownas.messages.draft import Draft
from knownas.messages.post import post_message
from knownas.messages.read import list_messages, messages_of
from knownas.storage.files import new_name
from knownas.transaction import Transaction
from knownas.users import User
from tests.given import Snapshot, World
from tests.settling import act, check_what_always_holds, plan, rows_of
from tests.unit.test_clients import channel, linked
from tests.unit.test_conversations import personal, seats


@pytest.fixture
def world(world_on_both: World) -> World:
    """All of this holds on both engines."""
    return world_on_both


async def say(world: World, talk: str, words: str, by: User | None = None) -> str:
    author = Author("user", by.id) if by else Author("business")
    posted = await world.do(post_message, talk, Draft(author, {"type": "text", "text": words}))
    return posted.message.id


async def words_of(world: World, user: User) -> list[list[str]]:
    """What each of the user's conversations holds, in the order of the conversations."""
    listed = await world.ask(list_conversations, Reference(user.id), after=None, before=None, limit=10)
    pages = [await world.ask(list_messages, talk.id) for talk in listed]
    return [[str(one.content["text"]) for one in messages_of(page, animal_names=False)] for page in pages]


async def two(world: World) -> tuple[User, User, Conversation]:
    """Bob, who has talked, is about to become part of Ada, who has not."""
    ada, bob = await world.user("ada"), await world.user("bob")
    talk = await personal(world, bob)
    await say(world, talk.id, "Bob's", bob)
    await say(world, talk.id, "to Bob")
    return ada, bob, talk


def talk_rows(rows: Snapshot, talk: str) -> dict[str, Any]:
    """Everything that belongs to one conversation."""
    kept = rows_of(rows)
    return {
        "conversations": [row for row in kept["conversations"] if row["id"] == talk],
        **{
            table: [row for row in kept[table] if row["conversation_id"] == talk]
            for table in ("participants", "messages", "attachments", "clients")
        },
    }


async def test_who_parts_has_her_conversation_as_it_was(world: World) -> None:
    ada, bob, talk = await two(world)
    before = talk_rows(await world.snapshot(), talk.id)
    merged = await act(world, kind="merge", surviving="ada", discarded="bob")
    await say(world, talk.id, "Ada's", ada)
    await say(world, talk.id, "to Ada")
    shown = await plan(world, kind="undo", act_id=merged.merge_id)
    assert any(talk.id in sentence and "2 messages" in sentence for sentence in shown.preview.does)
    done = await act(world, kind="undo", act_id=merged.merge_id)
    assert talk_rows(await world.snapshot(), talk.id) == before
    assert await words_of(world, bob) == [["Bob's", "to Bob"]]
    assert await words_of(world, ada) == [["Ada's", "to Ada"]]
    assert list(done.continued) == [talk.id]
    new = await world.ask(get_conversation, done.continued[talk.id])
    assert (new.is_default, new.message_count) == (True, 2)
    assert new.last_message_at is not None
    [seat] = await seats(world, new)
    assert (seat.user_id, seat.external_id, seat.unread_count) == (ada.id, "ada", 1)
    [told] = [
        event
        for event in map(decoded, (await world.snapshot())["events"])
        if event["event"] == "conversation.created" and event["conversation_id"] == new.id
    ]
    assert (told["user_id"], told["conversation"]["message_count"]) == (ada.id, 2)
    await check_what_always_holds(world)


def decoded(row: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.json.decode(row["body"])
    return found


async def test_what_was_read_meanwhile_is_read(world: World) -> None:
    ada, _, talk = await two(world)
    merged = await act(world, kind="merge", surviving="ada", discarded="bob")
    await say(world, talk.id, "read")
    await world.do(post_activity, talk.id, "conversation:read", Reference(ada.id))
    await say(world, talk.id, "not read")
    done = await act(world, kind="undo", act_id=merged.merge_id)
    unread = [
        (await seats(world, await world.ask(get_conversation, id)))[0].unread_count
        for id in (talk.id, done.continued[talk.id])
    ]
    assert unread == [0, 1]


async def test_where_nothing_was_said_since_nothing_goes_on(world: World) -> None:
    await two(world)
    before = rows_of(await world.snapshot())
    merged = await act(world, kind="merge", surviving="ada", discarded="bob")
    done = await act(world, kind="undo", act_id=merged.merge_id)
    assert done.continued == {}
    assert rows_of(await world.snapshot()) == before


async def test_each_thread_is_parted(world: World) -> None:
    """Where users have several conversations: those of hers that went on, and no other."""
    await world.choose(multiConvoEnabled=True)
    ada, bob, first = await two(world)
    own = await personal(world, ada)
    second, quiet = await personal(world, bob), await personal(world, bob)
    for talk in (own, second, quiet):
        await say(world, talk.id, f"before in {talk.id}", None)
    before = [talk_rows(await world.snapshot(), talk.id) for talk in (first, second, quiet)]
    merged = await act(world, kind="merge", surviving="ada", discarded="bob")
    for talk in (first, second, own):
        await say(world, talk.id, f"since in {talk.id}", ada)
    done = await act(world, kind="undo", act_id=merged.merge_id)
    assert set(done.continued) == {first.id, second.id}
    after = [talk_rows(await world.snapshot(), talk.id) for talk in (first, second, quiet)]
    assert after == before
    assert await words_of(world, ada) == [
        [f"before in {own.id}", f"since in {own.id}"],
        [f"since in {first.id}"],
        [f"since in {second.id}"],
    ]
    talks = [await world.ask(get_conversation, id) for id in (own.id, *done.continued.values())]
    assert [talk.is_default for talk in talks] == [True, False, False]
    await check_what_always_holds(world)


async def upload(tx: Transaction, conversation_id: str) -> Attachment:
    file = Attachment(new_name(), "since.png", "image/png", 9, tx.now, conversation_id=conversation_id)
    return await create_attachment(tx, file)


def linked_of(seat: Participant) -> list[str]:
    """The clients through which she takes part, besides the SDK's."""
    return [one.client_id for one in seat.associations if one.type != "sdk"]


async def test_files_and_linked_clients_go_with_what_was_said(world: World) -> None:
    _, bob, talk = await two(world)
    whatsapp = await channel(world)
    of_bob = await linked(world, bob, whatsapp, talk)
    before = talk_rows(await world.snapshot(), talk.id)
    merged = await act(world, kind="merge", surviving="ada", discarded="bob")
    file = await world.do(upload, talk.id)
    of_ada = await linked(world, await world.get("ada"), await channel(world, "twilio"), talk)
    done = await act(world, kind="undo", act_id=merged.merge_id)
    new = done.continued[talk.id]
    after = await world.snapshot()
    assert talk_rows(after, talk.id) == before
    rows = talk_rows(after, new)
    assert [row["name"] for row in rows["attachments"]] == [file.name]
    assert [row["id"] for row in rows["clients"]] == [of_ada.id]
    [seat] = await seats(world, await world.ask(get_conversation, new))
    assert linked_of(seat) == [of_ada.id]
    [seat] = await seats(world, talk)
    assert linked_of(seat) == [of_bob.id]


async def test_what_a_conversation_is_called_stays_with_whom_it_was(world: World) -> None:
    ada, bob = await world.user("ada"), await world.user("bob")
    talk = await personal(world, bob, display_name="Bob's divorce", metadata={"file": "bob"})
    merged = await act(world, kind="merge", surviving="ada", discarded="bob")
    await say(world, talk.id, "Ada's", ada)
    done = await act(world, kind="undo", act_id=merged.merge_id)
    new = await world.ask(get_conversation, done.continued[talk.id])
    assert (new.display_name, new.metadata) == (None, {})
    old = await world.ask(get_conversation, talk.id)
    assert (old.display_name, old.metadata) == ("Bob's divorce", {"file": "bob"})


async def test_who_wrote_it_parts_what_two_servers_clocks_would_not(world: World) -> None:
    """One server's clock was ahead when Bob wrote, and another's behind when Ada did."""
    ada, bob, talk = await two(world)
    merged = await act(world, kind="merge", surviving="ada", discarded="bob")
    await say(world, talk.id, "Ada's", ada)

    async def misdate(tx: Transaction) -> None:
        for author, shifted in ((bob.id, tx.now + 500), (ada.id, tx.now - 500)):
            sql = "UPDATE messages SET id = $3 WHERE app_id = $1 AND author_id = $2"
            tx.unit.hold(sql, author, make_id(shifted, 0), ordered=True)  # type: ignore[attr-defined]

    await world.do(misdate)
    await act(world, kind="undo", act_id=merged.merge_id)
    assert sorted(*await words_of(world, bob)) == ["Bob's", "to Bob"]
    assert await words_of(world, ada) == [["Ada's"]]


async def test_a_file_that_was_uploaded_since_goes_on_alone(world: World) -> None:
    await two(world)
    talk = (await world.snapshot())["conversations"][0]["id"]
    merged = await act(world, kind="merge", surviving="ada", discarded="bob")
    file = await world.do(upload, talk)
    done = await act(world, kind="undo", act_id=merged.merge_id)
    rows = talk_rows(await world.snapshot(), done.continued[talk])
    assert [row["name"] for row in rows["attachments"]] == [file.name]


@pytest.mark.parametrize("several", [False, True])
async def test_a_channel_that_was_linked_anew_meanwhile_goes_home(world: World, several: bool) -> None:
    """Bob's WhatsApp, linked for a conversation of Ada's while the two were one."""
    await world.choose(multiConvoEnabled=several)
    ada, bob = await world.user("ada"), await world.user("bob")
    hers, his = await personal(world, ada), await personal(world, bob)
    whatsapp = await channel(world)
    client = await linked(world, bob, whatsapp, his)
    merged = await act(world, kind="merge", surviving="ada", discarded="bob")
    await linked(world, await world.get("ada"), whatsapp, hers)
    await act(world, kind="undo", act_id=merged.merge_id)
    [of_ada], [of_bob] = await seats(world, hers), await seats(world, his)
    assert (linked_of(of_ada), linked_of(of_bob)) == ([], [client.id])
    [row] = (await world.snapshot())["clients"]
    assert (row["user_id"], row["conversation_id"]) == (bob.id, his.id)


async def test_what_she_wrote_herself_never_waited_for_her(world: World) -> None:
    """Deleted again, it takes nothing off what does; also where her seat carries the other one's id."""
    ada, _, talk = await two(world)
    await act(world, kind="merge", surviving="ada", discarded="bob")
    own = await say(world, talk.id, "Ada's", ada)
    await world.do(delete_message, talk.id, own)
    [seat] = await seats(world, talk)
    assert seat.unread_count == 1
