"""Integrations of every type, and the keys of custom ones, through the v2 API and the verbs beneath it."""

from typing import Any

import pytest

from knownas.integrations import Integration, IntegrationNotFound
from knownas.integrations.create import create_integration
from knownas.integrations.delete import delete_integration
from knownas.integrations.kinds import KINDS
from knownas.integrations.origins import admits
from knownas.keys import MAX_KEYS
from knownas.keys.create import create_key
from knownas.keys.of_integration import create_integration_key
from knownas.transaction import Transaction
from tests.given import World, device, numbered_without_gaps
from tests.unit.facade import Backend, Reply, backend

HOOK = {"target": "https://example.com/hook", "triggers": ["conversation:message"]}
SECRET = "s3cret-" + "x" * 90
WHOLE: dict[str, dict[str, Any]] = {
    "android": {"projectId": SECRET, "clientEmail": SECRET, "privateKey": SECRET, "serverKey": SECRET, "senderId": "9"},
    "apple": {"businessId": "b", "apiSecret": SECRET, "mspId": "m", "authenticationMessageSecret": SECRET},
    "custom": {"webhooks": [HOOK]},
    "instagram": {"pageAccessToken": SECRET, "appId": "a", "appSecret": SECRET, "storyRepliesEnabled": False},
    "ios": {"certificate": SECRET, "password": SECRET, "production": True, "autoUpdateBadge": True},
    "line": {"channelId": "c", "channelSecret": SECRET, "channelAccessToken": SECRET, "switcherSecret": SECRET},
    "mailgun": {"apiKey": SECRET, "signingKey": SECRET, "domain": "example.org", "incomingAddress": "a@example.org"},
    "messagebird": {"accessKey": SECRET, "signingKey": SECRET, "originator": "1226"},
    "messenger": {"pageAccessToken": SECRET, "appId": "a", "appSecret": SECRET, "pageId": 5, "pageName": "P"},
    "telegram": {"token": SECRET},
    "twilio": {"accountSid": "A", "authToken": SECRET, "phoneNumberSid": "P"},
    "twitter": {
        "tier": "enterprise", "consumerKey": SECRET, "consumerSecret": SECRET, "accessTokenKey": SECRET,
        "accessTokenSecret": SECRET,
    },
    "unity": {"canUserCreateMoreConversations": True},
    "viber": {"token": SECRET},
    "web": {"brandColor": "fff", "originWhitelist": ["https://shop.example.org:8443"]},
    "whatsapp": {"accountId": "a", "accountManagementAccessToken": SECRET},
}  # fmt: skip
# The options that the schema lets one see again although they open something.
SHOWN_SECRETS = set(
    "authenticationMessageSecret channelSecret channelAccessToken switcherSecret accountManagementAccessToken".split()
)


async def make(caller: Backend, type: str, **more: Any) -> dict[str, Any]:
    made = await caller.send("POST", "/integrations", {"type": type, **WHOLE[type], **more})
    assert made.status == 201, made.json
    found: dict[str, Any] = made.json["integration"]
    return found


def ids(reply: Reply) -> list[str]:
    return [one["id"] for one in reply.json["integrations"]]


def test_the_table_above_knows_every_type() -> None:
    assert WHOLE.keys() == KINDS.keys()


@pytest.mark.parametrize("type", list(WHOLE))
async def test_an_integration_keeps_what_it_was_made_with_and_its_secrets_are_sealed(world: World, type: str) -> None:
    caller = await backend(world)
    made = await make(caller, type, displayName="Ours")
    assert (made["type"], made["displayName"]) == (type, "Ours")
    assert (await caller.send("GET", f"/integrations/{made['id']}")).json["integration"] == made
    assert await world.traces_of(SECRET) == []
    kind = KINDS[type]
    for name, value in WHOLE[type].items():
        if name == "webhooks":
            [hook] = made["webhooks"]
            assert hook.items() >= HOOK.items()
            assert hook["secret"]
        elif name in kind.hidden:
            assert name not in made, f"{name} is write-only"
        else:
            assert made[name] == value
        if value == SECRET:
            assert name in kind.sealed
            assert (name in made) == (name in SHOWN_SECRETS or (type, name) in {
                ("mailgun", "signingKey"), ("messenger", "pageAccessToken")})  # fmt: skip


