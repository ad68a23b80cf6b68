"""The app under load, and the requests that its users and its backend send."""

import hashlib
import itertools
import json
import math
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from bench.load import Address
from bench.tokens import Signer

NEW_DEVICES = 2
"""How many devices a known user may collect, on average, while known users sign in on new ones."""

INFO = {
    "sdkVersion": "4.0.4",
    "URL": "shop.example.com",
    "userAgent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36",
    "referrer": "",
    "browserLanguage": "en-GB",
    "currentUrl": "https://shop.example.com/basket",
    "currentTitle": "Basket",
}


class Person(NamedTuple):
    external_id: str
    email: str
    device: str


def known_person(number: int) -> Person:
    """The seeded user of this number. Her email is verified; her device's id is as random as a real one."""
    device = hashlib.md5(b"%d" % number, usedforsecurity=False).hexdigest()
    return Person(f"u{number}", f"u{number}@example.com", device)


@dataclass
class World:
    """One app with `users` seeded users, numbered from 0. `known_users` counts those who joined meanwhile as well."""

    address: Address
    app_id: str
    integration_id: str
    signer: Signer
    users: int
    user_ids: list[str] = field(default_factory=list)
    conversations: list[tuple[str, str]] = field(default_factory=list)
    """Ids of seeded conversations and of who takes part in them."""

    def __post_init__(self) -> None:
        self.known_users = self.users
        self._new_devices = 0
        self._serial = itertools.count(1)
        self._numbers = _spread(self.known_users)
        self._app_token = self.signer.app()

    def known(self) -> Person:
        """The next known user: all of them come by, far apart, before one comes again."""
        return known_person(next(self._numbers))

    def stranger(self) -> Person:
        """Somebody who was never here."""
        name = f"new-{next(self._serial)}"
        return Person(name, f"{name}@example.com", secrets.token_hex(16))

    def joining(self, new_devices: int) -> list[Person]:
        """Who has to join, so that `new_devices` more leave known users with at most NEW_DEVICES each."""
        self._new_devices += new_devices
        grown = max(self.known_users, -(-self._new_devices // NEW_DEVICES))
        people = [known_person(number) for number in range(self.known_users, grown)]
        if people:
            self.known_users = grown
            self._numbers = _spread(grown)
        return people

    def get_user(self, user: str) -> bytes:
        """As a backend reads a user (by id or external id), with the one token it uses all day."""
        return self._request("GET", f"/v2/apps/{self.app_id}/users/{user}", self._app_token)

    def login(self, person: Person, device: str) -> bytes:
        """As an SDK signs a user in, with a fresh token."""
        client = {
            "id": device,
            "platform": "web",
            "integrationId": self.integration_id,
            "info": INFO,
        }
        body = json.dumps({"userId": person.external_id, "client": client}, separators=(",", ":")).encode()
        token = self.signer.user(person.external_id, person.email)
        return self._request("POST", f"/sdk/v2/apps/{self.app_id}/login", token, body)

    def create_conversation(self, user_id: str) -> bytes:
        """As a backend opens a user's conversation."""
        body = {"type": "personal", "participants": [{"userId": user_id, "subscribeSDKClient": True}]}
        return self._post(f"/v2/apps/{self.app_id}/conversations", body)

    def post_message(self, conversation_id: str, user_id: str | None = None) -> bytes:
        """As a backend says something new, in its own name or in a user's."""
        author = (
            {"type": "business", "displayName": "Support"} if user_id is None else {"type": "user", "userId": user_id}
        )
        text = f"Your order {next(self._serial)} is on its way. It will be with you on Thursday, before noon."
        body = {"author": author, "content": {"type": "text", "text": text}}
        return self._post(f"/v2/apps/{self.app_id}/conversations/{conversation_id}/messages", body)

    def list_messages(self, conversation_id: str) -> bytes:
        """As a backend reads the last page of a conversation."""
        path = f"/v2/apps/{self.app_id}/conversations/{conversation_id}/messages"
        return self._request("GET", path, self._app_token)

    def _post(self, path: str, body: object) -> bytes:
        return self._request("POST", path, self._app_token, json.dumps(body, separators=(",", ":")).encode())

    def _request(self, method: str, path: str, token: str, body: bytes = b"") -> bytes:
        head = f"{method} {path} HTTP/1.1\r\nhost: {self.address.host}\r\nauthorization: Bearer {token}\r\n"
        if body:
            head += f"content-type: application/json\r\ncontent-length: {len(body)}\r\n"
        return head.encode() + b"\r\n" + body


def _spread(count: int) -> Iterator[int]:
    """Every number below `count`, over and over, in golden-ratio strides so that neighbours are far apart."""
    stride = int(count * 0.618) | 1
    while math.gcd(stride, count) != 1:
        stride += 2
    for turn in itertools.count():
        yield turn * stride % count
