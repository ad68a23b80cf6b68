"""A session: what lets an anonymous user come back. Identified users come back with a signed token (R4)."""

from typing import Protocol

from msgspec import Struct

from knownas.conflicts import Standing
from knownas.devices import Device
from knownas.errors import DomainError
from knownas.identities import Holder
from knownas.users import User


class AnonymousProof(Struct, frozen=True):
    """What a client shows to prove that it holds an anonymous user's session. Only the token's hash is kept."""

    user_id: str
    token_hash: str


class Session(Struct, frozen=True):
    """One anonymous session. `created_at` is in milliseconds."""

    token_hash: str
    user_id: str
    device_guid: str | None
    created_at: int


class Situation(Struct, frozen=True):
    """All that a login has to know before it decides, found in one question.

    `known` is the user with the token's external id and `devices` hers; `device` is the one she logs in on, whomever
    it belongs to so far; `holders` have the token's e-mail; `visitor` is the anonymous user whose session was proved.
    `owner_revision` is that of the one who owns the e-mail, as of when she was found to own it; `standing` is what
    stands against another's claim to it, unless merges make that another question.
    """

    known: User | None
    devices: list[Device]
    device: Device | None
    holders: list[Holder]
    visitor: User | None
    owner_revision: int | None = None
    standing: Standing | None = None


class Access(Struct, frozen=True):
    """What somebody who signed in gets: the user, her devices, and for an anonymous one the token to come back with."""

    user: User
    devices: list[Device]
    session_token: str | None = None
    created: bool = False


class UserAuthenticated(Struct, frozen=True, tag_field="event", tag="user.authenticated"):
    """A user who was anonymous, or made by the business's server, came with a token of her own for the first time.

    `user` is how the login left her; `device` is the one that she came on.
    """

    user_id: str
    user: User
    device: Device | None = None


class InvalidSession(DomainError):
    """The session token is not, or no longer, one of this user's."""

    kind = "unauthenticated"
    code = "invalid_auth"
    cause = "session.invalid"

    def __init__(self) -> None:
        super().__init__("Invalid session token")


class NotThisUser(DomainError):
    """The credentials are good, but for another user than the one asked for."""

    kind = "forbidden"
    code = "forbidden"

    def __init__(self) -> None:
        super().__init__("The credentials supplied do not give access to this user")


class Sessions(Protocol):
    """What verbs ask of the app's stored sessions."""

    async def situation(
        self, external_id: str, email_key: str | None, guid: str | None, proof: AnonymousProof | None
    ) -> Situation:
        """All that a login has to know (Situation)."""
        ...

    async def visitor(self, proof: AnonymousProof) -> User | None:
        """The user whose live session `proof` shows, if she is still anonymous."""
        ...

    def add(self, session: Session) -> None:
        """Hold the new session for writing."""
        ...

    def end(self, proof: AnonymousProof) -> None:
        """Hold the end of the one session that this is the proof of."""
        ...

    def end_all(self, members: list[str]) -> None:
        """Hold the end of every session of these users."""
        ...

    def end_on(self, device: Device, user_id: str) -> None:
        """Hold the end of this user's sessions on one device."""
        ...
