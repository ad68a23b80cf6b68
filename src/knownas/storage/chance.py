"""The time and the randomness that transactions are given: the only place below the edges that asks for either."""

import os
import secrets
import time
from typing import Final

from knownas.ids import make_id

_POOL_BYTES: Final = 3072
_LOW_END: Final = 1 << 48


def now_ms() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000


class SystemRandomness:
    """The operating system's randomness, fetched in larger pieces as an id needs only six bytes. For one thread."""

    def __init__(self) -> None:
        self._pool = b""
        self._at = 0
        self._last_ms = 0
        self._low = 0

    def bytes(self, count: int) -> bytes:
        """Fresh unpredictable bytes. Not for secrets."""
        if self._at + count > len(self._pool):
            self._pool, self._at = os.urandom(_POOL_BYTES), 0
        start, self._at = self._at, self._at + count
        return self._pool[start : self._at]

    def id(self, now: int) -> str:
        """An id made at `now`, greater than every id made here before, so that one millisecond's keep their order."""
        if now > self._last_ms:
            self._last_ms, self._low = now, int.from_bytes(self.bytes(6))
        else:
            self._low += 1 + int.from_bytes(self.bytes(2))
        if self._low >= _LOW_END:
            self._last_ms, self._low = self._last_ms + 1, int.from_bytes(self.bytes(4))
        return make_id(self._last_ms, self._low.to_bytes(6))

    def secret(self) -> str:
        """256 fresh bits as 43 URL-safe characters."""
        return secrets.token_urlsafe(32)
