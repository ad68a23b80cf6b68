"""Who has control of a conversation, who may move it where, and what is told of it."""

from typing import Any

import pytest
import pytest_asyncio
from hypothesis import given as example
from hypothesis import strategies as st
from msgspec import Struct

from knownas.conversations import Conversation, ConversationChanges, Invitation, Reference
from knownas.conversations.create import create_conversation
from knownas.conversations.find import get_conversation
from knownas.integrations.create import create_integration
from knownas.switchboards import InvalidTarget, Switchboard, SwitchboardIntegration, Wiring
from knownas.switchboards.create import create_switchboard
from knownas.switchboards.integrate import (
    LinkChanges,
    create_switchboard_integration,
    delete_switchboard_integration,
    update_switchboard_integration,
)
from knownas.switchboards.scene import find_target
from knownas.switchboards.update import delete_switchboard, update_switchboard
from tests.given import World, numbered_without_gaps
from tests.unit.facade import Backend, backend


class Shop(Struct):
    """An app whose switchboard has a bot, a desk after it, and an archive of another type."""

    world: World
    board: Switchboard
    bot: SwitchboardIntegration
    desk: SwitchboardIntegration
    archive: SwitchboardIntegration
    app: Backend
    as_bot: Backend
    as_desk: Backend

    async def talk(self, external_id: str = "ada") -> Conversation:
        """A new personal conversation of a new user."""
        user = await self.world.user(external_id)
        invited = [Invitation(Reference(user.id))]
        return await self.world.do(create_conversation, "personal", invited, ConversationChanges())

    async def holders(self, talk: Conversation) -> tuple[str | None, str | None]:
        """The names of who is active and of who is pending."""
        now = await self.world.ask(get_conversation, talk.id)
        return now.active.name if now.active else None, now.pending.name if now.pending else None

    async def told(self, talk: Conversation) -> list[dict[str, Any]]:
        """What was told of control, in the stream of the conversation's user."""
        user = await self.world.get("ada")
        return [event for event in await self.world.events(user.id) if event["event"].startswith("control.")]


@pytest_asyncio.fixture
async def shop(world: World) -> Shop:
    integrations = [await world.do(create_integration, "custom") for _ in range(2)]
    board = await world.do(create_switchboard)
    bot, desk = [
        await world.do(create_switchboard_integration, board.id, LinkChanges(name=name, integration_id=one.id))
        for name, one in zip(("bot", "desk"), integrations, strict=True)
    ]
    archive = await world.do(
        create_switchboard_integration, board.id, LinkChanges(name="archive", integration_type="x:archive")
    )
    bot = await world.do(update_switchboard_integration, board.id, bot.id, LinkChanges(next_integration=desk.id))
    board = await world.do(update_switchboard, board.id, enabled=True, default_integration=bot.id)
    callers = [await backend(world, "integration", one.id) for one in integrations]
    return Shop(world, board, bot, desk, archive, await backend(world), *callers)


def at(talk: Conversation, action: str) -> str:
    return f"/conversations/{talk.id}/{action}"


async def test_a_conversation_begins_with_the_default_and_says_so(shop: Shop) -> None:
    talk = await shop.talk()
    assert talk.active == shop.bot.holder
    assert await shop.holders(talk) == ("bot", None)
    user = await shop.world.get("ada")
    [created] = [e for e in await shop.world.events(user.id) if e["event"] == "conversation.created"]
    assert created["conversation"]["active"]["name"] == "bot"


async def test_a_conversation_begins_with_nobody_while_the_switchboard_is_off(shop: Shop) -> None:
    await shop.world.do(update_switchboard, shop.board.id, enabled=False)
    assert (await shop.talk()).active is None


@pytest.mark.parametrize("reference", ["id", "name", "type", "next"])
async def test_control_is_passed_by_id_name_type_or_next(shop: Shop, reference: str) -> None:
    talk = await shop.talk()
    target = shop.archive if reference == "type" else shop.desk
    word = {"id": target.id, "name": "desk", "type": "x:archive", "next": "next"}[reference]
    body = {"switchboardIntegration": word, "metadata": {"why": "escalation", "n": 1}}
    reply = await shop.app.send("POST", at(talk, "passControl"), body)
    assert (reply.status, reply.json) == (200, {})
    assert await shop.holders(talk) == (target.name, None)
    [told] = await shop.told(talk)
    assert (told["event"], told["metadata"], told["conversation_id"]) == ("control.passed", body["metadata"], talk.id)
    assert told["conversation"]["active"]["id"] == target.id
    assert numbered_without_gaps(await shop.world.snapshot())


async def test_passing_to_who_has_it_changes_nothing(shop: Shop) -> None:
    talk = await shop.talk()
    for _ in range(2):
        await shop.app.send("POST", at(talk, "passControl"), {"switchboardIntegration": "desk"})
    assert [told["event"] for told in await shop.told(talk)] == ["control.passed"]