async def test_only_what_works_here_is_active(world: World) -> None:
    caller = await backend(world)
    status = {type: (await make(caller, type))["status"] for type in WHOLE}
    assert {type for type, shown in status.items() if shown == "active"} == {"web", "ios", "android", "custom"}
    assert set(status.values()) == {"active", "inactive"}


@pytest.mark.parametrize(
    ("body", "title"),
    [
        ({}, "should have required property 'type'"),
        ({"type": "fax"}, "Invalid integration type"),
        ({"type": "custom"}, "should have required property 'webhooks'"),
        ({"type": "custom", "webhooks": []}, "webhooks"),
        ({"type": "custom", "webhooks": [HOOK, HOOK]}, "webhooks"),
        ({"type": "telegram"}, "should have required property 'token'"),
        ({"type": "telegram", "token": None}, "should have required property 'token'"),
        ({"type": "apple", **WHOLE["apple"], "authenticationMessageSecret": "short"}, "authenticationMessageSecret"),
        ({"type": "twilio", "accountSid": "a", "authToken": "b"}, "messagingServiceSid"),
        ({"type": "twitter", **WHOLE["twitter"], "tier": "premium"}, "tier"),
        ({"type": "line", "channelId": "c"}, "channelSecret"),
        ({"type": "web", "displayName": "x" * 101}, "displayName"),
        ({"type": "web", "brandColor": "#ff0000"}, "brandColor"),
        ({"type": "web", "brandColor": "ff00"}, "brandColor"),
        ({"type": "web", "displayStyle": "fullscreen"}, "displayStyle"),
        ({"type": "web", "originWhitelist": ["shop.example.org"]}, "originWhitelist"),
        ({"type": "web", "originWhitelist": ["https://shop.example.org/path"]}, "originWhitelist"),
        ({"type": "web", "buttonIconUrl": "javascript:alert(1)"}, "buttonIconUrl"),
        ({"type": "web", "prechatCapture": {"fields": [{"type": "text", "name": "n"}]}}, "label"),
        ({"type": "web", "prechatCapture": {"fields": [{"type": "text", "name": "n", "label": "l"}] * 2}}, "unique"),
        ({"type": "web", "prechatCapture": {"fields": [{"type": "select", "name": "n", "label": "l"}]}}, "options"),
        ({"type": "web", "defaultResponderId": "0123456789ab" * 2}, "defaultResponderId"),
    ],
)
async def test_what_cannot_be_is_refused_in_plain_words(world: World, body: dict[str, Any], title: str) -> None:
    caller = await backend(world)
    before = await world.snapshot()
    status, code, said = (await caller.send("POST", "/integrations", body)).error
    assert (status, code) == (400, "bad_request")
    assert title in said
    assert await world.snapshot() == before


