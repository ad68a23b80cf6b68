"""Session tokens: 256 random bits, of which only a hash is stored."""

import hashlib


def hash_of(session_token: str) -> str:
    """What is stored of a session token. A plain SHA-256 is enough for 256 random bits: there is nothing to guess."""
    return hashlib.sha256(session_token.encode("utf-8", "surrogatepass")).hexdigest()
