"""A deleted key opens nothing any more (R5): at once where it was deleted, within one second everywhere else."""

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from tests.e2e.acme import Acme, Key, Shop, basic, bearer, command, new_external_id, seconds_until, send, server_on

EVERYWHERE_S = 1.0


def ways_in(acme: Acme, key: Key) -> dict[str, str]:
    """Everything that the key opens, each of which was used before, so that all caches hold it."""
    external_id = new_external_id()
    app_token, user_token = key.sign(scope="app"), acme.token(external_id, key=key)
    acme.secrets.keep(app_token, key.secret)
    acme.log_in(user_token)
    return {
        "basic": basic(key.id, key.secret),
        "app token": bearer(app_token),
        f"user token /appusers/{external_id}": bearer(user_token),
    }


def statuses(acme: Acme, ways: dict[str, str], url: str | None = None) -> list[int]:
    """What each way in answers now."""
    base = url or acme.server.url
    found = []
    for name, authorization in ways.items():
        path = f"/v2/apps/{acme.app_id}/users?filter[identities.email]=a@example.org"
        if name.startswith("user token"):
            path = f"/sdk/v2/apps/{acme.app_id}{name.removeprefix('user token ')}"
        found.append(send(base, "GET", path, None, authorization).status)
    return found


def all_refused(acme: Acme, ways: dict[str, str], url: str | None = None) -> bool:
    return statuses(acme, ways, url) == [401] * len(ways)


def test_basic_and_cached_tokens_die_with_the_answer_that_deletes_their_key(acme: Acme) -> None:
    doomed, spared = acme.new_key("doomed"), acme.new_key("spared")
    ways, other = ways_in(acme, doomed), ways_in(acme, spared)
    for _ in range(3):
        assert statuses(acme, ways) + statuses(acme, other) == [200] * 6
    acme.delete_key(doomed.id)
    assert statuses(acme, ways) == [401] * 3
    assert statuses(acme, other) == [200] * 3
    assert acme.log_in(acme.token(new_external_id(), key=doomed)).error == (401, "invalid_auth", "jwt.kid.unknown")
    again = acme.v2("DELETE", f"/keys/{doomed.id}", None, acme.as_account)
    assert again.error[:2] == (404, "not_found")


def test_deleting_an_app_kills_its_keys_at_once(shop: Shop) -> None:
    acme = shop.new_app("short-lived")
    ways = ways_in(acme, acme.key)
    assert statuses(acme, ways) == [200] * 3
    assert acme.v2("DELETE", "", None, acme.as_account).status == 200
    assert statuses(acme, {name: way for name, way in ways.items() if "user" not in name}) == [401, 401]
    assert statuses(acme, ways)[2] in (401, 404)


def test_a_key_deleted_by_the_command_line_is_dead_within_one_second(acme: Acme) -> None:
    doomed = acme.new_key("doomed")
    ways = ways_in(acme, doomed)
    last_success = {"at": 0.0}
    stop = threading.Event()

    def use_it_all_the_time() -> None:
        """So that whatever is cached is as fresh as can be."""
        while not stop.is_set():
            asked_at = time.monotonic()
            if 200 in statuses(acme, ways):
                last_success["at"] = asked_at

    using = threading.Thread(target=use_it_all_the_time)
    using.start()
    try:
        command("keys", "delete", doomed.id, database=acme.server.database)
        deleted_by = time.monotonic()
        seconds_until(partial(all_refused, acme, ways), EVERYWHERE_S)
    finally:
        stop.set()
        using.join()
    assert last_success["at"] < deleted_by + EVERYWHERE_S
    assert statuses(acme, ways) == [401] * 3


@pytest.mark.parametrize("shop", ["postgres"], indirect=True)
def test_a_key_deleted_at_one_server_is_dead_at_another_within_one_second(shop: Shop) -> None:
    acme = shop.new_app()
    with server_on(shop.server.database) as other:
        for _ in range(3):
            doomed = acme.new_key("doomed")
            ways = ways_in(acme, doomed)
            assert statuses(acme, ways, other.url) == [200] * 3
            acme.delete_key(doomed.id)
            elapsed = seconds_until(partial(all_refused, acme, ways, other.url), EVERYWHERE_S)
            assert elapsed < EVERYWHERE_S
            assert statuses(acme, ways, other.url) == [401] * 3
        acme.secrets.assert_not_in(other.log_text() + shop.server.log_text())


