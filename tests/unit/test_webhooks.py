"""Webhooks as records: made, found, changed, rotated and deleted by an integration, ten to an app."""

import pytest
from hypothesis import given as examples
from hypothesis import strategies as st
from msgspec import structs

from knownas.integrations import Integration, IntegrationNotFound
from knownas.integrations.create import create_integration
from knownas.integrations.delete import delete_integration
from knownas.switchboards.create import create_switchboard
from knownas.switchboards.integrate import LinkChanges, create_switchboard_integration
from knownas.switchboards.update import update_switchboard
from knownas.transaction import Transaction
from knownas.users.delete import delete_user
from knownas.webhooks import (
    WEBHOOKS_AT_MOST,
    InvalidWebhook,
    NoWebhooksHere,
    TooManyWebhooks,
    Webhook,
    WebhookNotFound,
)
from knownas.webhooks.create import add_webhook, create_webhook
from knownas.webhooks.find import get_webhook, list_webhooks
from knownas.webhooks.rotate import OVERLAP_S, rotate_secret
from knownas.webhooks.triggers import TRIGGERS, check_target, check_triggers
from knownas.webhooks.update import WebhookChanges, delete_webhook, update_webhook
from tests.given import BY, Clock, World

TARGET = "https://example.org/hook"


async def custom(world: World) -> Integration:
    return await world.do(create_integration, "custom", "Bot")


async def hook(world: World, integration: Integration, *triggers: str, target: str = TARGET) -> Webhook:
    return await world.do(add_webhook, integration.id, target, triggers or ("conversation:message",))


async def switch_off(world: World, webhook: Webhook) -> None:
    """As five days of failure do it."""

    async def fail(tx: Transaction) -> None:
        tx.webhooks.update(structs.replace(webhook, failing_since=1, disabled_at=2))

    await world.do(fail)


async def test_a_webhook_is_found_as_it_was_made_and_its_secret_is_nowhere_in_the_clear(world: World) -> None:
    integration = await custom(world)
    made = await world.do(add_webhook, integration.id, TARGET, ["user:merge", "user:remove"], True, True)
    assert await world.ask(get_webhook, integration.id, made.id) == made
    assert await world.ask(list_webhooks, integration.id) == [made]
    assert (made.triggers, made.include_full_user, made.include_full_source) == (
        ("user:merge", "user:remove"), True, True,
    )  # fmt: skip
    assert len(made.secret) == 43
    assert await world.traces_of(made.secret) == []
    assert made.secret not in repr(made)
    assert (await world.told(world.app.id))[-2:] == ["integration.created", "webhook.created"]


async def test_an_integration_may_be_made_together_with_its_webhook(world: World) -> None:
    async def both(tx: Transaction) -> Webhook:
        integration = await create_integration(tx, "custom")
        return create_webhook(tx, integration, TARGET, ["*"])

    made = await world.do(both)
    assert await world.ask(list_webhooks, made.integration_id) == [made]


async def test_an_app_has_ten_webhooks_and_a_deleted_one_makes_room(world: World) -> None:
    one, other = await custom(world), await custom(world)
    made = [await hook(world, (one, other)[number % 2]) for number in range(WEBHOOKS_AT_MOST)]
    before = await world.snapshot()
    with pytest.raises(TooManyWebhooks):
        await hook(world, one)
    assert await world.snapshot() == before
    await world.do(delete_webhook, other.id, made[3].id)
    last = await hook(world, one)
    assert len(await world.ask(list_webhooks, one.id)) == 6
    assert (await world.ask(list_webhooks, one.id))[-1] == last, "oldest first"
    another = await world.another_app()
    await hook(another, await custom(another))  # the limit is the app's


async def test_only_a_custom_integration_carries_webhooks(world: World) -> None:
    web = await world.do(create_integration, "web")
    with pytest.raises(NoWebhooksHere):
        await hook(world, web)
    with pytest.raises(NoWebhooksHere):
        await world.ask(list_webhooks, web.id)
    with pytest.raises(IntegrationNotFound):
        await world.do(add_webhook, "0" * 24, TARGET, ["*"])
    with pytest.raises(IntegrationNotFound):
        await world.ask(list_webhooks, "me")


