"""The walk: apps, keys, integrations, webhooks and switchboards."""

import uuid
from typing import Any

import sunshine_conversations_client as sc

from tests.e2e.client_walk_models import OLDER
from tests.e2e.client_walk_world import NOTHING, World, chapter, refused, secrets


@chapter
def apps(world: World) -> None:
    apps = world.api("AppsApi", world.of_account)
    name = f"walk {uuid.uuid4().hex[:8]}"
    made = apps.create_app(world.model("AppCreateBody", displayName=name, metadata={"n": 1})).app
    assert made.display_name == name
    assert made.settings.multi_convo_enabled is not None
    assert apps.get_app(made.id).app == made
    assert made.id in {app.id for app in apps.list_apps(page=world.model("Page", size=100)).apps}
    changed = apps.update_app(made.id, world.model("AppUpdateBody", metadata={"m": True})).app
    assert (changed.display_name, changed.metadata) == (name, {"n": 1, "m": True})
    apps.delete_app(made.id)
    with refused(404, "app_not_found", "App not found"):
        apps.get_app(made.id)
    assert world.api("AppsApi").get_app(world.app).app.id == world.app
    with refused(403, "forbidden"):
        world.api("AppsApi").list_apps()


@chapter
def app_keys(world: World) -> None:
    keys = world.api("AppKeysApi", world.of_account)
    made = keys.create_app_key(world.app, world.model("AppKeyCreateBody", displayName="second")).key
    secrets.add(made.secret)
    assert made.id.startswith("app_")
    assert made.id in {key.id for key in keys.list_app_keys(world.app).keys}
    shown = keys.get_app_key(world.app, made.id).key
    assert (shown.display_name, bool(shown.secret)) == ("second", False)
    of_key = world.api("AppsApi", world.bearer("app", made.id, made.secret))
    assert of_key.get_app(world.app).app.id == world.app
    keys.delete_app_key(world.app, made.id)
    with refused(404, "not_found"):
        keys.get_app_key(world.app, made.id)
    with refused(401, "invalid_auth"):
        of_key.get_app(world.app)


@chapter
def integrations(world: World) -> None:
    integrations = world.api("IntegrationsApi")
    bot = world.custom_integration("Bot", "conversation:message", "user:update")
    assert (bot.type, bot.display_name, bot.status) == ("custom", "Bot", "active")
    [webhook] = bot.webhooks
    assert webhook.triggers == ["conversation:message", "user:update"]
    assert webhook.secret
    web = integrations.create_integration(
        world.app, world.model("Integration", type="web", brandColor="112233", originWhitelist=["https://example.org"])
    ).integration
    assert (web.type, web.brand_color, web.origin_whitelist) == ("web", "112233", ["https://example.org"])
    telegram = integrations.create_integration(
        world.app, world.model("Integration", type="telegram", token="192033615:AAEuee2FS2JYKWfDlTulfygjaIGJi4s")
    ).integration
    assert telegram.type == "telegram"
    assert telegram.status == "inactive", "nothing is connected to it, so it must not say that it works"

    assert integrations.get_integration(world.app, bot.id).integration == bot
    filtered = integrations.list_integrations(
        world.app, filter=world.model("IntegrationListFilter", types="web,custom")
    )
    assert {web.id, bot.id} <= {one.id for one in filtered.integrations}
    assert {one.type for one in filtered.integrations} <= {"web", "custom"}
    first = integrations.list_integrations(world.app, page=world.model("Page", size=1))
    assert len(first.integrations) == 1
    assert first.meta.has_more is True
    rest = integrations.list_integrations(world.app, page=world.model("Page", after=first.meta.after_cursor))
    assert first.integrations[0].id not in {one.id for one in rest.integrations}

    changed = integrations.update_integration(
        world.app, web.id, _update(world, "WebUpdate", displayName="Site", brandColor="445566")
    ).integration
    assert (changed.display_name, changed.brand_color) == ("Site", "445566")
    renamed = integrations.update_integration(
        world.app, bot.id, _update(world, "CustomUpdate", displayName="Robot")
    ).integration
    assert (renamed.display_name, len(renamed.webhooks)) == ("Robot", 1)
    integrations.delete_integration(world.app, telegram.id)
    for unknown in (telegram.id, NOTHING):
        with refused(404, "integration_not_found"):
            integrations.get_integration(world.app, unknown)


def _update(world: World, name: str, **given: Any) -> Any:
    """What changes an integration: 17.0.1 cannot tell the schemas apart, so its users say which it is."""
    made = world.model(name, **given)
    return made if OLDER else sc.IntegrationUpdate(made)


@chapter
def custom_integration_api_keys(world: World) -> None:
    keys = world.api("CustomIntegrationApiKeysApi")
    bot = world.custom_integration("Keyed")
    body = world.model("IntegrationApiKey", displayName="its own")
    made = keys.create_custom_integration_key(world.app, bot.id, body).key
    secrets.add(made.secret)
    assert (made.id[:4], made.display_name) == ("int_", "its own")
    assert [key.id for key in keys.list_custom_integration_keys(world.app, bot.id).keys] == [made.id]
    shown = keys.get_custom_integration_key(world.app, bot.id, made.id).key
    assert (shown.id, shown.display_name, bool(shown.secret)) == (made.id, "its own", False)
    for client in (
        world.client(username=made.id, password=made.secret),
        world.bearer("integration", made.id, made.secret),
    ):
        assert world.api("WebhooksApi", client).list_webhooks(world.app, "me").webhooks[0].id == bot.webhooks[0].id
        with refused(403, "forbidden"):
            world.api("IntegrationsApi", client).list_integrations(world.app)
    keys.delete_custom_integration_key(world.app, bot.id, made.id)
    with refused(404, "not_found"):
        keys.get_custom_integration_key(world.app, bot.id, made.id)
    with refused(401, "invalid_auth"):
        world.api("WebhooksApi", client).list_webhooks(world.app, "me")
    web = world.api("IntegrationsApi").create_integration(world.app, world.model("Integration", type="web")).integration
    with refused(400, "bad_request", "API keys are available only for custom integrations"):
        keys.create_custom_integration_key(world.app, web.id, body)


