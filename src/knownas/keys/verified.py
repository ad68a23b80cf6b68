"""Remember tokens that were verified, so that the next request with the same token costs a look-up."""

from collections import OrderedDict
from hashlib import sha256

from knownas.keys.parts import MAX_TOKEN
from knownas.keys.tokens import LEEWAY_S, ServerClaims, UserClaims

Claims = UserClaims | ServerClaims


class VerifiedTokens:
    """At most `size` verified tokens, least recently used out first; held by hash, so no token can be read out of it.

    A hit says that the signature was right and the token has not expired. Whether its key still lives, and whether the
    app by now requires `exp`, the caller asks. For one thread: the event loop's. Tokens go by their `token_hash`.
    """

    def __init__(self, size: int = 10_000) -> None:
        self._size = size
        self._claims: OrderedDict[bytes, tuple[Claims, str]] = OrderedDict()
        self._of_key: dict[str, set[bytes]] = {}

    def __len__(self) -> int:
        return len(self._claims)

    def get(self, digest: bytes, now_s: float) -> tuple[Claims, str] | None:
        """The claims and the key's id, or None when the token is unknown or past its expiry and leeway."""
        found = self._claims.get(digest)
        if found is None:
            return None
        expires_at = found[0].expires_at
        if expires_at is not None and now_s >= expires_at + LEEWAY_S:
            self._drop(digest)
            return None
        self._claims.move_to_end(digest)
        return found

    def put(self, digest: bytes, claims: Claims) -> None:
        """Remember that the token with this hash was verified and says `claims`."""
        self._drop(digest)
        self._claims[digest] = (claims, claims.key_id)
        self._of_key.setdefault(claims.key_id, set()).add(digest)
        if len(self._claims) > self._size:
            self._drop(next(iter(self._claims)))

    def forget_key(self, key_id: str) -> None:
        """Forget every token of a key that was deleted."""
        for digest in self._of_key.pop(key_id, ()):
            del self._claims[digest]

    def _drop(self, digest: bytes) -> None:
        found = self._claims.pop(digest, None)
        if found is None:
            return
        digests = self._of_key[found[1]]
        digests.discard(digest)
        if not digests:
            del self._of_key[found[1]]


def token_hash(token: str) -> bytes:
    """What a token is remembered by. One that is too large to be verified is not read for it."""
    return sha256(token.encode(errors="surrogatepass")).digest() if len(token) <= MAX_TOKEN else b""
