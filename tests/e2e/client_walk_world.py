"""What the walk through the official Python client stands on: recording clients, models of either version, refusals."""

import json
import tempfile
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jwt
import sunshine_conversations_client as sc

from tests.e2e.acme import Reply, send
from tests.e2e.client_walk_models import model

NOTHING = "5d8cff3cd55b040010928b5b"
"""An id that nothing has here."""

secrets: set[str] = set()
CHAPTERS: dict[str, Callable[["World"], None]] = {}


def chapter(told: Callable[["World"], None]) -> Callable[["World"], None]:
    """Enter a chapter of the walk; they are told in this order, and each with a world of its own."""
    CHAPTERS[told.__name__] = told
    return told


def operations() -> Iterator[str]:
    """Every operation of every API class that the client has, such as `UsersApi.create_user`."""
    for name in dir(sc):
        if name.endswith("Api"):
            for method in vars(getattr(sc, name)):
                if not method.startswith("_") and not method.endswith(("_with_http_info", "_without_preload_content")):
                    yield f"{name}.{method}"


class Api:
    """One API class of the client, which remembers what of it was called."""

    def __init__(self, api: Any, walked: set[str]) -> None:
        self._api, self._walked = api, walked

    def __getattr__(self, name: str) -> Any:
        self._walked.add(f"{type(self._api).__name__}.{name}")
        return getattr(self._api, name)


class World:
    """A new app, and one client per way of proving who calls."""

    def __init__(self, given: dict[str, str], walked: set[str]) -> None:
        self.given, self.walked, self.host = given, walked, given["host"]
        self.of_account = self.client(username=given["account_key"], password=given["account_secret"])
        app = sc.AppsApi(self.of_account).create_app(sc.AppCreateBody(display_name="walk"))
        self.app = app.app.id
        made = sc.AppKeysApi(self.of_account).create_app_key(self.app, sc.AppKeyCreateBody(display_name="walk"))
        self.key, self.secret = made.key.id, made.key.secret
        secrets.add(self.secret)
        self.of_app = self.client(username=self.key, password=self.secret)

    def client(self, **credentials: str) -> Any:
        """A client with these credentials."""
        token = credentials.pop("access_token", None)
        configuration = sc.Configuration(host=self.host, **credentials)
        if token:
            configuration.access_token = token  # 16.0.1 takes it as an attribute only
        return sc.ApiClient(configuration)

    def bearer(self, scope: str, key: str, secret: str) -> Any:
        """A client with a token that this key signed."""
        token = jwt.encode({"scope": scope}, secret, "HS256", headers={"kid": key})
        secrets.add(token)
        return self.client(access_token=token)

    def api(self, name: str, client: Any = None) -> Any:
        """An API class of the client, by default with the app's key."""
        return Api(getattr(sc, name)(client or self.of_app), self.walked)

    def model(self, name: str, /, **given: Any) -> Any:
        """A model of the client from what it is in JSON."""
        return model(name, given)

    # What most chapters need.

    def user(self, **given: Any) -> Any:
        """A user, identified, as 16.0.1 makes no other."""
        given = {"externalId": uuid.uuid4().hex} | given
        return self.api("UsersApi").create_user(self.app, self.model("UserCreateBody", **given)).user

    def conversation(self, *users: Any, **given: Any) -> Any:
        """A personal conversation of one, unless `given` says otherwise."""
        invited = [{"userId": user.id} | ({"subscribeSDKClient": False} if given else {}) for user in users]
        body = self.model("ConversationCreateBody", **{"type": "personal", "participants": invited} | given)
        return self.api("ConversationsApi").create_conversation(self.app, body).conversation

    def say(self, conversation: Any, text: str, user: Any = None, **given: Any) -> Any:
        """A message of the business or of a user; the first of the list that comes back."""
        author = {"type": "user", "userId": user.id} if user else {"type": "business"}
        body = self.model("MessagePost", author=author, content={"type": "text", "text": text}, **given)
        return self.api("MessagesApi").post_message(self.app, conversation.id, body).messages[0]

    def custom_integration(self, name: str = "Bot", *triggers: str) -> Any:
        webhook = {"target": "http://127.0.0.1:9/hook", "triggers": list(triggers or ("conversation:message",))}
        body = self.model("Integration", type="custom", displayName=name, webhooks=[webhook])
        return self.api("IntegrationsApi").create_integration(self.app, body).integration

    def connector(self, integration: Any) -> dict[str, str]:
        """A key of a custom integration, as the credentials of a client."""
        keys = self.api("CustomIntegrationApiKeysApi")
        body = self.model("IntegrationApiKey", displayName="connector")
        made = keys.create_custom_integration_key(self.app, integration.id, body).key
        secrets.add(made.secret)
        return {"username": made.id, "password": made.secret}

    def log_in(self, external_id: str, guid: str) -> None:
        """A device's login over the SDK API, for which the official client has no call."""
        claims = {"scope": "user", "external_id": external_id}
        token = jwt.encode(claims, self.secret, "HS256", headers={"kid": self.key})
        secrets.add(token)
        body = {"userId": external_id, "client": {"id": guid, "platform": "ios"}}
        reply = self.send("POST", f"/sdk/v2/apps/{self.app}/login", body, f"Bearer {token}")
        assert reply.status == 200, reply.body

    def send(self, method: str, path: str, body: Any = None, authorization: str | None = None, **headers: str) -> Reply:
        """What no official client sends: a browser's requests, a device's. Redirects are not followed."""
        return send(self.host, method, path, body, authorization, **headers)

    def file(self, name: str, content: bytes) -> str:
        """A file, for the version that uploads files only."""
        path = Path(tempfile.mkdtemp(dir=self.given["folder"])) / name
        path.write_bytes(content)
        return str(path)

    def fetch(self, url: str) -> bytes | None:
        """What a browser finds at this address, or None."""
        try:
            with urllib.request.urlopen(url, timeout=30) as answer:
                content: bytes = answer.read()
                return content
        except urllib.error.HTTPError as refusal:
            if refusal.code != 404:
                raise
            return None


ERRORS = {
    400: "BadRequestException",
    401: "UnauthorizedException",
    403: "ForbiddenException",
    404: "NotFoundException",
    409: "ConflictException",
    501: "ServiceException",
}


@contextmanager
def refused(status: int, code: str, title: str | None = None) -> Iterator[None]:
    """A call that must fail: with this status, and with this code and title in its first error.

    Where the client has an error class of its own for the status, it must be that.
    """
    try:
        yield
    except sc.ApiException as raised:
        error = raised
    else:
        raise AssertionError(f"accepted, and {status} {code} was expected")
    assert error.status == status, (error.status, error.body)
    own_class = getattr(sc.exceptions, ERRORS[status], None)
    assert own_class is None or type(error) is own_class, type(error)
    first = json.loads(error.body)["errors"][0]
    assert first["code"] == code, first
    assert title is None or first["title"] == title, first
