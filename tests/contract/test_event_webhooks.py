"""Webhooks of FusionAuth's format on both engines: kept, delivered to, and nothing of an erased user sent any more."""

import asyncio
from collections import Counter
from typing import Any

import msgspec
import pytest
from msgspec import structs

from knownas.apps import DUPLICATE_ON_CREATE, DUPLICATE_ON_UPDATE
from knownas.apps.delete import delete_app
from knownas.conflicts import EmailContested
from knownas.delivery.signing import make_signing_key
from knownas.ids import uuid_of
from knownas.main import RENDERER
from knownas.storage.chance import now_ms
from knownas.users.delete import delete_user, erase_personal_information
from knownas.webhooks import EVENT_WEBHOOKS_AT_MOST, WEBHOOKS_AT_MOST, Webhook
from knownas.webhooks.create_event_webhook import create_event_webhook
from knownas.webhooks.event_options import EventWebhookChanges, EventWebhookOptions
from knownas.webhooks.event_types import HAPPENING
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
from tests import delivering as given_delivery
from tests.delivering import Posts, delivering, hurry, rows_of, until, until_delivered
from tests.given import BY, World, claims, device

__all__ = ["hurry"]
URL = "https://example.org/hook"
OPTIONS = EventWebhookOptions(
    URL, HAPPENING, headers={"X-Shop": "header-secret"}, http_username="ada", http_password="password-secret"
)


class Ahead:
    """The time by which the databases write, and later once some is skipped."""

    def __init__(self) -> None:
        self._skipped = 0

    def __call__(self) -> int:
        return now_ms() + self._skipped

    def skip(self, milliseconds: int) -> None:
        self._skipped += milliseconds


