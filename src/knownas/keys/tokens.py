"""Decide whether a token is to be believed, and why not: pure, strict, and with one stable code for every cause.

The algorithm and the key come from the key's record, never from the token (RFC 8725, 3.1). The token is parsed once,
here; of PyJWT's JWS layer its algorithms check the signature, so no two parsers can disagree about what was signed.
"""

import re
from binascii import Error as NotBase64
from binascii import a2b_base64
from contextlib import suppress
from functools import lru_cache
from json import JSONDecoder
from typing import Any, Final, Literal

import jwt
import msgspec
from jwt.algorithms import Algorithm as Verifier
from msgspec import Struct

from knownas.errors import DomainError
from knownas.keys import MIN_SECRET_BYTES, Algorithm, Key, Scope, WeakKey, check_public_key, is_key_id

MAX_TOKEN: Final = 8192
MAX_DEPTH: Final = 16
LEEWAY_S: Final = 60
MAX_TIME_S: Final = 253_402_300_799  # the last second of the year 9999
MAX_EXTERNAL_ID: Final = 255

_SECONDS = "must be seconds since 1970 as a number, up to the year 9999 (not milliseconds, not a date)"

# Every cause of refusal: its stable code and its text. The vendor's exact texts where they are known.
CAUSES: Final[dict[str, str]] = {
    "jwt.too_large": "Invalid JWT. A token has at most 8192 characters",
    "jwt.segments": "Invalid JWT. A token has three parts separated by dots: header.body.signature",
    "jwt.base64": "Invalid JWT. Each part is base64url without padding (RFC 7515)",
    "jwt.utf8": "Invalid JWT. Header and body must be UTF-8",
    "jwt.json": "Invalid JWT. Header and body must be JSON (NaN and Infinity are not)",
    "jwt.not_object": "Invalid JWT. Header and body must be JSON objects",
    "jwt.duplicate": "Invalid JWT. A member is written twice in one object",
    "jwt.too_deep": "Invalid JWT. Objects and arrays are nested more than 16 deep",
    "jwt.crit": "Invalid JWT header. Critical extensions (crit, b64) are not supported",
    "jwt.key_source": "Invalid JWT header. Keys are never taken from a token: remove jku, jwk, x5u and x5c",
    "jwt.kid.missing": "Invalid JWT header. Missing key id (kid)",
    "jwt.kid.not_string": "Invalid JWT header. The key id (kid) must be a string",
    "jwt.kid.unknown": "Invalid JWT header. No live key has this key id (kid)",
    "jwt.alg.missing": "Invalid JWT header. Missing algorithm (alg)",
    "jwt.alg.none": "Invalid JWT header. Unsigned JWTs are not accepted",
    "jwt.alg.mismatch": "Invalid JWT header. The algorithm (alg) is not the one of this key",
    "jwt.signature": "Invalid JWT signature. The token was not signed with this key, or was changed since",
    "jwt.unstorable": "Invalid JWT body. email or name contains a NUL or half of a surrogate pair",
    "jwt.exp.missing": "Invalid JWT body. This app requires an expiry (exp)",
    "jwt.exp.malformed": f"Invalid JWT body. exp {_SECONDS}",
    "jwt.exp.expired": "Invalid JWT body. The token has expired (exp)",
    "jwt.nbf.malformed": f"Invalid JWT body. nbf {_SECONDS}",
    "jwt.nbf.future": "Invalid JWT body. The token is not valid yet (nbf); check the clock of the server that signs",
    "jwt.iat.malformed": f"Invalid JWT body. iat {_SECONDS}",
    "jwt.iat.future": "Invalid JWT body. The token is from the future (iat); check the clock of the server that signs",
    "jwt.scope.missing": "Invalid JWT body. Missing scope",
    "jwt.scope.unknown": "Invalid JWT body. The scope must be one of user, appUser, app, integration, account",
    "jwt.scope.wrong_key": "Invalid JWT body. Cannot use {scope} scope with {key} secret key",
    "jwt.external_id.missing": "Invalid JWT body. Missing external_id",
    "jwt.external_id.not_string": (
        'Invalid JWT body. external_id must be a string. Write a number in quotes: "external_id": "1234", '
        'not "external_id": 1234'
    ),
    "jwt.external_id.empty": "Invalid JWT body. external_id must not be empty",
    "jwt.external_id.too_long": "Invalid JWT body. external_id has at most 255 characters",
    "jwt.external_id.unsafe": "Invalid JWT body. external_id contains control characters or half a surrogate pair",
    "jwt.external_id.ambiguous": "Invalid JWT body. external_id and userId are both given and differ",
    "jwt.email.not_string": "Invalid JWT body. email must be a string",
    "jwt.name.not_string": "Invalid JWT body. name must be a string",
    "jwt.scope.not_user": "Invalid JWT body. Only scope user signs in an end user; this token is a server's",
    "jwt.key.other_app": "Invalid JWT. This key belongs to another app",
    "jwt.unchecked": "The token looks right; its signature could not be checked without the key",
}

_KEY_OF_SCOPE: Final[dict[str, Scope]] = {
    "user": "app",
    "appUser": "app",
    "app": "app",
    "integration": "integration",
    "account": "account",
}
_JWS = jwt.PyJWS()
_NUMBER = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,9})?")
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
# Strings, ended or not, and brackets. Possessive, so that a hostile text is read once.
_STRUCTURE = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)
# base64url to base64, with what base64url lacks turned into something that base64 lacks as well.
_TO_BASE64 = bytes.maketrans(b"-_+/=", b"+/!!!")
_LAST: Final = {2: b"AQgw", 3: b"AEIMQUYcgkosw048"}  # last characters whose unused bits are zero
_PADDING: Final = {0: b"", 2: b"==", 3: b"="}


