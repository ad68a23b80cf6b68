"""A shop that listens: an app with webhooks, one personal conversation, and messages that it is told of."""

from dataclasses import dataclass
from typing import Any

from tests.e2e.acme import Acme, open_shop
from tests.receivers import Receiver
from tests.servers import Server

PRIVATE_TOO = {"KNOWNAS_WEBHOOK_PRIVATE_ADDRESSES": "true"}
"""The receivers of tests are on 127.0.0.1."""


@dataclass
class Listening:
    """An app whose messages are told to webhooks."""

    acme: Acme
    receiver: Receiver
    integration: str
    conversation: str
    first_webhook: dict[str, Any]

    def post(self, text: str = "hello") -> str:
        """Post a message; its id."""
        path = f"/conversations/{self.conversation}/messages"
        said = {"author": {"type": "business"}, "content": {"type": "text", "text": text}}
        reply = self.acme.v2("POST", path, said)
        assert reply.status == 201, reply.body
        message_id: str = reply.json["messages"][0]["id"]
        return message_id

    def add_webhook(self, path: str, *triggers: str) -> dict[str, Any]:
        """One more webhook, for messages unless said otherwise."""
        body = {"target": self.receiver.url(path), "triggers": list(triggers) or ["conversation:message"]}
        reply = self.acme.v2("POST", f"/integrations/{self.integration}/webhooks", body)
        assert reply.status == 201, reply.body
        webhook: dict[str, Any] = reply.json["webhook"]
        self.acme.secrets.keep(webhook["secret"])
        return webhook


def listening(server: Server, receiver: Receiver, path: str = "/ok") -> Listening:
    """A new app on the server that is told of messages at `path`."""
    acme = open_shop(server).new_app()
    webhook = {"target": receiver.url(path), "triggers": ["conversation:message"]}
    body = {"type": "custom", "displayName": "hooks", "webhooks": [webhook]}
    made = acme.v2("POST", "/integrations", body)
    assert made.status == 201, made.body
    assert acme.v2("POST", "/users", {"externalId": "ada"}).status == 201
    opened = acme.v2("POST", "/conversations", {"type": "personal", "participants": [{"userExternalId": "ada"}]})
    assert opened.status == 201, opened.body
    integration = made.json["integration"]
    return Listening(acme, receiver, integration["id"], opened.json["conversation"]["id"], integration["webhooks"][0])
