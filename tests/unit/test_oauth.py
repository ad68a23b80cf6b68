"""OAuth, from the page that asks an operator to the token that ends: RFC 6749, RFC 7636 and RFC 9700."""

import base64
import re
import time
from hashlib import sha256
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import parse_qs, urlencode, urlsplit

import msgspec
import pytest
from hypothesis import given as given_values
from hypothesis import strategies as st
from msgspec import Struct
from starlette.applications import Starlette

from knownas.http import oauth, sunshine_v2
from knownas.http.edge import Edge
from knownas.http.metrics import Metrics
from knownas.http.services import Services
from knownas.integrations.create import create_integration
from knownas.integrations.delete import delete_integration
from knownas.keys import Key, Scope
from knownas.keys.create import create_key
from knownas.keys.delete import delete_key
from knownas.keys.verified import VerifiedTokens
from knownas.oauth import CODE_MS, TOKENS_AT_MOST, InvalidRedirect, OAuthClient
from knownas.oauth.checks import check_redirect, is_challenge, meets, with_answer
from knownas.oauth.register import register_client, unregister_client
from tests.given import Clock, World

if TYPE_CHECKING:
    from knownas.attachments import Files

CALLBACK = "https://partner.example/cb?tenant=7"
SECOND = "https://partner.example/second"
VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()


class Reply(Struct):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)

    @property
    def sent_to(self) -> tuple[str, dict[str, str]]:
        """Where it redirects to, and what with."""
        assert self.status == 302
        parts = urlsplit(self.headers["location"])
        return f"{parts.scheme}://{parts.netloc}{parts.path}", {k: v[0] for k, v in parse_qs(parts.query).items()}

    @property
    def ticket(self) -> str:
        found = re.search(rb'name="ticket" value="([^"]+)"', self.body)
        assert found, self.body
        return found[1].decode()


class Browser:
    """An operator's browser and a partner's program, in this process."""

    def __init__(self, world: World, client: OAuthClient, secret: str, key: Key) -> None:
        self.world, self.client, self.secret, self.key = world, client, secret, key
        services = Services(
            database=world.database,
            tokens=VerifiedTokens(),
            metrics=Metrics(),
            clock=time.time,
            files=cast("Files", None),  # nothing here attaches a file
        )
        self.edge = Edge(services, [oauth.FACADE, sunshine_v2.FACADE], Starlette())

    async def send(self, method: str, path: str, body: bytes = b"", query: str = "", **headers: str) -> Reply:
        sent = {name.replace("_", "-").encode(): value.encode() for name, value in headers.items()}
        scope = {
            "type": "http", "method": method, "scheme": "http", "raw_path": path.encode(), "path": path,
            "query_string": query.encode(), "headers": [(b"host", b"chat.example"), *sent.items()],
        }  # fmt: skip
        answered: list[Any] = []

        async def receive() -> dict[str, object]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def keep(message: Any) -> None:
            answered.append(message)

        await self.edge(scope, receive, keep)
        found = {name.decode(): value.decode() for name, value in answered[0]["headers"]}
        return Reply(answered[0]["status"], found, answered[1]["body"])

    async def ask(self, **query: str) -> Reply:
        return await self.send("GET", "/oauth/authorize", query=urlencode(self.request(**query)))

    async def post(self, fields: dict[str, str], **headers: str) -> Reply:
        headers = {"content_type": "application/x-www-form-urlencoded", **headers}
        return await self.send("POST", "/sc/oauth/authorize", urlencode(fields).encode(), **headers)

    async def show_key(self, **changed: str) -> Reply:
        shown = {"key_id": self.key.id, "key_secret": self.key.secret or "", "decision": "continue"}
        return await self.post({**self.request(), **shown, **changed})

    async def code(self, **query: str) -> str:
        page = await self.show_key(**query)
        reply = await self.post({"ticket": page.ticket, "app_id": self.world.app.id, "decision": "allow"})
        return reply.sent_to[1]["code"]

    async def exchange(self, code: str, **changed: str) -> Reply:
        body = {
            "code": code, "grant_type": "authorization_code", "client_id": self.client.id,
            "client_secret": self.secret, **changed,
        }  # fmt: skip
        given = msgspec.json.encode({name: value for name, value in body.items() if value})
        return await self.send("POST", "/oauth/token", given, content_type="application/json")

    async def token(self) -> str:
        return (await self.exchange(await self.code())).json["access_token"]

    async def info(self, token: str) -> Reply:
        return await self.send("GET", "/v2/tokenInfo", authorization=f"Bearer {token}")

    def request(self, **changed: str) -> dict[str, str]:
        asked = {"client_id": self.client.id, "response_type": "code", "state": "s &é", **changed}
        return {name: value for name, value in asked.items() if value}


