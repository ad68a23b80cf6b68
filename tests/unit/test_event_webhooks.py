"""Webhooks of FusionAuth's format as records: what may be chosen, what is secret, and that nobody else sees them."""

import re
from typing import Any

import msgspec
import pytest
from msgspec import structs

from knownas.delivery.signing import make_signing_key
from knownas.integrations.create import create_integration
from knownas.resolutions import By
from knownas.transaction import Transaction
from knownas.users.delete import delete_user
from knownas.webhooks import (
    EVENT_WEBHOOKS_AT_MOST,
    WEBHOOKS_AT_MOST,
    InvalidEventWebhook,
    TooManyEventWebhooks,
    Webhook,
    WebhookNotFound,
    as_standard,
)
from knownas.webhooks.check_options import HEADERS_AT_MOST, TIMEOUT_MS_AT_MOST, check_options
from knownas.webhooks.create import add_webhook
from knownas.webhooks.create_event_webhook import create_event_webhook
from knownas.webhooks.event_options import EventWebhookChanges, EventWebhookOptions
from knownas.webhooks.event_types import EVENT_TYPES, HAPPENING, without_effect
from knownas.webhooks.event_webhooks import (
    delete_event_webhook,
    get_event_webhook,
    list_event_webhooks,
    list_public_keys,
    options_of,
    replace_signing_key,
    rotate_event_secret,
    update_event_webhook,
)
from knownas.webhooks.find import get_webhook
from tests.given import Clock, World
from tests.unit.facade import backend

URL = "https://example.org/hook"
PLAIN = EventWebhookOptions(URL, HAPPENING)
FULL = EventWebhookOptions(
    URL,
    (*HAPPENING, "user.create"),
    500,
    1500,
    {"X-Api-Key": "header-secret", "X-Shop": "acme"},
    "knownas",
    "password-secret",
    "tells support",
)
SECRETS = ("header-secret", "password-secret")


async def test_a_webhook_is_found_as_it_was_made(world: World) -> None:
    key = make_signing_key("ES256")
    made = await world.do(create_event_webhook, FULL, key)
    assert await world.ask(get_event_webhook, made.id) == made
    assert await world.ask(list_event_webhooks) == [made]
    assert options_of(made) == FULL
    assert made.call is not None
    assert made.call.signing_key == key
    assert [one.jwk for one in await world.ask(list_public_keys, None)] == [key.public]
    assert without_effect(made.triggers) == ("user.create",)


async def test_no_secret_stands_in_the_clear_or_in_a_text_of_the_values(world: World) -> None:
    for algorithm in ("HS256", "RS256", "ES256", "EdDSA"):
        key = make_signing_key(algorithm)
        made = await world.do(create_event_webhook, FULL, key)
        rotated = await world.do(rotate_event_secret, made.id)
        secrets = (*SECRETS, made.secret, rotated.secret, key.private, *key.private.splitlines()[1:2])
        assert await world.traces_of(*secrets) == []
        texts = f"{made!r} {rotated!r} {made.call!r} {key!r} {FULL!r} {EventWebhookChanges(http_password='x-secret')!r}"
        assert not any(secret in texts for secret in (*secrets, "x-secret"))
        public = msgspec.json.encode([one.jwk for one in await world.ask(list_public_keys, None)]).decode()
        assert not any(secret in public for secret in secrets)
        assert not re.search(r'"(d|p|q|dp|dq|qi|k)":', public), "private members of a JWK (RFC 7518, section 6)"


async def test_sealed_options_are_bound_to_their_webhook(world: World) -> None:
    """Who can write the database and not read it cannot give one webhook another's credentials."""
    one, other = [await world.do(create_event_webhook, PLAIN) for _ in range(2)]
    rows = {row["id"]: row for row in (await world.snapshot())["webhooks"]}

    async def steal(tx: Any) -> None:
        tx.unit.hold(
            "UPDATE webhooks SET sealed_options = $2 WHERE app_id = $1 AND id = $3",
            rows[other.id]["sealed_options"],
            one.id,
        )

    await world.do(steal)
    with pytest.raises(Exception, match="master key"):
        await world.ask(get_event_webhook, one.id)


async def test_what_is_not_given_stays_and_a_switched_off_webhook_is_switched_on(world: World) -> None:
    key = make_signing_key("HS256")
    made = await world.do(create_event_webhook, FULL, key)

    async def fail(tx: Transaction) -> None:
        tx.webhooks.update(structs.replace(made, failing_since=1, disabled_at=2))

    await world.do(fail)
    changed = await world.do(update_event_webhook, made.id, EventWebhookChanges(read_timeout_ms=9000))
    assert options_of(changed) == structs.replace(FULL, read_timeout_ms=9000)
    found = await world.ask(get_event_webhook, made.id)
    assert (found.disabled_at, found.failing_since, found.secret) == (None, None, made.secret)
    assert found.call is not None
    assert found.call.signing_key == key
    without = await world.do(update_event_webhook, made.id, EventWebhookChanges(http_username=None))
    assert without.call is not None
    assert (without.call.http_username, without.call.http_password) == (None, None)
    again = await world.do(update_event_webhook, made.id, EventWebhookChanges(http_username=None))
    assert await world.told(world.app.id) == ["app.created", "webhook.created", "webhook.updated", "webhook.updated"]
    assert again.triggers == FULL.events_enabled