async def test_next_from_an_integration_that_repeats_itself_passes_once(shop: Shop) -> None:
    await shop.world.do(
        update_switchboard_integration, shop.board.id, shop.desk.id, LinkChanges(next_integration=shop.archive.id)
    )
    talk = await shop.talk()
    for _ in range(3):
        assert (
            await shop.as_bot.send("POST", at(talk, "passControl"), {"switchboardIntegration": "next"})
        ).status == 200
    assert await shop.holders(talk) == ("desk", None)
    await shop.as_desk.send("POST", at(talk, "passControl"), {"switchboardIntegration": "next"})
    assert await shop.holders(talk) == ("archive", None)
    late = await shop.as_bot.send("POST", at(talk, "passControl"), {"switchboardIntegration": "next"})
    assert late.error[:2] == (400, "switchboard_invalid_action")
    assert await shop.holders(talk) == ("archive", None), "a late repetition does not take control back"
    kinds = [told["event"] for told in await shop.told(talk)]
    assert kinds == ["control.passed", "control.passed", "control.failed"]


@pytest.mark.parametrize(
    ("reference", "words"),
    [("nobody", "has this id, name or integrationType"), ("custom", "bot, desk"), ("next", "nextSwitchboardInt")],
)
async def test_a_target_that_is_none_is_refused_and_told(shop: Shop, reference: str, words: str) -> None:
    talk = await shop.talk()
    await shop.app.send("POST", at(talk, "passControl"), {"switchboardIntegration": "desk"})
    for action in ("passControl", "offerControl"):
        body = {"switchboardIntegration": reference, "metadata": {"try": 1}}
        status, code, title = (await shop.app.send("POST", at(talk, action), body)).error
        assert (status, code) == (400, "switchboard_invalid_target")
        assert words in title
        failed = (await shop.told(talk))[-1]
        assert (failed["event"], failed["action"], failed["code"]) == ("control.failed", action, code)
        assert (failed["message"], failed["metadata"]) == (title, {"try": 1})
        assert failed["conversation"]["active"]["name"] == "desk"
    assert await shop.holders(talk) == ("desk", None)
    assert numbered_without_gaps(await shop.world.snapshot())


async def test_control_goes_nowhere_while_the_switchboard_is_off(shop: Shop) -> None:
    talk = await shop.talk()
    await shop.world.do(update_switchboard, shop.board.id, enabled=False)
    for action, body in (
        ("passControl", {"switchboardIntegration": "desk"}), ("offerControl", {"switchboardIntegration": "desk"}),
        ("acceptControl", {}),
    ):  # fmt: skip
        assert (await shop.app.send("POST", at(talk, action), body)).error[:2] == (400, "switchboard_invalid_action")
        assert (await shop.told(talk))[-1]["action"] == action


async def test_control_is_offered_and_accepted(shop: Shop) -> None:
    talk = await shop.talk()
    offer = {"switchboardIntegration": "next", "metadata": {"a": True}}
    for _ in range(2):
        assert (await shop.as_bot.send("POST", at(talk, "offerControl"), offer)).json == {}
    assert await shop.holders(talk) == ("bot", "desk")
    assert (await shop.as_desk.send("POST", at(talk, "acceptControl"), {"metadata": {"b": 2}})).json == {}
    assert await shop.holders(talk) == ("desk", None)
    offered, accepted = await shop.told(talk)
    assert (offered["event"], offered["metadata"]) == ("control.offered", {"a": True})
    assert offered["conversation"]["active"]["name"] == "bot"
    assert offered["conversation"]["pending"]["name"] == "desk"
    assert (accepted["event"], accepted["metadata"]) == ("control.accepted", {"b": 2})
    assert (accepted["conversation"]["active"]["name"], accepted["conversation"]["pending"]) == ("desk", None)


async def test_a_later_offer_and_a_pass_end_an_offer(shop: Shop) -> None:
    talk = await shop.talk()
    await shop.app.send("POST", at(talk, "offerControl"), {"switchboardIntegration": "desk"})
    await shop.app.send("POST", at(talk, "offerControl"), {"switchboardIntegration": "archive"})
    assert await shop.holders(talk) == ("bot", "archive")
    assert (await shop.as_desk.send("POST", at(talk, "acceptControl"))).error == (403, "forbidden", "Forbidden")
    await shop.app.send("POST", at(talk, "passControl"), {"switchboardIntegration": "bot"})
    assert await shop.holders(talk) == ("bot", None)
    assert (await shop.app.send("POST", at(talk, "acceptControl"))).error == (
        400, "switchboard_invalid_action", "There is no pendingSwitchboardIntegration",
    )  # fmt: skip


async def test_who_is_active_is_not_offered_control(shop: Shop) -> None:
    talk = await shop.talk()
    refused = await shop.app.send("POST", at(talk, "offerControl"), {"switchboardIntegration": "bot"})
    assert refused.error[:2] == (400, "switchboard_invalid_target")
    assert (await shop.told(talk))[-1]["action"] == "offerControl"