async def test_a_webhook_is_not_found_through_another_integration_or_app(world: World) -> None:
    one, other = await custom(world), await custom(world)
    made = await hook(world, one)
    another = await world.another_app()
    for where, integration_id in ((world, other.id), (another, one.id)):
        with pytest.raises(WebhookNotFound):
            await where.ask(get_webhook, integration_id, made.id)
        with pytest.raises(WebhookNotFound):
            await where.do(update_webhook, integration_id, made.id, WebhookChanges(target="https://evil.example"))
        with pytest.raises(WebhookNotFound):
            await where.do(rotate_secret, integration_id, made.id)
        with pytest.raises(WebhookNotFound):
            await where.do(delete_webhook, integration_id, made.id)
    assert await world.ask(get_webhook, one.id, made.id) == made


async def test_an_update_changes_what_is_given_and_nothing_else(world: World) -> None:
    integration = await custom(world)
    made = await hook(world, integration)
    changed = await world.do(update_webhook, integration.id, made.id, WebhookChanges(triggers=["*"]))
    found = await world.ask(get_webhook, integration.id, made.id)
    assert (found.triggers, found.target, found.secret) == (("*",), TARGET, made.secret)
    assert changed.triggers == found.triggers
    before = await world.snapshot()
    await world.do(update_webhook, integration.id, made.id, WebhookChanges(triggers=["*"], target=TARGET))
    assert await world.snapshot() == before, "the same update twice changes once"
    for wrong in (WebhookChanges(target="ftp://x"), WebhookChanges(triggers=[]), WebhookChanges(triggers=["nope"])):
        with pytest.raises(InvalidWebhook):
            await world.do(update_webhook, integration.id, made.id, wrong)
    assert await world.snapshot() == before


async def test_any_update_switches_a_webhook_on_again(world: World) -> None:
    integration = await custom(world)
    made = await hook(world, integration)
    await switch_off(world, made)
    off = await world.ask(get_webhook, integration.id, made.id)
    assert (off.failing_since, off.disabled_at) == (1, 2)
    assert not off.wants("conversation:message")
    await world.do(update_webhook, integration.id, made.id, WebhookChanges())
    on = await world.ask(get_webhook, integration.id, made.id)
    assert (on.failing_since, on.disabled_at) == (None, None)
    assert on.wants("conversation:message")


async def test_two_secrets_count_while_one_is_rotated(world: World, clock: Clock) -> None:
    integration = await custom(world)
    made = await hook(world, integration)
    rotated = await world.do(rotate_secret, integration.id, made.id)
    found = await world.ask(get_webhook, integration.id, made.id)
    assert found.secret == rotated.secret != made.secret
    until = rotated.former_until
    assert until is not None
    now = until - OVERLAP_S * 1000
    assert found.live_secrets(now) == found.live_secrets(until - 1) == (made.secret, rotated.secret)
    assert found.live_secrets(until) == (rotated.secret,)
    assert await world.traces_of(made.secret, rotated.secret) == []

    again = await world.do(rotate_secret, integration.id, made.id)
    assert again.live_secrets(now) == (made.secret, again.secret), "what the receiver is sure to know stays"

    clock.skip(OVERLAP_S * 1000 + 1000)
    later = await world.do(rotate_secret, integration.id, made.id)
    assert later.live_secrets(until + 1000) == (again.secret, later.secret)
    at_once = await world.do(rotate_secret, integration.id, made.id, 0)
    assert at_once.live_secrets(0) == (at_once.secret,)


async def test_a_deleted_integrations_webhooks_are_gone_and_their_places_free(world: World) -> None:
    one, other = await custom(world), await custom(world)
    for _ in range(WEBHOOKS_AT_MOST):
        await hook(world, one)
    await world.do(delete_integration, one.id)
    assert (await world.snapshot())["webhooks"] == []
    await hook(world, other)


