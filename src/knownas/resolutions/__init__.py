"""A resolution: what was done about who owns an identity, by whom and why, and what undo has to put back (R8)."""

from typing import Any, Literal, Protocol

from msgspec import Struct

from knownas.errors import DomainError
from knownas.identities import IdentityType

Action = Literal["reassign", "move", "merge", "dismiss", "transfer"]
"""`transfer` is what the policy of that name does by itself; the others are an operator's."""


class By(Struct, frozen=True):
    """Who acts (`key:ID`, `cli:NAME`, `policy:NAME`), and the reason given."""

    actor: str
    note: str = ""


class Resolution(Struct, frozen=True):
    """One act on one identity.

    `owner_id` owned the identity (type, key), `claimant` is the external id that claimed it and `claimant_id` its user
    (made by the act, where there was none). `merge_id` is the merge that the act was. `before` holds what undo puts
    back. `note` is the reason that the actor gave. Times are in milliseconds.
    """

    id: str
    case_id: str | None
    action: Action
    type: IdentityType
    key: str
    owner_id: str
    claimant: str
    claimant_id: str | None
    actor: str
    note: str
    merge_id: str | None
    before: dict[str, Any]
    created_at: int
    undone_at: int | None = None
    undone_by: str | None = None


class ActNotFound(DomainError):
    """Neither a resolution nor a merge has this id; what named an erased user is gone with her."""

    kind = "not_found"
    code = "act_not_found"

    def __init__(self) -> None:
        super().__init__("There is no merge or resolution with this id")


class CannotResolve(DomainError):
    """The act cannot be done to the users and identities that there are; the text says what can."""

    kind = "conflict"
    code = "cannot_resolve"


class CannotUndo(DomainError):
    """The act cannot be undone, or not any more; the text says why and what would help."""

    kind = "conflict"
    code = "cannot_undo"


class Resolutions(Protocol):
    """What verbs ask of the app's stored resolutions."""

    async def by_id(self, resolution_id: str) -> Resolution | None:
        """The resolution, or None."""
        ...

    async def by_merge(self, merge_id: str) -> Resolution | None:
        """The resolution that this merge belongs to, or None."""
        ...

    async def of_identity(self, type: IdentityType, key: str) -> list[Resolution]:
        """What was done about this identity, oldest first, at most 100."""
        ...

    async def of_case(self, case_id: str) -> list[Resolution]:
        """What was done about this case, oldest first, at most 100."""
        ...

    async def later(self, case_id: str, resolution_id: str) -> bool:
        """Whether something was done about the case after this, and stands."""
        ...

    def add(self, resolution: Resolution) -> None:
        """Hold the new resolution for writing."""
        ...

    def undo(self, resolution: Resolution, actor: str, at: int) -> None:
        """Hold that it was undone; loses its race when it has been already."""
        ...
