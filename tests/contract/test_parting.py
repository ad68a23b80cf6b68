"""R9: after an undo each has her conversations as they were, and what was said since stays with the survivor."""

import secrets
from typing import Any

import msgspec
import pytest

from knownas.attachments import Attachment
from knownas.attachments.create import create_attachment
from knownas.conversations import Conversation, ConversationChanges, Participant, Reference
from knownas.conversations.activity import post_activity
from knownas.conversations.find import get_conversation, list_conversations
from knownas.conversations.update import update_conversation
from knownas.ids import make_id
from knownas.integrations.create import create_integration
from knownas.messages import Author, IdempotencyKeyReused
from knownas.messages.delete import delete_all_messages, delete_message
from knownas.messages.draft import Draft
from knownas.messages.post import post_message
from knownas.messages.read import list_messages, messages_of
from knownas.resolutions import CannotUndo
from knownas.storage import chance, postgres, sqlite
from knownas.storage.files import new_name
from knownas.switchboards.create import create_switchboard
from knownas.switchboards.integrate import LinkChanges, create_switchboard_integration
from knownas.switchboards.offer_control import offer_control
from knownas.switchboards.pass_control import pass_control
from knownas.switchboards.update import update_switchboard
from knownas.transaction import Transaction
from knownas.users import User
from knownas.users.delete import erase_personal_information
from tests.given import Snapshot, World
from tests.settling import OPERATOR, act, check_what_always_holds, plan, rows_of
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


async def unread_in(world: World, talk: str) -> int:
    """How much waits for the one user of the conversation."""
    [seat] = await seats(world, await world.ask(get_conversation, talk))
    return seat.unread_count


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


async def test_what_the_survivor_read_waits_for_its_own_reader_again(world: World) -> None:
    ada, _, talk = await two(world)
    before = talk_rows(await world.snapshot(), talk.id)
    merged = await act(world, kind="merge", surviving="ada", discarded="bob")
    await say(world, talk.id, "read")
    await world.do(post_activity, talk.id, "conversation:read", Reference(ada.id))
    await say(world, talk.id, "not read")
    [seat] = await seats(world, talk)
    assert seat.unread_count == 1
    done = await act(world, kind="undo", act_id=merged.merge_id)
    assert talk_rows(await world.snapshot(), talk.id) == before
    [seat] = await seats(world, await world.ask(get_conversation, done.continued[talk.id]))
    assert (seat.unread_count, seat.last_read is not None) == (1, True)


@pytest.mark.parametrize("who", ["ada", None])
async def test_reading_alone_is_nothing_that_goes_on(world: World, who: str | None) -> None:
    """Neither hers nor the business's; Bob's conversation is as if nobody had looked."""
    ada, _, talk = await two(world)
    before = rows_of(await world.snapshot())
    merged = await act(world, kind="merge", surviving="ada", discarded="bob")
    await world.do(post_activity, talk.id, "conversation:read", Reference(ada.id) if who else None)
    shown = await plan(world, kind="undo", act_id=merged.merge_id)
    assert any("nothing came since" in sentence for sentence in shown.preview.does)
    done = await act(world, kind="undo", act_id=merged.merge_id)
    assert done.continued == {}
    assert rows_of(await world.snapshot()) == before


async def test_details_that_were_changed_since_go_on_and_the_former_ones_come_back(world: World) -> None:
    ada, bob = await world.user("ada"), await world.user("bob")
    talk = await personal(world, bob, display_name="Bob's divorce", description="b", metadata={"file": "bob", "x": 1})
    before = talk_rows(await world.snapshot(), talk.id)
    merged = await act(world, kind="merge", surviving="ada", discarded="bob")
    for changes in (
        ConversationChanges(display_name="Ada's order", metadata={"order": 5}),
        ConversationChanges(metadata={"x": None, "file": "ada"}),
    ):
        await world.do(update_conversation, talk.id, changes)
    done = await act(world, kind="undo", act_id=merged.merge_id)
    assert talk_rows(await world.snapshot(), talk.id) == before
    new = await world.ask(get_conversation, done.continued[talk.id])
    assert (new.display_name, new.description) == ("Ada's order", None)
    assert new.metadata == {"order": 5, "file": "ada"}
    assert await words_of(world, ada) == [[]]