async def partner(world: World, scope: Scope = "app") -> Browser:
    client, secret = await world.do(register_client, "Helpdesk <b>", (CALLBACK, SECOND))
    return Browser(world, client, secret, await world.do(create_key, world.app.account_id, "k", scope))


async def test_an_operator_agrees_and_the_program_acts_on_the_app(world: World) -> None:
    browser = await partner(world)
    page = await browser.ask()
    assert page.status == 200
    assert b"Helpdesk &lt;b&gt;" in page.body
    to, answer = (
        await browser.post({
            "ticket": (await browser.show_key()).ticket, "app_id": world.app.id, "decision": "allow",
        })
    ).sent_to  # fmt: skip
    assert (to, answer["state"], answer["tenant"]) == ("https://partner.example/cb", "s &é", "7")
    given = await browser.exchange(answer["code"])
    assert (given.status, given.json["token_type"], given.headers["cache-control"]) == (200, "Bearer", "no-store")
    token = given.json["access_token"]
    assert (await browser.info(token)).json["app"]["id"] == world.app.id
    users = await browser.send(
        "POST", f"/v2/apps/{world.app.id}/users", b'{"externalId":"1"}', authorization=f"Bearer {token}"
    )
    assert users.status == 201
    assert (await browser.send("GET", f"/v2/apps/{world.app.id}", authorization=f"Bearer {token}")).status == 403
    hook = await browser.send(
        "POST",
        f"/v2/apps/{world.app.id}/integrations/me/webhooks",
        b'{"target":"https://partner.example/hook","triggers":["client:add"]}',
        authorization=f"Bearer {token}",
    )
    assert hook.status == 201
    [integration] = (await world.snapshot())["integrations"]
    assert (integration["type"], integration["display_name"]) == (browser.client.id, "Helpdesk <b>")


async def test_nothing_secret_is_stored_or_told(world: World) -> None:
    browser = await partner(world)
    page = await browser.show_key()
    assert (browser.key.secret or "").encode() not in page.body
    code = await browser.code()
    token = (await browser.exchange(code)).json["access_token"]
    everything = repr(await world.snapshot()) + repr(await world.database.rows("SELECT * FROM oauth_clients"))
    for secret in (page.ticket, code, token, browser.secret, browser.key.secret or "?"):
        assert secret not in everything


async def test_an_accounts_key_chooses_among_its_apps_and_an_apps_key_has_one(world: World) -> None:
    other = await world.another_app()
    browser = await partner(world, "account")
    foreign = await browser.show_key()
    assert b"<select" in foreign.body
    reply = await browser.post({"ticket": foreign.ticket, "app_id": other.app.id, "decision": "allow"})
    token = (await browser.exchange(reply.sent_to[1]["code"])).json["access_token"]
    assert (await browser.info(token)).json["app"]["id"] == other.app.id
    browser = await partner(world)
    page = await browser.show_key()
    refused = await browser.post({"ticket": page.ticket, "app_id": other.app.id, "decision": "allow"})
    assert refused.status == 400
    assert (await world.snapshot())["oauth_codes"] == []


async def test_who_does_not_show_a_key_gets_nowhere(world: World) -> None:
    browser = await partner(world)
    integration = await world.do(create_integration, "custom")
    weak = await world.do(create_key, world.app.account_id, "i", "integration", integration.id)
    for changed in (
        {"key_secret": "wrong"}, {"key_secret": ""}, {"key_id": "app_" + "0" * 24}, {"key_id": "x"},
        {"key_id": weak.id, "key_secret": weak.secret or ""},
    ):  # fmt: skip
        page = await browser.show_key(**changed)
        assert (page.status, b"ticket" in page.body, b"alert" in page.body) == (403, False, True)
    assert (await browser.post({"ticket": "x", "app_id": world.app.id, "decision": "allow"})).status == 400


