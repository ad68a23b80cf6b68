"""The duplicate events as FusionAuth's receivers read them (R12): who is who, what collided, and what is left out."""

from typing import Any

import msgspec
import pytest
from msgspec import structs

from knownas.apps import DUPLICATE_ON_CREATE, DUPLICATE_ON_UPDATE
from knownas.conflicts import Duplicate, EmailContested, IdentityContested, Place, RequestInfo
from knownas.deliveries import Cursor, Delivery, Recorded
from knownas.events import decode_event
from knownas.http.fusionauth.webhook_events import told
from knownas.identities import Identity
from knownas.ids import uuid_of
from knownas.main import RENDERER
from knownas.merges.merge import carry_out_merge, foresee_merge
from knownas.resolutions import By
from knownas.sessions.log_in import log_in
from knownas.transaction import Transaction
from knownas.users import User, UserCreated, UserErased, UserRemoved
from knownas.users.find import get_user
from knownas.webhooks import Webhook
from knownas.webhooks.event_options import CallOptions
from knownas.webhooks.event_types import HAPPENING
from tests.given import World, claims, device
from tests.unit.fusionauth_schemas import validator_of

APP, OWNER, CLAIMANT, CASE = "a" * 24, "0123456789ab" * 2, "fedcba987654" * 2, "c" * 24
WEBHOOK = Webhook(
    "e" * 24, APP, "", "https://example.org/", HAPPENING, True, True, "secret", 1,
    format="fusionauth", call=CallOptions(1, 1, {}, None, None, ""),
)  # fmt: skip
INFO = RequestInfo(
    "192.0.2.7", "Mozilla/5.0", "Mac", "browser", "Mac OS X 10.15", "Chrome 120",
    Place("Boxford", "GB", 51.75, -1.25, "ENG", "OX1"),
)  # fmt: skip


def identity(user_id: str, type: Any, value: str, *, at: int = 5, verification: str = "sso") -> Identity:
    return Identity(user_id, type, value, value.lower(), True, verification, "app_key-that-nobody-sees", at)


EXISTING = User(
    OWNER, "1234", True, "Ada", "Lovelace", "typed@example.com", "https://example.org/ada.png", "en-GB",
    {"tier": "gold"}, 77, None, "c" * 24, 1000,
    identities=(
        identity(OWNER, "username", "AdaL", at=9, verification="api"),
        identity(OWNER, "external_id", "1234"),
        identity(OWNER, "phone", "+1 303 555 1212", at=9),
        identity(OWNER, "email", "Ada@Example.com"),
    ),
)  # fmt: skip
REQUESTED = User(
    CLAIMANT, "5678", True, None, None, None, None, None, {}, None, None, "d" * 24, 2000,
    identities=(identity(CLAIMANT, "email", "ada@example.com", at=2000),),
)  # fmt: skip
CONTESTED = IdentityContested(
    OWNER, "email", CLAIMANT, CASE, "refused", (Duplicate("email", "Ada@example.com"),), EXISTING, REQUESTED, INFO
)


def recorded(event: IdentityContested) -> Recorded:
    body = msgspec.json.encode(event).decode()
    return Recorded(Cursor(0, 1), APP, CASE, 1, "7" * 24, "identity.contested", body, 1_629_436_692_150)


def body_of(event: IdentityContested, webhook: Webhook = WEBHOOK) -> bytes | None:
    row = recorded(event)
    return RENDERER.body(Delivery(APP, webhook.id, row.id, row.stream, row.seq, True, True, 0, 0, row), webhook)


def rendered(event: IdentityContested) -> dict[str, Any]:
    """The event as it is sent, after a look whether it is as the published schema has it."""
    body = body_of(event)
    assert body is not None
    decoded = msgspec.json.decode(body)
    assert "null" not in body.decode()
    validator_of(decoded["event"]["type"]).validate(decoded)
    shown: dict[str, Any] = decoded["event"]
    return shown


