"""R9: undo refuses what it could not put back exactly, says what to do first, and leaves no loose ends."""

from typing import Any

import pytest

from knownas.conflicts import EmailContested
from knownas.conversations import ConversationChanges, Invitation, Reference
from knownas.conversations.create import create_conversation
from knownas.conversations.find import list_conversations
from knownas.merges import Merge
from knownas.merges.part import own_last_message
from knownas.messages import Author
from knownas.messages.draft import Draft
from knownas.messages.post import post_message
from knownas.resolutions import CannotUndo
from knownas.users import User
from tests.given import World, claims, device
from tests.settling import act


async def talk_of(world: World, user: User, words: str) -> str:
    invited = [Invitation(Reference(user.id))]
    talk = await world.do(create_conversation, "personal", invited, ConversationChanges())
    await world.do(post_message, talk.id, Draft(Author("user", user.id), {"type": "text", "text": words}))
    return talk.id


async def talks_of(world: World, user: User) -> list[str]:
    listed = await world.ask(list_conversations, Reference(user.id), after=None, before=None, limit=10)
    return [talk.id for talk in listed]


async def test_users_do_not_part_while_one_has_the_others_words(world: World) -> None:
    """Ada had no conversation, got Bob's by the merge, and Cyd's was united with it: undone, Bob would read Cyd's."""
    ada, bob, cyd = [await world.user(name) for name in ("ada", "bob", "cyd")]
    of_bob, of_cyd = await talk_of(world, bob, "Bob's"), await talk_of(world, cyd, "Cyd's")
    first = await act(world, kind="merge", surviving="ada", discarded="bob")
    second = await act(world, kind="merge", surviving="ada", discarded="cyd")
    with pytest.raises(CannotUndo, match=f"undo that merge first.*{second.merge_id}"):
        await act(world, kind="undo", act_id=str(first.merge_id))
    await act(world, kind="undo", act_id=str(second.merge_id))
    await act(world, kind="undo", act_id=str(first.merge_id))
    assert [await talks_of(world, user) for user in (ada, bob, cyd)] == [[], [of_bob], [of_cyd]]


async def test_a_user_who_was_made_and_unmade_is_named_nowhere(world: World) -> None:
    """Else an erasure of whoever gets her external id next would pass over what names a user who is not there."""
    await world.log_in(claims("ada", "ada@example.com"), device("phone"))
    with pytest.raises(EmailContested):
        await world.log_in(claims("new", "ada@example.com"))
    [case] = await world.open_cases()
    moved = await act(world, kind="resolve", case_id=case.id, action="move")
    with pytest.raises(EmailContested):
        await world.log_in(claims("ada", "ada@example.com"))
    assert moved.resolution is not None
    made = (await world.get("new")).id
    await world.log_in(claims("eve", "eve@example.com"))
    with pytest.raises(EmailContested):
        await world.log_in(claims("new", "eve@example.com"))
    await act(world, kind="undo", act_id=moved.resolution.id)
    rows = await world.snapshot()
    assert made not in {row["id"] for row in rows["users"]}
    assert made not in {row["claimant_id"] for table in ("conflicts", "resolutions") for row in rows[table]}


def test_an_entry_from_before_what_was_brought_was_noted_is_passed_over() -> None:
    """Of two merges into one conversation the first has been undone."""

    def merge(id: str, undone_at: int | None, **conversations: Any) -> Merge:
        before = {"surviving": "talk", "united": True, **conversations}
        return Merge(id, "ada", id, "api", {"conversations": before}, {}, 0, undone_at=undone_at)

    later = merge("2", None, last_message_at=20, brought=30)
    assert own_last_message(later, [later, merge("1", 9, last_message_at=10, brought=20)]) == 10
    assert own_last_message(later, [later, merge("1", 9, last_message_at=10)]) == 20
    assert own_last_message(later, [later, merge("1", None, last_message_at=10, brought=20)]) == 20
