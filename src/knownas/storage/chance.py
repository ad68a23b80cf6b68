"""The time and the randomness that transactions are given: the only place below the edges that asks for either."""

import os
import secrets
import time
from array import array
from typing import Final

from knownas.ids import make_id

_STEPS: Final = 1024
_LOW_END: Final = 1 << 48


def now_ms() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000


class SystemRandomness:
    """The operating system's randomness, fetched in larger pieces as an id needs only little of it. For one thread."""

    def __init__(self) -> None:
        self._steps: list[int] = []
        self._last_ms = 0
        self._low = 0

    def id(self, now: int) -> str:
        """An id made at `now`, greater than every id made here before, so that one millisecond's keep their order."""
        if now > self._last_ms:
            self._last_ms, self._low = now, int.from_bytes(os.urandom(6))
        else:
            if not self._steps:
                self._steps = array("H", os.urandom(2 * _STEPS)).tolist()
            self._low += 1 + self._steps.pop()
        if self._low >= _LOW_END:
            self._last_ms, self._low = self._last_ms + 1, int.from_bytes(os.urandom(4))
        return make_id(self._last_ms, self._low)

    def secret(self) -> str:
        """256 fresh bits as 43 URL-safe characters."""
        return secrets.token_urlsafe(32)
