"""The walk: OAuth, from the page that asks an operator to the end of the access."""

import re
from urllib.parse import parse_qs, urlencode, urlsplit

from tests.e2e.client_walk_models import OLDER
from tests.e2e.client_walk_world import World, chapter, refused, secrets


@chapter
def token_info(world: World) -> None:
    # The client's own operation sends no credentials unless they are its default headers.
    client = world.client()
    client.set_default_header("Authorization", world.of_app.configuration.get_basic_auth_token())
    assert world.api("OAuthEndpointsApi", client).get_token_info().app.id == world.app
    with refused(401, "unauthorized", "Authorization is required"):
        world.api("OAuthEndpointsApi").get_token_info()


@chapter
def oauth(world: World) -> None:
    oauth = world.api("OAuthEndpointsApi", world.client())
    partner = {name: world.given[name] for name in ("client_id", "client_secret", "redirect_uri")}
    wanted = {"client_id": partner["client_id"], "state": "s1", "redirect_uri": partner["redirect_uri"]}
    # What a browser does follows further down; the client has no use for the page.
    oauth.authorize(wanted["client_id"], "code", state="s1", redirect_uri=wanted["redirect_uri"])

    code = _consent(world, {**wanted, "response_type": "code"})
    request = {
        "code": code,
        "grant_type": "authorization_code",
        "client_id": partner["client_id"],
        "client_secret": partner["client_secret"],
    }
    answer = oauth.get_token(request if OLDER else world.model("GetTokenRequest", **request))
    token, kind = (answer[name] if OLDER else getattr(answer, name) for name in ("access_token", "token_type"))
    assert kind == "Bearer"
    secrets.add(token)

    as_partner = world.client(access_token=token)
    named = world.client()
    named.set_default_header("Authorization", f"Bearer {token}")
    assert world.api("OAuthEndpointsApi", named).get_token_info().app.id == world.app
    user = (
        world.api("UsersApi", as_partner).create_user(world.app, world.model("UserCreateBody", externalId="ada")).user
    )
    assert user.external_id == "ada"
    webhook = world.api("WebhooksApi", as_partner).create_webhook(
        world.app,
        "me",
        world.model("WebhookCreateBody", target="http://127.0.0.1:9/partner", triggers=["user:remove"]),
    )
    assert webhook.webhook.secret
    with refused(403, "forbidden"):
        world.api("IntegrationsApi", as_partner).list_integrations(world.app)

    world.api("OAuthEndpointsApi", as_partner).revoke_access()
    with refused(401, "invalid_auth"):
        world.api("UsersApi", as_partner).get_user(world.app, "ada")
    with refused(401, "invalid_auth"):
        world.api("OAuthEndpointsApi", as_partner).revoke_access()
    assert world.api("UsersApi").get_user(world.app, "ada").user.id == user.id, "what it made stays"
    # Who is no integration has no access to give back.
    with refused(403, "forbidden"):
        world.api("OAuthEndpointsApi").revoke_access()


def _consent(world: World, request: dict[str, str]) -> str:
    """The operator's part in a browser: she shows a key of the app, agrees, and is sent back with a code."""
    form = "application/x-www-form-urlencoded"
    asked = world.send("GET", f"/oauth/authorize?{urlencode(request)}")
    assert (asked.status, "key_secret" in asked.body.decode()) == (200, True), asked.body
    shown = urlencode({**request, "key_id": world.key, "key_secret": world.secret})
    consent = world.send("POST", "/oauth/authorize", shown.encode(), content_type=form)
    assert consent.status == 200, consent.body
    ticket = re.search(r'name="ticket" value="([^"]+)"', consent.body.decode())
    assert ticket, consent.body
    secrets.add(ticket[1])
    agreed = urlencode({"ticket": ticket[1], "decision": "allow", "app_id": world.app})
    sent_back = world.send("POST", "/oauth/authorize", agreed.encode(), content_type=form)
    assert sent_back.status == 302, sent_back.body
    to = urlsplit(sent_back.headers["location"])
    assert f"{to.scheme}://{to.netloc}{to.path}" == request["redirect_uri"]
    answer = parse_qs(to.query)
    assert answer["state"] == ["s1"]
    secrets.add(answer["code"][0])
    return answer["code"][0]
