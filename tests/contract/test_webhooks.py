"""Webhooks on both engines: ten to an app however many ask at once, and the API's operations with their scopes."""

import asyncio
from collections import Counter
from typing import Any

import pytest
from msgspec import structs

from knownas.errors import DomainError
from knownas.integrations import Integration
from knownas.integrations.create import create_integration
from knownas.integrations.delete import delete_integration
from knownas.transaction import Transaction
from knownas.webhooks import WEBHOOKS_AT_MOST, Webhook
from knownas.webhooks.create import add_webhook, create_webhook
from knownas.webhooks.find import list_webhooks
from knownas.webhooks.rotate import rotate_secret
from knownas.webhooks.update import WebhookChanges, delete_webhook, update_webhook
from tests.given import World
from tests.unit.facade import Backend, backend

TARGET = "https://example.org/hook"
BODY = {"target": TARGET, "triggers": ["conversation:message", "user:merge"]}


async def custom(world: World) -> Integration:
    return await world.do(create_integration, "custom", "Bot")


async def all_at_once(*awaitables: Any) -> Counter[str]:
    return Counter(type(one).__name__ for one in await asyncio.gather(*awaitables, return_exceptions=True))


async def test_ten_webhooks_are_the_limit_also_when_asked_for_at_once(world_on_both: World) -> None:
    world = world_on_both
    one, other = await custom(world), await custom(world)
    outcomes = await all_at_once(
        *(world.do(add_webhook, (one, other)[number % 2].id, TARGET, ["*"]) for number in range(25))
    )
    assert outcomes == {"Webhook": WEBHOOKS_AT_MOST, "TooManyWebhooks": 15}
    rows = (await world.snapshot())["webhooks"]
    assert sorted(row["slot"] for row in rows) == list(range(WEBHOOKS_AT_MOST))


async def test_the_database_alone_keeps_ten(world_on_both: World) -> None:
    """Integrations that are made together with their webhook ask beforehand, and may be too many then."""
    world = world_on_both

    async def unasked(tx: Transaction) -> Webhook:
        return create_webhook(tx, await create_integration(tx, "custom"), TARGET, ["*"])

    outcomes = await all_at_once(*(world.do(unasked) for _ in range(13)))
    assert outcomes == {"Webhook": WEBHOOKS_AT_MOST, "Unavailable": 3}
    snapshot = await world.snapshot()
    assert len(snapshot["webhooks"]) == len(snapshot["integrations"]) == WEBHOOKS_AT_MOST


async def test_no_webhook_outlives_its_integration(world_on_both: World) -> None:
    world = world_on_both
    for _ in range(5):
        integration = await custom(world)
        await all_at_once(
            world.do(delete_integration, integration.id),
            *(world.do(add_webhook, integration.id, TARGET, ["*"]) for _ in range(3)),
        )
        assert (await world.snapshot())["webhooks"] == []


async def test_a_webhook_is_kept_changed_rotated_and_deleted(world_on_both: World) -> None:
    world = world_on_both
    integration = await custom(world)
    made = await world.do(add_webhook, integration.id, TARGET, ["user:merge"], True)
    assert await world.ask(list_webhooks, integration.id) == [made]
    changed = await world.do(update_webhook, integration.id, made.id, WebhookChanges(include_full_source=True))
    rotated = await world.do(rotate_secret, integration.id, made.id)
    [found] = await world.ask(list_webhooks, integration.id)
    assert found == structs.replace(rotated, revision=found.revision)
    assert (found.include_full_user, found.include_full_source) == (True, changed.include_full_source)
    assert found.live_secrets(0) == (made.secret, rotated.secret)
    outcomes = await all_at_once(*(world.do(delete_webhook, integration.id, made.id) for _ in range(5)))
    assert outcomes == {"NoneType": 1, "WebhookNotFound": 4}


async def test_changes_of_different_fields_at_once_are_all_kept(world_on_both: World) -> None:
    world = world_on_both
    integration = await custom(world)
    made = await world.do(add_webhook, integration.id, TARGET, ["*"])
    changes = (
        WebhookChanges(target=TARGET + "2"),
        WebhookChanges(triggers=["user:merge"]),
        WebhookChanges(include_full_user=True),
        WebhookChanges(include_full_source=True),
    )
    await asyncio.gather(*(world.do(update_webhook, integration.id, made.id, change) for change in changes))
    [found] = await world.ask(list_webhooks, integration.id)
    assert (found.target, found.triggers, found.include_full_user, found.include_full_source) == (
        TARGET + "2", ("user:merge",), True, True,
    )  # fmt: skip


# The API.


