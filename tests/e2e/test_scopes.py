"""Every operation lets in the credentials that the vendor's table says, and refuses all others with 401 or 403."""

from collections.abc import Iterator
from typing import Final

import pytest
from msgspec import Struct

from tests.contract.operations import NOTHING, OPERATIONS, Operation
from tests.e2e.acme import Acme, Key, Reply, basic, bearer, open_shop, send, server_on

WITH_CREDENTIALS: Final = [operation for operation in OPERATIONS if operation.scopes]
EVERYWHERE: Final = {"access": "public", "filter[userId]": NOTHING, "filter[identities.email]": "ada@example.org"}


class Callers(Struct):
    """One app, and a key of each kind for it."""

    acme: Acme
    neighbour: str
    integration_id: str
    integration: Key

    def of(self, letter: str) -> Key:
        """The key of this scope."""
        return {"C": self.acme.account, "A": self.acme.key, "I": self.integration}[letter]

    def ask(self, operation: Operation, authorization: str | None, *, app_id: str = "", **given: str) -> Reply:
        """The operation on things that do not exist and with a body that says nothing, so that it changes nothing."""
        path = operation.at(appId=app_id or self.acme.app_id, **given)
        query = "&".join(f"{name}={value}" for name, value in EVERYWHERE.items())
        body: dict[str, str] | None = {} if operation.method in ("POST", "PATCH") else None
        return send(self.acme.server.url, operation.method, f"{path}?{query}", body, authorization)


def ids(operation: Operation) -> str:
    return operation.id


@pytest.fixture(scope="module")
def callers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callers]:
    with server_on(f"sqlite:///{tmp_path_factory.mktemp('scopes') / 'knownas.db'}") as server:
        shop = open_shop(server)
        acme = shop.new_app()
        webhook = {"target": "https://example.org/hook", "triggers": ["conversation:message"]}
        made = acme.v2("POST", "/integrations", {"type": "custom", "displayName": "Bot", "webhooks": [webhook]})
        assert made.status == 201, made.body
        integration_id = made.json["integration"]["id"]
        key = acme.v2("POST", f"/integrations/{integration_id}/keys", {"displayName": "its own"})
        assert key.status == 201, key.body
        neighbour = shop.new_app("Neighbour").app_id
        yield Callers(acme, neighbour, integration_id, Key(key.json["key"]["id"], key.json["key"]["secret"]))


@pytest.mark.parametrize("operation", WITH_CREDENTIALS, ids=ids)
def test_each_scope_is_let_in_or_refused_as_the_table_says(callers: Callers, operation: Operation) -> None:
    scope_of = {"C": "account", "A": "app", "I": "integration"}
    for letter, scope in scope_of.items():
        key = callers.of(letter)
        given = {"integrationId": "me"} if letter == "I" else {}
        # An account's key may delete apps, and this one is needed further on.
        app_id = NOTHING if operation.id == "DeleteApp" and letter == "C" else ""
        if operation.id == "RevokeAccess" and letter == "I":
            continue  # it would end the integration: see below
        for authorization in (basic(key.id, key.secret), bearer(key.sign(scope=scope))):
            reply = callers.ask(operation, authorization, app_id=app_id, **given)
            if letter in operation.scopes:
                assert reply.status not in (401, 403, 405), (scope, reply.status, reply.body)
            else:
                assert reply.status == 403, (scope, reply.status, reply.body)
                assert reply.error[1] == "forbidden"


@pytest.mark.parametrize("operation", WITH_CREDENTIALS, ids=ids)
def test_a_users_token_opens_nothing(callers: Callers, operation: Operation) -> None:
    for claims in ({"scope": "user", "external_id": "1234"}, {"scope": "appUser", "userId": "1234"}):
        reply = callers.ask(operation, bearer(callers.acme.key.sign(**claims)))
        assert (reply.status, reply.error[1]) == (403, "forbidden"), reply.body


@pytest.mark.parametrize("operation", WITH_CREDENTIALS, ids=ids)
def test_without_credentials_or_with_bad_ones_everything_is_401(callers: Callers, operation: Operation) -> None:
    reply = callers.ask(operation, None)
    assert reply.status == 401, reply.body
    error = reply.json["errors"][0]
    assert (error["code"], error["title"]) == ("unauthorized", "Authorization is required")
    key = callers.acme.key
    for authorization in (
        basic(key.id, "not its secret"),
        basic(f"app_{NOTHING}", key.secret),
        bearer(Key(key.id, "x" * 40).sign(scope="app")),
        bearer("not.a.token"),
        "Digest username=ada",
    ):
        reply = callers.ask(operation, authorization)
        assert (reply.status, reply.error[1]) == (401, "invalid_auth"), (authorization, reply.body)


@pytest.mark.parametrize("operation", [one for one in WITH_CREDENTIALS if "{appId}" in one.path], ids=ids)
def test_no_key_opens_the_app_of_somebody_else(callers: Callers, operation: Operation) -> None:
    """Whether it exists or not (R13); an account's key is told which apps its account has."""
    for letter in operation.scopes:
        key = callers.of(letter)
        for app_id in (callers.neighbour, NOTHING):
            if letter == "C" and app_id == callers.neighbour:
                continue  # which is of the same account
            reply = callers.ask(operation, basic(key.id, key.secret), app_id=app_id)
            refused = (404, "app_not_found") if letter == "C" else (403, "forbidden")
            assert (reply.status, reply.error[1]) == refused, (letter, reply.body)


@pytest.mark.parametrize("operation", [one for one in OPERATIONS if "/webhooks" in one.path], ids=ids)
def test_an_integrations_key_sees_its_own_webhooks_alone(callers: Callers, operation: Operation) -> None:
    other = callers.acme.v2(
        "POST",
        "/integrations",
        {"type": "custom", "webhooks": [{"target": "https://example.org/other", "triggers": ["user:remove"]}]},
    ).json["integration"]
    key = callers.integration
    [webhook] = other["webhooks"]
    for integration_id in (other["id"], NOTHING):
        reply = callers.ask(operation, basic(key.id, key.secret), integrationId=integration_id, webhookId=webhook["id"])
        assert (reply.status, reply.error[1]) == (403, "forbidden"), reply.body
    through_own = callers.ask(operation, basic(key.id, key.secret), integrationId="me", webhookId=webhook["id"])
    if "{webhookId}" in operation.path:
        assert through_own.status == 404, through_own.body
    # By its own id it is let in as by `me`.
    own = callers.ask(operation, basic(key.id, key.secret), integrationId=callers.integration_id)
    assert own.status == (200 if operation.id == "ListWebhooks" else 400 if operation.id == "CreateWebhook" else 404)


def test_who_asks_for_the_app_of_a_token_must_have_one(callers: Callers) -> None:
    """GetTokenInfo has no scopes in the table; it takes every key and tells the key's own app."""
    url = callers.acme.server.url
    assert send(url, "GET", "/v2/tokenInfo").error[:2] == (401, "unauthorized")
    for key, scope in ((callers.acme.key, "app"), (callers.integration, "integration")):
        for authorization in (basic(key.id, key.secret), bearer(key.sign(scope=scope))):
            assert send(url, "GET", "/v2/tokenInfo", None, authorization).json["app"]["id"] == callers.acme.app_id
    account = callers.acme.account
    assert send(url, "GET", "/v2/tokenInfo", None, basic(account.id, account.secret)).error[:2] == (
        404,
        "app_not_found",
    )
    user = bearer(callers.acme.key.sign(scope="user", external_id="1234"))
    assert send(url, "GET", "/v2/tokenInfo", None, user).error[:2] == (403, "forbidden")
