"""Acme, a shop with an app on a real server: what its backend and its customers' devices send, over plain HTTP."""

import base64
import http.client
import itertools
import json
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

import jwt

from tests.servers import Server, _clean_environment

# Given to servers and commands alike: beside a PostgreSQL database there is no file from which both would read it.
ENVIRONMENT = {"KNOWNAS_MASTER_KEY": "5a" * 32}
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Key:
    id: str
    secret: str

    def sign(self, **claims: Any) -> str:
        """A token that this key vouches for."""
        return jwt.encode(claims, self.secret, "HS256", headers={"kid": self.id})


@dataclass(frozen=True)
class Reply:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> tuple[int, str, str | None]:
        """Status, code and cause, in whichever of the two shapes the error is written."""
        error = self.json["errors"][0] if "errors" in self.json else self.json["error"]
        return self.status, error["code"], error.get("cause")


def server_on(database: str, *options: str, **environment: str) -> Server:
    """A server that is not started yet and has the tests' master key."""
    return Server(database, *options, env=ENVIRONMENT | environment)


def run_command(*arguments: str, database: str) -> "subprocess.CompletedProcess[str]":
    """The command line with the tests' master key."""
    command = [sys.executable, "-m", "knownas", *arguments, "--database", database]
    env = _clean_environment() | ENVIRONMENT
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=30, env=env)


def command(*arguments: str, database: str) -> Any:
    """What a command that must succeed prints with --json."""
    done = run_command(*arguments, "--json", database=database)
    assert done.returncode == 0, f"{arguments} ended with status {done.returncode}\n{done.stderr or done.stdout}"
    return json.loads(done.stdout)


def send(url: str, method: str, path: str, body: Any = None, authorization: str | None = None, **headers: str) -> Reply:
    """One request on a connection of its own; `body` is JSON unless it is bytes already, `path` is sent as it is."""
    place = urlsplit(url)
    connection = http.client.HTTPConnection(str(place.hostname), place.port, timeout=30)
    try:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if authorization is not None:
            sent["authorization"] = authorization
        content = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        if content is not None:
            sent.setdefault("content-type", "application/json")
        connection.request(method, path, content, sent)
        answer = connection.getresponse()
        return Reply(answer.status, answer.headers, answer.read())
    finally:
        connection.close()


def basic(user: str, password: str) -> str:
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"


def bearer(token: str) -> str:
    return f"Bearer {token}"


def new_guid() -> str:
    """What an SDK calls its install."""
    return uuid.uuid4().hex


def new_external_id() -> str:
    return f"customer-{next(_numbers)}-{uuid.uuid4().hex[:8]}"


def new_email() -> str:
    return f"ada.{uuid.uuid4().hex[:12]}@example.com"


@dataclass
class Secrets:
    """Everything that was said in confidence; none of it may ever be in a server's log."""

    seen: set[str] = field(default_factory=set)

    def keep(self, *values: str | None) -> None:
        self.seen.update(value for value in values if value and len(value) >= 8)

    def keep_from(self, body: Any) -> None:
        """The secrets that an answer gave away."""
        if isinstance(body, dict):
            for name, value in body.items():
                if name in ("sessionToken", "secret", "email") and isinstance(value, str):
                    self.keep(value)
                else:
                    self.keep_from(value)
        elif isinstance(body, list):
            for value in body:
                self.keep_from(value)

    def assert_not_in(self, log: str) -> None:
        """Fail when the log holds one of them, or the signature of a token, which is as good as the token."""
        for secret in self.seen:
            assert secret not in log, f"the log shows a secret: ...{log[max(0, log.find(secret) - 200) :][:400]}"
            signature = secret.rpartition(".")[2]
            if secret.count(".") == 2 and len(signature) >= 40:
                assert signature not in log, "the log shows a token's signature"