async def test_only_the_pending_one_accepts_and_that_another_tried_is_told(shop: Shop) -> None:
    talk = await shop.talk()
    for offered in (False, True):
        if offered:
            await shop.app.send("POST", at(talk, "offerControl"), {"switchboardIntegration": "desk"})
        assert (await shop.as_bot.send("POST", at(talk, "acceptControl"), {})).error[:2] == (403, "forbidden")
        failed = (await shop.told(talk))[-1]
        assert (failed["event"], failed["action"], failed["code"]) == ("control.failed", "acceptControl", "forbidden")
    assert await shop.holders(talk) == ("bot", "desk")
    assert (await shop.app.send("POST", at(talk, "acceptControl"), {})).status == 200, "an app's key may accept for it"
    assert await shop.holders(talk) == ("desk", None)


async def test_only_the_active_one_releases_and_a_second_release_is_nothing(shop: Shop) -> None:
    talk = await shop.talk()
    assert (await shop.as_desk.send("POST", at(talk, "releaseControl"))).error == (403, "forbidden", "Forbidden")
    assert await shop.told(talk) == []
    assert (await shop.as_bot.send("POST", at(talk, "releaseControl"), {"metadata": {"a": 1}})).json == {}
    assert await shop.holders(talk) == (None, None)
    [told] = await shop.told(talk)
    assert (told["event"], told["metadata"], told["conversation"]["active"]) == ("control.released", {"a": 1}, None)
    assert (await shop.app.send("POST", at(talk, "releaseControl"))).status == 200
    assert (await shop.as_bot.send("POST", at(talk, "releaseControl"))).error[0] == 403
    assert len(await shop.told(talk)) == 1
    await shop.app.send("POST", at(talk, "passControl"), {"switchboardIntegration": "next"})
    assert await shop.holders(talk) == ("desk", None), "whoever is default counts as active where nobody is"


async def test_a_deleted_link_or_switchboard_leaves_its_conversations_with_nobody(shop: Shop) -> None:
    talk = await shop.talk()
    await shop.app.send("POST", at(talk, "passControl"), {"switchboardIntegration": "archive"})
    await shop.app.send("POST", at(talk, "offerControl"), {"switchboardIntegration": "desk"})
    await shop.world.do(delete_switchboard_integration, shop.board.id, shop.archive.id)
    assert await shop.holders(talk) == (None, "desk")
    await shop.world.do(delete_switchboard, shop.board.id)
    assert await shop.holders(talk) == (None, None)
    refused = await shop.app.send("POST", at(talk, "passControl"), {"switchboardIntegration": "bot"})
    assert refused.error[:2] == (400, "switchboard_invalid_action")


async def test_a_groups_control_is_told_in_its_own_stream(shop: Shop) -> None:
    group = await shop.world.do(create_conversation, "sdkGroup", [], ConversationChanges())
    await shop.app.send("POST", at(group, "passControl"), {"switchboardIntegration": "desk"})
    await shop.app.send("POST", at(group, "passControl"), {"switchboardIntegration": "nobody"})
    assert await shop.holders(group) == ("desk", None)
    assert await shop.world.told(group.id) == ["conversation.created", "control.passed", "control.failed"]


@pytest.mark.parametrize("action", ["passControl", "offerControl", "acceptControl", "releaseControl"])
async def test_a_conversation_that_is_not_there_and_metadata_that_cannot_be(shop: Shop, action: str) -> None:
    body = {"switchboardIntegration": "desk"}
    for id in ("0123456789ab" * 2, "x"):
        reply = await shop.app.send("POST", f"/conversations/{id}/{action}", body)
        assert reply.error == (404, "conversation_not_found", "Conversation not found")
    talk = await shop.talk()
    unfit: list[dict[str, Any]] = [{"a": {}}, {"a": "x" * 5000}]
    for metadata in unfit:
        assert (await shop.app.send("POST", at(talk, action), body | {"metadata": metadata})).error[0] == 400
    other = await shop.world.another_app()
    stranger = await backend(other)
    reply = await stranger.send("POST", at(talk, action), body)
    assert reply.error[:2] == (404, "conversation_not_found")


@pytest.mark.parametrize("action", ["passControl", "offerControl"])
async def test_a_target_has_to_be_named(shop: Shop, action: str) -> None:
    talk = await shop.talk()
    assert (await shop.app.send("POST", at(talk, action), {})).error == (
        400, "bad_request", "should have required property 'switchboardIntegration'",
    )  # fmt: skip


_WORDS = st.sampled_from(["a", "b", "c", "d"])


@example(st.lists(st.tuples(_WORDS, _WORDS, _WORDS), unique_by=(lambda t: t[0], lambda t: t[1])), _WORDS)
def test_an_id_counts_before_a_name_and_a_name_before_a_type(shapes: list[tuple[str, str, str]], word: str) -> None:
    links = tuple(SwitchboardIntegration(id, "s", name, None, type, True, None, None, 0) for id, name, type in shapes)
    wiring = Wiring(Switchboard("s", enabled=True, default_integration=None, created_at=0), links)
    by_id = [one for one in links if one.id == word]
    by_name = [one for one in links if one.name == word]
    by_type = [one for one in links if one.integration_type == word]
    meant = by_id or by_name or by_type
    if len(meant) == 1:
        assert find_target(wiring, word, None) == meant[0]
    else:
        with pytest.raises(InvalidTarget):
            find_target(wiring, word, None)