async def test_saying_no_is_told_to_the_program(world: World) -> None:
    browser = await partner(world)
    to, answer = (await browser.show_key(key_id="", key_secret="", decision="deny")).sent_to
    assert (to, answer["error"], answer["state"]) == ("https://partner.example/cb", "access_denied", "s &é")
    page = await browser.show_key()
    assert (await browser.post({"ticket": page.ticket, "decision": "deny"})).sent_to[1]["error"] == "access_denied"
    again = await browser.post({"ticket": page.ticket, "app_id": world.app.id, "decision": "allow"})
    assert again.status == 400, "it was answered already"


@pytest.mark.parametrize(
    "wrong",
    [
        {"client_id": "0" * 24}, {"client_id": ""}, {"redirect_uri": "https://evil.example/"},
        {"redirect_uri": "https://partner.example/cb"}, {"redirect_uri": CALLBACK + "&x=1"},
        {"redirect_uri": "https://partner.example/second/"}, {"redirect_uri": "javascript:alert(1)"},
    ],
)  # fmt: skip
async def test_nobody_is_sent_to_an_address_that_is_not_the_programs(world: World, wrong: dict[str, str]) -> None:
    """RFC 9700, 4.1: compared exactly, and told to the operator alone."""
    browser = await partner(world)
    for reply in (await browser.ask(**wrong), await browser.show_key(**wrong), await browser.show_key(
        decision="deny", **wrong
    )):  # fmt: skip
        assert (reply.status, "location" in reply.headers) == (400, False)
        assert b"evil.example" not in reply.body


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": ""}, "invalid_request"),
        ({"code_challenge": CHALLENGE, "code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge": CHALLENGE}, "invalid_request"),
        ({"code_challenge": "short", "code_challenge_method": "S256"}, "invalid_request"),
        ({"code_challenge_method": "S256"}, "invalid_request"),
    ],
)
async def test_what_is_wrong_is_told_to_the_program(world: World, wrong: dict[str, str], error: str) -> None:
    browser = await partner(world)
    to, answer = (await browser.ask(redirect_uri=SECOND, **wrong)).sent_to
    assert (to, answer["error"], answer["state"]) == (SECOND, error, "s &é")


async def test_a_parameter_comes_once(world: World) -> None:
    browser = await partner(world)
    reply = await browser.send("GET", "/oauth/authorize", query=urlencode(browser.request()) + "&state=2")
    assert reply.status == 400
    reply = await browser.send("GET", "/oauth/authorize", query=urlencode(browser.request(state="a\x00b")))
    assert reply.status == 400


async def test_the_pages_cannot_be_framed_cached_or_scripted(world: World) -> None:
    browser = await partner(world)
    for page in (await browser.ask(), await browser.show_key(), await browser.ask(client_id="x")):
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert page.headers["x-frame-options"] == "DENY"
        assert page.headers["cache-control"] == "no-store"
    assert "form-action 'self' https://partner.example" in (await browser.ask()).headers["content-security-policy"]


@pytest.mark.parametrize(
    "headers",
    [{"origin": "https://evil.example"}, {"origin": "null"}, {"sec_fetch_site": "cross-site"},
     {"sec_fetch_site": "same-site"}],
)  # fmt: skip
async def test_a_form_that_another_site_sends_is_refused(world: World, headers: dict[str, str]) -> None:
    browser = await partner(world)
    shown = {"key_id": browser.key.id, "key_secret": browser.key.secret or "", "decision": "continue"}
    assert (await browser.post({**browser.request(), **shown}, **headers)).status == 400
    own = await browser.post(
        {**browser.request(), **shown}, origin="https://chat.example", sec_fetch_site="same-origin"
    )
    assert own.status == 200


