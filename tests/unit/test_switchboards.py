"""The switchboard and its integrations: what may be wired how, and what happens when something of it goes."""

from typing import Any

import pytest

from knownas.conversations import Holder
from knownas.integrations.delete import delete_integration
from knownas.switchboards import INTEGRATIONS_AT_MOST, Switchboard, SwitchboardIntegration, Wiring
from knownas.switchboards.start import hears, initial_holder
from tests.given import World, numbered_without_gaps
from tests.unit.facade import Backend, backend

HOOK = {"target": "https://example.com/hook", "triggers": ["conversation:message"]}
NOBODY = "0123456789ab" * 2
GONE = (404, "switchboard_integration_not_found", "SwitchboardIntegration not found")


async def custom(caller: Backend) -> str:
    made = await caller.send("POST", "/integrations", {"type": "custom", "webhooks": [HOOK]})
    return str(made.json["integration"]["id"])


async def board_of(caller: Backend) -> str:
    made = await caller.send("POST", "/switchboards")
    assert made.status == 201
    return f"/switchboards/{made.json['switchboard']['id']}"


async def link(caller: Backend, board: str, **body: Any) -> dict[str, Any]:
    made = await caller.send("POST", f"{board}/switchboardIntegrations", body)
    assert made.status == 201, made.json
    found: dict[str, Any] = made.json["switchboardIntegration"]
    return found


async def test_an_app_has_one_switchboard_which_begins_switched_off(world: World) -> None:
    caller = await backend(world)
    assert (await caller.send("GET", "/switchboards")).json == {"switchboards": []}
    made = (await caller.send("POST", "/switchboards")).json["switchboard"]
    assert made == {"id": made["id"], "enabled": False}
    assert (await caller.send("GET", "/switchboards")).json == {"switchboards": [made]}
    assert (await caller.send("POST", "/switchboards")).error == (
        400, "bad_request", "Only one switchboard can be created per app",
    )  # fmt: skip
    assert (await caller.send("DELETE", f"/switchboards/{made['id']}")).json == {}
    assert (await caller.send("POST", "/switchboards")).status == 201


async def test_a_switchboard_is_enabled_only_with_a_default(world: World) -> None:
    caller = await backend(world)
    board = await board_of(caller)
    refusal = (
        404, "switchboard_integration_not_found",
        "Enabled switchboard must have an associated default switchboardIntegration",
    )  # fmt: skip
    assert (await caller.send("PATCH", board, {"enabled": True})).error == refusal
    bot = await link(caller, board, name="bot", integrationType="zd:answerBot")
    assert (await caller.send("PATCH", board, {"defaultSwitchboardIntegrationId": NOBODY})).error == GONE
    on = {"enabled": True, "defaultSwitchboardIntegrationId": bot["id"]}
    before = await world.told(world.app.id)
    for _ in range(2):
        assert (await caller.send("PATCH", board, on)).json["switchboard"].items() >= on.items()
    assert (await world.told(world.app.id)) == [*before, "switchboard.updated"], "the same twice changes once"
    assert (await caller.send("PATCH", board, {"defaultSwitchboardIntegrationId": None})).error == refusal
    off = {"enabled": False, "defaultSwitchboardIntegrationId": None}
    assert (await caller.send("PATCH", board, off)).json["switchboard"] == {"id": board[-24:], "enabled": False}


