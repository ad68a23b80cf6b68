"""Integrations and switchboards on both engines: what is kept, and the limits when many ask at once."""

import asyncio
from collections import Counter
from collections.abc import Awaitable
from typing import Any, TypeVar

from msgspec import UNSET

from knownas.conversations import Conversation, ConversationChanges, Invitation, Reference
from knownas.conversations.create import create_conversation
from knownas.conversations.find import get_conversation
from knownas.integrations import Integration
from knownas.integrations.create import NewWebhook, add_integration, create_integration
from knownas.integrations.delete import delete_integration
from knownas.integrations.find import get_integration, list_integrations
from knownas.integrations.update import update_integration
from knownas.keys import MAX_KEYS
from knownas.keys.of_integration import create_integration_key, list_integration_keys
from knownas.switchboards import INTEGRATIONS_AT_MOST, SwitchboardIntegration
from knownas.switchboards.accept_control import accept_control
from knownas.switchboards.create import create_switchboard
from knownas.switchboards.find import list_switchboard_integrations, list_switchboards
from knownas.switchboards.integrate import (
    LinkChanges,
    create_switchboard_integration,
    delete_switchboard_integration,
    update_switchboard_integration,
)
from knownas.switchboards.offer_control import offer_control
from knownas.switchboards.pass_control import pass_control
from knownas.switchboards.update import delete_switchboard, update_switchboard
from tests.given import World, numbered_without_gaps

T = TypeVar("T")
HOOK = NewWebhook("https://example.com/hook", ("conversation:message",))


async def all_at_once(*awaitables: Awaitable[T]) -> list[T | BaseException]:
    return await asyncio.gather(*awaitables, return_exceptions=True)


def outcomes(results: list[Any]) -> Counter[str]:
    return Counter(type(result).__name__ for result in results)


async def talk_with(world: World, external_id: str) -> Conversation:
    user = await world.user(external_id)
    return await world.do(create_conversation, "personal", [Invitation(Reference(user.id))], ConversationChanges())


async def link(
    world: World, board_id: str, name: str, integration: Integration | None = None
) -> SwitchboardIntegration:
    wanted = LinkChanges(name=name, integration_type="x")
    if integration is not None:
        wanted = LinkChanges(name=name, integration_id=integration.id)
    return await world.do(create_switchboard_integration, board_id, wanted)


async def test_integrations_are_made_found_changed_and_deleted(world_on_both: World) -> None:
    world = world_on_both
    made = await world.do(add_integration, "android", "Play", {"privateKey": "s3cret", "senderId": "9"})
    custom = await world.do(add_integration, "custom", None, {}, [HOOK])
    assert await world.ask(get_integration, made.id) == made
    assert await world.ask(get_integration, custom.id) == custom
    assert await world.traces_of("s3cret") == []
    for types, after, before, expected in (
        ([], None, None, [made.id, custom.id]), (["android", "ios"], None, None, [made.id]),
        ([], made.id, None, [custom.id]), ([], None, custom.id, [made.id]), (["custom"], made.id, None, [custom.id]),
    ):  # fmt: skip
        found = await world.ask(list_integrations, types, after=after, before=before, limit=5)
        assert [one.id for one in found] == expected
    changed = await world.do(update_integration, made.id, None, {"privateKey": None, "clientEmail": "mail"})
    assert (changed.integration.display_name, changed.integration.credentials) == (None, {"clientEmail": "mail"})
    assert (await world.ask(get_integration, made.id)).integration.credentials == {"clientEmail": "mail"}
    await world.do(create_integration_key, custom.id, world.app.account_id, "k")
    for one in (made, custom):
        await world.do(delete_integration, one.id)
    left = await world.snapshot()
    assert (left["integrations"], left["webhooks"], left["keys"]) == ([], [], [])
    assert numbered_without_gaps(left)


async def test_changes_of_one_integration_at_once_are_all_kept(world_on_both: World) -> None:
    world = world_on_both
    web = await world.do(create_integration, "web")
    options = ["brandColor", "actionColor", "conversationColor", "businessName", "buttonWidth", "buttonHeight"]
    results = await all_at_once(*(world.do(update_integration, web.id, UNSET, {name: "123"}) for name in options))
    assert outcomes(results) == {"Described": len(options)}, results
    assert (await world.ask(get_integration, web.id)).integration.settings == dict.fromkeys(options, "123")


async def test_ten_keys_of_an_integration_are_the_limit_also_at_once(world_on_both: World) -> None:
    world = world_on_both
    one, two = [await world.do(create_integration, "custom") for _ in range(2)]
    results = await all_at_once(
        *(
            world.do(create_integration_key, which.id, world.app.account_id, f"{n}")
            for n in range(15)
            for which in (one, two)
        )
    )
    assert outcomes(results) == {"Key": 2 * MAX_KEYS, "TooManyKeys": 10}, outcomes(results)
    for which in (one, two):
        assert len(await world.ask(list_integration_keys, which.id)) == MAX_KEYS