async def test_a_code_is_good_for_once_and_shown_again_ends_its_token(world: World) -> None:
    """RFC 6749, 4.1.2: whoever shows it again may have stolen it."""
    browser = await partner(world)
    other = await browser.token()
    code = await browser.code()
    token = (await browser.exchange(code)).json["access_token"]
    again = await browser.exchange(code)
    assert (again.status, again.json["error"], again.headers["cache-control"]) == (400, "invalid_grant", "no-store")
    assert (await browser.info(token)).status == 401
    assert (await browser.info(other)).status == 200, "what another code was exchanged for stays"


async def test_a_code_dies_after_ten_minutes(world: World, clock: Clock) -> None:
    browser = await partner(world)
    code, page = await browser.code(), await browser.show_key()
    clock.skip(CODE_MS)
    assert (await browser.exchange(code)).json["error"] == "invalid_grant"
    assert (await browser.post({"ticket": page.ticket, "app_id": world.app.id, "decision": "allow"})).status == 400


async def test_a_code_is_for_its_client_and_its_address(world: World) -> None:
    browser, thief = await partner(world), await partner(world)
    code = await browser.code()
    assert (await thief.exchange(code)).json["error"] == "invalid_grant"
    assert (await browser.exchange(code, redirect_uri=SECOND)).json["error"] == "invalid_grant"
    assert (await browser.exchange("nothing")).json["error"] == "invalid_grant"
    assert (await browser.exchange(code, redirect_uri=CALLBACK)).status == 200


@pytest.mark.parametrize(
    ("changed", "status", "error"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"client_id": "0" * 24}, 401, "invalid_client"),
        ({"client_secret": ""}, 401, "invalid_client"),
        ({"grant_type": ""}, 400, "invalid_request"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"code": ""}, 400, "invalid_request"),
        ({"code_verifier": VERIFIER}, 400, "invalid_grant"),
    ],
)
async def test_errors_are_those_of_the_rfc(world: World, changed: dict[str, str], status: int, error: str) -> None:
    browser = await partner(world)
    code = await browser.code()
    reply = await browser.exchange(changed.pop("code", code), **changed)
    assert (reply.status, reply.json["error"], "error_description" in reply.json) == (status, error, True)
    assert ("www-authenticate" in reply.headers) == (status == 401)
    assert (await browser.exchange(code)).status == 200, "a failed attempt does not use the code up"


async def test_a_client_may_authenticate_by_basic_and_send_a_form(world: World) -> None:
    browser = await partner(world)
    basic = "Basic " + base64.b64encode(f"{browser.client.id}:{browser.secret}".encode()).decode()
    form = {"grant_type": "authorization_code", "code": await browser.code()}
    kind = "application/x-www-form-urlencoded; charset=utf-8"

    async def post(fields: dict[str, str], authorization: str) -> Reply:
        sent = urlencode(fields).encode()
        return await browser.send("POST", "/sc/oauth/token", sent, authorization=authorization, content_type=kind)

    assert (await post(form | {"client_secret": browser.secret}, basic)).json["error"] == "invalid_request"
    assert (await post(form | {"client_id": "other"}, basic)).json["error"] == "invalid_client"
    for nonsense in ("Basic %%%", "Bearer x", "Basic " + base64.b64encode(b"\xff:").decode()):
        assert (await post(form, nonsense)).status == 401
    assert (await post(form, basic)).status == 200


async def test_a_verifier_is_asked_for_when_there_was_a_challenge(world: World) -> None:
    browser = await partner(world)
    code = await browser.code(code_challenge=CHALLENGE, code_challenge_method="S256")
    assert (await browser.exchange(code)).json["error"] == "invalid_grant"
    assert (await browser.exchange(code, code_verifier="w" * 43)).json["error"] == "invalid_grant"
    assert (await browser.exchange(code, code_verifier=VERIFIER)).status == 200