def test_the_whole_body_of_an_update() -> None:
    owners = {"tenantId": uuid_of(APP), "active": True, "memberships": [], "registrations": [], "verified": True}
    assert rendered(CONTESTED) == {
        "id": uuid_of("7" * 24),
        "type": "user.loginId.duplicate.update",
        "createInstant": 1_629_436_692_150,
        "tenantId": uuid_of(APP),
        "linkedObjectId": uuid_of(CLAIMANT),
        "info": {
            "ipAddress": "192.0.2.7",
            "userAgent": "Mozilla/5.0",
            "deviceName": "Mac",
            "deviceType": "BROWSER",
            "deviceDescription": "Chrome 120 on Mac OS X 10.15",
            "os": "Mac OS X 10.15",
            "location": {
                "city": "Boxford", "country": "GB", "latitude": 51.75, "longitude": -1.25, "region": "ENG",
                "zipcode": "OX1",
            },
        },
        "duplicateEmail": "ada@example.com",
        "duplicateIdentities": [{"type": "email", "value": "ada@example.com"}],
        "existing": owners | {
            "id": uuid_of(OWNER),
            "email": "ada@example.com",
            "username": "AdaL",
            "usernameStatus": "ACTIVE",
            "phoneNumber": "+13035551212",
            "mobilePhone": "+13035551212",
            "firstName": "Ada",
            "lastName": "Lovelace",
            "fullName": "Ada Lovelace",
            "imageUrl": "https://example.org/ada.png",
            "preferredLanguages": ["en_GB"],
            "legacyIdentifier": "1234",
            "data": {"tier": "gold"},
            "insertInstant": 1000,
            "identities": [
                {
                    "type": "email", "value": "ada@example.com", "primary": True, "insertInstant": 5,
                    "verified": True, "verifiedInstant": 5, "verifiedReason": "Trusted",
                },
                {
                    "type": "phoneNumber", "value": "+13035551212", "primary": True, "insertInstant": 9,
                    "verified": True, "verifiedInstant": 9, "verifiedReason": "Trusted",
                },
                {
                    "type": "username", "value": "AdaL", "displayValue": "AdaL", "moderationStatus": "ACTIVE",
                    "primary": True, "insertInstant": 9, "verified": True, "verifiedInstant": 9,
                    "verifiedReason": "Administrative",
                },
            ],
        },
        "user": owners | {
            "id": uuid_of(CLAIMANT),
            "email": "ada@example.com",
            "legacyIdentifier": "5678",
            "data": {},
            "insertInstant": 2000,
            "identities": [
                {
                    "type": "email", "value": "ada@example.com", "primary": True, "insertInstant": 2000,
                    "verified": True, "verifiedInstant": 2000, "verifiedReason": "Trusted",
                },
            ],
        },
    }  # fmt: skip


def test_a_claimant_who_does_not_exist_yet_makes_it_a_create() -> None:
    shown = rendered(structs.replace(CONTESTED, claimant_id=None))
    assert shown["type"] == "user.loginId.duplicate.create"
    assert shown["linkedObjectId"] == shown["user"]["id"]


def test_all_that_collided_with_one_owner_is_in_one_event() -> None:
    duplicates = (Duplicate("email", "a@b.c"), Duplicate("phone", "+1 303 555 1212"), Duplicate("username", "AdaL"))
    shown = rendered(structs.replace(CONTESTED, duplicates=duplicates))
    assert (shown["duplicateEmail"], shown["duplicatePhoneNumber"], shown["duplicateUsername"]) == (
        "a@b.c", "+13035551212", "AdaL",
    )  # fmt: skip
    assert [one["type"] for one in shown["duplicateIdentities"]] == ["email", "phoneNumber", "username"]


def test_what_is_not_known_is_left_out() -> None:
    shown = rendered(structs.replace(CONTESTED, info=RequestInfo()))
    assert shown["info"] == {}
    assert "duplicateUsername" not in shown
    assert "duplicatePhoneNumber" not in shown
    without = structs.replace(EXISTING, identities=(identity(OWNER, "email", "a@b.c", verification="unverified"),))
    [one] = rendered(structs.replace(CONTESTED, existing=without))["existing"]["identities"]
    assert (one["verified"], one["verifiedReason"]) == (False, "Pending")
    assert "verifiedInstant" not in one


def test_a_typed_email_and_the_key_that_vouched_are_not_shown() -> None:
    body = body_of(CONTESTED)
    assert body is not None
    assert b"typed@example.com" not in body
    assert b"app_key-that-nobody-sees" not in body


def test_an_external_id_is_no_login_id_of_fusionauths() -> None:
    contested = structs.replace(CONTESTED, duplicates=(Duplicate("external_id", "1234"),))
    assert body_of(contested) is None


