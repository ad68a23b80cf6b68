"""Who is calling: read the Authorization header and believe it only when a live key stands behind it (R4, R5)."""

import base64
import binascii
import hmac
from hashlib import sha256
from time import monotonic
from typing import TYPE_CHECKING, Final

from knownas.errors import DomainError
from knownas.keys import Key, is_key_id
from knownas.keys.parts import read
from knownas.keys.refusals import TokenRefused
from knownas.keys.tokens import LEEWAY_S, ServerClaims, UserClaims, verify
from knownas.keys.verified import token_hash
from knownas.oauth import TOKEN_PREFIX
from knownas.sessions import AnonymousProof
from knownas.sessions.tokens import hash_of

if TYPE_CHECKING:
    from knownas.apps import App
    from knownas.http.services import Services

_HEADER_BYTES: Final = 12 * 1024
BELIEVED_S: Final = 0.25
BELIEVED_AT_MOST: Final = 10_000


class Unauthorized(DomainError):
    """No credentials at all."""

    kind = "unauthenticated"
    code = "unauthorized"
    cause = "authorization.missing"

    def __init__(self) -> None:
        super().__init__("Authorization is required")


class InvalidCredentials(DomainError):
    """Credentials that are not a live key's, or not readable as credentials."""

    kind = "unauthenticated"
    code = "invalid_auth"

    def __init__(self, message: str = "Invalid key id or secret", cause: str = "basic.invalid") -> None:
        super().__init__(message)
        self.cause = cause


async def server_caller(services: "Services", authorization: bytes | None) -> ServerClaims | UserClaims:
    """The caller of a server API: a key by Basic, or a token by Bearer; a user's token is for the facade to refuse.

    A backend repeats itself, so what a header came to is believed again for a quarter of a second, as long as no key
    was changed here; with the directory's half second that keeps within the second that a deleted key has (R5).
    Raises Unauthorized, InvalidCredentials, TokenRefused.
    """
    digest = sha256(authorization).digest() if authorization else b""
    now, generation = monotonic(), services.database.directory.generation
    believed = services.believed.get(digest)
    if believed is not None and believed[0] == generation and now < believed[1]:
        return believed[2]
    claims = await _server_caller(services, authorization)
    if len(services.believed) >= BELIEVED_AT_MOST:
        services.believed.clear()
    left_s = BELIEVED_S if claims.expires_at is None else claims.expires_at + LEEWAY_S - services.clock()
    services.believed[digest] = (generation, now + min(BELIEVED_S, left_s), claims)
    return claims


async def _server_caller(services: "Services", authorization: bytes | None) -> ServerClaims | UserClaims:
    scheme, credentials = _split(authorization)
    if scheme == "bearer":
        if credentials.startswith(TOKEN_PREFIX):
            return await _holder_of(services, credentials)
        return await claims_of(services, credentials)
    return _claims_of_key(await key_shown(services, *_basic(credentials)))


async def key_shown(services: "Services", key_id: str, secret: str) -> Key:
    """The live key whose id and secret somebody shows. Raises InvalidCredentials."""
    found = await services.database.directory.key(key_id) if is_key_id(key_id) else None
    stored = found.key.secret if found else None
    # Compared even when there is nothing to compare with, so that time does not tell a key's existence.
    matches = hmac.compare_digest((stored or "no such key").encode(), secret.encode("utf-8", "surrogatepass"))
    if found is None or stored is None or not matches:
        raise InvalidCredentials
    return found.key


async def _holder_of(services: "Services", access_token: str) -> ServerClaims:
    """Who holds an OAuth access token: random, so it is found by its hash and proves nothing by its shape."""
    claims = await services.database.directory.access(hash_of(access_token))
    if claims is None:
        raise InvalidCredentials("The access token is unknown or was revoked", "oauth.token.unknown")
    return claims


async def user_caller(
    services: "Services", authorization: bytes | None, app: "App"
) -> UserClaims | AnonymousProof | None:
    """The caller of the SDK API: a signed token, an anonymous session, or nobody.

    Raises TokenRefused, InvalidCredentials.
    """
    if authorization is None:
        return None
    scheme, credentials = _split(authorization)
    if scheme == "basic":
        user_id, session_token = _basic(credentials)
        return AnonymousProof(user_id, hash_of(session_token))
    claims = await claims_of(services, credentials, app_id=app.id)
    if isinstance(claims, ServerClaims):
        raise TokenRefused("jwt.scope.not_user")
    if app.settings.require_token_expiry and claims.expires_at is None:
        raise TokenRefused("jwt.exp.missing")
    return claims


async def claims_of(services: "Services", token: str, app_id: str | None = None) -> ServerClaims | UserClaims:
    """What a token says, once a live key's signature shows that it may be believed. Raises TokenRefused."""
    now_s = services.clock()
    digest = token_hash(token)
    remembered = services.tokens.get(digest, now_s)
    if remembered is not None:
        claims, key_id = remembered
        if await services.database.directory.key(key_id) is None:
            services.tokens.forget_key(key_id)
            raise TokenRefused("jwt.kid.unknown")
    else:
        unverified = read(token)
        key = await services.database.directory.key(unverified.header.kid)
        if key is None:
            raise TokenRefused("jwt.kid.unknown")
        claims = verify(unverified, key, now_s)
        services.tokens.put(digest, claims)
    if app_id is not None and claims.app_id is not None and claims.app_id != app_id:
        raise TokenRefused("jwt.key.other_app")
    return claims


def _claims_of_key(key: Key) -> ServerClaims:
    return ServerClaims(key.id, key.scope, key.account_id, key.app_id, key.integration_id, None)


def _split(authorization: bytes | None) -> tuple[str, str]:
    """Scheme in lower case, and credentials."""
    if authorization is None or not authorization.strip():
        raise Unauthorized
    scheme, _, credentials = authorization.decode("latin-1").strip().partition(" ")
    if scheme.lower() not in ("basic", "bearer") or len(authorization) > _HEADER_BYTES:
        raise InvalidCredentials("The Authorization header should be Basic or Bearer", "authorization.scheme")
    return scheme.lower(), credentials.strip()


def _basic(credentials: str) -> tuple[str, str]:
    pair = basic_pair(credentials)
    if pair is None or "\x00" in pair[0]:
        raise InvalidCredentials("The Basic credentials are not base64 of id:secret", "basic.malformed")
    return pair


def basic_pair(credentials: str) -> tuple[str, str] | None:
    """User and password of Basic credentials (RFC 7617), or None where they are not two texts in base64."""
    try:
        user, colon, password = base64.b64decode(credentials, validate=True).decode("utf-8").partition(":")
    except (binascii.Error, ValueError):
        return None
    return (user, password) if colon else None
