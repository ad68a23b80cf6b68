"""What webhooks are told: every trigger's payload against the published schema, and what events hold for it."""

import importlib
import pkgutil
from typing import Any, Final

import msgspec
import pytest
from msgspec import Struct, structs

import knownas
from knownas.clients import ClientAdded, ClientRemoved, ClientUpdated, Link, LinkedClient, LinkError
from knownas.clients import Profile as ChannelProfile
from knownas.conversations import (
    ActivityHappened,
    Conversation,
    ConversationCreated,
    ConversationRemoved,
    Holder,
    Origin,
    ParticipantJoined,
    ParticipantLeft,
)
from knownas.devices import Device, DeviceSignedIn, DeviceSignedOut
from knownas.events import EVENTS, decode_event, name_of
from knownas.http.sunshine_v2.webhook_events import told, trigger_of
from knownas.identities import Identity
from knownas.merges import MergedConversations, UsersMerged
from knownas.messages import Author, Message, MessagePosted, PostbackReceived
from knownas.sessions import UserAuthenticated
from knownas.switchboards import ControlAccepted, ControlFailed, ControlOffered, ControlPassed, ControlReleased
from knownas.users import User, UserChanges, UserErased, UserIdentified, UserRemoved, UserUpdated
from knownas.users.delete import delete_user
from knownas.users.update import update_user
from knownas.webhooks import Told, Webhook
from knownas.webhooks.triggers import TRIGGERS
from tests.given import BY, KEY_ID, NOTHING_TYPED, World, claims, device
from tests.unit.event_schemas import validator_of

NOW: Final = 1_600_000_000_123
HOOK: Final = Webhook("0" * 23 + "1", "a" * 24, "1" * 24, "https://example.org", ("*",), False, False, "secret", NOW)
FULL: Final = structs.replace(HOOK, include_full_user=True, include_full_source=True)
FULL_USER: Final = structs.replace(HOOK, include_full_user=True)
FULL_SOURCE: Final = structs.replace(HOOK, include_full_source=True)

ADA: Final = User(
    id="a" * 24, external_id="ext-1", authenticated=True, given_name="Ada", surname="Lovelace", email="a@example.com",
    avatar_url="https://example.org/a.png", locale="en-CA", metadata={"plan": "gold"}, signed_up_at=NOW,
    to_be_retained=True, client_id="c" * 24, created_at=NOW, brand_id="brand", zendesk_id="300",
    identities=(Identity("a" * 24, "email", "a@example.com", "a@example.com", True, "sso", KEY_ID, NOW),),
)  # fmt: skip
VISITOR: Final = User(
    id="b" * 24, external_id=None, authenticated=False, given_name=None, surname=None, email=None, avatar_url=None,
    locale=None, metadata={}, signed_up_at=None, to_be_retained=None, client_id="d" * 24, created_at=NOW,
)  # fmt: skip
PHONE: Final = Device("e" * 24, "guid-1", ADA.id, "ios", "f" * 24, "active", NOW, "push", {"os": "18"}, "2.1", NOW)
TALK: Final = Conversation(
    "1" * 24, "personal", None, None, None, {"lang": "en"}, True, None, NOW, 1, NOW,
    active=Holder("2" * 24, "bot", "3" * 24, "custom"), pending=Holder("4" * 24, "agents", None, "zd:agentWorkspace"),
)  # fmt: skip
GROUP: Final = Conversation("5" * 24, "sdkGroup", "Us", None, None, {}, False, None, None, 0, NOW)
WEB: Final = Origin("web", "6" * 24)
TEXT: Final = {"type": "text", "text": "hello", "actions": [{"type": "reply", "text": "Yes", "payload": "y"}]}
SAID: Final = Message("7" * 24, TALK.id, NOW, Author("user", ADA.id, "Ada", "https://example.org/a.png"), TEXT, WEB)
ANSWERED: Final = Message(
    "8" * 24, TALK.id, NOW, Author("business", display_name="Shop", subtypes=("AI",)), TEXT, Origin(),
    quoted=SAID.id, metadata={"k": 1}, extras={"references": [{"uri": "https://example.org"}], "schema": "whatsapp"},
)  # fmt: skip
LINKED: Final = LinkedClient(
    "9" * 24, ADA.id, "active", Link("twilio", "1" * 24, "+15145550000", TALK.id, "immediate"),
    ChannelProfile("+15145550000", "Ada", "https://example.org/a.png", {"city": "X"}, {"From": "Y"}),
    NOW, NOW, NOW, NOW,
)  # fmt: skip
PENDING: Final = LinkedClient(
    "9" * 24, ADA.id, "pending", Link("twilio", "1" * 24, "+15145550000", TALK.id, "prompt"), ChannelProfile(), NOW
)

