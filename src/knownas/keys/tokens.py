"""Decide whether a token is to be believed, and why not: pure, strict, and with one stable code for every cause.

The algorithm and the key come from the key's record, never from the token (RFC 8725, 3.1). The token was taken apart
once (parts.py); of PyJWT's JWS layer its algorithms check the signature.
"""

import re
from typing import Any, Final

import jwt
from jwt.algorithms import Algorithm as Verifier
from msgspec import Struct

from knownas.keys import MIN_SECRET_BYTES, Algorithm, Key, Scope, WeakKey, check_public_key
from knownas.keys.parts import Unverified, decode, members
from knownas.keys.refusals import TokenRefused

LEEWAY_S: Final = 60
MAX_TIME_S: Final = 253_402_300_799  # the last second of the year 9999
MAX_EXTERNAL_ID: Final = 255

_KEY_OF_SCOPE: Final[dict[str, Scope]] = {
    "user": "app",
    "appUser": "app",
    "app": "app",
    "integration": "integration",
    "account": "account",
}
_NUMBER = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,9})?")
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


_JWS: Final = jwt.PyJWS()


class UserClaims(Struct, frozen=True):
    """A verified statement of the business about one user. Times are in seconds."""

    key_id: str
    app_id: str | None
    external_id: str
    email: str | None
    email_verified: bool
    name: str | None
    expires_at: float | None
    issued_at: float | None

    @property
    def verified_email(self) -> str | None:
        """The email that the business vouches for; any other email is only a label (R2)."""
        return self.email if self.email_verified else None


class ServerClaims(Struct, frozen=True):
    """A verified statement that the caller is the business's own server. `expires_at` is in seconds."""

    key_id: str
    scope: Scope
    account_id: str
    app_id: str | None
    integration_id: str | None
    expires_at: float | None


class PreparedKey(Struct, frozen=True):
    """A key made ready to check signatures; make it once per key, with `prepare`."""

    key: Key
    verifier: Verifier
    material: Any

    def __repr__(self) -> str:
        return f"PreparedKey({self.key!r})"

    def __rich_repr__(self) -> list[tuple[str, str]]:
        return self.key.__rich_repr__()


def prepare(key: Key) -> PreparedKey:
    """Check the key itself and do the costly part of reading it. Raises WeakKey."""
    verifier = _JWS.get_algorithm_by_name(key.algorithm)
    if key.algorithm == "HS256":
        if key.secret is None or len(key.secret.encode()) < MIN_SECRET_BYTES:
            raise WeakKey(f"The secret of an HS256 key needs at least {MIN_SECRET_BYTES} bytes")
        text = key.secret
    else:
        algorithm: Algorithm
        algorithm, text = check_public_key(key.public_key or "")
        if algorithm != key.algorithm:
            raise WeakKey(f"This public key is for {algorithm}, not for {key.algorithm}")
    try:
        return PreparedKey(key, verifier, verifier.prepare_key(text))
    except (jwt.InvalidKeyError, TypeError, ValueError):
        raise WeakKey("A secret must not be a PEM, a JWK or a certificate") from None


def verify(
    token: Unverified, key: PreparedKey, now_s: float, *, require_exp: bool = False, app_id: str | None = None
) -> UserClaims | ServerClaims:
    """The token's claims when `key` signed them and they hold at `now_s`; with `app_id`, only for that app's key.

    A key without an app (an account's) fits every app. Raises TokenRefused.
    """
    if token.header.kid != key.key.id:
        raise TokenRefused("jwt.kid.unknown")
    if token.header.alg != key.key.algorithm:
        raise TokenRefused("jwt.alg.mismatch")
    if not key.verifier.verify(token.signed, key.material, decode(token.signature)):
        raise TokenRefused("jwt.signature")
    if app_id is not None and key.key.app_id is not None and key.key.app_id != app_id:
        raise TokenRefused("jwt.key.other_app")
    return judge(members(token.body), key.key, now_s, require_exp=require_exp)


def judge(body: dict[str, Any], key: Key, now_s: float, *, require_exp: bool = False) -> UserClaims | ServerClaims:
    """What the claims of a token signed by `key` amount to at `now_s`. Raises TokenRefused."""
    expires_at, issued_at = _times(body, now_s, require_exp)
    scope = body.get("scope")
    if scope is None:
        raise TokenRefused("jwt.scope.missing")
    needed = _KEY_OF_SCOPE.get(scope) if type(scope) is str else None
    if needed is None:
        raise TokenRefused("jwt.scope.unknown")
    if needed != key.scope:
        raise TokenRefused("jwt.scope.wrong_key", scope=scope, key=key.scope)
    if scope == "user" or scope == "appUser":
        email = _text(body, "email")
        return UserClaims(
            key.id,
            key.app_id,
            _external_id(body),
            email,
            email is not None and body.get("email_verified") is True,
            _text(body, "name"),
            expires_at,
            issued_at,
        )
    return ServerClaims(key.id, needed, key.account_id, key.app_id, key.integration_id, expires_at)


def _times(body: dict[str, Any], now_s: float, require_exp: bool) -> tuple[float | None, float | None]:
    expires_at = _time(body, "exp")
    if expires_at is None:
        if require_exp:
            raise TokenRefused("jwt.exp.missing")
    elif now_s >= expires_at + LEEWAY_S:
        raise TokenRefused("jwt.exp.expired")
    not_before = _time(body, "nbf")
    if not_before is not None and now_s < not_before - LEEWAY_S:
        raise TokenRefused("jwt.nbf.future")
    issued_at = _time(body, "iat")
    if issued_at is not None and now_s < issued_at - LEEWAY_S:
        raise TokenRefused("jwt.iat.future")
    return expires_at, issued_at


def _time(body: dict[str, Any], claim: str) -> float | None:
    """A time in seconds. The vendor's own sample writes `exp` as a string, so a numeric string is its number."""
    if claim not in body:
        return None
    value = body[claim]
    if type(value) is str and _NUMBER.fullmatch(value):
        value = float(value)
    if (type(value) is int or type(value) is float) and -MAX_TIME_S <= value <= MAX_TIME_S:
        return float(value)
    raise TokenRefused(f"jwt.{claim}.malformed")


def _external_id(body: dict[str, Any]) -> str:
    """Who the token is about: `external_id`, or `userId` as older programs spell it."""
    value, older = body.get("external_id"), body.get("userId")
    if value is None and older is None:
        raise TokenRefused("jwt.external_id.missing")
    if not (value is None or type(value) is str) or not (older is None or type(older) is str):
        raise TokenRefused("jwt.external_id.not_string")
    if value is not None and older is not None and value != older:
        raise TokenRefused("jwt.external_id.ambiguous")
    external_id = older if value is None else value
    if not external_id:
        raise TokenRefused("jwt.external_id.empty")
    if len(external_id) > MAX_EXTERNAL_ID:
        raise TokenRefused("jwt.external_id.too_long")
    if _UNSAFE.search(external_id):
        raise TokenRefused("jwt.external_id.unsafe")
    return external_id


def _text(body: dict[str, Any], claim: str) -> str | None:
    """An optional text; null and blank are as good as absent, because many backends write them for "none"."""
    value = body.get(claim)
    if value is None:
        return None
    if type(value) is not str:
        raise TokenRefused(f"jwt.{claim}.not_string")
    if _UNSTORABLE.search(value):
        raise TokenRefused("jwt.unstorable")
    return value if value and not value.isspace() else None
