"""A merge: two users become one by a pointer and a journal entry, so that nothing is copied and undo is exact (R9)."""

from typing import Any, Literal, Protocol

from msgspec import Struct

from knownas.conversations import Conversation, Participant
from knownas.users import User

MergeReason = Literal["login", "api", "channel"]


class Merge(Struct, frozen=True):
    """One entry of the merge journal.

    `before` holds the fields of the surviving user that the merge changed, with their old values: what undo has to
    put back. Where both had a default conversation it has `conversations` too: the ids `surviving` and `discarded`,
    `united` (false: the discarded one only ceased to be the default), when the last message came to the survivor's
    until then (`last_message_at`), and to the other (`brought`).
    `discarded_metadata` did not fit into the survivor's 4 KB. `actor` and `note` say who merged them and why, where
    somebody did. Times are in milliseconds; `undone_at` is None while the two are one.
    """

    id: str
    surviving: str
    discarded: str
    reason: MergeReason
    before: dict[str, Any]
    discarded_metadata: dict[str, Any]
    created_at: int
    actor: str = ""
    note: str = ""
    undone_at: int | None = None
    undone_by: str | None = None


class Meeting(Struct, frozen=True):
    """The default conversations of two users who are about to be one, when both have one."""

    surviving: Conversation
    discarded: Conversation
    default_of: str | None
    """Under which id the discarded one is the default."""
    seat: Participant | None
    """The surviving user's place in her conversation."""
    unread: int
    """What waits in the discarded conversation for its user."""


class MergedConversations(Struct, frozen=True):
    """Two conversations that are one from now on. The discarded one's id keeps resolving to the survivor."""

    surviving: Conversation
    discarded: Conversation


class UsersMerged(Struct, frozen=True, tag_field="event", tag="users.merged"):
    """Two users are one from now on: `user_id` survives, and `discarded` keeps resolving to her.

    `surviving_user` is as the merge left her, `discarded_user` as she was before it. `merged_conversations` is None
    where nothing was united.
    """

    user_id: str
    discarded: str
    merge_id: str
    reason: MergeReason
    surviving_user: User
    discarded_user: User
    merged_conversations: MergedConversations | None = None
    discarded_metadata: dict[str, Any] = {}


class UsersUnmerged(Struct, frozen=True, tag_field="event", tag="users.unmerged"):
    """A merge was undone: `restored` is a user of her own again, and `user_id` is without what was hers.

    `continued` maps conversations of `restored` to those of `user_id` in which what was said since the merge goes on.
    """

    user_id: str
    restored: str
    merge_id: str
    actor: str
    continued: dict[str, str] = {}


class Merges(Protocol):
    """What verbs ask of the app's merge journal."""

    async def by_id(self, merge_id: str) -> Merge | None:
        """The merge, or None."""
        ...

    async def of_users(self, members: list[str], limit: int) -> list[Merge]:
        """The merges in which one of these users survived or was discarded, undone ones too, newest first."""
        ...

    async def page(self, members: list[str], *, after: str | None, limit: int) -> list[Merge]:
        """The same merges, oldest first, behind an id."""
        ...

    def undo(self, merge: Merge, actor: str, at: int) -> None:
        """Hold that it was undone; loses its race when it has been already."""
        ...

    def add(self, merge: Merge) -> None:
        """Hold the new entry for writing."""
        ...
