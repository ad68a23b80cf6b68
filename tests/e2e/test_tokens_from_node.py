"""A Node backend signs tokens as the vendor documents it, with jsonwebtoken 9, and they are understood."""

import json
import subprocess
import time
from typing import Any

from tests.e2e.acme import Acme, new_email, new_external_id
from tests.servers import NODE


def signed(acme: Acme, *orders: dict[str, Any]) -> list[str]:
    """One token per order, signed by Node with the app's key unless the order says otherwise."""
    given = [{"kid": acme.key.id, "secret": acme.key.secret, **order} for order in orders]
    done = subprocess.run(
        ["node", str(NODE / "sign.js")],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert done.returncode == 0, done.stderr
    answers = json.loads(done.stdout)
    assert not [answer for answer in answers if "error" in answer], answers
    tokens = [answer["token"] for answer in answers]
    acme.secrets.keep(*tokens)
    return tokens


def test_the_vendors_sample_signs_a_user_in(acme: Acme) -> None:
    external_id, email = new_external_id(), new_email()
    claims = {
        "scope": "user",
        "external_id": external_id,
        "email": email,
        "email_verified": True,
        "name": "Ada Lovelace",
    }
    future = str(int(time.time()) + 3600)
    for token in signed(
        acme,
        {"claims": claims},
        {"claims": claims | {"exp": future}, "asText": True},
        {"claims": claims | {"exp": int(future)}},
        {"claims": {"scope": "appUser", "userId": external_id}},
    ):
        reply = acme.log_in(token, userId=external_id)
        assert reply.status == 200, reply.body
        shown = reply.json["appUser"]
        assert (shown["userId"], shown["givenName"], shown["surname"]) == (external_id, "Ada", "Lovelace")
    user = acme.user(external_id)
    assert user["authenticated"] is True
    assert [(identity["type"], identity["value"]) for identity in user["identities"]] == [("email", email)]


def test_an_expiry_written_as_a_string_is_believed_when_it_is_over(acme: Acme) -> None:
    """The vendor's sample says `exp: "1542499200"`, which was in 2018."""
    external_id = new_external_id()
    claims: dict[str, Any] = {"scope": "user", "external_id": external_id}
    for token in signed(
        acme,
        {"claims": claims | {"exp": "1542499200"}, "asText": True},
        {"claims": claims | {"exp": str(int(time.time()) - 120)}, "asText": True},
        {"claims": claims | {"exp": 1542499200}},
    ):
        assert acme.log_in(token).error == (401, "invalid_auth", "jwt.exp.expired")
    assert acme.user(external_id) is None


def test_each_mistake_of_a_backend_has_its_own_cause(acme: Acme) -> None:
    """None of them signs anybody in, and each says what to mend."""
    name = new_external_id()
    user: dict[str, Any] = {"scope": "user", "external_id": name}
    mistakes: dict[str, dict[str, Any]] = {
        "jwt.external_id.not_string": {"claims": user | {"external_id": 1234}},
        "jwt.external_id.missing": {"claims": {"scope": "user"}},
        "jwt.external_id.empty": {"claims": user | {"external_id": ""}},
        "jwt.scope.missing": {"claims": {"external_id": name}},
        "jwt.scope.not_user": {"claims": {"scope": "app"}},
        "jwt.scope.wrong_key": {"claims": user | {"scope": "account"}},
        "jwt.exp.malformed": {"claims": user | {"exp": "tomorrow"}, "asText": True},
        "jwt.kid.not_string": {"claims": user, "header": {"kid": None}},
        "jwt.kid.unknown": {"claims": user, "kid": "app_5d8cff3cd55b040010928b5b"},
        "jwt.signature": {"claims": user, "secret": "another secret, as long as a secret should be"},
        "jwt.alg.mismatch": {"claims": user, "header": {"alg": "HS512"}},
        "jwt.alg.none": {"claims": user, "header": {"alg": "none"}},
    }
    for cause, token in zip(mistakes, signed(acme, *mistakes.values()), strict=True):
        assert acme.log_in(token).error == (401, "invalid_auth", cause)
    assert acme.user(name) is None


def test_a_token_without_kid_gets_the_vendors_words(acme: Acme) -> None:
    """What becomes of `header` when it is spelled as older releases of jsonwebtoken had it."""
    script = "const jwt = require('jsonwebtoken'); const [claims, secret] = JSON.parse(process.argv[1]);"
    claims = {"scope": "user", "external_id": new_external_id()}
    done = subprocess.run(
        [
            "node",
            "-e",
            f"{script} process.stdout.write(jwt.sign(claims, secret))",
            json.dumps([claims, acme.key.secret]),
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
        cwd=NODE,
    )
    acme.secrets.keep(done.stdout)
    reply = acme.log_in(done.stdout)
    assert reply.error == (401, "invalid_auth", "jwt.kid.missing")
    assert reply.json["error"]["description"] == "Invalid JWT header. Missing key id (kid)"


def test_an_unverified_email_is_a_label_that_contests_nothing(acme: Acme) -> None:
    email, owner = new_email(), new_external_id()
    orders: list[dict[str, Any]] = [
        {"claims": {"scope": "user", "external_id": name, "email": email} | verified}
        for name, verified in (
            (owner, {"email_verified": True}),
            (new_external_id(), {}),
            (new_external_id(), {"email_verified": False}),
            (new_external_id(), {"email_verified": "true"}),
            (new_external_id(), {"email_verified": 1}),
        )
    ]
    for order, token in zip(orders, signed(acme, *orders), strict=True):
        assert acme.log_in(token).status == 200
        name = order["claims"]["external_id"]
        assert bool(acme.user(name)["identities"]) == (name == owner)