def test_the_bytes_stay_the_same_whatever_becomes_of_the_webhook() -> None:
    first = body_of(CONTESTED)
    changed = structs.replace(WEBHOOK, triggers=(), muted=HAPPENING, target="https://other.example.org/")
    assert first == body_of(CONTESTED) == body_of(CONTESTED, changed)
    assert not RENDERER.wants(changed, recorded(CONTESTED))


@pytest.mark.parametrize("wanted", HAPPENING)
def test_each_of_the_two_events_is_wanted_by_itself(wanted: str) -> None:
    webhook = structs.replace(WEBHOOK, triggers=(wanted,))
    assert RENDERER.wants(webhook, recorded(CONTESTED)) == (wanted == DUPLICATE_ON_UPDATE)
    made = structs.replace(CONTESTED, claimant_id=None)
    assert RENDERER.wants(webhook, recorded(made)) == (wanted == DUPLICATE_ON_CREATE)
    assert not RENDERER.wants(structs.replace(webhook, disabled_at=1), recorded(made))
    assert not RENDERER.wants(structs.replace(webhook, muted=(wanted,)), recorded(made))


def test_the_two_formats_are_told_of_different_things() -> None:
    """Nobody of the v2 API's is told of this, even who listens to everything; and nobody here of theirs."""
    everything = structs.replace(WEBHOOK, format="sunshine", call=None, triggers=("*",))
    assert not RENDERER.wants(everything, recorded(CONTESTED))
    for event in (UserErased(OWNER), UserRemoved(OWNER, "1234"), UserCreated(OWNER, "1234", "api")):
        assert told(event, structs.replace(WEBHOOK, triggers=("*",))) is None


async def test_a_contested_login_is_rendered_from_what_the_outbox_holds(world: World) -> None:
    ada = await world.log_in(claims("1234", "ada@example.com", name="Ada Lovelace"), device())
    for _ in range(2):
        with pytest.raises(EmailContested):
            await world.do(log_in, claims("5678", "Ada@Example.com"), device(), None, None, lambda: INFO)
    await world.user("9", given_name="Grace")
    with pytest.raises(EmailContested):
        await world.do(log_in, claims("9", "ada@example.com"), device(), None)
    rows = [row for row in (await world.snapshot())["events"] if row["type"] == "identity.contested"]
    events = [decode_event(row["type"], row["body"]) for row in sorted(rows, key=lambda row: row["id"])]
    shown = [rendered(event) for event in events if isinstance(event, IdentityContested)]
    assert [one["type"] for one in shown] == [DUPLICATE_ON_CREATE, DUPLICATE_ON_CREATE, DUPLICATE_ON_UPDATE]
    assert {one["existing"]["id"] for one in shown} == {uuid_of(ada.user.id)}
    assert [one["existing"]["fullName"] for one in shown] == ["Ada Lovelace"] * 3
    assert [one["user"]["legacyIdentifier"] for one in shown] == ["5678", "5678", "9"]
    assert [one["user"]["email"] for one in shown] == ["ada@example.com"] * 3
    assert shown[2]["user"]["firstName"] == "Grace"
    assert [one["info"] for one in shown] == [shown[0]["info"], shown[0]["info"], {}]


@pytest.mark.parametrize("merged", [False, True])
async def test_every_identity_in_the_event_says_when_it_was_made(world: World, merged: bool) -> None:
    await world.log_in(claims("1234", "ada@example.com"), device("phone"))
    await world.log_in(claims("5678", "other@example.com"), device("tablet"))
    if merged:
        for surviving, discarded in (("1234", "9"), ("5678", "10")):
            await world.user(discarded)
            await world.do(_merge, surviving, discarded)
    with pytest.raises(EmailContested):
        await world.log_in(claims("5678", "ada@example.com"), device("tablet"))
    [row] = [row for row in (await world.snapshot())["events"] if row["type"] == "identity.contested"]
    event = decode_event(row["type"], row["body"])
    assert isinstance(event, IdentityContested)
    assert event.existing is not None
    assert event.requested is not None
    assert [one.value for one in event.existing.identities] == ["ada@example.com"]
    assert [one.value for one in event.requested.identities] == ["other@example.com", "ada@example.com"]
    assert all(one.created_at > 0 for one in (*event.existing.identities, *event.requested.identities))


async def _merge(tx: Transaction, surviving: str, discarded: str) -> None:
    foreseen = await foresee_merge(tx, await get_user(tx, surviving), await get_user(tx, discarded))
    carry_out_merge(tx, foreseen, By("key:operator", "they are one"))