async def test_a_link_has_what_it_was_made_with_and_the_defaults_of_the_schema(world: World) -> None:
    caller = await backend(world)
    board, integration = await board_of(caller), await custom(caller)
    bot = await link(caller, board, name="bot", integrationId=integration)
    assert bot == {
        "id": bot["id"], "name": "bot", "integrationId": integration, "integrationType": "custom",
        "deliverStandbyEvents": True,
    }  # fmt: skip
    desk = await link(
        caller, board, name="desk_1", integrationType="zd:agentWorkspace", deliverStandbyEvents=False,
        nextSwitchboardIntegrationId=bot["id"], messageHistoryCount=10,
    )  # fmt: skip
    assert desk == {
        "id": desk["id"], "name": "desk_1", "integrationId": desk["id"], "integrationType": "zd:agentWorkspace",
        "deliverStandbyEvents": False, "nextSwitchboardIntegrationId": bot["id"], "messageHistoryCount": 10,
    }  # fmt: skip
    path = f"{board}/switchboardIntegrations"
    assert (await caller.send("GET", path)).json == {"switchboardIntegrations": [bot, desk]}
    nulls = {"nextSwitchboardIntegrationId": None, "messageHistoryCount": None, "name": "desk"}
    changed = (await caller.send("PATCH", f"{path}/{desk['id']}", nulls)).json["switchboardIntegration"]
    assert changed == {
        "id": desk["id"], "name": "desk", "integrationId": desk["id"], "integrationType": "zd:agentWorkspace",
        "deliverStandbyEvents": False,
    }  # fmt: skip
    relinked = await caller.send("PATCH", f"{path}/{desk['id']}", {"integrationId": integration})
    assert relinked.json["switchboardIntegration"] == changed | {
        "integrationId": integration, "integrationType": "custom",
    }  # fmt: skip
    assert numbered_without_gaps(await world.snapshot())


async def test_a_type_that_one_integration_has_links_that_one(world: World) -> None:
    caller = await backend(world)
    board, integration = await board_of(caller), await custom(caller)
    assert (await link(caller, board, name="bot", integrationType="custom"))["integrationId"] == integration
    await custom(caller)
    refused = await caller.send("POST", f"{board}/switchboardIntegrations", {"name": "b", "integrationType": "custom"})
    assert refused.error[:2] == (400, "bad_request")
    assert "more than one integration of type custom" in refused.error[2]


@pytest.mark.parametrize(
    ("body", "refusal"),
    [
        ({"integrationType": "x"}, (400, "bad_request", "name")),
        ({"name": "a b", "integrationType": "x"}, (400, "bad_request", "name")),
        ({"name": "bot\n", "integrationType": "x"}, (400, "bad_request", "name")),
        ({"name": "x" * 129, "integrationType": "x"}, (400, "bad_request", "name")),
        ({"name": "next", "integrationType": "x"}, (400, "bad_request", "next")),
        ({"name": "taken", "integrationType": "x"}, (400, "bad_request", "taken")),
        ({"name": "bot"}, (400, "bad_request", "integrationId")),
        ({"name": "bot", "integrationType": "x", "integrationId": NOBODY}, (400, "bad_request", "exactly one")),
        ({"name": "bot", "integrationId": NOBODY}, (404, "integration_not_found", "Integration not found")),
        ({"name": "bot", "integrationId": "{web}"}, (400, "bad_request", "custom")),
        ({"name": "bot", "integrationType": "x", "messageHistoryCount": 11}, (400, "bad_request", "messageHistory")),
        ({"name": "bot", "integrationType": "x", "nextSwitchboardIntegrationId": NOBODY}, GONE),
    ],
)
async def test_what_cannot_be_linked_is_refused_in_plain_words(
    world: World, body: dict[str, Any], refusal: tuple[int, str, str]
) -> None:
    caller = await backend(world)
    board = await board_of(caller)
    await link(caller, board, name="taken", integrationType="x")
    web = (await caller.send("POST", "/integrations", {"type": "web"})).json["integration"]["id"]
    before = await world.snapshot()
    sent = {name: web if value == "{web}" else value for name, value in body.items()}
    status, code, title = (await caller.send("POST", f"{board}/switchboardIntegrations", sent)).error
    assert (status, code) == refusal[:2]
    assert refusal[2] in title
    assert await world.snapshot() == before


