"""Why a token is not believed: one stable code and one text for every cause."""

from typing import Final

from knownas.errors import DomainError

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


class TokenRefused(DomainError):
    """The token is not believed; `cause` is a key of CAUSES and stable, the text tells a stranger what to do."""

    kind = "unauthenticated"
    code = "invalid_auth"

    def __init__(self, cause: str, **details: str) -> None:
        text = CAUSES[cause]
        super().__init__(text.format(**details) if details else text)
        self.cause = cause