# One or more of every event that somebody is told of.
TOLD: Final[list[tuple[str, Struct]]] = [
    ("client:add", DeviceSignedIn(ADA.id, PHONE.id, ADA, PHONE)),
    ("client:add", ClientAdded(ADA.id, ADA, PENDING, "channelLinking", Origin("api"), TALK)),
    ("client:remove", ClientRemoved(ADA.id, ADA, LINKED, "api", Origin("api"))),
    (
        "client:remove",
        ClientRemoved(ADA.id, VISITOR, PENDING, "linkFailed", Origin("twilio"), TALK, LinkError("not_found", "No")),
    ),
    ("client:update", ClientUpdated(ADA.id, ADA, LINKED, "confirmed", TALK)),
    ("conversation:create", ConversationCreated(ADA.id, TALK.id, TALK, "message", WEB, ADA, PHONE)),
    ("conversation:create", ConversationCreated(None, GROUP.id, GROUP, "none", Origin())),
    ("conversation:join", ParticipantJoined(GROUP.id, GROUP, ADA)),
    ("conversation:leave", ParticipantLeft(GROUP.id, GROUP, VISITOR)),
    ("conversation:message", MessagePosted(ADA.id, TALK.id, TALK, SAID, ADA, PHONE)),
    ("conversation:message", MessagePosted(ADA.id, TALK.id, TALK, ANSWERED, quoted=SAID)),
    ("conversation:message", MessagePosted(None, GROUP.id, GROUP, structs.replace(ANSWERED, deleted=True))),
    ("conversation:postback", PostbackReceived(ADA.id, TALK.id, TALK, ADA, "go", {"k": 1}, WEB, PHONE)),
    ("conversation:postback", PostbackReceived(ADA.id, TALK.id, TALK, VISITOR, "go", None, WEB)),
    ("conversation:read", ActivityHappened(ADA.id, TALK.id, TALK, "conversation:read", WEB, ADA, PHONE)),
    ("conversation:remove", ConversationRemoved(ADA.id, TALK)),
    ("conversation:typing", ActivityHappened(ADA.id, TALK.id, TALK, "typing:start", WEB, ADA, PHONE)),
    ("conversation:typing", ActivityHappened(None, GROUP.id, GROUP, "typing:stop", WEB, VISITOR)),
    ("switchboard:acceptControl", ControlAccepted(ADA.id, TALK.id, TALK, {"k": 1})),
    ("switchboard:acceptControl:failure", ControlFailed(ADA.id, TALK.id, TALK, "acceptControl", "c", "m", None)),
    ("switchboard:offerControl", ControlOffered(ADA.id, TALK.id, TALK, None)),
    ("switchboard:offerControl:failure", ControlFailed(ADA.id, TALK.id, TALK, "offerControl", "c", "m", {"k": 1})),
    ("switchboard:passControl", ControlPassed(ADA.id, TALK.id, TALK, None)),
    ("switchboard:passControl:failure", ControlFailed(ADA.id, TALK.id, TALK, "passControl", "c", "m", None)),
    ("switchboard:releaseControl", ControlReleased(ADA.id, TALK.id, TALK, {"k": 1})),
    ("user:merge", UsersMerged(ADA.id, VISITOR.id, "m", "login", ADA, VISITOR)),
    (
        "user:merge",
        UsersMerged(ADA.id, VISITOR.id, "m", "api", ADA, VISITOR, MergedConversations(TALK, TALK), {"big": "x"}),
    ),
    ("user:remove", UserRemoved(ADA.id, ADA.external_id, ADA.authenticated)),
    ("user:remove", UserRemoved(ADA.id)),
    ("user:update", UserAuthenticated(ADA.id, ADA, PHONE)),
    ("user:update", UserAuthenticated(ADA.id, ADA)),
    ("user:update", UserIdentified(ADA.id, "ext-1", VISITOR)),
]
NEVER_YET: Final = {
    "conversation:message:delivery:channel",
    "conversation:message:delivery:failure",
    "conversation:message:delivery:user",
    "conversation:referral",
    "passthrough:messaging",
}
UNTOLD: Final[list[Struct]] = [
    DeviceSignedIn(ADA.id, PHONE.id),
    DeviceSignedOut(ADA.id, PHONE.id),
    UserIdentified(ADA.id, "ext-1"),
    UserUpdated(ADA.id, ("email",)),
    UserErased(ADA.id),
    ActivityHappened(ADA.id, TALK.id, TALK, "typing:start", Origin()),
    ActivityHappened(ADA.id, TALK.id, TALK, "conversation:read", Origin()),
]