async def test_a_webhook_hears_of_others_conversations_as_the_switchboard_says(world: World) -> None:
    integration, other = await custom(world), await custom(world)
    made = await hook(world, integration)
    assert not made.in_control_only
    board = await world.do(create_switchboard)
    quiet = LinkChanges(name="quiet", integration_id=integration.id, deliver_standby_events=False)
    curious = LinkChanges(name="curious", integration_id=other.id, deliver_standby_events=True)
    await world.do(create_switchboard_integration, board.id, quiet)
    one = await world.do(create_switchboard_integration, board.id, curious)
    assert not (await world.ask(get_webhook, integration.id, made.id)).in_control_only, "it is not enabled"
    await world.do(update_switchboard, board.id, True, one.id)
    assert (await world.ask(get_webhook, integration.id, made.id)).in_control_only
    assert not (await hook(world, other)).in_control_only
    assert [one.in_control_only for one in await world.ask(list_webhooks, other.id)] == [False]


@pytest.mark.parametrize(
    "target",
    [
        "https://example.org/hook",
        "http://localhost:8080",
        "HTTPS://EXAMPLE.org/?a=b#c",
        "https://user:pass@example.org:8443/x",
        "https://[::1]:9/x",
        "https://exämple.org/ä",
        "https://example.org/" + "x" * 2028,
    ],
)
def test_an_address_that_can_be_called_is_a_target(target: str) -> None:
    assert check_target(target) == target


@pytest.mark.parametrize(
    "target",
    [
        "",
        "example.org/hook",
        "ftp://example.org",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "https://",
        "https:///path",
        "https://:80/",
        "https://example.org:99999/",
        "https://example.org:0/",
        "https://[::1/",
        "https://example.org/a b",
        "https://example.org/\n",
        "\thttps://example.org/",
        "https://example.org\u202e/",
        "https://example.org/" + "x" * 2029,
    ],
)
def test_what_cannot_be_called_is_no_target(target: str) -> None:
    with pytest.raises(InvalidWebhook):
        check_target(target)


@examples(st.text())
def test_whatever_is_sent_as_a_target_is_taken_or_refused_in_words(target: str) -> None:
    try:
        taken = check_target(target)
    except InvalidWebhook as refusal:
        refused = str(refusal)
    else:
        assert taken == target
        return
    assert refused.startswith("target should")


@examples(st.lists(st.sampled_from([*TRIGGERS, "*"]), min_size=1))
def test_known_triggers_are_kept_once_each_in_their_order(triggers: list[str]) -> None:
    assert check_triggers(triggers) == tuple(sorted(set(triggers), key=triggers.index))


@pytest.mark.parametrize("trigger", ["", "conversation:Message", "message", "user", "user:", "user:created", " *"])
def test_an_unknown_trigger_is_refused_by_name(trigger: str) -> None:
    with pytest.raises(InvalidWebhook, match="Unknown trigger"):
        check_triggers(["user:merge", trigger])


def test_a_trigger_in_the_wrong_case_is_hinted_at() -> None:
    with pytest.raises(InvalidWebhook, match="Did you mean 'conversation:message'"):
        check_triggers(["conversation:Message"])
    with pytest.raises(InvalidWebhook, match="fewer than 1"):
        check_triggers([])


async def test_a_removed_user_is_named_only_to_webhooks_that_ask(world: World) -> None:
    """R10: with nobody to tell, not even her external id outlives her."""
    await world.do_to(await world.user("gone-external-1"), delete_user, BY)
    assert await world.traces_of("gone-external-1") == []
    integration = await custom(world)
    webhook = await hook(world, integration, "user:merge")
    await world.do_to(await world.user("gone-external-2"), delete_user, BY)
    assert await world.traces_of("gone-external-2") == []
    await world.do(update_webhook, integration.id, webhook.id, WebhookChanges(triggers=["user:remove"]))
    gone = await world.user("gone-external-3", email="label@example.com")
    await world.do_to(gone, delete_user, BY)
    last = (await world.events(world.app.id))[-1]
    assert {key: last[key] for key in ("removed_user_id", "external_id", "authenticated")} == {
        "removed_user_id": gone.id, "external_id": "gone-external-3", "authenticated": False,
    }  # fmt: skip
    assert await world.traces_of("label@example.com") == []