async def test_a_link_is_not_its_own_next_and_keeps_its_name_for_itself(world: World) -> None:
    caller = await backend(world)
    board = await board_of(caller)
    one, _ = [await link(caller, board, name=name, integrationType="x") for name in ("one", "two")]
    path = f"{board}/switchboardIntegrations/{one['id']}"
    for change in ({"nextSwitchboardIntegrationId": one["id"]}, {"name": "two"}):
        assert (await caller.send("PATCH", path, change)).error[:2] == (400, "bad_request")
    assert (await caller.send("PATCH", path, {"name": "one"})).json["switchboardIntegration"] == one


async def test_a_switchboard_has_at_most_ten_links(world: World) -> None:
    caller = await backend(world)
    board = await board_of(caller)
    for number in range(INTEGRATIONS_AT_MOST):
        await link(caller, board, name=f"bot{number}", integrationType="x")
    refused = await caller.send("POST", f"{board}/switchboardIntegrations", {"name": "b", "integrationType": "x"})
    assert refused.error == (
        400, "too_many_switchboard_integrations",
        "Switchboard has reached the max number of switchboard integrations (10)",
    )  # fmt: skip


async def test_what_something_points_to_is_not_deleted(world: World) -> None:
    caller = await backend(world)
    board = await board_of(caller)
    bot = await link(caller, board, name="bot", integrationType="x")
    desk = await link(caller, board, name="desk", integrationType="x", nextSwitchboardIntegrationId=bot["id"])
    links = f"{board}/switchboardIntegrations"
    assert "desk" in (await caller.send("DELETE", f"{links}/{bot['id']}")).error[2]
    await caller.send("PATCH", f"{links}/{desk['id']}", {"nextSwitchboardIntegrationId": None})
    await caller.send("PATCH", board, {"enabled": True, "defaultSwitchboardIntegrationId": bot["id"]})
    assert (await caller.send("DELETE", f"{links}/{bot['id']}")).error[:2] == (400, "bad_request")
    await caller.send("PATCH", board, {"defaultSwitchboardIntegrationId": desk["id"]})
    assert (await caller.send("DELETE", f"{links}/{bot['id']}")).json == {}
    assert (await caller.send("DELETE", f"{links}/{bot['id']}")).error == GONE
    assert (await caller.send("GET", links)).json == {
        "switchboardIntegrations": [{n: v for n, v in desk.items() if n != "nextSwitchboardIntegrationId"}]
    }


async def test_a_deleted_switchboard_takes_its_links_and_leaves_what_they_led_to(world: World) -> None:
    caller = await backend(world)
    board, integration = await board_of(caller), await custom(caller)
    await link(caller, board, name="bot", integrationId=integration)
    assert (await caller.send("DELETE", board)).json == {}
    left = await world.snapshot()
    assert (left["switchboards"], left["switchboard_integrations"]) == ([], [])
    assert [row["id"] for row in left["integrations"]] == [integration]
    assert (await caller.send("DELETE", board)).error == (404, "switchboard_not_found", "Switchboard not found")


async def test_a_deleted_integration_leaves_the_switchboard_without_dead_ends(world: World) -> None:
    """Its links go with what points to them; when it was the default, nothing is directed to nobody: it is off."""
    caller = await backend(world)
    board, integration, other = await board_of(caller), await custom(caller), await custom(caller)
    desk = await link(caller, board, name="desk", integrationId=other)
    bot = await link(caller, board, name="bot", integrationId=integration, nextSwitchboardIntegrationId=desk["id"])
    await caller.send(
        "PATCH", f"{board}/switchboardIntegrations/{desk['id']}", {"nextSwitchboardIntegrationId": bot["id"]}
    )
    await caller.send("PATCH", board, {"enabled": True, "defaultSwitchboardIntegrationId": bot["id"]})
    await world.do(delete_integration, integration)
    assert (await caller.send("GET", "/switchboards")).json == {"switchboards": [{"id": board[-24:], "enabled": False}]}
    assert (await caller.send("GET", f"{board}/switchboardIntegrations")).json == {"switchboardIntegrations": [desk]}
    await caller.send("PATCH", board, {"enabled": True, "defaultSwitchboardIntegrationId": desk["id"]})
    await world.do(delete_integration, await custom(caller))
    assert (await caller.send("GET", "/switchboards")).json["switchboards"][0]["enabled"]