def from_outbox(event: Struct) -> Struct:
    """The event as delivery gets it."""
    decoded = decode_event(name_of(type(event)), msgspec.json.encode(event))
    assert decoded is not None
    return decoded


def sent(event: Struct, webhook: Webhook) -> Any:
    """The payload as JSON, as it goes out."""
    found = told(from_outbox(event), webhook)
    assert isinstance(found, Told)
    return msgspec.json.decode(msgspec.json.encode(found.payload))


def ids(case: object) -> str | None:
    return case if isinstance(case, str) else None


@pytest.mark.parametrize("webhook", [HOOK, FULL_USER, FULL_SOURCE, FULL], ids=["plain", "user", "source", "full"])
@pytest.mark.parametrize(("trigger", "event"), TOLD, ids=ids)
def test_a_payload_is_what_the_published_schema_says(trigger: str, event: Struct, webhook: Webhook) -> None:
    found = told(from_outbox(event), webhook)
    assert found is not None
    assert found.trigger == trigger == trigger_of(event)
    envelope = {"id": "f" * 24, "type": trigger, "createdAt": "2020-09-30T15:14:29.834Z", "payload": found.payload}
    full_user = webhook.include_full_user and trigger != "user:remove"
    problems = list(
        validator_of(trigger, full_user=full_user).iter_errors(msgspec.json.decode(msgspec.json.encode(envelope)))
    )
    assert not problems, [f"{error.json_path}: {error.message}" for error in problems]


def test_the_schemas_refuse_what_they_do_not_name() -> None:
    """Otherwise the test above shows nothing."""
    payload = sent(UserRemoved(ADA.id), HOOK)
    event = {"id": "f" * 24, "type": "user:remove", "createdAt": "x", "payload": payload}
    assert validator_of("user:remove").is_valid(event)
    for wrong in ({"user": {"id": 1}}, {"user": {"id": "x", "profile": {}}}, {**payload, "reason": "x"}):
        assert not validator_of("user:remove").is_valid({**event, "payload": wrong})
    deep = sent(MessagePosted(ADA.id, TALK.id, TALK, SAID, ADA, PHONE), FULL)
    event = {"id": "f" * 24, "type": "conversation:message", "createdAt": "x", "payload": deep}
    assert validator_of("conversation:message", full_user=True).is_valid(event)
    deep["message"]["author"]["user"]["profile"]["nickname"] = "x"
    assert not validator_of("conversation:message").is_valid(event)


def test_every_trigger_is_told_of_something_or_known_to_be_silent() -> None:
    caused = {trigger for trigger, _ in TOLD}
    assert caused | NEVER_YET == set(TRIGGERS)
    assert not caused & NEVER_YET


@pytest.mark.parametrize("event", UNTOLD, ids=lambda event: name_of(type(event)))
def test_what_no_trigger_names_is_told_to_nobody(event: Struct) -> None:
    assert told(from_outbox(event), FULL) is None
    assert trigger_of(event) is None


