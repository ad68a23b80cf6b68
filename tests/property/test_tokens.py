"""Whatever a stranger sends, the answer is claims or TokenRefused, and nothing unsigned is believed."""

import hashlib
import hmac
import json
from base64 import urlsafe_b64encode
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from knownas.keys import Key
from knownas.keys.explain import explain
from knownas.keys.parts import read
from knownas.keys.refusals import TokenRefused
from knownas.keys.tokens import ServerClaims, UserClaims, prepare, verify

NOW = 1_750_000_000.0
SECRET = "correct-horse-battery-staple-of-43-characters"
KID = "app_" + "0123456789ab" * 2
HMAC = Key(KID, "account", "app", None, "HS256", "k", 0, None, SECRET)
PREPARED = prepare(HMAC)

TEXT = st.text(st.characters(exclude_categories=[]), max_size=20)
NEARLY = st.sampled_from(["user", "account", "1750000100", 1e308])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT | NEARLY,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
CLAIMS = st.sampled_from("scope external_id userId exp nbf iat email email_verified name aud".split())
HEADERS = st.sampled_from(["kid", "alg", "typ", "crit", "b64", "jku", "jwk"])


def segment(value: Any) -> str:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def signed(header: Any, body: Any) -> str:
    text = f"{segment(header)}.{segment(body)}"
    return f"{text}.{segment(hmac.digest(SECRET.encode(), text.encode(), hashlib.sha256))}"


def outcome(token: str) -> UserClaims | ServerClaims | None:
    """The claims, or None for a refusal; anything else that is raised fails the test."""
    shown = explain(token, HMAC, NOW)
    explain(token, None, NOW)
    claims, cause = None, None
    try:
        claims = verify(read(token), PREPARED, NOW)
    except TokenRefused as refused:
        cause = refused.cause
    assert (shown.accepted, shown.cause) == (claims is not None, cause)
    return claims


@given(TEXT | st.text(alphabet=".abcdefghijklmnopqrstuvwxyz=_-", max_size=200))
@example("..")
@example("[" * 5000)
def test_no_text_breaks_it_or_is_believed(token: str) -> None:
    assert outcome(token) is None


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_no_signed_bytes_break_it(header: bytes, body: bytes) -> None:
    assert outcome(signed(header, body)) is None
    outcome(signed({"alg": "HS256", "kid": KID}, body))


@given(st.dictionaries(HEADERS | TEXT, VALUES, max_size=5))
def test_no_header_breaks_it(members: dict[str, Any]) -> None:
    token = signed({"alg": "HS256", "kid": KID} | members, {"scope": "user", "external_id": "1"})
    claims = outcome(token)
    if claims is not None:
        assert read(token).header.kid == KID


@given(st.dictionaries(CLAIMS, VALUES, max_size=8))
def test_no_claims_break_it_and_what_is_believed_is_sound(members: dict[str, Any]) -> None:
    claims = outcome(signed({"alg": "HS256", "kid": KID}, {"scope": "user", "external_id": "1"} | members))
    if isinstance(claims, UserClaims):
        assert 1 <= len(claims.external_id) <= 255
        claims.external_id.encode()
        assert claims.external_id in (members.get("external_id", "1"), members.get("userId"))
        assert claims.verified_email is None or members["email_verified"] is True
        assert claims.expires_at is None or claims.expires_at > NOW - 60
        (claims.email or "").encode()
        (claims.name or "").encode()


@given(st.data())
def test_a_change_of_any_character_is_refused(data: st.DataObject) -> None:
    token = signed({"alg": "HS256", "kid": KID}, {"scope": "user", "external_id": "1"})
    at = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.characters().filter(lambda character: character != token[at]))
    assert outcome(token[:at] + other + token[at + 1 :]) is None
    assert outcome(token[:at]) is None
