"""An app that has one of everything, for tests that call any operation on it."""

from dataclasses import dataclass
from typing import Any

from tests.e2e.acme import Acme, Key, Shop, basic, bearer, new_guid


@dataclass
class Furnished:
    """Its `ids` by the names of the vendor's path parameters, `values` by those of properties in bodies, and more."""

    acme: Acme
    integration: Key
    ids: dict[str, str]
    values: dict[str, Any]
    others: dict[str, str]

    def authorizations(self, scopes: str) -> list[tuple[str, str]]:
        """Both ways in which each of these scopes (C, A, I) may call, each with its name."""
        keys = {
            "C": ("account", self.acme.account),
            "A": ("app", self.acme.key),
            "I": ("integration", self.integration),
        }
        found = []
        for letter in scopes:
            scope, key = keys[letter]
            found += [(letter, basic(key.id, key.secret)), (letter, bearer(key.sign(scope=scope)))]
        return found

    def upload(self) -> str:
        """The address of a new attachment."""
        boundary = "----------------------------"
        part = 'Content-Disposition: form-data; name="source"; filename="a.txt"\r\nContent-Type: text/plain\r\n\r\nhi'
        made = self.acme.v2(
            "POST",
            "/attachments?access=public",
            f"--{boundary}\r\n{part}\r\n--{boundary}--\r\n".encode(),
            content_type=f"multipart/form-data; boundary={boundary}",
        )
        assert made.status == 201, made.body
        url: str = made.json["attachment"]["mediaUrl"]
        return url


def furnish(shop: Shop) -> Furnished:
    """A new app with a user on a device, her conversations, two integrations, their key and webhook, a switchboard."""
    acme = shop.new_app("Furnished")

    def make(path: str, body: Any, authorization: str | None = None) -> Any:
        made = acme.v2("POST", path, body, authorization)
        assert made.status == 201, (path, made.body)
        return next(iter(made.json.values()))

    acme_settings = acme.v2("PATCH", "", {"settings": {"multiConvoEnabled": True}})
    assert acme_settings.status == 200, acme_settings.body
    webhook = {"target": "http://127.0.0.1:9/hook", "triggers": ["conversation:message"]}
    bot = make("/integrations", {"type": "custom", "displayName": "Bot", "webhooks": [webhook]})
    sms = make("/integrations", {"type": "twilio", "accountSid": "AC", "authToken": "t", "phoneNumberSid": "PN"})
    key = make(f"/integrations/{bot['id']}/keys", {"displayName": "connector"})
    user = make("/users", {"externalId": "ada", "profile": {"givenName": "Ada"}})
    other = make("/users", {"externalId": "ben"})
    assert acme.log_in(acme.token("ada"), new_guid()).status == 200
    make("/conversations", {"type": "personal", "participants": [{"userId": user["id"]}]})
    conversation = make("/conversations", {"type": "personal", "participants": [{"userId": user["id"]}]})
    group = make(
        "/conversations", {"type": "sdkGroup", "participants": [{"userId": user["id"], "subscribeSDKClient": False}]}
    )
    [message] = make(
        f"/conversations/{conversation['id']}/messages",
        {"author": {"type": "business"}, "content": {"type": "text", "text": "Hello"}},
    )
    link = {
        "matchCriteria": {"type": "twilio", "integrationId": sms["id"], "phoneNumber": "+15149999999"},
        "confirmation": {"type": "immediate"},
        "target": {"conversationId": conversation["id"]},
    }
    client = make("/users/ada/clients", link)
    board = make("/switchboards", {})
    linked = make(f"/switchboards/{board['id']}/switchboardIntegrations", {"name": "bot", "integrationId": bot["id"]})
    spare = make(
        f"/switchboards/{board['id']}/switchboardIntegrations",
        {"name": "spare", "integrationType": "zd:agentWorkspace"},
    )
    on = {"enabled": True, "defaultSwitchboardIntegrationId": linked["id"]}
    assert acme.v2("PATCH", f"/switchboards/{board['id']}", on).status == 200
    synced = acme.v2("POST", "/users/1001/sync", {"userId": user["id"]})
    assert synced.status == 200, synced.body
    app_key = make("/keys", {"displayName": "spare"}, acme.as_account)
    [device] = acme.v2("GET", "/users/ada/devices").json["devices"]
    return Furnished(
        acme,
        Key(key["id"], key["secret"]),
        ids={
            "appId": acme.app_id,
            "keyId": app_key["id"],
            "conversationId": conversation["id"],
            "messageId": message["id"],
            "integrationId": bot["id"],
            "webhookId": bot["webhooks"][0]["id"],
            "switchboardId": board["id"],
            "switchboardIntegrationId": linked["id"],
            "userIdOrExternalId": "ada",
            "clientId": client["id"],
            "deviceId": device["id"],
            "zendeskId": "1001",
        },
        values={
            "userId": other["id"],
            "conversationId": conversation["id"],
            "switchboardIntegration": "spare",
            "defaultSwitchboardIntegrationId": linked["id"],
            "nextSwitchboardIntegrationId": None,
            "defaultResponderId": None,
            "survivingZendeskId": "1001",
            "integrationId": sms["id"],
            "phoneNumber": "+15149999999",
            "target": "http://127.0.0.1:9/again",
            "triggers": ["user:merge"],
        },
        others={"group": group["id"], "spare": spare["id"], "integrationKey": key["id"]},
    )