@pytest.mark.parametrize(("trigger", "event"), TOLD, ids=ids)
def test_a_webhook_is_told_only_what_it_asked_for_and_while_it_is_on(trigger: str, event: Struct) -> None:
    others = tuple(other for other in TRIGGERS if other != trigger)
    assert told(event, structs.replace(HOOK, triggers=others)) is None
    assert told(event, structs.replace(HOOK, triggers=(trigger,))) is not None
    assert told(event, structs.replace(HOOK, disabled_at=NOW)) is None


@pytest.mark.parametrize(("trigger", "event"), TOLD, ids=ids)
def test_profiles_clients_and_devices_are_told_only_to_who_asked(trigger: str, event: Struct) -> None:
    """A truncated user has no profile, and a source no device: neither shows by another way."""
    plain, full_source = str(sent(event, HOOK)), str(sent(event, FULL_SOURCE))
    if not isinstance(event, MessagePosted | ClientAdded | ClientUpdated | ClientRemoved):
        assert "Lovelace" not in plain + full_source
    for secret in ("profile", "a@example.com", "gold"):
        assert secret not in plain + full_source
    for secret in ("guid-1", "push", "'device'"):
        assert secret not in plain + str(sent(event, FULL_USER))


def test_includeFullUser_gives_the_user_as_the_api_does() -> None:  # noqa: N802  the option's own name
    truncated = {"id": ADA.id, "externalId": "ext-1", "authenticated": True, "zendeskId": "300", "brandId": "brand"}
    plain = sent(UserAuthenticated(ADA.id, ADA, PHONE), HOOK)
    assert plain == {
        "user": truncated,
        "reason": "authentication",
        "source": {"type": "ios", "integrationId": PHONE.integration_id},
    }
    full = sent(UserAuthenticated(ADA.id, ADA, PHONE), FULL_USER)
    assert full["user"] == truncated | {
        "profile": {
            "givenName": "Ada", "surname": "Lovelace", "email": "a@example.com",
            "avatarUrl": "https://example.org/a.png", "locale": "en-CA",
        },
        "metadata": {"plan": "gold"},
        "identities": [{"type": "email", "value": "a@example.com", "verification": "sso"}],
        "signedUpAt": "2020-09-13T12:26:40.123Z",
        "toBeRetained": True,
    }  # fmt: skip
    assert sent(ParticipantLeft(GROUP.id, GROUP, VISITOR), HOOK)["user"] == {"id": VISITOR.id, "authenticated": False}
    assert "profile" not in sent(UserRemoved(ADA.id, "ext-1"), FULL)["user"]


def test_includeFullSource_gives_client_and_device() -> None:  # noqa: N802  the option's own name
    source = sent(MessagePosted(ADA.id, TALK.id, TALK, SAID, ADA, PHONE), FULL_SOURCE)["message"]["source"]
    assert source == {
        "type": "web", "integrationId": WEB.integration_id,
        "client": {"id": ADA.client_id, "type": "sdk", "status": "active", "lastSeen": "2020-09-13T12:26:40.123Z"},
        "device": {
            "id": PHONE.id, "type": "ios", "guid": "guid-1", "clientId": ADA.client_id, "status": "active",
            "lastSeen": "2020-09-13T12:26:40.123Z", "integrationId": PHONE.integration_id,
            "pushNotificationToken": "push", "info": {"os": "18"}, "appVersion": "2.1",
        },
    }  # fmt: skip
    assert sent(UserIdentified(ADA.id, "ext-1", VISITOR), FULL)["source"] == {"type": "api"}


def test_a_message_is_told_with_its_author_and_what_it_answers() -> None:
    message = sent(MessagePosted(ADA.id, TALK.id, TALK, SAID, ADA, PHONE), HOOK)["message"]
    assert message["author"] == {
        "type": "user", "userId": ADA.id, "displayName": "Ada", "avatarUrl": "https://example.org/a.png",
        "user": {
            "id": ADA.id, "externalId": "ext-1", "authenticated": True, "zendeskId": "300", "brandId": "brand",
        },
    }  # fmt: skip
    assert (message["content"], message["received"]) == (TEXT, "2020-09-13T12:26:40.123Z")
    answer = sent(MessagePosted(ADA.id, TALK.id, TALK, ANSWERED, quoted=SAID), HOOK)["message"]
    assert answer["author"] == {"type": "business", "displayName": "Shop", "subtypes": ["AI"]}
    assert answer["quotedMessage"]["message"]["id"] == SAID.id
    assert answer["metadata"] == {"k": 1}
    assert "references" not in answer


