"""Acme's backend: a program of its own that speaks to the server through the official Python client."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.e2e.acme import Acme
from tests.servers import CLIENT16, ROOT

PROGRAM = [sys.executable, "-m", "tests.e2e.client_backend"]


class Backend:
    """What the backend asks for; each request is one operation of the client."""

    def __init__(self, program: "subprocess.Popen[str]", acme: Acme) -> None:
        self._program, self.acme = program, acme
        given = {"host": acme.server.url, "app": acme.app_id, "key": acme.key.id, "secret": acme.key.secret}
        self.version = self._say(given)["version"]

    def ask(self, operation: str, *of: str, **body: Any) -> Any:
        """What an operation that must succeed answers; a body goes by the name of its model."""
        status, answer = self.try_to(operation, *of, **body)
        assert status == 200, (operation, status, answer)
        return answer

    def try_to(self, operation: str, *of: str, **body: Any) -> tuple[int, Any]:
        """Status and answer of an operation, whatever comes of it."""
        told = self._say({"operation": operation, "of": of, "body": body})
        self.acme.secrets.keep_from(told["json"])
        return told["status"], told["json"]

    def _say(self, document: Any) -> Any:
        assert self._program.stdin is not None
        assert self._program.stdout is not None
        self._program.stdin.write(json.dumps(document) + "\n")
        self._program.stdin.flush()
        line = self._program.stdout.readline()
        assert line, "the backend's program has ended; it says why on standard error"
        return json.loads(line)

    def listen(self, url: str, *triggers: str) -> str:
        """Have the app's events told to this address; the secret that they are signed with."""
        webhook = {"target": url, "triggers": list(triggers)}
        made = self.ask(
            "IntegrationsApi.create_integration",
            Integration={"type": "custom", "displayName": "Acme's backend", "webhooks": [webhook]},
        )
        secret: str = made["integration"]["webhooks"][0]["secret"]
        return secret

    def open_conversation(self, user_id: str) -> str:
        """A personal conversation with the user; its id."""
        body = {"type": "personal", "participants": [{"userId": user_id}]}
        made = self.ask("ConversationsApi.create_conversation", ConversationCreateBody=body)
        conversation: str = made["conversation"]["id"]
        return conversation

    def say(self, conversation: str, text: str, user_id: str | None = None) -> None:
        """A message of the user's or, without one, of the business."""
        author = {"type": "user", "userId": user_id} if user_id else {"type": "business"}
        body = {"author": author, "content": {"type": "text", "text": text}}
        self.ask("MessagesApi.post_message", conversation, MessagePost=body)

    def describe(self, user_id: str, **metadata: Any) -> None:
        """Note properties of the user."""
        self.ask("UsersApi.update_user", user_id, UserUpdateBody={"metadata": metadata})

    def link(self, user_id: str, conversation: str) -> None:
        """Reach the user by SMS as well."""
        sms = {"type": "twilio", "accountSid": "AC1", "authToken": "t", "phoneNumberSid": "PN1", "displayName": "SMS"}
        channel = self.ask("IntegrationsApi.create_integration", Integration=sms)["integration"]["id"]
        body = {
            "matchCriteria": {"type": "twilio", "integrationId": channel, "phoneNumber": "+15149999999"},
            "confirmation": {"type": "immediate"},
            "target": {"conversationId": conversation},
        }
        self.ask("ClientsApi.create_client", user_id, ClientCreate=body)

    def user(self, reference: str) -> Any:
        """The user, or None."""
        status, answer = self.try_to("UsersApi.get_user", reference)
        assert status in (200, 404), answer
        return answer["user"] if status == 200 else None

    def messages(self, conversation: str) -> list[str]:
        """What was said in a conversation, in order."""
        listed = self.ask("MessagesApi.list_messages", conversation)["messages"]
        return [message["content"]["text"] for message in listed]

    def everything_of(self, reference: str) -> dict[str, Any]:
        """The user and all that is hers: conversations with what was said, devices, other clients."""
        user = self.user(reference)
        asked = {"userId": user["id"]}
        conversations = self.ask("ConversationsApi.list_conversations", ConversationListFilter=asked)["conversations"]
        devices = self.ask("DevicesApi.list_devices", user["id"])["devices"]
        clients = self.ask("ClientsApi.list_clients", user["id"])["clients"]
        return {
            "user": user,
            "said": {one["id"]: self.messages(one["id"]) for one in conversations},
            "devices": {one["guid"] for one in devices},
            "clients": {one["id"] for one in clients if one["type"] != "sdk"},
        }


@contextmanager
def backend_of(acme: Acme, version: str) -> Iterator[Backend]:
    """A backend with this version of the client, until the end of the block."""
    paths = [str(CLIENT16), str(ROOT)] if version == "16.0.1" else [str(ROOT)]
    inherited = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    env = os.environ | {"PYTHONPATH": os.pathsep.join([*paths, *inherited])}
    with subprocess.Popen(PROGRAM, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=env) as one:
        try:
            backend = Backend(one, acme)
            assert backend.version == version
            yield backend
        finally:
            assert one.stdin is not None
            one.stdin.close()