async def test_nothing_outlives_an_integration_that_is_deleted_meanwhile(world_on_both: World) -> None:
    world = world_on_both
    board = await world.do(create_switchboard)
    for round_ in range(10):
        integration = await world.do(create_integration, "custom")
        results = await all_at_once(
            world.do(create_integration_key, integration.id, world.app.account_id, "k"),
            world.do(delete_integration, integration.id),
            link(world, board.id, f"bot{round_}", integration),
            world.do(create_integration_key, integration.id, world.app.account_id, "k"),
        )
        assert not isinstance(results[1], BaseException), results
        assert set(outcomes(results)) <= {"Key", "NoneType", "SwitchboardIntegration", "IntegrationNotFound"}, results
        left = await world.snapshot()
        assert (left["integrations"], left["keys"], left["switchboard_integrations"]) == ([], [], []), results


async def test_twenty_who_ask_at_once_get_one_switchboard(world_on_both: World) -> None:
    for _ in range(5):  # later rounds find all connections open, so that their requests do overlap
        app = await world_on_both.another_app()
        results = await all_at_once(*(app.do(create_switchboard) for _ in range(20)))
        assert outcomes(results) == {"Switchboard": 1, "InvalidSwitchboard": 19}, outcomes(results)
        assert len((await app.snapshot())["switchboards"]) == 1


async def test_ten_links_are_the_limit_also_at_once_and_each_name_is_one(world_on_both: World) -> None:
    world = world_on_both
    board = await world.do(create_switchboard)
    results = await all_at_once(*(link(world, board.id, "bot") for _ in range(5)))
    assert outcomes(results) == {"SwitchboardIntegration": 1, "InvalidSwitchboard": 4}, outcomes(results)
    results = await all_at_once(*(link(world, board.id, f"bot{n}") for n in range(20)))
    assert outcomes(results)["SwitchboardIntegration"] == INTEGRATIONS_AT_MOST - 1, outcomes(results)
    assert outcomes(results)["TooManySwitchboardIntegrations"] == 20 - INTEGRATIONS_AT_MOST + 1
    assert len(await world.ask(list_switchboard_integrations, board.id)) == INTEGRATIONS_AT_MOST


async def test_a_default_or_a_next_one_is_never_one_that_is_being_deleted(world_on_both: World) -> None:
    world = world_on_both
    board = await world.do(create_switchboard)
    stays = await link(world, board.id, "stays")
    for round_ in range(10):
        goes = await link(world, board.id, f"goes{round_}")
        results = await all_at_once(
            world.do(delete_switchboard_integration, board.id, goes.id),
            world.do(update_switchboard, board.id, enabled=True, default_integration=goes.id),
            world.do(update_switchboard_integration, board.id, stays.id, LinkChanges(next_integration=goes.id)),
        )
        there = {one.id for one in await world.ask(list_switchboard_integrations, board.id)}
        [now] = await world.ask(list_switchboards)
        nexts = {one.next_integration for one in await world.ask(list_switchboard_integrations, board.id)}
        assert {now.default_integration, *nexts} - {None} <= there, results
        await world.do(update_switchboard, board.id, enabled=False, default_integration=None)
        await world.do(update_switchboard_integration, board.id, stays.id, LinkChanges(next_integration=None))
        if goes.id in there:
            await world.do(delete_switchboard_integration, board.id, goes.id)


async def test_control_moves_and_what_fails_is_told_although_it_is_refused(world_on_both: World) -> None:
    world = world_on_both
    integration = await world.do(create_integration, "custom")
    board = await world.do(create_switchboard)
    bot, desk = await link(world, board.id, "bot", integration), await link(world, board.id, "desk")
    await world.do(update_switchboard, board.id, enabled=True, default_integration=bot.id)
    talk = await talk_with(world, "ada")
    assert talk.active == bot.holder
    await world.do(offer_control, talk.id, "desk", {"a": 1})
    offered = await world.ask(get_conversation, talk.id)
    assert (offered.active, offered.pending) == (bot.holder, desk.holder)
    results = await all_at_once(*(world.do(accept_control, talk.id) for _ in range(5)))
    assert outcomes(results) == {"NoneType": 1, "InvalidAction": 4}, outcomes(results)
    accepted = await world.ask(get_conversation, talk.id)
    assert (accepted.active, accepted.pending) == (desk.holder, None)
    results = await all_at_once(*(world.do(pass_control, talk.id, name) for name in ("bot", "bot", "nobody")))
    assert outcomes(results) == {"NoneType": 2, "InvalidTarget": 1}, results
    told = [event for event in await world.told((await world.get("ada")).id) if event.startswith("control.")]
    assert Counter(told) == {"control.offered": 1, "control.accepted": 1, "control.passed": 1, "control.failed": 5}
    assert numbered_without_gaps(await world.snapshot())
    await world.do(delete_switchboard, board.id)
    assert (await world.ask(get_conversation, talk.id)).active is None
