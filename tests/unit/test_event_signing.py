"""What vouches for a call in FusionAuth's format, verified as a receiver would, with libraries."""

import base64
import hashlib
import json
import time
from typing import Any

import jwt
import msgspec
import pytest
from msgspec import structs
from standardwebhooks import Webhook as StandardWebhook

from knownas.deliveries import Cursor, Recorded
from knownas.delivery.request import envelope, headers, timeouts_of
from knownas.delivery.signing import make_signing_key
from knownas.http import jwks, pages
from knownas.ids import uuid_of
from knownas.webhooks import Told, Webhook, as_standard
from knownas.webhooks.create_event_webhook import create_event_webhook
from knownas.webhooks.event_options import CallOptions, EventWebhookOptions, SigningAlgorithm, SigningKey
from tests.given import World
from tests.unit.facade import services_of

ALGORITHMS: tuple[SigningAlgorithm, ...] = ("HS256", "RS256", "ES256", "EdDSA")
ASYMMETRIC = ALGORITHMS[1:]
SECRET = "a secret of the receiver's"
CALL = CallOptions(500, 1500, {"X-Shop": "acme", "X-API-Key": "theirs"}, None, None, "")
WEBHOOK = Webhook(
    "e" * 24, "a" * 24, "", "https://example.org/", ("user.loginId.duplicate.update",), True, True, SECRET, 1,
    format="fusionauth", call=CALL,
)  # fmt: skip
EVENT = Recorded(Cursor(0, 7), "a" * 24, "c" * 24, 3, "0123456789ab" * 2, "identity.contested", "{}", 1_590_076_410_197)
BODY = envelope(EVENT, WEBHOOK, Told("user.loginId.duplicate.update", {"info": {}, "name": "Ada ✓"}))


@pytest.fixture
def now() -> int:
    """The library takes five minutes of difference, and a whole run of the tests takes longer."""
    return int(time.time() * 1000)


def signed_with(key: SigningKey | None) -> Webhook:
    return structs.replace(WEBHOOK, call=structs.replace(CALL, signing_key=key))


def test_the_envelope_is_fusionauths() -> None:
    assert msgspec.json.decode(BODY) == {
        "event": {
            "id": uuid_of(EVENT.id),
            "type": "user.loginId.duplicate.update",
            "createInstant": 1_590_076_410_197,
            "tenantId": uuid_of("a" * 24),
            "info": {},
            "name": "Ada ✓",
        }
    }


def test_the_headers_are_its_own_and_ours(now: int) -> None:
    sent = headers(WEBHOOK, EVENT.id, BODY, now)
    assert set(sent) == {
        "x-shop", "x-api-key", "content-type", "user-agent", "webhook-id", "webhook-timestamp", "webhook-signature",
    }  # fmt: skip
    assert (sent["x-shop"], sent["x-api-key"], sent["content-type"]) == ("acme", "theirs", "application/json")
    assert sent["webhook-id"] == msgspec.json.decode(BODY)["event"]["id"]
    timeouts = timeouts_of(WEBHOOK)
    assert timeouts is not None
    assert (timeouts.connect_s, timeouts.read_s) == (0.5, 1.5)


def test_basic_credentials_are_as_in_rfc_7617(now: int) -> None:
    call = structs.replace(CALL, http_username="ada", http_password="a:b ✓")
    sent = headers(structs.replace(WEBHOOK, call=call), EVENT.id, BODY, now)
    scheme, _, pair = sent["authorization"].partition(" ")
    assert (scheme, base64.b64decode(pair).decode()) == ("Basic", "ada:a:b ✓")


def test_a_standard_library_verifies_the_call_also_while_the_secret_is_rotated(now: int) -> None:
    rotating = structs.replace(WEBHOOK, secret="the new secret", former_secret=SECRET, former_until=now + 1)
    for webhook, secret in ((WEBHOOK, SECRET), (rotating, SECRET), (rotating, "the new secret")):
        sent = headers(webhook, EVENT.id, BODY, now)
        assert StandardWebhook(as_standard(secret)).verify(BODY, sent)["event"]["name"] == "Ada ✓"


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_jwt_is_over_exactly_the_body_and_says_nothing_else(algorithm: SigningAlgorithm, now: int) -> None:
    key = make_signing_key(algorithm)
    token = headers(signed_with(key), EVENT.id, BODY, now)["x-fusionauth-signature-jwt"]
    assert jwt.get_unverified_header(token) == {"alg": algorithm, "typ": "JWT", "kid": key.id}
    verifier: Any = key.private if key.public is None else jwt.PyJWK(key.public)
    assert jwt.decode(token, verifier, algorithms=[algorithm]) == {
        "request_body_sha256": base64.b64encode(hashlib.sha256(BODY).digest()).decode()
    }
    other = make_signing_key(algorithm)
    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(token, other.private if other.public is None else jwt.PyJWK(other.public), algorithms=[algorithm])


async def key_set(world: World, query: str = "") -> Any:
    """What the server publishes, as a receiver fetches it."""
    page = pages.served_with(services_of(world), jwks.key_set)
    answer = await page(_request(query))
    assert answer.headers["content-type"] == "application/json"
    return json.loads(bytes(answer.body))


def _request(query: str) -> Any:
    from starlette.requests import Request

    return Request({"type": "http", "method": "GET", "path": "/", "query_string": query.encode(), "headers": []})


async def test_a_receiver_finds_the_key_in_the_published_set(world: World, now: int) -> None:
    made = {}
    for algorithm in ALGORITHMS:
        key = make_signing_key(algorithm)
        options = EventWebhookOptions("https://example.org/", ("user.loginId.duplicate.update",))
        made[algorithm] = (await world.do(create_event_webhook, options, key), key)
    published = jwt.PyJWKSet.from_dict(await key_set(world))
    assert {key.key_id for key in published.keys} == {made[one][1].id for one in ASYMMETRIC}
    for algorithm in ASYMMETRIC:
        webhook, _ = made[algorithm]
        token = headers(webhook, EVENT.id, BODY, now)["x-fusionauth-signature-jwt"]
        found = published[jwt.get_unverified_header(token)["kid"]]
        assert "request_body_sha256" in jwt.decode(token, found, algorithms=[algorithm])


async def test_a_receiver_may_ask_for_its_own_apps_keys(world: World) -> None:
    other = await world.another_app()
    options = EventWebhookOptions("https://example.org/", ())
    mine, others = make_signing_key("EdDSA"), make_signing_key("EdDSA")
    await world.do(create_event_webhook, options, mine)
    await other.do(create_event_webhook, options, others)
    assert await key_set(world, f"app={world.app.id}") == {"keys": [mine.public]}
    assert await key_set(world, f"app={uuid_of(other.app.id)}") == {"keys": [others.public]}
    assert await key_set(world, "app=nonsense") == await key_set(world, f"app={'0' * 24}") == {"keys": []}
    assert len((await key_set(world))["keys"]) == 2
