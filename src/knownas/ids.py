"""Ids: 24 lower-case hex characters, 48 bits of milliseconds and 48 random bits (design.md, section 3).

Time comes first so that indexes stay warm and a list by id is a list in creation order.
"""

import re
from typing import Final

ID_LENGTH: Final = 24
_ID = re.compile(r"[0-9a-f]{24}")


def make_id(now_ms: int, randomness: bytes) -> str:
    """The id of something made at `now_ms`, told apart by 6 bytes of `randomness`."""
    return f"{now_ms:012x}{randomness.hex()}"


def is_id(text: str) -> bool:
    """Whether `text` has the shape of an id; it says nothing about existence."""
    return _ID.fullmatch(text) is not None
