"""An identity: something by which a user is known. In one app at most one user owns it (R1)."""

from collections.abc import Sequence
from typing import Literal, Protocol

from msgspec import Struct

from knownas.errors import DomainError

IdentityType = Literal["external_id", "email", "phone", "username"]


class Identity(Struct, frozen=True):
    """One identity of one user. `value` is as given, `key` its normal form, which the unique index carries.

    `owned` says that somebody who holds a key vouched for it; `verification` how ("sso", "api", "unverified"), and
    `asserted_by` which key. `created_at` is in milliseconds.
    """

    user_id: str
    type: IdentityType
    value: str
    key: str
    owned: bool
    verification: str
    asserted_by: str | None
    created_at: int


class Holder(Struct, frozen=True):
    """A user who has the identity in question, as its owner or as one who merely claims it."""

    user_id: str
    owned: bool


class Attach(Struct, frozen=True):
    """Nobody else has it: it becomes the claimant's."""


class Keep(Struct, frozen=True):
    """It is the claimant's already."""


class TakeOver(Struct, frozen=True):
    """The `former` users, sorted, only claimed it: they lose it, and it becomes the claimant's."""

    former: tuple[str, ...]


class Contest(Struct, frozen=True):
    """Another user, `owner`, owns it: nobody guesses, the app's policy decides (R7)."""

    owner: str


class IdentityAttached(Struct, frozen=True, tag_field="event", tag="identity.attached"):
    """The user owns one more identity."""

    user_id: str
    type: IdentityType
    verification: str


class IdentityTakenOver(Struct, frozen=True, tag_field="event", tag="identity.taken_over"):
    """The `former` users lost a claim to an identity that `user_id` now owns."""

    user_id: str
    former: tuple[str, ...]
    type: IdentityType


class InvalidIdentity(DomainError):
    """The value cannot be an identity of its type; the text says why, and does not repeat the value."""

    kind = "invalid"
    code = "bad_request"


class Identities(Protocol):
    """What verbs ask of the app's stored identities."""

    async def owned(self, type: IdentityType, key: str) -> Identity | None:
        """The identity as its owner has it, on the row of whoever was merged into her where she got it so; or None."""
        ...

    async def of_users(self, members: list[str]) -> list[Identity]:
        """All that these users own, external ids too, in the order in which they got them."""
        ...

    def add(self, identity: Identity) -> None:
        """Hold the new identity; an owned one loses its race when somebody owns it already (R1)."""
        ...

    def move(self, identity: Identity) -> None:
        """Hold the owned identity as another user's from now on; loses its race when nobody owns it."""
        ...

    def release(self, type: IdentityType, key: str) -> None:
        """Hold that nobody owns this identity any more."""
        ...

    def drop_claims(self, type: IdentityType, key: str) -> None:
        """Hold the end of all claims to an identity that nobody vouched for (R2)."""
        ...

    def remove_all(self, members: list[str]) -> None:
        """Hold the removal of all identities of these users except external ids."""
        ...


def decide(claimant: str | None, holders: Sequence[Holder]) -> Attach | Keep | TakeOver | Contest:
    """What a vouched-for identity does (R1, R2, R6): `claimant` is the user it was asserted of, None if not yet made.

    Somebody else's ownership always stands; a mere claim always yields.
    """
    owners = [holder.user_id for holder in holders if holder.owned]
    others = [owner for owner in owners if owner != claimant]
    if others:
        return Contest(min(others))
    if owners:
        return Keep()
    former = {holder.user_id for holder in holders} - {claimant}
    return TakeOver(tuple(sorted(former))) if former else Attach()