async def test_a_web_integration_has_the_defaults_of_the_schema_and_null_brings_them_back(world: World) -> None:
    caller = await backend(world)
    plain = (await caller.send("POST", "/integrations", {"type": "web"})).json["integration"]
    assert plain.pop("id")
    assert plain == {
        "type": "web", "status": "active", "displayName": None, "brandColor": "65758e", "fixedIntroPane": False,
        "conversationColor": "0099ff", "actionColor": "0099ff", "displayStyle": "button", "buttonWidth": "58",
        "buttonHeight": "58", "prechatCapture": {"enabled": False, "enableEmailLinking": False},
        "canUserSeeConversationList": True, "attachmentsEnabled": True, "showAIDisclaimer": True,
    }  # fmt: skip
    field = {"type": "email", "name": "email", "label": "Email", "placeholder": "your@email.com"}
    theme = {
        "displayName": "Shop", "brandColor": "abc", "businessName": "Kent", "originWhitelist": ["http://localhost:3000"],
        "integrationOrder": ["59fc8466260f48003505228b"], "showAIDisclaimer": False,
        "buttonIconUrl": "https://domain.com/a.png",
        "prechatCapture": {"enabled": True, "fields": [field]},
    }  # fmt: skip
    made = (await caller.send("POST", "/integrations", {"type": "web", **theme})).json["integration"]
    path = f"/integrations/{made['id']}"
    assert made["prechatCapture"] == {"enabled": True, "enableEmailLinking": False, "fields": [field]}
    changed = (await caller.send("PATCH", path, {"prechatCapture": {"enabled": False}})).json["integration"]
    assert changed["prechatCapture"] == {"enabled": False, "enableEmailLinking": False, "fields": [field]}
    assert {**changed, "prechatCapture": None} == {**made, "prechatCapture": None}, "what is absent stays"
    cleared = (await caller.send("PATCH", path, dict.fromkeys(theme))).json["integration"]
    assert cleared == {"id": made["id"], **plain}


async def test_push_credentials_are_changed_and_cleared(world: World) -> None:
    caller = await backend(world)
    made = await make(caller, "android")
    assert await _secrets(world, made["id"]) == dict.fromkeys(
        ("projectId", "clientEmail", "privateKey", "serverKey"), SECRET
    )
    change = {"privateKey": "other", "serverKey": None, "senderId": None}
    changed = (await caller.send("PATCH", f"/integrations/{made['id']}", change)).json["integration"]
    assert changed == {name: value for name, value in made.items() if name != "senderId"}
    assert await _secrets(world, made["id"]) == {"projectId": SECRET, "clientEmail": SECRET, "privateKey": "other"}
    assert await world.traces_of("other") == []
    [event] = [event for event in await world.events(world.app.id) if event["event"] == "integration.updated"]
    assert sorted(event["fields"]) == ["privateKey", "senderId", "serverKey"]


async def test_the_same_change_twice_changes_once_and_what_was_got_can_be_sent_back(world: World) -> None:
    caller = await backend(world)
    for type in WHOLE:
        made = await make(caller, type, displayName="Ours")
        before = await world.snapshot()
        reply = await caller.send("PATCH", f"/integrations/{made['id']}", made)
        assert (reply.status, reply.json) == (200, {"integration": made})
        assert await world.snapshot() == before


@pytest.mark.parametrize(
    ("type", "change"),
    [
        ("telegram", {"token": "new"}),
        ("twilio", {"phoneNumberSid": "new"}),
        ("twilio", {"accountSid": None}),
        ("messenger", {"pageAccessToken": None}),
        ("custom", {"webhooks": [HOOK]}),
    ],
)
async def test_what_cannot_be_changed_is_refused_and_not_ignored(
    world: World, type: str, change: dict[str, Any]
) -> None:
    caller = await backend(world)
    made = await make(caller, type)
    before = await world.snapshot()
    status, code, said = (await caller.send("PATCH", f"/integrations/{made['id']}", change)).error
    assert (status, code) == (400, "bad_request")
    assert next(iter(change)) in said
    assert await world.snapshot() == before


async def test_what_may_be_changed_of_a_channel_is(world: World) -> None:
    caller = await backend(world)
    made = await make(caller, "messenger")
    changed = await caller.send("PATCH", f"/integrations/{made['id']}", {"pageAccessToken": "new", "displayName": "M"})
    assert (changed.json["integration"]["pageAccessToken"], changed.json["integration"]["displayName"]) == ("new", "M")