@dataclass
class Acme:
    """One app, and everybody who calls for it. Its secrets are remembered, to be looked for in the log."""

    server: Server
    app_id: str
    key: Key
    account: Key
    integration_id: str = ""
    secrets: Secrets = field(default_factory=Secrets)

    def __post_init__(self) -> None:
        self.secrets.keep(self.key.secret, self.account.secret)

    def send(self, method: str, path: str, body: Any = None, authorization: str | None = None, **headers: str) -> Reply:
        """A request, whose secrets and whose answer's secrets are remembered."""
        if authorization is not None:
            self.secrets.keep(authorization.partition(" ")[2])
        self.secrets.keep_from(body)
        reply = send(self.server.url, method, path, body, authorization, **headers)
        if reply.headers.get("content-type", "").startswith("application/json"):
            self.secrets.keep_from(reply.json)
        return reply

    def v2(self, method: str, path: str, body: Any = None, authorization: str | None = None, **headers: str) -> Reply:
        """The backend's request below its app; by default with the app's key."""
        return self.send(method, f"/v2/apps/{self.app_id}{path}", body, authorization or self.as_backend, **headers)

    def sdk(self, method: str, path: str, body: Any = None, authorization: str | None = None, **headers: str) -> Reply:
        """A device's request below its app; by default without credentials."""
        return self.send(method, f"/sdk/v2/apps/{self.app_id}{path}", body, authorization, **headers)

    @property
    def as_backend(self) -> str:
        return basic(self.key.id, self.key.secret)

    @property
    def as_account(self) -> str:
        return basic(self.account.id, self.account.secret)

    def token(self, external_id: str, email: str | None = None, *, key: Key | None = None, **claims: Any) -> str:
        """What the backend signs for a customer; an e-mail is a verified one."""
        stated = {"scope": "user", "external_id": external_id} | claims
        if email is not None:
            stated = {"email": email, "email_verified": True} | stated
        token = (key or self.key).sign(**stated)
        self.secrets.keep(token, email)
        return token

    def log_in(
        self, token: str, guid: str | None = None, *, proof: tuple[str, str] | None = None, **body: Any
    ) -> Reply:
        """A device's login; `proof` is the anonymous user that it holds, as id and session token."""
        sent: dict[str, Any] = {"client": {"id": guid, "platform": "web"}} if guid else {}
        if proof:
            sent |= {"appUserId": proof[0], "sessionToken": proof[1]}
            self.secrets.keep(proof[1])
        return self.sdk("POST", "/login", sent | body, bearer(token))

    def visit(self, guid: str | None = None, **profile: Any) -> tuple[str, str]:
        """A visitor whom nobody knows: id and session token."""
        made = self.sdk("POST", "/appusers", profile | ({"client": {"id": guid}} if guid else {}))
        assert made.status == 201, made.body
        return made.json["appUser"]["_id"], made.json["sessionToken"]

    def user(self, reference: str) -> Any:
        """The user as the backend sees her, or None."""
        reply = self.v2("GET", f"/users/{quote(reference, safe='')}")
        assert reply.status in (200, 404), reply.body
        return reply.json["user"] if reply.status == 200 else None

    def devices(self, reference: str) -> dict[str, str]:
        """The user's devices, guid to status."""
        listed = self.v2("GET", f"/users/{quote(reference, safe='')}/devices").json["devices"]
        return {device["guid"]: device["status"] for device in listed}

    def new_key(self, name: str = "one more", **body: Any) -> Key:
        """One more key of the app, made through the API; a public key has no secret."""
        made = self.v2("POST", "/keys", {"displayName": name, **body}, self.as_account)
        assert made.status == 201, made.body
        return Key(made.json["key"]["id"], made.json["key"].get("secret", ""))

    def delete_key(self, key_id: str) -> None:
        reply = self.v2("DELETE", f"/keys/{key_id}", None, self.as_account)
        assert (reply.status, reply.json) == (200, {})


@dataclass(frozen=True)
class Shop:
    """A running server with an account, under which tests make apps of their own."""

    server: Server
    account: Key

    def new_app(self, name: str = "Acme") -> Acme:
        """An app without integrations, made as a business makes one."""
        made = send(self.server.url, "POST", "/v2/apps", {"displayName": name}, self._authorization)
        assert made.status == 201, made.body
        app_id = made.json["app"]["id"]
        key = send(self.server.url, "POST", f"/v2/apps/{app_id}/keys", {"displayName": "k"}, self._authorization)
        assert key.status == 201, key.body
        return Acme(self.server, app_id, Key(key.json["key"]["id"], key.json["key"]["secret"]), self.account)

    @property
    def _authorization(self) -> str:
        return basic(self.account.id, self.account.secret)


def open_shop(server: Server) -> Shop:
    """An account key for a server's database."""
    made = command("keys", "create", "--account", database=server.database)["key"]
    return Shop(server, Key(made["id"], made["secret"]))


def wait_for_log(server: Server) -> str:
    """The server's log once everything said so far must have arrived in it: it is written before the answer is."""
    assert send(server.url, "GET", "/healthz").status == 200
    return server.log_text()


def seconds_until(refused: Callable[[], bool], timeout_s: float) -> float:
    """How long until `refused()` is true, asked as fast as it answers; fails when it takes longer."""
    began = time.monotonic()
    while not refused():
        elapsed = time.monotonic() - began
        assert elapsed < timeout_s, f"not refused within {timeout_s:g} s"
    return time.monotonic() - began
