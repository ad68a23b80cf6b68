"""Branches: where what is written for a survivor in a merged user's conversation is kept, so that undo copies nothing.

Where both users had a conversation the two are united by a pointer. Where only the discarded one had it the survivor
goes on in it, and what comes from then on lies in a conversation of the survivor's, the branch, which is merged into
the one that it left (the trunk): both read as one, under the trunk's id. Ending that pointer parts them (R9, decision
14).
"""

from typing import Protocol

from msgspec import Struct

from knownas.conversations import Branch, Conversation, Participant, Trunk


class Grown(Struct, frozen=True):
    """A branch, the survivor's seat in it, and what its trunk was before.

    `waited` is how many of the messages that wait for her waited before the branch was there, and do so still.
    """

    conversation: Conversation
    seat: Participant
    trunk: Trunk
    waited: int


class Branches(Protocol):
    """What verbs ask of the app's branches."""

    async def of(self, discarded: str, limit: int) -> list[Grown]:
        """At most `limit` branches, for others, of the conversations of this user and of those who are one with her."""
        ...

    def add(self, branch: Conversation, seat: Participant, left: Branch) -> None:
        """Hold a new branch for writing; loses its race when there is one by now."""
        ...

    def count_message(self, branch_id: str, trunk_id: str, received: int) -> None:
        """Hold one message more in the branch; loses its race when it was cut off."""
        ...

    def add_unread(self, branch_id: str, count: int) -> None:
        """Hold that `count` messages more wait for its user."""
        ...

    def read(self, branch_id: str, now: int) -> None:
        """Hold that its user has read everything."""
        ...

    def cut(self, grown: Grown, now_is: Conversation, default_of: str | None) -> None:
        """Hold that the branch is a conversation like others, as `now_is` says; loses its race when it is already.

        Its seat has the associations of `grown.seat` then, and what waited before waits there no more.
        """
        ...

    def drop(self, grown: Grown) -> None:
        """Hold the removal of a branch that holds nothing; loses its race when it was cut off."""
        ...