async def test_revoking_takes_the_integration_its_webhooks_and_its_tokens_away(world: World) -> None:
    browser = await partner(world)
    one, two = await browser.token(), await browser.token()
    assert len((await world.snapshot())["integrations"]) == 1, "one integration, however often it is connected"
    revoked = await browser.send("DELETE", "/sc/oauth/authorization", authorization=f"Bearer {one}")
    assert (revoked.status, revoked.json) == (200, {})
    for token in (one, two):
        assert (await browser.info(token)).status == 401
    snapshot = await world.snapshot()
    assert snapshot["integrations"] == snapshot["webhooks"] == snapshot["oauth_tokens"] == []
    assert (await browser.info(await browser.token())).status == 200, "it may be connected again"


async def test_only_an_integration_revokes_itself(world: World) -> None:
    browser = await partner(world)
    basic = "Basic " + base64.b64encode(f"{browser.key.id}:{browser.key.secret}".encode()).decode()
    assert (await browser.send("DELETE", "/oauth/authorization", authorization=basic)).status == 403
    assert (await browser.send("DELETE", "/oauth/authorization")).status == 401


async def test_tokens_end_with_their_integration_or_their_client(world: World) -> None:
    browser = await partner(world)
    token = await browser.token()
    [integration] = (await world.snapshot())["integrations"]
    await world.do(delete_integration, integration["id"])
    assert (await browser.info(token)).status == 401
    token = await browser.token()
    await world.do(unregister_client, browser.client.id)
    assert (await browser.info(token)).status == 401


async def test_a_key_that_was_deleted_meanwhile_grants_nothing(world: World) -> None:
    browser = await partner(world)
    page = await browser.show_key()
    await world.do(delete_key, browser.key.id)
    assert (await browser.post({"ticket": page.ticket, "app_id": world.app.id, "decision": "allow"})).status == 400


async def test_the_oldest_token_goes_for_one_too_many(world: World) -> None:
    browser = await partner(world)
    tokens = [await browser.token() for _ in range(TOKENS_AT_MOST + 1)]
    assert [(await browser.info(token)).status for token in tokens] == [401, *[200] * TOKENS_AT_MOST]


async def test_what_only_looks_like_a_token_opens_nothing(world: World) -> None:
    browser = await partner(world)
    for token in ("oat_", "oat_x", "oat_" + "x" * 43, "oat_a.b.c"):
        reply = await browser.info(token)
        assert (reply.status, reply.json["errors"][0]["cause"]) == (401, "oauth.token.unknown")


@pytest.mark.parametrize(
    "uri",
    ["", "/cb", "http://partner.example/cb", "https://partner.example/#x", "https://u:p@partner.example/",
     "javascript:alert(1)", "https://", "https://partner.example/ x", "https://partner.example/é", "ftp://x/",
     "https://partner.example\\@evil.example/", "https://[::1", "https://x:99999/", "x" * 3000, "https://a/\"'<"],
)  # fmt: skip
def test_what_cannot_be_a_redirect_address_is_not_registered(uri: str) -> None:
    with pytest.raises(InvalidRedirect):
        check_redirect(uri)


def test_this_machine_and_https_can() -> None:
    for uri in ("https://partner.example/cb", "http://localhost:3000/", "http://127.0.0.1/x?y", "http://[::1]:1/"):
        assert check_redirect(uri) == uri


async def test_a_program_without_an_address_is_not_registered(world: World) -> None:
    with pytest.raises(InvalidRedirect):
        await world.do(register_client, "x", ())


@given_values(st.text(), st.text())
def test_an_answer_says_what_it_is_told_and_keeps_the_address(code: str, state: str) -> None:
    code, state = (text.encode("utf-8", "replace").decode() for text in (code, state))
    sent = with_answer(CALLBACK, code=code, state=state, error=None)
    assert sent.startswith(CALLBACK + "&")
    assert parse_qs(urlsplit(sent).query, keep_blank_values=True) == {
        "tenant": ["7"], "code": [code], "state": [state],
    }  # fmt: skip


@given_values(st.from_regex(r"[A-Za-z0-9\-._~]{43,128}", fullmatch=True), st.text())
def test_a_challenge_is_met_by_its_verifier_alone(verifier: str, other: str) -> None:
    challenge = base64.urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    assert is_challenge(challenge)
    assert meets(challenge, verifier)
    assert meets(challenge, other) == (other == verifier)