async def test_another_apps_switchboard_is_not_there(world: World) -> None:
    """R13."""
    other = await world.another_app()
    caller, theirs = await backend(world), await board_of(await backend(other))
    await board_of(caller)
    for method, path, body in (
        ("PATCH", "", {}), ("DELETE", "", None), ("GET", "/switchboardIntegrations", None),
        ("POST", "/switchboardIntegrations", {"name": "b", "integrationType": "x"}),
        ("PATCH", f"/switchboardIntegrations/{NOBODY}", {}), ("DELETE", f"/switchboardIntegrations/{NOBODY}", None),
    ):  # fmt: skip
        assert (await caller.send(method, theirs + path, body)).error[:2] == (404, "switchboard_not_found")


async def test_an_integration_shows_who_answers_first_and_may_name_another(world: World) -> None:
    caller = await backend(world)
    web = (await caller.send("POST", "/integrations", {"type": "web"})).json["integration"]
    path = f"/integrations/{web['id']}"
    assert "defaultResponder" not in web
    board, integration = await board_of(caller), await custom(caller)
    bot = await link(caller, board, name="bot", integrationId=integration)
    desk = await link(caller, board, name="desk", integrationType="x", messageHistoryCount=3)
    await caller.send("PATCH", board, {"enabled": True, "defaultSwitchboardIntegrationId": bot["id"]})
    shown = (await caller.send("GET", path)).json["integration"]["defaultResponder"]
    assert shown == {n: v for n, v in bot.items() if n != "id"} | {"inherited": True}
    assert await world.ask(initial_holder, web["id"]) == Holder(bot["id"], "bot", integration, "custom")
    changed = (await caller.send("PATCH", path, {"defaultResponderId": desk["id"]})).json["integration"]
    assert changed["defaultResponder"] == {
        "name": "desk", "integrationType": "x", "deliverStandbyEvents": True, "messageHistoryCount": 3,
        "inherited": False,
    }  # fmt: skip
    assert "defaultResponderId" not in changed
    assert await world.ask(initial_holder, web["id"]) == Holder(desk["id"], "desk", None, "x")
    assert await world.ask(initial_holder) == Holder(bot["id"], "bot", integration, "custom")
    assert (await caller.send("PATCH", path, {"defaultResponderId": NOBODY})).error[:2] == (400, "bad_request")
    await caller.send("DELETE", f"{board}/switchboardIntegrations/{desk['id']}")
    assert (await caller.send("GET", path)).json["integration"]["defaultResponder"]["inherited"]
    assert (await caller.send("PATCH", path, {"defaultResponderId": None})).status == 200
    await caller.send("PATCH", board, {"enabled": False})
    assert await world.ask(initial_holder, web["id"]) is None


def test_who_hears_of_a_conversation() -> None:
    def one(id: str, *, standby: bool) -> SwitchboardIntegration:
        return SwitchboardIntegration(id, "s", id, f"i-{id}", "custom", standby, None, None, 0)

    bot, desk = one("bot", standby=False), one("desk", standby=True)
    on = Wiring(Switchboard("s", enabled=True, default_integration="bot", created_at=0), (bot, desk))
    off = Wiring(Switchboard("s", enabled=False, default_integration="bot", created_at=0), (bot, desk))
    assert not hears(on, "i-bot", desk.holder, None)
    assert hears(on, "i-bot", bot.holder, None)
    assert hears(on, "i-bot", desk.holder, bot.holder)
    assert hears(on, "i-desk", bot.holder, None), "it asked for events on standby"
    assert hears(on, "i-other", bot.holder, None), "it is not linked"
    assert hears(off, "i-bot", desk.holder, None)
    assert hears(Wiring(None), "i-bot", None, None)