async def test_a_rotated_secret_and_key_count_beside_the_new_ones_for_a_while(world: World, clock: Clock) -> None:
    first, second, third = (make_signing_key("EdDSA") for _ in range(3))
    made = await world.do(create_event_webhook, PLAIN, first)
    rotated = await world.do(rotate_event_secret, made.id, 60)
    assert rotated.live_secrets(clock()) == (made.secret, rotated.secret)
    await world.do(replace_signing_key, made.id, second, 60)
    assert [one.jwk for one in await world.ask(list_public_keys, None)] == [second.public, first.public]
    await world.do(replace_signing_key, made.id, third, 3600)
    assert len(await world.ask(list_public_keys, None)) == 3
    clock.skip(61_000)
    assert rotated.live_secrets(clock()) == (rotated.secret,)
    assert [one.jwk for one in await world.ask(list_public_keys, None)] == [third.public, second.public]
    await world.do(replace_signing_key, made.id, None, 0)
    assert await world.ask(list_public_keys, None) == []
    found = await world.ask(get_event_webhook, made.id)
    assert found.call is not None
    assert found.call.signing_key is None


async def test_however_often_a_key_is_replaced_few_are_kept(world: World) -> None:
    made = await world.do(create_event_webhook, PLAIN, make_signing_key("EdDSA"))
    for _ in range(10):
        await world.do(replace_signing_key, made.id, make_signing_key("EdDSA"))
    assert len(await world.ask(list_public_keys, world.app.id)) == 5


async def test_one_apps_keys_are_not_anothers(world: World) -> None:
    other = await world.another_app()
    key, others = make_signing_key("EdDSA"), make_signing_key("EdDSA")
    await world.do(create_event_webhook, PLAIN, key)
    await other.do(create_event_webhook, PLAIN, others)
    assert [one.jwk for one in await world.ask(list_public_keys, world.app.id)] == [key.public]
    assert len(await world.ask(list_public_keys, None)) == 2


async def test_each_format_has_its_own_ten(world: World) -> None:
    integration = await world.do(create_integration, "custom", "Bot")
    for _ in range(EVENT_WEBHOOKS_AT_MOST):
        await world.do(create_event_webhook, PLAIN)
    with pytest.raises(TooManyEventWebhooks):
        await world.do(create_event_webhook, PLAIN)
    for _ in range(WEBHOOKS_AT_MOST):
        await world.do(add_webhook, integration.id, URL, ["*"])
    assert len((await world.snapshot())["webhooks"]) == 20
    [first, *_] = await world.ask(list_event_webhooks)
    await world.do(delete_event_webhook, first.id)
    await world.do(create_event_webhook, PLAIN)


async def test_the_v2_api_sees_nothing_of_them(world: World) -> None:
    made = await world.do(create_event_webhook, PLAIN)
    integration = await world.do(create_integration, "custom", "Bot")
    for _ in range(EVENT_WEBHOOKS_AT_MOST - 1):
        await world.do(create_event_webhook, PLAIN)
    app = await backend(world)
    place = f"/integrations/{integration.id}/webhooks"
    assert (await app.send("GET", place)).json == {"webhooks": []}
    assert (await app.send("GET", f"{place}/{made.id}")).status == 404
    assert (await app.send("DELETE", f"{place}/{made.id}")).status == 404
    assert (await app.send("POST", place, {"target": URL, "triggers": ["*"]})).status == 201, "not one of the ten"
    listed = (await app.send("GET", "/integrations")).json["integrations"]
    assert [len(one.get("webhooks", [])) for one in listed] == [1]
    with pytest.raises(WebhookNotFound):
        await world.ask(get_webhook, integration.id, made.id)


async def test_a_webhook_of_the_v2_api_is_none_of_these(world: World) -> None:
    integration = await world.do(create_integration, "custom", "Bot")
    v2 = await world.do(add_webhook, integration.id, URL, ["*"])
    for verb, *more in (
        (get_event_webhook,), (delete_event_webhook,), (rotate_event_secret,),
        (update_event_webhook, EventWebhookChanges()), (replace_signing_key, None),
    ):  # fmt: skip
        with pytest.raises(WebhookNotFound):
            await world.do(verb, v2.id, *more)
    assert await world.ask(list_event_webhooks) == []


async def test_a_removed_users_external_id_is_not_kept_for_them(world: World) -> None:
    """`user:remove` is the v2 API's; FusionAuth's `user.delete` causes nothing yet."""
    await world.do(create_event_webhook, structs.replace(PLAIN, events_enabled=tuple(sorted(EVENT_TYPES))))
    ada = await world.user("ada-external")
    await world.do_to(ada, delete_user, By("key:test"))
    assert await world.traces_of("ada-external") == []


