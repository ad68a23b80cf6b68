"""Ids: 24 lower-case hex characters, 48 bits of milliseconds and 48 random bits (design.md, section 3).

Time comes first so that indexes stay warm and a list by id is a list in creation order.
"""

import re
from typing import Final

ID_LENGTH: Final = 24
_ID = re.compile(r"[0-9a-f]{24}")
_UUID = re.compile(r"([0-9a-f]{8})-([0-9a-f]{4})-8([0-9a-f]{3})-8000-000([0-9a-f]{9})")


def make_id(now_ms: int, low: int) -> str:
    """The id of something made at `now_ms`, told apart by 48 more bits, `low`."""
    return (now_ms << 48 | low).to_bytes(12).hex()


def is_id(text: str) -> bool:
    """Whether `text` has the shape of an id; it says nothing about existence."""
    return _ID.fullmatch(text) is not None


def uuid_of(id: str) -> str:
    """The same id as a UUID of version 8 (RFC 9562): its 96 bits beside those that a UUID has fixed.

    Time still comes first, so the order stays too. `id_of_uuid` is the way back.
    """
    return f"{id[:8]}-{id[8:12]}-8{id[12:15]}-8000-000{id[15:]}"


def id_of_uuid(text: str) -> str | None:
    """The id that `uuid_of` spells like this, in either case of letters; None for every other text."""
    found = _UUID.fullmatch(text.lower())
    return "".join(found.groups()) if found else None
