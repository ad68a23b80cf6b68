"""A user: somebody whom a business talks to, known by an external id or not yet."""

from typing import Any, Literal, Protocol

from msgspec import UNSET, Struct, UnsetType

from knownas.errors import DomainError
from knownas.identities import Identity

HowCreated = Literal["sdk", "login", "api"]


class User(Struct, frozen=True):
    """One user as stored. Times are in milliseconds.

    `revision` changes with every write of the user; `absorbed` is how many users were merged into this one. An
    `anonymous` user has no external id. `email` is a label that somebody typed, never an identity (R2). A user with a
    `brand_id` is separated from those of other brands; `zendesk_id` is what Zendesk Support calls her.
    """

    id: str
    external_id: str | None
    authenticated: bool
    given_name: str | None
    surname: str | None
    email: str | None
    avatar_url: str | None
    locale: str | None
    metadata: dict[str, Any]
    signed_up_at: int | None
    to_be_retained: bool | None
    client_id: str
    created_at: int
    revision: int = 1
    absorbed: int = 0
    merged_into: str | None = None
    identities: tuple[Identity, ...] = ()
    brand_id: str | None = None
    zendesk_id: str | None = None

    @property
    def anonymous(self) -> bool:
        """Whether nobody has said yet who this is."""
        return self.external_id is None

    @property
    def named(self) -> bool:
        """Whether a given name or a surname is known, identified or not."""
        return bool(self.given_name or self.surname)


class UserChanges(Struct, frozen=True):
    """What to change of a user: `UNSET` leaves a field, `None` clears it, metadata is merged key by key."""

    given_name: str | None | UnsetType = UNSET
    surname: str | None | UnsetType = UNSET
    email: str | None | UnsetType = UNSET
    avatar_url: str | None | UnsetType = UNSET
    locale: str | None | UnsetType = UNSET
    metadata: dict[str, Any] | None | UnsetType = UNSET
    signed_up_at: int | None | UnsetType = UNSET
    to_be_retained: bool | None | UnsetType = UNSET


class Holdings(Struct, frozen=True):
    """How much stands under a user's ids, for a preview."""

    conversations: int
    messages: int
    devices: int
    clients: int


class UserCreated(Struct, frozen=True, tag_field="event", tag="user.created"):
    """A user exists who did not before."""

    user_id: str
    external_id: str | None
    how: HowCreated


class UserIdentified(Struct, frozen=True, tag_field="event", tag="user.identified"):
    """A user who was anonymous now has an external id, and keeps id and history.

    `user` is given where the business's server said who she is; at a login, sessions.UserAuthenticated has her.
    """

    user_id: str
    external_id: str
    user: User | None = None


class UserUpdated(Struct, frozen=True, tag_field="event", tag="user.updated"):
    """Fields of the user changed; their values are read from the user."""

    user_id: str
    fields: tuple[str, ...]


class UserErased(Struct, frozen=True, tag_field="event", tag="user.erased"):
    """The user's personal information is gone; the user and the conversations remain."""

    user_id: str


class UserRemoved(Struct, frozen=True, tag_field="event", tag="user.removed"):
    """The user is gone with everything that was theirs. Numbered in the app's sequence: the user's is gone too.

    `external_id` is there only where a webhook asks to be told (docs/decisions/0011-webhooks.md).
    """

    removed_user_id: str
    external_id: str | None = None
    authenticated: bool = False


class UserNotFound(DomainError):
    """No such user in this app."""

    kind = "not_found"
    code = "user_not_found"

    def __init__(self) -> None:
        super().__init__("User not found")


class UserExists(DomainError):
    """The external id belongs to a user already."""

    kind = "conflict"
    code = "conflict"

    def __init__(self) -> None:
        super().__init__("User already exists")


class InvalidUser(DomainError):
    """The user cannot be made or changed like this; the text says why."""

    kind = "invalid"
    code = "bad_request"


class Users(Protocol):
    """What verbs ask of the app's stored users. A look-up by a former id answers with the survivor of the merge."""

    async def by_id(self, user_id: str) -> User | None:
        """The user with this id, or the survivor it was merged into, with owned identities; or None."""
        ...

    async def by_external_id(self, external_id: str, brand_id: str | None = None) -> User | None:
        """The user with this external id, or the survivor, with owned identities; or None. In a brand, the brand's."""
        ...

    async def by_zendesk_id(self, zendesk_id: str) -> User | None:
        """The user whom this Zendesk id was linked to, or the survivor; or None."""
        ...

    async def by_email(self, email_key: str) -> list[User]:
        """The users with this e-mail identity: the owner first, then those who merely claim it; at most 100."""
        ...

    async def members(self, user: User) -> list[str]:
        """The ids that stand for this user: her own first, then all that were merged into her."""
        ...

    async def stored(self, user_id: str) -> User | None:
        """The user herself, without identities, although she may have been merged into another; or None."""
        ...

    async def holdings(self, members: list[str]) -> Holdings:
        """How much stands under these ids."""
        ...

    def separate(self, user: User) -> None:
        """Hold that this merged user is one of her own again; loses its race when she is not merged any more."""
        ...

    def add(self, user: User) -> None:
        """Hold the new user for writing."""
        ...

    def unmake(self, user: User) -> None:
        """Hold the removal of a user who was made and has done nothing since, with what was told of her alone."""
        ...

    def rely_on(self, user: User) -> None:
        """Have whatever else is held of the user lose its race when she has been written since she was read."""
        ...

    def read_of(self, user: User) -> None:
        """Have what is held lose its race when she was written since she was read. She herself is not written.

        For what tells of a user something that must not outlive her erasure, as often as others cause it (R10).
        """
        ...

    def change(self, user: User, **columns: object) -> None:
        """Hold new values for some of the user's fields, relying on how she was read."""
        ...

    def link_zendesk(self, user: User, zendesk_id: str) -> None:
        """Hold the Zendesk id as this user's; loses its race when it has been somebody's before."""
        ...

    def drop_external_id(self, members: list[str], external_id: str) -> None:
        """Hold that those who were merged away do not carry this external id any more."""
        ...

    def remove(self, user: User) -> None:
        """Hold the removal of the user's own row, relying on how she was read; first among what removes her."""
        ...

    def remove_rows(self, members: list[str]) -> None:
        """Hold the removal of those merged into her, and of what carries any of these ids as its user's; last."""
        ...

    def forget_profiles(self, members: list[str]) -> None:
        """Hold the clearing of what the rows of those merged into her say, and of all of their links to Zendesk."""
        ...