@pytest.fixture
def real_renderer(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the server itself sends, and not what the tests of the engine do."""
    monkeypatch.setattr(given_delivery, "RENDERER", RENDERER)


async def contest(world: World, external_id: str, email: str = "ada@example.com") -> None:
    with pytest.raises(EmailContested):
        await world.log_in(claims(external_id, email), device())


def events_at(posts: Posts, target: str) -> list[dict[str, Any]]:
    return [msgspec.json.decode(body)["event"] for called, _, body in posts.calls if called == target]


async def test_a_webhook_is_kept_changed_rotated_and_deleted(world_on_both: World) -> None:
    world = world_on_both
    key, another = make_signing_key("ES256"), make_signing_key("HS256")
    made = await world.do(create_event_webhook, OPTIONS, key)
    assert await world.ask(list_event_webhooks) == [made]
    changed = await world.do(update_event_webhook, made.id, EventWebhookChanges(url=URL + "2", description="x"))
    assert options_of(changed) == structs.replace(OPTIONS, url=URL + "2", description="x")
    rotated = await world.do(rotate_event_secret, made.id)
    replaced = await world.do(replace_signing_key, made.id, another)
    found = await world.ask(get_event_webhook, made.id)
    assert found == structs.replace(replaced, revision=found.revision)
    assert found.live_secrets(0) == (made.secret, rotated.secret)
    assert [one.jwk for one in await world.ask(list_public_keys, world.app.id)] == [key.public]
    secrets = ("header-secret", "password-secret", made.secret, rotated.secret, another.private)
    assert await world.traces_of(*secrets, key.private.splitlines()[1]) == []
    outcomes = Counter(
        type(one).__name__
        for one in await asyncio.gather(
            *(world.do(delete_event_webhook, made.id) for _ in range(5)), return_exceptions=True
        )
    )
    assert outcomes == {"NoneType": 1, "NoSuchWebhook": 4}
    assert await world.ask(list_public_keys, None) == []


async def test_ten_are_the_limit_also_when_asked_for_at_once(world_on_both: World) -> None:
    world = world_on_both
    asked = (world.do(create_event_webhook, OPTIONS) for _ in range(25))
    outcomes = Counter(type(one).__name__ for one in await asyncio.gather(*asked, return_exceptions=True))
    assert outcomes == {"Webhook": EVENT_WEBHOOKS_AT_MOST, "TooManyEventWebhooks": 15}
    slots = sorted(row["slot"] for row in (await world.snapshot())["webhooks"])
    assert slots == list(range(WEBHOOKS_AT_MOST, WEBHOOKS_AT_MOST + EVENT_WEBHOOKS_AT_MOST))


async def test_the_database_alone_keeps_ten(world_on_both: World) -> None:
    world = world_on_both
    made = await world.do(create_event_webhook, OPTIONS)

    async def unasked(tx: Any) -> None:
        tx.webhooks.add(structs.replace(made, id=tx.new_id()))

    asked = (world.do(unasked) for _ in range(12))
    outcomes = Counter(type(one).__name__ for one in await asyncio.gather(*asked, return_exceptions=True))
    assert outcomes == {"NoneType": EVENT_WEBHOOKS_AT_MOST - 1, "Unavailable": 3}


async def test_changes_of_different_options_at_once_are_all_kept(world_on_both: World) -> None:
    world = world_on_both
    made = await world.do(create_event_webhook, OPTIONS)
    changes = (
        EventWebhookChanges(url=URL + "2"),
        EventWebhookChanges(read_timeout_ms=3),
        EventWebhookChanges(description="x"),
        EventWebhookChanges(headers={}),
    )
    await asyncio.gather(*(world.do(update_event_webhook, made.id, change) for change in changes))
    found = options_of(await world.ask(get_event_webhook, made.id))
    assert found == structs.replace(OPTIONS, url=URL + "2", read_timeout_ms=3, description="x", headers={})


async def test_nothing_is_left_of_a_removed_app(world_on_both: World) -> None:
    world = world_on_both
    await world.do(create_event_webhook, OPTIONS, make_signing_key("EdDSA"))
    await world.do(delete_app)
    assert await world.ask(list_public_keys, None) == []
    assert (await world.snapshot())["webhooks"] == []


@pytest.mark.usefixtures("hurry", "real_renderer")
async def test_the_event_reaches_who_wants_it_in_its_app_and_nobody_else(world_on_both: World) -> None:
    world, posts = world_on_both, Posts()
    other = await world.another_app()

    async def hook(where: World, name: str, *events: str) -> Webhook:
        return await where.do(create_event_webhook, EventWebhookOptions(f"https://{name}.example.org/", events))

    await hook(world, "both", *HAPPENING)
    await hook(world, "creates", DUPLICATE_ON_CREATE)
    await hook(world, "neither", "user.create", "user.update", "user.delete")
    off = await hook(world, "off", *HAPPENING)
    await hook(other, "stranger", *HAPPENING)
    await given_delivery.add_webhook(world, "https://v2.example.org/", triggers=("*",))

    async def switch_off(tx: Any) -> None:
        tx.webhooks.update(structs.replace(off, disabled_at=1))

    await world.do(switch_off)
    async with delivering(world, posts, Ahead()):
        await world.log_in(claims("1234", "ada@example.com"), device())
        await contest(world, "5678")
        await world.user("known")
        await contest(world, "known")
        await until(lambda: len(events_at(posts, "https://both.example.org/")) == 2, "both events")
        await until(lambda: len(events_at(posts, "https://creates.example.org/")) == 1, "one of them")
        await until_delivered(world)
    of_both = events_at(posts, "https://both.example.org/")
    assert Counter(event["type"] for event in of_both) == Counter(HAPPENING)
    assert {event["tenantId"] for event in of_both} == {uuid_of(world.app.id)}
    assert {target for target, _, _ in posts.calls if "v2" not in target} == {
        "https://both.example.org/", "https://creates.example.org/",
    }  # fmt: skip
    assert b"loginId" not in b"".join(body for target, _, body in posts.calls if "v2" in target)


@pytest.mark.usefixtures("hurry", "real_renderer")
async def test_what_the_app_has_switched_off_is_not_sent(world_on_both: World) -> None:
    world, posts = world_on_both, Posts()
    await world.do(create_event_webhook, OPTIONS)
    await world.log_in(claims("1234", "ada@example.com"), device())
    await world.choose(duplicateEvents={DUPLICATE_ON_CREATE: False})
    await world.user("known")
    async with delivering(world, posts, Ahead()):
        await contest(world, "5678")
        await contest(world, "known")
        await until(lambda: len(events_at(posts, URL)) == 1, "the one that is on")
        await world.choose(duplicateEvents={})
        await contest(world, "9999")
        await until(lambda: len(events_at(posts, URL)) == 2, "the other one, switched on again")
        await until_delivered(world)
    assert [event["type"] for event in events_at(posts, URL)] == [DUPLICATE_ON_UPDATE, DUPLICATE_ON_CREATE]
    assert events_at(posts, URL)[1]["user"]["legacyIdentifier"] == "9999"


@pytest.mark.usefixtures("hurry", "real_renderer")
async def test_a_failed_call_is_made_again_with_the_same_bytes(world_on_both: World) -> None:
    world, posts, clock = world_on_both, Posts(), Ahead()
    posts.statuses[URL] = 503
    made = await world.do(create_event_webhook, OPTIONS)
    await world.log_in(claims("1234", "ada@example.com"), device())
    async with delivering(world, posts, clock):
        await contest(world, "5678")
        await until(lambda: len(posts.calls) == 1, "the first attempt")
        await world.do(update_event_webhook, made.id, EventWebhookChanges(description="changed"))
        posts.statuses[URL] = 200
        clock.skip(6_000)
        await until(lambda: len(posts.calls) == 2, "the second attempt")
        await until_delivered(world)
    assert posts.calls[0] == posts.calls[1], "target, id and bytes"
    assert posts.calls[0][1] == events_at(posts, URL)[0]["id"]


@pytest.mark.usefixtures("hurry", "real_renderer")
@pytest.mark.parametrize("whose", ["1234", "known"])
@pytest.mark.parametrize("verb", [delete_user, erase_personal_information])
async def test_nothing_of_an_erased_user_is_sent_any_more(world_on_both: World, whose: str, verb: Any) -> None:
    """Owner or claimant: the event goes with the case, and what was still to be delivered with the event (R10)."""
    world, posts, clock = world_on_both, Posts(), Ahead()
    posts.statuses[URL] = 503
    await world.do(create_event_webhook, OPTIONS)
    await world.log_in(claims("1234", "ada-erased@example.com", name="Ada-erased"), device())
    await world.user("known")
    async with delivering(world, posts, clock):
        await contest(world, "known", "Ada-Erased@example.com")
        await until(lambda: len(posts.calls) == 1, "the first attempt")
        await world.do_to(whose, verb, BY)
        posts.statuses[URL] = 200
        clock.skip(6_000)
        await until_delivered(world)
        if whose == "known":
            await contest(world, "5678", "ada-erased@example.com")
            await until(lambda: len(posts.calls) == 2, "what happens afterwards is told")
            await world.do_to("1234", verb, BY)
            await until_delivered(world)
    assert [event["type"] for event in events_at(posts, URL)][:1] == [DUPLICATE_ON_UPDATE]
    assert len(posts.calls) == (2 if whose == "known" else 1), "no second attempt of the first"
    assert await world.traces_of("rased@example.com", "Ada-erased", "RASED") == []
    assert not [row for row in await rows_of(world, "events") if row["type"] == "identity.contested"]
