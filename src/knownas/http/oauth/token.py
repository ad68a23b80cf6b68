"""Where a client exchanges its code, and where an integration gives its access back."""

from typing import Final
from urllib.parse import unquote_plus

from knownas.http.app_scope import app_for, caller_with
from knownas.http.call import Answer, Call, json_answer
from knownas.http.callers import basic_pair
from knownas.http.oauth.parameters import invalid_request, of_body
from knownas.integrations.delete import delete_integration
from knownas.oauth import InvalidClient, InvalidGrant, OAuthRefusal
from knownas.oauth.exchange import exchange_code, find_code

NOT_STORED: Final = ((b"cache-control", b"no-store"), (b"pragma", b"no-cache"))


async def exchange(call: Call) -> Answer:
    """POST /oauth/token: 200 and a bearer token, or an error of RFC 6749, section 5.2."""
    given = await of_body(call)
    client_id, secret = _client_of(call, given)
    grant_type = given.get("grant_type")
    if grant_type is None:
        raise invalid_request("grant_type is missing")
    if grant_type != "authorization_code":
        raise OAuthRefusal("unsupported_grant_type", "grant_type should be authorization_code")
    code = given.get("code")
    if code is None:
        raise invalid_request("code is missing")
    database = call.services.database
    found = await database.read(database.new_app(), find_code, client_id, secret, code)
    app = await database.directory.app(found.app_id)
    if app is None:
        raise InvalidGrant
    token = await database.write(
        app, exchange_code, client_id, secret, code, given.get("redirect_uri"), given.get("code_verifier")
    )
    return json_answer({"access_token": token, "token_type": "Bearer"}, headers=NOT_STORED)


async def revoke(call: Call) -> Answer:
    """DELETE /oauth/authorization: the caller's integration is gone from the app, with its webhooks and tokens."""
    caller = await caller_with(call, ("integration",))
    app = await app_for(call, caller, caller.app_id or "")
    await call.services.database.write(app, delete_integration, caller.integration_id or "")
    return json_answer({})


def _client_of(call: Call, given: dict[str, str]) -> tuple[str, str]:
    """Id and secret, from the body or by Basic, but not from both (RFC 6749, 2.3)."""
    authorization = call.header(b"authorization")
    client_id, secret = given.get("client_id"), given.get("client_secret")
    if authorization is None:
        if client_id is None or secret is None:
            raise InvalidClient
        return client_id, secret
    if secret is not None:
        raise invalid_request("The client shows its secret in the header or in the body, not in both")
    scheme, _, credentials = authorization.decode("latin-1").strip().partition(" ")
    if scheme.lower() != "basic":
        raise InvalidClient
    pair = basic_pair(credentials.strip())
    if pair is None:
        raise InvalidClient
    user, password = map(unquote_plus, pair)
    if "\x00" in user or (client_id is not None and client_id != user):
        raise InvalidClient
    return user, password