async def test_the_last_message_is_the_former_one_also_where_all_since_was_deleted(world: World) -> None:
    ada, _, talk = await two(world)
    before = talk_rows(await world.snapshot(), talk.id)
    merged = await act(world, kind="merge", surviving="ada", discarded="bob")
    for by in (ada, None):
        await world.do(delete_message, talk.id, await say(world, talk.id, "gone again", by))
    done = await act(world, kind="undo", act_id=merged.merge_id)
    assert done.continued == {}
    assert talk_rows(await world.snapshot(), talk.id) == before


async def test_what_was_deleted_since_does_not_wait_any_more(world: World) -> None:
    """Of Bob's, who had not read it; Ada has read it in the meantime."""
    ada, bob, talk = await two(world)
    second = await say(world, talk.id, "to Bob, again")
    merged = await act(world, kind="merge", surviving="ada", discarded="bob")
    await world.do(post_activity, talk.id, "conversation:read", Reference(ada.id))
    await world.do(delete_message, talk.id, second)
    await act(world, kind="undo", act_id=merged.merge_id)
    [seat] = await seats(world, talk)
    assert seat.unread_count == 1
    assert await words_of(world, bob) == [["Bob's", "to Bob"]]
    await check_what_always_holds(world)


@pytest.mark.parametrize("undone", [False, True])
async def test_a_repeated_request_posts_nothing_new_whatever_was_merged_and_undone(world: World, undone: bool) -> None:
    ada, bob, talk = await two(world)
    first = Draft(Author("business"), {"type": "text", "text": "for Bob"})
    since = Draft(Author("user", bob.id), {"type": "text", "text": "Ada's"}, quoted=await say(world, talk.id, "quoted"))
    posted = [await world.do(post_message, talk.id, first, "key-1")]
    merged = await act(world, kind="merge", surviving="ada", discarded="bob")
    posted.append(await world.do(post_message, talk.id, since, "key-2"))
    if undone:
        await act(world, kind="undo", act_id=merged.merge_id)
    before = await world.snapshot()
    again = [await world.do(post_message, talk.id, *one) for one in ((first, "key-1"), (since, "key-2"))]
    assert [one.message.id for one in again] == [one.message.id for one in posted]
    assert (await world.snapshot())["messages"] == before["messages"]
    assert again[1].message.author.user_id == ada.id
    with pytest.raises(IdempotencyKeyReused):
        await world.do(post_message, talk.id, first, "key-2")


async def test_a_request_that_was_answered_in_a_united_conversation_posts_nothing_after_the_undoing(
    world: World,
) -> None:
    _, bob, talk = await two(world)
    ada = await world.get("ada")
    await personal(world, ada)
    merged = await act(world, kind="merge", surviving="ada", discarded="bob")
    draft = Draft(Author("business"), {"type": "text", "text": "for Ada"})
    await world.do(post_message, talk.id, draft, "key-1")
    await act(world, kind="undo", act_id=merged.merge_id)
    await world.do(post_message, talk.id, draft, "key-1")
    assert (await words_of(world, ada), await words_of(world, bob)) == ([["for Ada"]], [["Bob's", "to Bob"]])


