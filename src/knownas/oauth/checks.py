"""Compare and check what clients show. Pure."""

import base64
import hmac
import re
from hashlib import sha256
from typing import Final
from urllib.parse import urlencode, urlsplit

from knownas.oauth import InvalidRedirect, OAuthClient

MAX_URI: Final = 2048
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_VERIFIER = re.compile(r"[A-Za-z0-9\-._~]{43,128}")  # RFC 7636, 4.1
_CHALLENGE = re.compile(r"[A-Za-z0-9\-_]{43}")  # S256 of it


def hash_of(secret: str) -> str:
    """What is stored of 256 random bits; there is nothing to guess, so one SHA-256 is enough."""
    return sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def is_client(client: OAuthClient | None, secret: str) -> bool:
    """Whether this is the client's secret, in the same time whether or not there is such a client."""
    stored = client.secret_hash if client else hash_of("")
    return hmac.compare_digest(stored, hash_of(secret)) and client is not None


def is_challenge(text: str) -> bool:
    """Whether `text` could be a challenge by S256."""
    return _CHALLENGE.fullmatch(text) is not None


def meets(challenge: str, verifier: str) -> bool:
    """Whether the verifier is the one that was hashed into the challenge (RFC 7636, 4.6)."""
    if _VERIFIER.fullmatch(verifier) is None:
        return False
    digest = base64.urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    return hmac.compare_digest(digest, challenge)


def check_redirect(uri: str) -> str:
    """The address, when codes may be sent there: https, or http to one's own machine. Raises InvalidRedirect."""
    if not 1 <= len(uri) <= MAX_URI or not uri.isascii() or not uri.isprintable() or any(c in uri for c in " \\\"'<>"):
        raise InvalidRedirect("A redirect address is an absolute one of printable ASCII, without blanks or quotes")
    try:
        parts = urlsplit(uri)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise InvalidRedirect("The redirect address cannot be read") from None
    if not host or parts.username is not None or parts.password is not None:
        raise InvalidRedirect("A redirect address has a host, and neither a user name nor a password")
    if "#" in uri:
        raise InvalidRedirect("A redirect address has no fragment (RFC 6749, 3.1.2)")
    if parts.scheme != "https" and not (parts.scheme == "http" and host in _LOOPBACK):
        raise InvalidRedirect("A redirect address begins with https://, or with http:// for this machine alone")
    return uri


def with_answer(uri: str, **answer: str | None) -> str:
    """The redirect address with what is answered in its query; what it has there stays (RFC 6749, 4.1.2)."""
    query = urlencode({name: value for name, value in answer.items() if value is not None})
    return f"{uri}{'&' if '?' in uri else '?'}{query}"