def test_an_app_has_several_live_keys_and_at_most_ten(acme: Acme) -> None:
    """So that a business can change its key without signing anybody out."""
    keys = [acme.key, *(acme.new_key(f"key {number}") for number in range(9))]
    external_id = new_external_id()
    ids = {acme.log_in(acme.token(external_id, key=key)).json["appUser"]["_id"] for key in keys}
    assert len(ids) == 1
    eleventh = acme.v2("POST", "/keys", {"displayName": "eleventh"}, acme.as_account)
    assert eleventh.error[:2] == (400, "bad_request")
    acme.delete_key(keys[0].id)
    assert acme.log_in(acme.token(external_id, key=keys[0])).status == 401
    assert acme.log_in(acme.token(external_id, key=keys[5])).status == 200


def test_a_key_of_one_app_opens_nothing_of_another(shop: Shop, acme: Acme) -> None:
    other = shop.new_app("another")
    token = acme.token(new_external_id())
    reply = send(shop.server.url, "POST", f"/sdk/v2/apps/{other.app_id}/login", {}, bearer(token))
    assert reply.error == (401, "invalid_auth", "jwt.key.other_app")
    assert send(shop.server.url, "GET", f"/v2/apps/{other.app_id}/users/x", None, acme.as_backend).error[0] == 403


def pem_of(private: Any) -> str:
    text: bytes = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return text.decode()


ALGORITHMS: dict[str, Callable[[], Any]] = {
    "RS256": lambda: rsa.generate_private_key(65537, 2048),
    "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate,
}


def signed_with_public_text(pem: str, kid: str, claims: dict[str, Any]) -> str:
    """The classical confusion: the public key's text as if it were a shared secret. PyJWT refuses to sign like this."""

    def part(data: bytes) -> str:
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

    head = part(json.dumps({"alg": "HS256", "typ": "JWT", "kid": kid}).encode())
    body = part(json.dumps(claims).encode())
    return f"{head}.{body}.{part(hmac.digest(pem.encode(), f'{head}.{body}'.encode(), hashlib.sha256))}"


@pytest.mark.parametrize("algorithm", list(ALGORITHMS))
def test_a_registered_public_key_lets_its_private_half_sign_users_in(acme: Acme, algorithm: str) -> None:
    private, stranger = ALGORITHMS[algorithm](), ALGORITHMS[algorithm]()
    pem = pem_of(private)
    made = acme.v2("POST", "/keys", {"displayName": algorithm, "publicKey": pem}, acme.as_account)
    assert made.status == 201, made.body
    kid = made.json["key"]["id"]
    assert "secret" not in made.json["key"]
    claims = {"scope": "user", "external_id": new_external_id()}

    token = jwt.encode(claims, private, algorithm, headers={"kid": kid})
    acme.secrets.keep(token)
    assert acme.log_in(token).status == 200
    assert acme.user(claims["external_id"])["authenticated"] is True

    forged = jwt.encode(claims, stranger, algorithm, headers={"kid": kid})
    assert acme.log_in(forged).error == (401, "invalid_auth", "jwt.signature")
    for text in (pem, pem.strip(), pem.replace("\n", "\r\n"), ""):
        confused = signed_with_public_text(text, kid, claims)
        assert acme.log_in(confused).error == (401, "invalid_auth", "jwt.alg.mismatch")
    for password in ("", pem, "None"):
        assert acme.v2("GET", "/users/x", None, basic(kid, password)).status == 401

    acme.delete_key(kid)
    assert acme.log_in(token).error == (401, "invalid_auth", "jwt.kid.unknown")


def test_keys_that_protect_nothing_are_not_registered(acme: Acme) -> None:
    good = ALGORITHMS["ES256"]()
    private = good.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    weak = (
        private,
        pem_of(rsa.generate_private_key(65537, 1024)),  # noqa: S505  that is the point
        pem_of(ec.generate_private_key(ec.SECP384R1())),
        "not a key",
        "",
    )
    for pem in weak:
        reply = acme.v2("POST", "/keys", {"displayName": "weak", "publicKey": pem}, acme.as_account)
        assert reply.error[:2] == (400, "bad_request"), pem
    assert len(acme.v2("GET", "/keys", None, acme.as_account).json["keys"]) == 1