async def test_a_chain_of_merges_is_parted_link_by_link(world: World) -> None:
    """Bob became Ada, and she became Eve; each had written in the one conversation that any of them had."""
    ada, bob, talk = await two(world)
    eve = await world.user("eve")
    snapshots = [talk_rows(await world.snapshot(), talk.id)]
    to_ada = await act(world, kind="merge", surviving="ada", discarded="bob")
    await world.do(update_conversation, talk.id, ConversationChanges(display_name="Ada's"))
    await say(world, talk.id, "Ada's", ada)
    await say(world, talk.id, "to Ada")
    snapshots.append(talk_rows(await world.snapshot(), talk.id))
    to_eve = await act(world, kind="merge", surviving="eve", discarded="ada")
    await world.do(update_conversation, talk.id, ConversationChanges(display_name="Eve's"))
    await say(world, talk.id, "Eve's", eve)
    taken_back = await say(world, talk.id, "to Eve")
    await say(world, talk.id, "to Eve, again")
    assert await words_of(world, eve) == [["Bob's", "to Bob", "Ada's", "to Ada", "Eve's", "to Eve", "to Eve, again"]]
    assert await unread_in(world, talk.id) == 4
    await world.do(delete_message, talk.id, taken_back)
    assert await unread_in(world, talk.id) == 3
    with pytest.raises(CannotUndo):
        await act(world, kind="undo", act_id=to_ada.merge_id)
    parted = await act(world, kind="undo", act_id=to_eve.merge_id)
    assert talk_rows(await world.snapshot(), talk.id) == snapshots[1]
    assert (await world.ask(get_conversation, parted.continued[talk.id])).display_name == "Eve's"
    assert [await unread_in(world, id) for id in (talk.id, parted.continued[talk.id])] == [2, 1]
    done = await act(world, kind="undo", act_id=to_ada.merge_id)
    assert talk_rows(await world.snapshot(), talk.id) == snapshots[0]
    words = [await words_of(world, one) for one in (bob, ada, eve)]
    assert words == [[["Bob's", "to Bob"]], [["Ada's", "to Ada"]], [["Eve's", "to Eve, again"]]]
    assert [await unread_in(world, id) for id in (talk.id, done.continued[talk.id])] == [1, 1]
    await check_what_always_holds(world)


async def test_what_waits_in_both_waits_in_a_union_and_in_each_again(world: World) -> None:
    """Bob became Ada, who went on in his conversation, and then it was united with Eve's."""
    _, _, talk = await two(world)
    eve = await world.user("eve")
    hers = await personal(world, eve)
    await say(world, hers.id, "to Eve")
    await act(world, kind="merge", surviving="ada", discarded="bob")
    taken_back = await say(world, talk.id, "to Ada")
    await say(world, talk.id, "to Ada, again")
    before = rows_of(await world.snapshot())
    for deleted in (False, True):
        to_eve = await act(world, kind="merge", surviving="eve", discarded="ada")
        assert await unread_in(world, hers.id) == 4
        if deleted:
            await world.do(delete_message, talk.id, taken_back)
            assert await unread_in(world, hers.id) == 3
        await act(world, kind="undo", act_id=to_eve.merge_id)
        assert deleted or rows_of(await world.snapshot()) == before
    assert [await unread_in(world, id) for id in (talk.id, hers.id)] == [2, 1]
    await check_what_always_holds(world)


@pytest.mark.parametrize("united", [False, True])
async def test_what_somebody_between_has_read_takes_nothing_off_the_next(world: World, united: bool) -> None:
    """Ada read what waited for Bob, and then became Eve."""
    ada, _, talk = await two(world)
    again = await say(world, talk.id, "to Bob, again")
    eve = await world.user("eve")
    if united:
        await personal(world, ada)
        await personal(world, eve)
    await act(world, kind="merge", surviving="ada", discarded="bob")
    await world.do(post_activity, talk.id, "conversation:read", Reference(ada.id))
    await act(world, kind="merge", surviving="eve", discarded="ada")
    await say(world, talk.id, "to Eve")
    await world.do(delete_message, talk.id, again)
    assert await unread_in(world, talk.id) == 1