class TokenRefused(DomainError):
    """The token is not believed; `cause` is a key of CAUSES and stable, the text tells a stranger what to do."""

    kind = "unauthenticated"
    code = "invalid_auth"

    def __init__(self, cause: str, **details: str) -> None:
        text = CAUSES[cause]
        super().__init__(text.format(**details) if details else text)
        self.cause = cause


class Header(Struct, frozen=True):
    """What a token's header says of itself, not yet believed. `kid` has the shape of a key's id."""

    kid: str
    alg: str


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


def read_header(token: str) -> Header:
    """What the token says about its key and algorithm, to find the key by. Raises TokenRefused."""
    return _header_of(_split(token)[0])


def read_part(token: str, part: Literal["header", "body"]) -> dict[str, Any]:
    """The members of one part, strictly parsed and not verified: for explanations only. Raises TokenRefused."""
    return _object(_split(token)[0 if part == "header" else 1])


def verify(
    token: str, key: PreparedKey, now_s: float, *, require_exp: bool = False, app_id: str | None = None
) -> UserClaims | ServerClaims:
    """The token's claims when `key` signed them and they hold at `now_s`; with `app_id`, only for that app's key.

    A key without an app (an account's) fits every app. Raises TokenRefused.
    """
    header_segment, body_segment, signature = _split(token)
    header = _header_of(header_segment)
    if header.kid != key.key.id:
        raise TokenRefused("jwt.kid.unknown")
    if header.alg != key.key.algorithm:
        raise TokenRefused("jwt.alg.mismatch")
    if not key.verifier.verify(b"%b.%b" % (header_segment, body_segment), key.material, _decode(signature)):
        raise TokenRefused("jwt.signature")
    if app_id is not None and key.key.app_id is not None and key.key.app_id != app_id:
        raise TokenRefused("jwt.key.other_app")
    return judge(_object(body_segment), key.key, now_s, require_exp=require_exp)


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


def _split(token: str) -> list[bytes]:
    if len(token) > MAX_TOKEN:
        raise TokenRefused("jwt.too_large")
    if not token.isascii():
        raise TokenRefused("jwt.base64")
    segments = token.encode().split(b".")
    if len(segments) != 3:
        raise TokenRefused("jwt.segments")
    return segments


def _header_of(segment: bytes) -> Header:
    # A stranger's long headers do not get to fill the cache.
    return _parse_header(segment) if len(segment) <= 512 else _parse_header.__wrapped__(segment)


@lru_cache(maxsize=4096)
def _parse_header(segment: bytes) -> Header:
    """The header, which repeats in all tokens of a key and so is worth remembering."""
    header = _object(segment)
    if "crit" in header or header.get("b64", True) is not True:
        raise TokenRefused("jwt.crit")
    if not header.keys().isdisjoint(("jku", "jwk", "x5u", "x5c")):
        raise TokenRefused("jwt.key_source")
    alg = header.get("alg")
    if not isinstance(alg, str):
        raise TokenRefused("jwt.alg.missing")
    if alg.strip().lower() == "none":
        raise TokenRefused("jwt.alg.none")
    if "kid" not in header:
        raise TokenRefused("jwt.kid.missing")
    kid = header["kid"]
    if not isinstance(kid, str):
        raise TokenRefused("jwt.kid.not_string")
    if not is_key_id(kid):
        raise TokenRefused("jwt.kid.unknown")
    return Header(kid, alg)


def _decode(segment: bytes) -> bytes:
    """Base64url with exactly one spelling per value: no padding, no foreign characters, unused bits zero."""
    rest = len(segment) % 4
    if rest == 1 or (rest and segment[-1] not in _LAST[rest]):
        raise TokenRefused("jwt.base64")
    try:
        return a2b_base64(segment.translate(_TO_BASE64) + _PADDING[rest], strict_mode=True)
    except NotBase64:
        raise TokenRefused("jwt.base64") from None


def _object(segment: bytes) -> dict[str, Any]:
    """The members of a part, each named once.

    What reads and writes back as the very same bytes names nothing twice, because writing never does: that is how
    most tokens come, and it is quicker than watching every member. The slow way also knows what is wrong.
    """
    raw = _decode(segment)
    if raw.count(b"{") == 1 and b"[" not in raw:
        with suppress(msgspec.DecodeError, UnicodeError):
            plain = _plain_object(raw)
            if _plain_text(plain) == raw:
                return plain
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        raise TokenRefused("jwt.utf8") from None
    if text.count("{") + text.count("[") > MAX_DEPTH and _depth(text) > MAX_DEPTH:
        raise TokenRefused("jwt.too_deep")
    try:
        value = _JSON.decode(text)
    except ValueError:
        raise TokenRefused("jwt.json") from None
    if type(value) is not dict:
        raise TokenRefused("jwt.not_object")
    return value


def _depth(text: str) -> int:
    """How deep brackets outside strings open; found without recursion."""
    depth = deepest = 0
    for match in _STRUCTURE.finditer(text):
        if match[0] in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif match[0] in "]}":
            depth -= 1
    return deepest


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise TokenRefused("jwt.duplicate")
    return members


def _no_constant(name: str) -> None:
    raise TokenRefused("jwt.json")


_plain_object = msgspec.json.Decoder(dict[str, Any]).decode
_plain_text = msgspec.json.Encoder().encode
_JSON = JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant)


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
    if not isinstance(value, str | None) or not isinstance(older, str | None):
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