async def test_integrations_are_listed_by_page_and_type(world: World) -> None:
    caller = await backend(world)
    made = [(await make(caller, type))["id"] for type in ("web", "ios", "custom", "web", "telegram")]
    assert ids(await caller.send("GET", "/integrations")) == made
    assert ids(await caller.send("GET", "/integrations", query="filter[types]=web,telegram")) == [made[0], *made[3:]]
    assert ids(await caller.send("GET", "/integrations", query="filter[types]=fax")) == []
    found = []
    query = "page[size]=1&filter[types]=web"
    while query:
        reply = await caller.send("GET", "/integrations", query=query)
        found += ids(reply)
        query = reply.json.get("links", {}).get("next", "").partition("?")[2]
        assert reply.json["meta"]["hasMore"] == bool(query)
    assert found == [made[0], made[3]], "a page's links keep the filter"
    status, code, _ = (await caller.send("GET", "/integrations", query='filter={"types":["web"]}')).error
    assert (status, code) == (400, "bad_request")


async def test_an_integration_of_another_app_is_not_there(world: World) -> None:
    """R13."""
    other = await world.another_app()
    caller, theirs = await backend(world), await make(await backend(other), "web")
    for method, path, body in (
        ("GET", "", None), ("PATCH", "", {"displayName": "x"}), ("DELETE", "", None), ("GET", "/keys", None),
        ("POST", "/keys", {"displayName": "x"}),
    ):  # fmt: skip
        reply = await caller.send(method, f"/integrations/{theirs['id']}{path}", body)
        assert reply.error == (404, "integration_not_found", "Integration not found")
    assert ids(await caller.send("GET", "/integrations")) == []


async def test_a_deleted_integration_takes_its_keys_and_webhooks_and_leaves_its_devices(world: World) -> None:
    caller = await backend(world)
    made, web = await make(caller, "custom"), await make(caller, "web")
    key = await world.do(create_integration_key, made["id"], world.app.account_id, "key")
    assert await world.database.directory.key(key.id)
    await world.visitor(device("phone", integration_id=web["id"]))
    for one in (made, web):
        assert (await caller.send("DELETE", f"/integrations/{one['id']}")).json == {}
    left = await world.snapshot()
    assert (left["integrations"], left["webhooks"]) == ([], [])
    assert [row["id"] for row in left["keys"]] == [caller.key.id]
    assert await world.database.directory.key(key.id) is None
    assert await world.database.directory.integration(web["id"]) is None
    assert await world.device("phone") is not None
    with pytest.raises(IntegrationNotFound):
        await world.do(delete_integration, made["id"])
    assert (await world.told(world.app.id))[-2:] == ["integration.removed"] * 2
    assert numbered_without_gaps(left)


async def test_a_custom_integration_that_cannot_have_its_webhook_is_not_made(world: World) -> None:
    caller = await backend(world)
    for _ in range(10):
        await make(caller, "custom")
    before = await world.snapshot()
    assert (await caller.send("POST", "/integrations", {"type": "custom", "webhooks": [HOOK]})).status == 400
    assert await world.snapshot() == before


async def test_keys_of_a_custom_integration_are_shown_once_and_ten_at_most(world: World) -> None:
    caller = await backend(world)
    path = f"/integrations/{(await make(caller, 'custom'))['id']}/keys"
    made = [(await caller.send("POST", path, {"displayName": f"k{n}"})).json["key"] for n in range(MAX_KEYS)]
    assert all(key["id"].startswith("int_") and len(key["secret"]) == 43 for key in made)
    for key in made:
        del key["secret"]
    assert (await caller.send("POST", path, {"displayName": "one more"})).status == 400
    assert (await caller.send("GET", path)).json == {"keys": made}
    assert (await caller.send("GET", f"{path}/{made[0]['id']}")).json == {"key": made[0]}
    assert (await caller.send("DELETE", f"{path}/{made[0]['id']}")).json == {}
    assert (await caller.send("GET", f"{path}/{made[0]['id']}")).error[:2] == (404, "not_found")
    assert (await caller.send("POST", path, {})).error[0] == 400


async def test_only_a_custom_integration_has_keys(world: World) -> None:
    caller = await backend(world)
    path = f"/integrations/{(await make(caller, 'web'))['id']}/keys"
    for method, body in (("GET", None), ("POST", {"displayName": "k"})):
        assert (await caller.send(method, path, body)).error == (
            400, "bad_request", "API keys are available only for custom integrations",
        )  # fmt: skip


