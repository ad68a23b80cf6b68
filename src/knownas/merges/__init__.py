"""A merge: two users become one by a pointer and a journal entry, so that nothing is copied and undo is exact (R9)."""

from typing import Any, Literal, Protocol

from msgspec import Struct

MergeReason = Literal["login", "api", "channel"]


class Merge(Struct, frozen=True):
    """One entry of the merge journal.

    `before` holds the fields of the surviving user that the merge changed, with their old values, and which sessions'
    user was discarded: what undo has to put back. `discarded_metadata` did not fit into the survivor's 4 KB.
    `created_at` is in milliseconds.
    """

    id: str
    surviving: str
    discarded: str
    reason: MergeReason
    before: dict[str, Any]
    discarded_metadata: dict[str, Any]
    created_at: int


class UsersMerged(Struct, frozen=True, tag_field="event", tag="users.merged"):
    """Two users are one from now on: `user_id` survives, and `discarded` keeps resolving to her."""

    user_id: str
    discarded: str
    merge_id: str
    reason: MergeReason


class Merges(Protocol):
    """What verbs ask of the app's merge journal."""

    def add(self, merge: Merge) -> None:
        """Hold the new entry for writing."""
        ...