def test_what_did_not_happen_is_left_out() -> None:
    assert set(sent(UsersMerged(ADA.id, VISITOR.id, "m", "login", ADA, VISITOR), HOOK)) == {"mergedUsers", "reason"}
    merged = sent(TOLD[[trigger for trigger, _ in TOLD].index("user:merge") + 1][1], HOOK)
    assert set(merged) == {"mergedUsers", "reason", "mergedConversations", "discardedMetadata"}
    reasons = [sent(UsersMerged(ADA.id, VISITOR.id, "m", why, ADA, VISITOR), HOOK)["reason"] for why in (
        "login", "api", "channel",
    )]  # fmt: skip
    assert reasons == ["sdkLogin", "api", "channelLinking"]
    assert "user" not in sent(ConversationCreated(None, GROUP.id, GROUP, "none", Origin(), ADA), HOOK)
    assert "reason" not in sent(UserIdentified(ADA.id, "ext-1", VISITOR), HOOK)
    assert "metadata" not in sent(ControlPassed(ADA.id, TALK.id, TALK, None), HOOK)
    assert "activeSwitchboardIntegration" not in sent(ConversationRemoved(None, GROUP), HOOK)["conversation"]


@pytest.mark.parametrize(("trigger", "event"), TOLD, ids=ids)
def test_on_standby_a_webhook_hears_of_control_and_of_nothing_said(trigger: str, event: Struct) -> None:
    """Where the switchboard says so (`deliverStandbyEvents: false`): of conversations that somebody else has."""
    quiet = structs.replace(HOOK, in_control_only=True)
    elsewhere = trigger.startswith("conversation:") and event.conversation is TALK  # type: ignore[attr-defined]
    assert (told(event, quiet) is None) == elsewhere
    assert told(event, structs.replace(quiet, integration_id="3" * 24)) is not None, "it has control itself"


# The registry.


def test_every_event_of_every_noun_can_be_read_from_the_outbox() -> None:
    for module in pkgutil.walk_packages(knownas.__path__, "knownas."):
        if not module.name.startswith(("knownas.__main__", "knownas.cli")):
            importlib.import_module(module.name)
    waiting, defined = [Struct], set()
    while waiting:
        for found in waiting.pop().__subclasses__():
            waiting.append(found)
            if found.__struct_config__.tag_field == "event" and found.__module__.startswith("knownas."):
                defined.add(found)
    assert defined == set(EVENTS), "enter it in knownas/events/__init__.py"
    assert len({name_of(event) for event in EVENTS}) == len(EVENTS)


def test_an_unknown_event_is_none_and_a_spoiled_one_is_refused() -> None:
    assert decode_event("user.danced", b"{}") is None
    with pytest.raises(msgspec.ValidationError):
        decode_event("user.removed", b"{}")
    assert decode_event("user.removed", '{"event":"user.removed","removed_user_id":"x","new":1}') == UserRemoved("x")


# What the verbs put into events.


async def told_of(world: World, webhook: Webhook = FULL) -> list[tuple[str, Any]]:
    """Everything that a webhook of this app would have been told so far: trigger and payload."""
    rows = await world.database.rows(
        "SELECT type, body FROM events WHERE app_id = $1 ORDER BY created_at, stream, seq", world.app.id
    )
    found = []
    for type, body in rows:
        event = decode_event(type, body)
        assert event is not None
        rendered = told(event, webhook)
        if rendered is not None:
            found.append((rendered.trigger, rendered.payload))
    return found


