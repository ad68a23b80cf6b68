"""A conflict: two people claim one identity. It is refused, told and kept as a case (R7)."""

from typing import Literal, Protocol

from msgspec import Struct

from knownas.errors import DomainError
from knownas.identities import IdentityType

CaseState = Literal["open", "resolved", "dismissed"]


class Case(Struct, frozen=True):
    """One (identity, claimant) for which an owner was found to exist already.

    `claimant` is the external id that asked, `claimant_id` its user if there is one. Repeats are counted, not added.
    Times are in milliseconds.
    """

    id: str
    type: IdentityType
    key: str
    owner_id: str
    claimant: str
    claimant_id: str | None
    asserted_by: str
    first_seen: int
    last_seen: int
    count: int = 1
    state: CaseState = "open"


class IdentityContested(Struct, frozen=True, tag_field="event", tag="identity.contested"):
    """Somebody asked for an identity that `user_id` owns; `claimant_id` is None while the claimant does not exist.

    The claimant's external id stands in the case alone, so that it can be erased in one place (R10).
    """

    user_id: str
    type: IdentityType
    claimant_id: str | None


class EmailContested(DomainError):
    """The verified e-mail belongs to another user. The text says nothing about the owner (R13)."""

    kind = "conflict"
    code = "conflict"
    keeps_trace = True

    def __init__(self) -> None:
        super().__init__("The email in this token is already in use by another user of this app")


class Conflicts(Protocol):
    """What verbs ask of the app's stored cases."""

    async def open(self) -> list[Case]:
        """The open cases, oldest first, at most 100."""
        ...

    def refresh(self, case: Case) -> None:
        """Hold the case for writing: opened when there is none for (identity, claimant), else counted once more."""
        ...

    def forget(self, members: list[str], external_id: str | None) -> None:
        """Hold the removal of the cases that name these users, or this external id from before it had a user."""
        ...
