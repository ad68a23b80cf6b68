"""A client: one channel, such as somebody's WhatsApp, through which a user can be reached.

The client of type `sdk` is the sum of her devices (knownas.devices); the others are linked, and stored here. What moves
a link is told by the channel's connector, never assumed (docs/decisions/0010-links-brands-and-oauth.md).
"""

from typing import Any, Final, Literal, Protocol

from msgspec import Struct

from knownas.conversations import Conversation, Origin
from knownas.devices import SdkClient
from knownas.errors import DomainError
from knownas.users import User

ClientStatus = Literal["pending", "active", "blocked", "inactive"]
Confirmation = Literal["immediate", "userActivity", "prompt"]
AddedReason = Literal["channelLinking", "sdkLogin", "authCode"]
UpdatedReason = Literal["matched", "confirmed", "blocked", "unblocked"]
RemovedReason = Literal["api", "linkCancelled", "linkFailed", "sdk", "theft"]

PENDING_AT_MOST: Final = 25
"""Links of one user that wait. Each ends as a client, or is removed."""


class Link(Struct, frozen=True):
    """What is asked for: whom to look for on which channel, how she agrees, and which conversation is for it.

    `address` is the phone number in E.164, or the e-mail address; `message` is the text or image that reaches out to
    her, as the vendor's `messagePost`.
    """

    type: str
    integration_id: str
    address: str
    conversation_id: str
    confirmation: Confirmation
    subject: str | None = None
    primary: bool = True
    message: dict[str, Any] | None = None


class Profile(Struct, frozen=True):
    """What a channel says about the person whom it found. `external_id` is what it calls her."""

    external_id: str | None = None
    display_name: str | None = None
    avatar_url: str | None = None
    info: dict[str, Any] | None = None
    raw: dict[str, Any] | None = None


class LinkedClient(Struct, frozen=True):
    """One linked client as stored. Times are in milliseconds; `matched_at` is None until its channel found somebody."""

    id: str
    user_id: str
    status: ClientStatus
    link: Link
    profile: Profile
    created_at: int
    matched_at: int | None = None
    linked_at: int | None = None
    last_seen: int | None = None
    revision: int = 1


Client = SdkClient | LinkedClient


class LinkError(Struct, frozen=True):
    """Why a link did not come about."""

    code: str
    message: str


# Events hold whole values, so that what is delivered later is what was true at commit (R11).


class ClientAdded(Struct, frozen=True, tag_field="event", tag="client.added"):
    """The user has one more client, or a link that waits: one of `client` and `sdk_client` is given."""

    user_id: str
    user: User
    client: LinkedClient | None
    reason: AddedReason
    origin: Origin
    conversation: Conversation | None = None
    sdk_client: SdkClient | None = None


class ClientUpdated(Struct, frozen=True, tag_field="event", tag="client.updated"):
    """A linked client came a step further, or the user left or came back on its channel."""

    user_id: str
    user: User
    client: LinkedClient
    reason: UpdatedReason
    conversation: Conversation | None = None


class ClientRemoved(Struct, frozen=True, tag_field="event", tag="client.removed"):
    """A linked client is gone, as it last was. `error` says why a link failed or was cancelled."""

    user_id: str
    user: User
    client: LinkedClient
    reason: RemovedReason
    origin: Origin
    conversation: Conversation | None = None
    error: LinkError | None = None


class InvalidLink(DomainError):
    """The link cannot be made like this; the text says why."""

    kind = "invalid"
    code = "bad_request"


class WrongState(DomainError):
    """The client is not in a state from which this can happen; the text says which it is in."""

    kind = "conflict"
    code = "conflict"


class Clients(Protocol):
    """What verbs ask of the app's linked clients."""

    async def by_id(self, client_id: str) -> LinkedClient | None:
        """The client, whosever it is, or None."""
        ...

    async def by_channel_id(self, integration_id: str, external_id: str) -> LinkedClient | None:
        """The client that owns what the channel calls somebody, or None; links that wait own nothing."""
        ...

    async def of_users(
        self, members: list[str], *, after: str | None, before: str | None, limit: int
    ) -> list[LinkedClient]:
        """At most `limit` clients of these users in the order of their ids, after or before an id, exclusive."""
        ...

    async def waiting(self, members: list[str]) -> int:
        """How many links of these users wait."""
        ...

    def add(self, client: LinkedClient) -> None:
        """Hold the new client for writing."""
        ...

    def update(self, before: LinkedClient, after: LinkedClient) -> None:
        """Hold its new state, relying on the revision that was read.

        Loses its race when another client owns what the channel calls her by then.
        """
        ...

    def remove(self, client: LinkedClient, members: list[str]) -> None:
        """Hold its removal, and that it takes part in none of its user's conversations any more."""
        ...

    def move(self, client: LinkedClient, conversation_id: str, members: list[str]) -> None:
        """Hold that the link is for another conversation, and that these users take part in none through it.

        Relies on the revision that was read.
        """
        ...

    def subscribe(self, client: LinkedClient, members: list[str]) -> None:
        """Hold that the user takes part in the link's conversation through it, first of all if it is the primary."""
        ...

    def deactivate(self, integration_id: str) -> None:
        """Hold that nobody can be reached through this integration any more."""
        ...

    def clear_details(self, members: list[str]) -> None:
        """Hold the clearing of what the channels, and the links, say about these users."""
        ...