async def test_a_key_of_one_integration_is_not_found_under_another(world: World) -> None:
    caller = await backend(world)
    one, two = [(await make(caller, "custom"))["id"] for _ in range(2)]
    key = (await caller.send("POST", f"/integrations/{one}/keys", {"displayName": "k"})).json["key"]
    for method in ("GET", "DELETE"):
        assert (await caller.send(method, f"/integrations/{two}/keys/{key['id']}")).error[:2] == (404, "not_found")
        assert (await caller.send(method, f"/integrations/{one}/keys/{caller.key.id}")).error[:2] == (404, "not_found")


async def test_an_integrations_key_opens_none_of_this(world: World) -> None:
    caller = await backend(world)
    made = await make(caller, "custom")
    mine = await backend(world, "integration", made["id"])
    for method, path in (
        ("POST", "/integrations"), ("GET", "/integrations"), ("GET", f"/integrations/{made['id']}"),
        ("PATCH", f"/integrations/{made['id']}"), ("DELETE", f"/integrations/{made['id']}"),
        ("POST", f"/integrations/{made['id']}/keys"), ("GET", f"/integrations/{made['id']}/keys"),
        ("POST", "/switchboards"), ("GET", "/switchboards"),
    ):  # fmt: skip
        assert (await mine.send(method, path, {})).error[:2] == (403, "forbidden")


async def test_a_key_is_not_made_for_an_integration_that_is_not_there(world: World) -> None:
    before = await world.snapshot()
    with pytest.raises(IntegrationNotFound):
        await world.do(create_key, world.app.account_id, "k", "integration", "0123456789ab" * 2)
    assert await world.snapshot() == before


async def test_an_accounts_key_may_do_all_of_this(world: World) -> None:
    account = await backend(world, "account")
    made = await make(account, "custom")
    assert (await account.send("POST", f"/integrations/{made['id']}/keys", {"displayName": "k"})).status == 201
    assert (await account.send("DELETE", f"/integrations/{made['id']}")).status == 200


async def test_the_directory_holds_no_secrets(world: World) -> None:
    """What logins look up on every request carries what opens nothing."""
    made = await world.do(create_integration, "telegram", None, {"token": SECRET})
    assert made.credentials == {"token": SECRET}
    found = await world.database.directory.integration(made.id)
    assert found is not None
    assert (found.settings, found.credentials) == ({}, {})
    assert SECRET not in repr(made)


async def _secrets(world: World, integration_id: str) -> dict[str, Any]:
    async def secrets(tx: Transaction) -> dict[str, Any]:
        integration = await tx.integrations.by_id(integration_id)
        assert integration is not None
        return integration.credentials

    return await world.ask(secrets)


@pytest.mark.parametrize(
    ("allowed", "origin", "may"),
    [
        (None, "https://evil.example", True),
        (["https://shop.example.org"], "https://shop.example.org", True),
        (["https://Shop.example.org:443"], "https://shop.example.org", True),
        (["http://localhost:3000"], "http://localhost:3000", True),
        (["http://localhost:3000"], "http://localhost:3001", False),
        (["https://shop.example.org"], "http://shop.example.org", False),
        (["https://shop.example.org"], "https://shop.example.org.evil.example", False),
        (["https://shop.example.org"], "null", False),
        (["https://shop.example.org"], None, True),
    ],
)
def test_only_pages_of_the_list_may_start_the_messenger(
    allowed: list[str] | None, origin: str | None, may: bool
) -> None:
    settings = {} if allowed is None else {"originWhitelist": allowed}
    assert admits(Integration("a", "i", "web", None, settings, 0), origin) == may


async def test_the_sdks_configuration_is_kept_from_pages_that_are_not_listed(world: World) -> None:
    made = await world.do(create_integration, "web", None, {"originWhitelist": ["https://shop.example.org"]})
    caller = await backend(world)
    for origin, status in (("https://shop.example.org", 200), ("https://evil.example", 403)):
        reply = await caller.configuration(made.id, origin)
        assert reply.status == status