@chapter
def webhooks(world: World) -> None:
    bot = world.custom_integration("Hooked")
    connector = world.client(**world.connector(bot))
    for webhooks, integration in ((world.api("WebhooksApi"), bot.id), (world.api("WebhooksApi", connector), "me")):
        body = world.model(
            "WebhookCreateBody",
            target="http://127.0.0.1:9/second",
            triggers=["conversation:read", "user:merge"],
            includeFullUser=True,
        )
        made = webhooks.create_webhook(world.app, integration, body).webhook
        assert (made.target, made.triggers) == ("http://127.0.0.1:9/second", ["conversation:read", "user:merge"])
        assert (made.version, made.include_full_user, made.include_full_source) == ("v2", True, False)
        assert made.secret
        assert webhooks.get_webhook(world.app, integration, made.id).webhook == made
        listed = webhooks.list_webhooks(world.app, integration).webhooks
        assert {one.id for one in listed} == {bot.webhooks[0].id, made.id}
        # An integration shows its first webhook: the schema has one at most, and 17.0.1 can read no more.
        shown = world.api("IntegrationsApi").get_integration(world.app, bot.id).integration
        assert [one.id for one in shown.webhooks] == [bot.webhooks[0].id]
        changed = webhooks.update_webhook(
            world.app,
            integration,
            made.id,
            world.model("WebhookBody", triggers=["client:add"], includeFullSource=True),
        ).webhook
        assert (changed.triggers, changed.include_full_source) == (["client:add"], True)
        assert (changed.target, changed.secret) == (made.target, made.secret)
        webhooks.delete_webhook(world.app, integration, made.id)
        with refused(404, "not_found"):
            webhooks.get_webhook(world.app, integration, made.id)
        with refused(400, "bad_request"):
            webhooks.create_webhook(
                world.app,
                integration,
                world.model("WebhookCreateBody", target="http://127.0.0.1:9/", triggers=["conversation:massage"]),
            )
    with refused(403, "forbidden"):
        world.api("WebhooksApi", world.of_account).list_webhooks(world.app, bot.id)


@chapter
def switchboards(world: World) -> None:
    switchboards, links = world.api("SwitchboardsApi"), world.api("SwitchboardIntegrationsApi")
    bot, desk, third = (world.custom_integration(name) for name in ("Answers", "Desk", "Third"))
    board = switchboards.create_switchboard(world.app).switchboard
    try:
        assert board.enabled is False
        assert [one.id for one in switchboards.list_switchboards(world.app).switchboards] == [board.id]
        with refused(400, "bad_request", "Only one switchboard can be created per app"):
            switchboards.create_switchboard(world.app)

        first = links.create_switchboard_integration(
            world.app,
            board.id,
            world.model(
                "SwitchboardIntegrationCreateBody", name="bot", integrationId=bot.id, deliverStandbyEvents=False
            ),
        ).switchboard_integration
        second = links.create_switchboard_integration(
            world.app,
            board.id,
            world.model(
                "SwitchboardIntegrationCreateBody",
                name="desk",
                integrationId=desk.id,
                deliverStandbyEvents=True,
                messageHistoryCount=5,
            ),
        ).switchboard_integration
        assert (first.name, first.integration_id, first.integration_type) == ("bot", bot.id, "custom")
        assert (second.deliver_standby_events, second.message_history_count) == (True, 5)
        listed = links.list_switchboard_integrations(world.app, board.id).switchboard_integrations
        assert [one.id for one in listed] == [first.id, second.id]
        changed = links.update_switchboard_integration(
            world.app,
            board.id,
            first.id,
            world.model("SwitchboardIntegrationUpdateBody", name="first-bot", nextSwitchboardIntegrationId=second.id),
        ).switchboard_integration
        assert (changed.name, changed.next_switchboard_integration_id) == ("first-bot", second.id)

        enabled = switchboards.update_switchboard(
            world.app,
            board.id,
            world.model("SwitchboardUpdateBody", enabled=True, defaultSwitchboardIntegrationId=first.id),
        ).switchboard
        assert (enabled.enabled, enabled.default_switchboard_integration_id) == (True, first.id)
        held = world.conversation(world.user())
        assert held.active_switchboard_integration.name == "first-bot"
        spare = links.create_switchboard_integration(
            world.app,
            board.id,
            world.model("SwitchboardIntegrationCreateBody", name="spare", integrationId=third.id),
        ).switchboard_integration
        links.delete_switchboard_integration(world.app, board.id, spare.id)
        listed = links.list_switchboard_integrations(world.app, board.id).switchboard_integrations
        assert [one.id for one in listed] == [first.id, second.id]
        with refused(400, "bad_request"):  # the first leads to it
            links.delete_switchboard_integration(world.app, board.id, second.id)
        with refused(404, "switchboard_integration_not_found"):
            links.delete_switchboard_integration(world.app, board.id, spare.id)
    finally:
        switchboards.delete_switchboard(world.app, board.id)
    assert switchboards.list_switchboards(world.app).switchboards == []
    with refused(404, "switchboard_not_found"):
        links.list_switchboard_integrations(world.app, board.id)
    after = world.api("ConversationsApi").get_conversation(world.app, held.id).conversation
    assert after.active_switchboard_integration is None