async def test_a_branch_counts_on_from_the_one_before_whatever_the_clocks_say(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Eve's is made by a server whose clock is behind."""
    _, _, talk = await two(world)
    await world.user("eve")
    await act(world, kind="merge", surviving="ada", discarded="bob")
    await say(world, talk.id, "to Ada")
    to_eve = await act(world, kind="merge", surviving="eve", discarded="ada")
    with monkeypatch.context() as elsewhere:
        real = chance.now_ms
        for engine in (sqlite, postgres):
            elsewhere.setattr(engine, "now_ms", lambda: real() - 60_000)
        elsewhere.setattr(chance.SystemRandomness, "id", lambda _, now: make_id(now, secrets.randbits(48)))
        for _ in range(2):
            await say(world, talk.id, "to Eve")
    assert await unread_in(world, talk.id) == 4
    done = await act(world, kind="undo", act_id=to_eve.merge_id)
    assert [await unread_in(world, id) for id in (talk.id, done.continued[talk.id])] == [2, 2]


async def test_the_last_message_is_hers_when_those_who_came_have_left_in_any_order(world: World) -> None:
    users = {name: await world.user(name) for name in ("ada", "bob", "cid")}
    talks = {name: await personal(world, user) for name, user in users.items()}
    for at, (name, talk) in enumerate(talks.items(), 1):
        await say(world, talk.id, name)

        async def date(tx: Transaction, talk: str = talk.id, at: int = at) -> None:
            sql = "UPDATE conversations SET last_message_at = $3 WHERE app_id = $1 AND id = $2"
            tx.unit.hold(sql, talk, at)  # type: ignore[attr-defined]

        await world.do(date)
    before = rows_of(await world.snapshot())
    merges = [await act(world, kind="merge", surviving="ada", discarded=name) for name in ("bob", "cid")]
    for one in merges:
        await act(world, kind="undo", act_id=one.merge_id)
    assert rows_of(await world.snapshot()) == before


async def test_a_third_ones_conversation_that_came_and_went_leaves_no_trace(world: World) -> None:
    """Eve's is united with Bob's, in which Ada goes on, and parted again; then the two are parted."""
    ada, bob, talk = await two(world)
    eve = await world.user("eve")
    before = talk_rows(await world.snapshot(), talk.id)
    to_ada = await act(world, kind="merge", surviving="ada", discarded="bob")
    hers = await personal(world, eve)
    await say(world, hers.id, "to Eve")
    eves = talk_rows(await world.snapshot(), hers.id)
    of_eve = await act(world, kind="merge", surviving="ada", discarded="eve")
    await say(world, talk.id, "Ada's", ada)
    await world.do(post_activity, talk.id, "conversation:read", Reference(ada.id))
    with pytest.raises(CannotUndo):
        await act(world, kind="undo", act_id=to_ada.merge_id)
    await act(world, kind="undo", act_id=of_eve.merge_id)
    assert talk_rows(await world.snapshot(), hers.id) == eves
    await act(world, kind="undo", act_id=to_ada.merge_id)
    assert talk_rows(await world.snapshot(), talk.id) == before
    assert [await words_of(world, one) for one in (bob, ada, eve)] == [[["Bob's", "to Bob"]], [["Ada's"]], [["to Eve"]]]
    await check_what_always_holds(world)


async def test_who_answers_is_as_before(world: World) -> None:
    """Control that was passed on, and offered, since."""
    board = await world.do(create_switchboard)
    of = {}
    for name in ("desk", "bot"):
        integration = await world.do(create_integration, "custom")
        links = LinkChanges(name=name, integration_id=integration.id)
        of[name] = await world.do(create_switchboard_integration, board.id, links)
    await world.do(update_switchboard, board.id, enabled=True, default_integration=of["bot"].id)
    _, _, talk = await two(world)
    before = rows_of(await world.snapshot())
    merged = await act(world, kind="merge", surviving="ada", discarded="bob")
    await world.do(pass_control, talk.id, "desk")
    await world.do(offer_control, talk.id, "bot")
    done = await act(world, kind="undo", act_id=merged.merge_id)
    assert done.continued == {}
    assert rows_of(await world.snapshot()) == before


async def test_what_waits_from_an_earlier_union_waits_again(world: World) -> None:
    """Yan's became part of Bob's, who had read his own; then Ada goes on there, and something of Bob's is deleted."""
    _, bob, talk = await two(world)
    yan = await world.user("yan")
    yans = await personal(world, yan)
    for words in ("to Yan", "to Yan, again"):
        await say(world, yans.id, words)
    own = await say(world, talk.id, "Bob's, too", bob)
    await world.do(post_activity, talk.id, "conversation:read", Reference(bob.id))
    await act(world, kind="merge", surviving="bob", discarded="yan")
    merged = await act(world, kind="merge", surviving="ada", discarded="bob")
    await say(world, talk.id, "to Ada")
    await world.do(delete_message, talk.id, own)
    [seat] = await seats(world, talk)
    assert seat.unread_count == 3
    done = await act(world, kind="undo", act_id=merged.merge_id)
    unread = [(await seats(world, await world.ask(get_conversation, id)))[0].unread_count for id in
              (talk.id, done.continued[talk.id])]  # fmt: skip
    assert unread == [2, 1]


async def test_the_last_message_was_when_it_was_although_all_is_deleted(world: World) -> None:
    _, _, talk = await two(world)
    was = (await world.ask(get_conversation, talk.id)).last_message_at
    merged = await act(world, kind="merge", surviving="ada", discarded="bob")
    await say(world, talk.id, "since")
    await world.do(delete_all_messages, talk.id)
    await act(world, kind="undo", act_id=merged.merge_id)
    back = await world.ask(get_conversation, talk.id)
    assert (back.last_message_at, back.message_count) == (was, 0)
    assert [seat.unread_count for seat in await seats(world, talk)] == [0]


async def test_what_a_conversation_was_called_is_erased_with_the_journal(world: World) -> None:
    ada, bob = await world.user("ada"), await world.user("bob")
    talk = await personal(world, bob, display_name="Bob's divorce")
    merged = await act(world, kind="merge", surviving="ada", discarded="bob")
    await world.do(update_conversation, talk.id, ConversationChanges(display_name="Ada's order"))
    assert "divorce" in repr((await world.snapshot())["conversations"])
    await world.do_to(ada, erase_personal_information, OPERATOR)
    assert "divorce" not in repr((await world.snapshot())["conversations"])
    with pytest.raises(CannotUndo):
        await act(world, kind="undo", act_id=merged.merge_id)
    await say(world, talk.id, "goes on", ada)


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


async def test_a_channel_that_was_linked_since_goes_on_alone(world: World) -> None:
    ada, bob, talk = await two(world)
    before = talk_rows(await world.snapshot(), talk.id)
    merged = await act(world, kind="merge", surviving="ada", discarded="bob")
    client = await linked(world, ada, await channel(world), talk)
    done = await act(world, kind="undo", act_id=merged.merge_id)
    assert talk_rows(await world.snapshot(), talk.id) == before
    [seat] = await seats(world, await world.ask(get_conversation, done.continued[talk.id]))
    assert linked_of(seat) == [client.id]
    assert await words_of(world, bob) == [["Bob's", "to Bob"]]


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


@pytest.mark.parametrize("ahead_ms", [-5_000, 5_000])
async def test_no_clock_parts_them(world: World, ahead_ms: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server that merges has another time than the one on which they write."""
    ada, bob, talk = await two(world)
    with monkeypatch.context() as elsewhere:
        real = chance.now_ms
        for engine in (sqlite, postgres):
            elsewhere.setattr(engine, "now_ms", lambda: real() + ahead_ms)
        merged = await act(world, kind="merge", surviving="ada", discarded="bob")
    await say(world, talk.id, "Ada's", ada)
    await say(world, talk.id, "to Ada")
    await act(world, kind="undo", act_id=merged.merge_id)
    assert (await words_of(world, bob), await words_of(world, ada)) == ([["Bob's", "to Bob"]], [["Ada's", "to Ada"]])


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


async def test_what_the_business_takes_back_waits_no_more(world: World) -> None:
    """Whether it was said before the merge or since, and although Bob had read until then."""
    ada, bob, talk = await two(world)
    await world.do(post_activity, talk.id, "conversation:read", Reference(bob.id))
    await say(world, talk.id, "waits")
    merged = await act(world, kind="merge", surviving="ada", discarded="bob")
    taken_back = [await say(world, talk.id, words) for words in ("one", "two", "three")]
    await world.do(delete_message, talk.id, taken_back[0])
    assert [seat.unread_count for seat in await seats(world, talk)] == [3]
    await world.do(post_activity, talk.id, "conversation:read", Reference(ada.id))
    await world.do(delete_message, talk.id, taken_back[1])
    assert [seat.unread_count for seat in await seats(world, talk)] == [0]
    done = await act(world, kind="undo", act_id=merged.merge_id)
    assert [seat.unread_count for seat in await seats(world, talk)] == [1]
    assert [
        seat.unread_count for seat in await seats(world, await world.ask(get_conversation, done.continued[talk.id]))
    ] == [0]


async def test_what_she_wrote_herself_never_waited_for_her(world: World) -> None:
    """Deleted again, it takes nothing off what does; also where her seat carries the other one's id."""
    ada, _, talk = await two(world)
    await act(world, kind="merge", surviving="ada", discarded="bob")
    own = await say(world, talk.id, "Ada's", ada)
    await world.do(delete_message, talk.id, own)
    [seat] = await seats(world, talk)
    assert seat.unread_count == 1