async def test_a_first_device_makes_a_client_and_the_others_join_it(world: World) -> None:
    ada = await world.log_in(claims("1234", "ada@example.com", name="Ada"), on=device(integration_id="6" * 24))
    await world.log_in(claims("1234", "ada@example.com", name="Ada"), device())
    [(trigger, payload)] = await told_of(world)
    assert trigger == "client:add"
    assert payload["reason"] == "sdkLogin"
    assert payload["client"]["id"] == ada.user.client_id
    assert payload["client"]["type"] == "sdk"
    assert payload["source"]["integrationId"] == "6" * 24
    assert payload["user"]["profile"]["givenName"] == "Ada"
    assert [one["value"] for one in payload["user"]["identities"]] == ["ada@example.com"]


async def test_a_start_makes_a_client_too(world: World) -> None:
    visitor = await world.visitor(device())
    [(trigger, payload)] = await told_of(world)
    assert (trigger, payload["user"]["id"]) == ("client:add", visitor.user.id)


async def test_authentication_is_told_once_of_who_was_made_by_the_server(world: World) -> None:
    await world.user("1234", given_name="Ada")
    phone = device()
    for _ in range(2):
        await world.log_in(claims("1234", "ada@example.com"), phone)
    [(added, client), (updated, payload)] = await told_of(world)
    assert (added, updated, payload["reason"]) == ("client:add", "user:update", "authentication")
    assert payload["user"]["authenticated"] is client["user"]["authenticated"] is True
    assert [one["value"] for one in payload["user"]["identities"]] == ["ada@example.com"]
    assert payload["source"]["device"]["guid"] == phone.guid


async def test_a_promotion_is_one_authentication(world: World) -> None:
    visitor = await world.visitor(phone := device(), metadata={"cart": 1})
    await world.log_in(claims("1234", "ada@example.com", name="Ada L"), phone, visitor)
    [(_, _), (trigger, payload)] = await told_of(world)
    assert (trigger, payload["reason"]) == ("user:update", "authentication")
    user = payload["user"]
    assert (user["id"], user["externalId"], user["authenticated"]) == (visitor.user.id, "1234", True)
    assert (user["profile"]["givenName"], user["metadata"]) == ("Ada", {"cart": 1})
    assert [one["value"] for one in user["identities"]] == ["ada@example.com"]


async def test_an_external_id_given_by_the_server_is_an_update_without_a_reason(world: World) -> None:
    visitor = await world.visitor(device())
    changes = UserChanges(given_name="Ada")
    await world.do_to(visitor.user, update_user, changes, external_id="1234", asserted_by=KEY_ID)
    trigger, payload = (await told_of(world))[-1]
    assert (trigger, set(payload), payload["source"]) == ("user:update", {"user", "source"}, {"type": "api"})
    assert (payload["user"]["externalId"], payload["user"]["profile"]["givenName"]) == ("1234", "Ada")
    await world.do_to(visitor.user, update_user, NOTHING_TYPED)
    await world.do_to(visitor.user, update_user, UserChanges(given_name="Grace"))
    assert len(await told_of(world)) == 2, "a profile's change is no trigger"


async def test_a_merge_is_told_with_both_users_whole(world: World) -> None:
    await world.log_in(claims("1234", "ada@example.com"), device())
    visitor = await world.visitor(phone := device(), metadata={"cart": 1}, given_name="A.")
    await world.log_in(claims("1234", "ada@example.com"), phone, visitor)
    [(trigger, payload)] = [one for one in await told_of(world) if one[0] == "user:merge"]
    assert (trigger, payload["reason"]) == ("user:merge", "sdkLogin")
    users = payload["mergedUsers"]
    assert (users["surviving"]["externalId"], users["surviving"]["metadata"]) == ("1234", {"cart": 1})
    assert [one["value"] for one in users["surviving"]["identities"]] == ["ada@example.com"]
    assert (users["discarded"]["id"], users["discarded"]["profile"]) == (visitor.user.id, {"givenName": "A."})


async def test_a_removal_is_told_with_hardly_anything(world: World) -> None:
    user = await world.user("1234", given_name="Ada", email="label@example.com")
    await world.do_to(user, delete_user, BY)
    assert await told_of(world) == [("user:remove", {"user": {"id": user.id, "authenticated": False}})]
