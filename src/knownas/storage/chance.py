"""The time and the randomness that transactions are given: the only place below the edges that asks for either."""

import os
import secrets
import time
from typing import Final

_POOL_BYTES: Final = 3072


def now_ms() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000


class SystemRandomness:
    """The operating system's randomness, fetched in larger pieces because an id needs only six bytes of it."""

    def __init__(self) -> None:
        self._pool = b""
        self._at = 0

    def bytes(self, count: int) -> bytes:
        """Fresh unpredictable bytes. Not for secrets, and for one thread."""
        if self._at + count > len(self._pool):
            self._pool, self._at = os.urandom(_POOL_BYTES), 0
        start, self._at = self._at, self._at + count
        return self._pool[start : self._at]

    def secret(self) -> str:
        """256 fresh bits as 43 URL-safe characters."""
        return secrets.token_urlsafe(32)
