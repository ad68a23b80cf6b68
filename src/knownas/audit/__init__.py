"""The audit log: what operators did, append-only, each entry chained to the one before by its hash.

What is personal about an entry lies beside it. The chain holds a salted commitment to it, so that it can be erased
(R10) and the chain still be verified; and nobody can guess from the commitment what was there.
"""

import re
from hashlib import sha256
from typing import Any, Final, Protocol

import msgspec
from msgspec import Struct

from knownas.errors import DomainError

BEGINNING: Final = "0" * 64
"""What the first entry names as the one before."""
NUMBER_AT_MOST: Final = 10**15 - 1


class Head(Struct, frozen=True):
    """A place in the chain: an entry's number and hash. Who notes it down can tell later that it was not changed."""

    number: int
    hash: str

    def __str__(self) -> str:
        return f"{self.number}-{self.hash}"


ORIGIN: Final = Head(0, BEGINNING)
_HEAD: Final = re.compile(r"(0|[1-9][0-9]{0,14})-([0-9a-f]{64})")


def head_of(text: str) -> Head:
    """The head that prints as `text`. Raises InvalidHead. Pure."""
    parts = _HEAD.fullmatch(text)
    if parts is None:
        raise InvalidHead
    head = Head(int(parts[1]), parts[2])
    if not head.number and head != ORIGIN:
        raise InvalidHead
    return head


class Entry(Struct, frozen=True):
    """One act. `number` counts from 1 without gaps; `at` is in milliseconds; `subjects` are ids of what it was about.

    `details` is None where they were erased. `hash` covers everything but the details, and these through `commitment`.
    """

    app_id: str
    number: int
    id: str
    at: int
    actor: str
    action: str
    subjects: tuple[str, ...]
    commitment: str
    previous: str
    hash: str
    salt: str | None = None
    details: dict[str, Any] | None = None


class InvalidHead(DomainError):
    """Not a head that we have ever given."""

    kind = "invalid"
    code = "bad_request"

    def __init__(self) -> None:
        super().__init__(
            "A head is the number of an entry, a hyphen and 64 hexadecimal digits; take it from an earlier answer"
        )


class Audit(Protocol):
    """What verbs ask of the app's audit log. There is no way to change an entry."""

    async def last(self) -> Entry | None:
        """The newest entry, without details; None when there is none."""
        ...

    async def page(self, *, after: int, limit: int) -> list[Entry]:
        """At most `limit` entries whose numbers are above `after`, in order."""
        ...

    async def of_subject(self, subject: str, *, limit: int) -> list[Entry]:
        """The newest entries about this id, newest first."""
        ...

    def append(self, entry: Entry) -> None:
        """Hold the new entry; loses its race when its number is taken."""
        ...

    def forget(self, subjects: list[str]) -> None:
        """Hold the removal of the details of all entries about these ids. The entries stay."""
        ...


def hash_of(entry: Entry) -> str:
    """What the entry's hash has to be: SHA-256 over its members in this order, as one JSON array. Pure."""
    covered = [
        entry.app_id, entry.number, entry.id, entry.at, entry.actor, entry.action, list(entry.subjects),
        entry.commitment, entry.previous,
    ]  # fmt: skip
    return sha256(msgspec.json.encode(covered)).hexdigest()


def commitment_of(salt: str, details: dict[str, Any]) -> str:
    """What stands in the chain for details that may be erased: SHA-256 of 256 random bits and their JSON. Pure."""
    return sha256(salt.encode() + msgspec.json.encode(details, order="sorted")).hexdigest()