async def test_one_of_another_app_is_not_found(world: World) -> None:
    made = await world.do(create_event_webhook, PLAIN)
    other = await world.another_app()
    for verb in (get_event_webhook, delete_event_webhook, rotate_event_secret):
        with pytest.raises(WebhookNotFound):
            await other.do(verb, made.id)
    assert await other.ask(list_event_webhooks) == []


def test_all_of_fusionauths_events_may_be_asked_for() -> None:
    assert len(EVENT_TYPES) == 64
    assert set(HAPPENING) < EVENT_TYPES
    options = check_options(structs.replace(PLAIN, events_enabled=(*EVENT_TYPES, *EVENT_TYPES)))
    assert set(options.events_enabled) == EVENT_TYPES
    assert len(options.events_enabled) == 64
    assert len(without_effect(options.events_enabled)) == 62
    assert check_options(structs.replace(PLAIN, events_enabled=())).events_enabled == ()


GOOD: list[dict[str, Any]] = [
    {"headers": {" X-One ": "  trimmed "}},
    {"headers": {"Authorization": "Bearer abc"}},
    {"headers": {"X-Empty": ""}},
    {"http_username": "ada", "http_password": "a:b c ✓"},
    {"http_username": "ada"},
    {"connect_timeout_ms": 1, "read_timeout_ms": TIMEOUT_MS_AT_MOST},
    {"url": "http://intranet:8080/hook?x=1"},
]


@pytest.mark.parametrize("given", GOOD, ids=str)
def test_what_may_be_chosen(given: dict[str, Any]) -> None:
    checked = check_options(structs.replace(PLAIN, **given))
    assert check_options(checked) == checked


BAD: list[tuple[str, dict[str, Any]]] = [
    ("url", {"url": "ftp://example.org/"}),
    ("url", {"url": "https://example.org/ hook"}),
    ("url", {"url": "https://ada:secret@example.org/"}),
    ("url", {"url": "https://example.org/" + "x" * 3000}),
    ("events_enabled", {"events_enabled": ("user:remove",)}),
    ("events_enabled", {"events_enabled": ("*",)}),
    ("events_enabled", {"events_enabled": ("user.loginid.duplicate.update",)}),
    ("connect_timeout_ms", {"connect_timeout_ms": 0}),
    ("read_timeout_ms", {"read_timeout_ms": TIMEOUT_MS_AT_MOST + 1}),
    ("description", {"description": "x" * 513}),
    ("headers", {"headers": {f"X-{number}": "1" for number in range(HEADERS_AT_MOST + 1)}}),
    ("headers", {"headers": {"X-A": "1", "x-a": "2"}}),
    ("headers", {"headers": {"X-A": "secret\r\nX-B: 1"}}),
    ("headers", {"headers": {"X-A\r\nX-B": "1"}}),
    ("headers", {"headers": {"X A": "1"}}),
    ("headers", {"headers": {"": "1"}}),
    ("headers", {"headers": {"X-A": "sécret"}}),
    ("headers", {"headers": {"X-A": "secret" * 999}}),
    *(
        ("headers", {"headers": {name: "secret"}})
        for name in (
            "Host", "content-length", "Content-Type", "Content-Encoding", "Transfer-Encoding", "Connection", "Upgrade",
            "TE", "Proxy-Authorization", "User-Agent", "Expect", "Webhook-Signature", "webhook-id",
            "X-FusionAuth-Signature-JWT",
        )
    ),
    ("headers", {"headers": {"authorization": "secret"}, "http_username": "ada"}),
    ("http_username", {"http_username": "a:b", "http_password": "secret"}),
    ("http_username", {"http_password": "secret"}),
    ("http_username", {"http_username": "a\nb"}),
    ("http_password", {"http_username": "ada", "http_password": "sec\x00ret"}),
    ("http_password", {"http_username": "ada", "http_password": "secret" * 100}),
]  # fmt: skip


@pytest.mark.parametrize(("field", "given"), BAD, ids=str)
async def test_what_may_not_be_chosen_is_said_without_repeating_secrets(
    world: World, field: str, given: dict[str, Any]
) -> None:
    with pytest.raises(InvalidEventWebhook) as refused:
        await world.do(create_event_webhook, structs.replace(PLAIN, **given))
    assert refused.value.field == field
    assert "secret" not in str(refused.value)
    assert (await world.snapshot())["webhooks"] == []


def test_a_standard_library_is_given_the_secret_as_it_wants_it() -> None:
    assert as_standard("abc") == "whsec_YWJj"


async def test_a_muted_event_is_wanted_by_no_webhook(world: World) -> None:
    made = await world.do(create_event_webhook, PLAIN)
    await world.choose(duplicateEvents={HAPPENING[0]: False})

    async def live(tx: Transaction) -> list[Webhook]:
        return await tx.deliveries.live_webhooks([tx.app_id])

    [found] = await world.ask(live)
    assert (found.id, [found.wants(event) for event in HAPPENING]) == (made.id, [False, True])
    await world.choose(duplicateEvents={})
    [found] = await world.ask(live)
    assert [found.wants(event) for event in HAPPENING] == [True, True]