async def test_an_app_and_an_integration_manage_webhooks(world_on_both: World) -> None:
    world = world_on_both
    integration = await custom(world)
    app, own = await backend(world), await backend(world, "integration", integration.id)
    places = [
        (app, f"/integrations/{integration.id}/webhooks"),
        (own, f"/integrations/{integration.id}/webhooks"),
        (own, "/integrations/me/webhooks"),
    ]
    for who, place in places:
        made = await who.send("POST", place, BODY)
        assert made.status == 201
        webhook = made.json["webhook"]
        assert set(webhook) == {
            "id", "version", "target", "triggers", "secret", "includeFullUser", "includeFullSource",
        }  # fmt: skip
        assert (webhook["version"], webhook["includeFullUser"], len(webhook["secret"])) == ("v2", False, 43)
        one = f"{place}/{webhook['id']}"
        assert (await who.send("GET", one)).json == made.json, "with its secret"
        assert (await who.send("GET", place)).json == {"webhooks": [webhook]}
        changed = await who.send("PATCH", one, {"includeFullUser": True})
        assert (changed.status, changed.json["webhook"]) == (200, {**webhook, "includeFullUser": True})
        rotated = await who.send("POST", f"{one}/rotateSecret")
        assert (rotated.status, set(rotated.json)) == (200, {"webhook", "formerSecretUntil"})
        assert rotated.json["webhook"]["secret"] != webhook["secret"]
        ended = await who.send("POST", f"{one}/rotateSecret", {"overlapSeconds": 0})
        assert set(ended.json) == {"webhook"}
        gone = await who.send("DELETE", one)
        assert (gone.status, gone.json) == (200, {})
        assert (await who.send("DELETE", one)).error == (404, "not_found", "Resource not found")
        assert (await who.send("GET", place)).json == {"webhooks": []}


async def every_operation(who: Backend, integration: str, webhook: str) -> set[tuple[int, str]]:
    place = f"/integrations/{integration}/webhooks"
    replies = [
        await who.send("POST", place, BODY),
        await who.send("GET", place),
        await who.send("GET", f"{place}/{webhook}"),
        await who.send("PATCH", f"{place}/{webhook}", {"triggers": ["*"]}),
        await who.send("DELETE", f"{place}/{webhook}"),
        await who.send("POST", f"{place}/{webhook}/rotateSecret"),
    ]
    return {reply.error[:2] for reply in replies}


async def test_others_are_kept_out(world_on_both: World) -> None:
    world = world_on_both
    integration, other = await custom(world), await custom(world)
    webhook = await world.do(add_webhook, integration.id, TARGET, ["*"])
    before = await world.snapshot()
    own = await backend(world, "integration", other.id)
    account = await backend(world, "account")
    assert await every_operation(own, integration.id, webhook.id) == {(403, "forbidden")}
    assert await every_operation(own, "0" * 24, webhook.id) == {(403, "forbidden")}, "whether it exists or not"
    assert await every_operation(account, integration.id, webhook.id) == {(403, "forbidden")}
    app = await backend(world)
    assert await every_operation(app, "me", webhook.id) == {(404, "integration_not_found")}
    assert await every_operation(app, "0" * 24, webhook.id) == {(404, "integration_not_found"), (404, "not_found")}
    stranger = await backend(await world.another_app())
    stranger.base = app.base
    assert await every_operation(stranger, integration.id, webhook.id) == {(403, "forbidden")}
    assert (await world.snapshot())["webhooks"] == before["webhooks"]


async def test_an_integration_that_is_not_custom_has_none(world_on_both: World) -> None:
    world = world_on_both
    web = await world.do(create_integration, "web")
    app, own = await backend(world), await backend(world, "integration", web.id)
    for who, place in ((app, f"/integrations/{web.id}/webhooks"), (own, "/integrations/me/webhooks")):
        refusal = (403, "forbidden", "Webhooks are available only for custom integrations")
        assert (await who.send("POST", place, BODY)).error == refusal
        assert (await who.send("GET", place)).error == refusal


@pytest.mark.parametrize(
    ("body", "title"),
    [
        ({"triggers": ["*"]}, "should have required property 'target'"),
        ({"target": TARGET}, "should have required property 'triggers'"),
        (
            {**BODY, "target": "example.org"},
            "target should be an http or https URL, such as https://example.org/webhook",
        ),
        ({**BODY, "target": "https://example.org/" + "x" * 2048}, "target should NOT be longer than 2048 characters"),
        ({**BODY, "triggers": []}, "triggers should NOT have fewer than 1 items"),
        ({**BODY, "triggers": ["message"]}, "Unknown trigger 'message'."),
        ({**BODY, "triggers": "*"}, "triggers should be array, not string"),
        ({**BODY, "includeFullUser": "yes"}, "includeFullUser should be boolean, not string"),
    ],
)
async def test_what_is_wrong_with_a_webhook_is_said(world_on_both: World, body: object, title: str) -> None:
    world = world_on_both
    integration = await custom(world)
    app = await backend(world)
    place = f"/integrations/{integration.id}/webhooks"
    assert (await app.send("POST", place, body)).error == (400, "bad_request", title)
    assert (await app.send("GET", place)).json == {"webhooks": []}


async def test_an_eleventh_webhook_is_refused_in_words(world_on_both: World) -> None:
    world = world_on_both
    integration = await custom(world)
    app = await backend(world)
    place = f"/integrations/{integration.id}/webhooks"
    for _ in range(WEBHOOKS_AT_MOST):
        assert (await app.send("POST", place, BODY)).status == 201
    assert (await app.send("POST", place, BODY)).error == (400, "bad_request", "An app is limited to 10 webhooks")
    assert len((await app.send("GET", place)).json["webhooks"]) == WEBHOOKS_AT_MOST


async def test_secrets_are_sealed_and_nothing_of_a_refusal_is_kept(world_on_both: World) -> None:
    world = world_on_both
    integration = await custom(world)
    made = await world.do(add_webhook, integration.id, TARGET, ["*"])
    rotated = await world.do(rotate_secret, integration.id, made.id)
    assert await world.traces_of(made.secret, rotated.secret) == []
    before = await world.snapshot()
    with pytest.raises(DomainError):
        await world.do(update_webhook, integration.id, made.id, WebhookChanges(target="nowhere"))
    assert await world.snapshot() == before
