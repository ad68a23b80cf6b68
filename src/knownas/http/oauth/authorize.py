"""Where an operator is asked whether a program may act on an app (RFC 6749, 4.1.1; RFC 9700).

There are no operator passwords here and no browser session: the operator shows a key in the page's form, and then
answers with a ticket that the next page holds. Nothing of either stands in an address or a log, and no cookie does
anything, so another site has nothing to forge with.
"""

from typing import Final
from urllib.parse import urlsplit

from knownas.errors import DomainError
from knownas.http.call import Answer, Call
from knownas.http.callers import InvalidCredentials, key_shown
from knownas.http.oauth.pages import page, style_sheet
from knownas.http.oauth.parameters import of_form, of_query
from knownas.keys import Key
from knownas.oauth import AuthorizationRequest, NoConsent, OAuthClient, OAuthRefusal
from knownas.oauth.authorize import ask_consent, deny, find_consent, find_oauth_client, grant
from knownas.oauth.checks import is_challenge, with_answer

REQUEST_FIELDS: Final = (
    "client_id",
    "redirect_uri",
    "response_type",
    "state",
    "code_challenge",
    "code_challenge_method",
)


class NotForRedirect(DomainError):
    """What must not be told to the redirect address, because it may not be the client's (RFC 6749, 4.1.2.1)."""


async def ask(call: Call) -> Answer:
    """GET /oauth/authorize: a page that asks for a key, or a redirect that says what is wrong with the request."""
    try:
        given = of_query(call)
        client, request = await _request(call, given)
    except (NotForRedirect, OAuthRefusal) as wrong:
        return page("error.html", 400, problem=str(wrong))
    except _SaidToClient as said:
        return said.answer
    return _key_page(client, request)


async def answer(call: Call) -> Answer:
    """POST /oauth/authorize: the key, and then yes or no; 302 to the client's address with a code or access_denied."""
    try:
        _check_origin(call)
        given = await of_form(call)
        if "ticket" in given:
            return await _decide(call, given)
        client, request = await _request(call, given)
    except (NotForRedirect, OAuthRefusal, NoConsent) as wrong:
        return page("error.html", 400, problem=str(wrong))
    except _SaidToClient as said:
        return said.answer
    if given.get("decision") == "deny":
        return _denied(request)
    try:
        key = await key_shown(call.services, given.get("key_id", "").strip(), given.get("key_secret", "").strip())
        if key.scope == "integration":
            raise InvalidCredentials("This is the key of an integration. Use a key of the app or of the account")
    except InvalidCredentials as wrong:
        return _key_page(client, request, str(wrong), given.get("key_id", ""))
    return await _consent_page(call, client, request, key)


async def style(call: Call) -> Answer:
    """GET /oauth/style.css."""
    return Answer(
        200, style_sheet(), ((b"content-type", b"text/css; charset=utf-8"), (b"cache-control", b"max-age=3600"))
    )


class _SaidToClient(Exception):
    """The request is wrong, and the client is told so at its address."""

    def __init__(self, uri: str, error: str, message: str, state: str | None) -> None:
        super().__init__(message)
        self.answer = _redirect(with_answer(uri, error=error, error_description=message, state=state))


async def _request(call: Call, given: dict[str, str]) -> tuple[OAuthClient, AuthorizationRequest]:
    """The request and who makes it. Raises NotForRedirect, and _SaidToClient once the address is the client's."""
    database = call.services.database
    client = await database.read(database.new_app(), find_oauth_client, given.get("client_id", ""))
    if client is None:
        raise NotForRedirect("No program is registered here under this client_id")
    uri = given.get("redirect_uri", client.redirect_uris[0])
    if uri not in client.redirect_uris:
        raise NotForRedirect("redirect_uri is not one of the addresses that the program has registered")
    state, challenge = given.get("state"), given.get("code_challenge")
    if "response_type" not in given:
        raise _SaidToClient(uri, "invalid_request", "response_type is missing", state)
    if given["response_type"] != "code":
        raise _SaidToClient(uri, "unsupported_response_type", "response_type should be code", state)
    if challenge is None and "code_challenge_method" in given:
        raise _SaidToClient(uri, "invalid_request", "code_challenge is missing", state)
    if challenge is not None:
        if given.get("code_challenge_method", "plain") != "S256":
            raise _SaidToClient(uri, "invalid_request", "code_challenge_method should be S256", state)
        if not is_challenge(challenge):
            raise _SaidToClient(uri, "invalid_request", "code_challenge is not one by S256", state)
    return client, AuthorizationRequest(client.id, uri, state, challenge)


async def _decide(call: Call, given: dict[str, str]) -> Answer:
    database, ticket = call.services.database, given["ticket"]
    if given.get("decision") != "allow":
        return _denied(await database.write(database.new_app(), deny, ticket))
    app = await database.directory.app(given.get("app_id", ""))
    if app is None:
        await database.read(database.new_app(), find_consent, ticket)
        raise NotForRedirect("Choose one of the apps. Go back, and answer once more")
    request, code = await database.write(app, grant, ticket)
    return _redirect(with_answer(request.redirect_uri, code=code, state=request.state))


async def _consent_page(call: Call, client: OAuthClient, request: AuthorizationRequest, key: Key) -> Answer:
    database = call.services.database
    ticket, apps = await database.write(database.new_app(), ask_consent, request, key)
    if not apps:
        return _key_page(client, request, "There is no app that this key opens", key.id)
    return page("consent.html", redirect=request.redirect_uri, client=client, ticket=ticket, apps=apps)


def _key_page(client: OAuthClient, request: AuthorizationRequest, problem: str = "", key_id: str = "") -> Answer:
    fields = {
        "client_id": request.client_id,
        "redirect_uri": request.redirect_uri,
        "response_type": "code",
        "state": request.state,
        "code_challenge": request.challenge,
        "code_challenge_method": "S256" if request.challenge else None,
    }
    return page(
        "key.html",
        403 if problem else 200,
        redirect=request.redirect_uri,
        client=client,
        host=urlsplit(request.redirect_uri).netloc,
        fields={name: value for name, value in fields.items() if value is not None},
        problem=problem,
        key_id=key_id,
    )


def _denied(request: AuthorizationRequest) -> Answer:
    return _redirect(
        with_answer(
            request.redirect_uri,
            error="access_denied",
            error_description="The operator declined",
            state=request.state,
        )
    )


def _redirect(to: str) -> Answer:
    return Answer(
        302,
        headers=(
            (b"location", to.encode("ascii")),
            (b"cache-control", b"no-store"),
            (b"referrer-policy", b"no-referrer"),
        ),
    )


def _check_origin(call: Call) -> None:
    """Refuse a form that another site sent. Scheme and port aside: a proxy may have changed them."""
    site = call.header(b"sec-fetch-site")
    if site is not None and site not in (b"same-origin", b"none"):
        raise NotForRedirect("This form was sent by another site")
    origin = call.header(b"origin")
    if origin is None:
        return
    own = {call.header(b"host") or b"", urlsplit(call.origin).netloc.encode()}
    if origin.partition(b"://")[2] not in own:
        raise NotForRedirect("This form was sent by another site")
