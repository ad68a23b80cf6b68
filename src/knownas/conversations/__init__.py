"""A conversation: what a business and one user (personal), or a group of users (sdkGroup), say to each other."""

from typing import Any, Literal, Protocol

from msgspec import UNSET, Struct, UnsetType

from knownas.devices import Device
from knownas.errors import DomainError
from knownas.users import User

ConversationType = Literal["personal", "sdkGroup"]
CreationReason = Literal["linkRequest", "message", "none", "notification", "prechatCapture", "startConversation"]
ActivityType = Literal["conversation:read", "typing:start", "typing:stop"]
PARTICIPANTS_AT_MOST = 10
MESSAGES_AT_MOST = 30_000


class Holder(Struct, frozen=True):
    """A switchboard integration as a conversation names it: who answers in it, or was offered to."""

    id: str
    name: str
    integration_id: str | None
    integration_type: str


class Conversation(Struct, frozen=True):
    """One conversation as stored. Times are in milliseconds.

    `last_message_at` is None until the first message; `message_count` counts what is stored, up to MESSAGES_AT_MOST.
    `merged_into` points from a merged user's only conversation to her survivor's, or from a branch to its trunk (R9).
    `revision` changes with every write of the row.
    """

    id: str
    type: ConversationType
    display_name: str | None
    description: str | None
    icon_url: str | None
    metadata: dict[str, Any]
    is_default: bool
    business_last_read: int | None
    last_message_at: int | None
    message_count: int
    created_at: int
    revision: int = 1
    merged_into: str | None = None
    active: Holder | None = None
    pending: Holder | None = None


class ClientAssociation(Struct, frozen=True, rename="camel"):
    """A client through which a participant takes part; the first of several is the one last used."""

    type: str
    client_id: str


class Trunk(Struct, frozen=True):
    """What a merged user's conversation was, before anything was written there for her survivor."""

    display_name: str | None
    description: str | None
    icon_url: str | None
    metadata: dict[str, Any]
    business_last_read: int | None
    last_message_at: int | None
    active_holder: str | None
    pending_holder: str | None


class Branch(Struct, frozen=True):
    """Where what is written for the survivor `user_id` in a merged user's conversation is kept (branches.py).

    `id` is None until something is; `trunk` is what the conversation is then. What waits for the survivor there, also
    of what waited for the merged user, is `unread_count`, and stands in the seat `counted_in`: a conversation's id and
    its own. The merged user's seat stays what it was.
    """

    id: str | None
    user_id: str
    unread_count: int
    counted_in: tuple[str, str]
    trunk: Trunk


class Participant(Struct, frozen=True):
    """A user's place in a conversation. `user_id` is the survivor's where the user was merged. Times are in ms.

    `branch` is None but in the personal conversation of a user who was merged.
    """

    id: str
    conversation_id: str
    user_id: str
    external_id: str | None
    unread_count: int
    last_read: int | None
    associations: tuple[ClientAssociation, ...]
    joined_at: int
    branch: Branch | None = None


class Reference(Struct, frozen=True):
    """A user as a caller names her: by exactly one of the ids, the external one among those of a brand or of none."""

    user_id: str | None = None
    external_id: str | None = None
    brand_id: str | None = None


class Invitation(Struct, frozen=True):
    """A user to take part. `subscribe` associates her SDK client at once; a group has to say whether it does."""

    user: Reference
    subscribe: bool | None = None


class ConversationChanges(Struct, frozen=True):
    """What to change: `UNSET` leaves a field, `None` clears it, metadata is merged key by key."""

    display_name: str | None | UnsetType = UNSET
    description: str | None | UnsetType = UNSET
    icon_url: str | None | UnsetType = UNSET
    metadata: dict[str, Any] | None | UnsetType = UNSET


class Origin(Struct, frozen=True):
    """Through what something came: `type` is `api:conversations`, `web`, `ios`, `android` or a channel's name."""

    type: str = "api:conversations"
    integration_id: str | None = None


class Start(Struct, frozen=True):
    """How a personal conversation begins. `subscribe` associates its user's SDK client at once."""

    reason: CreationReason = "none"
    origin: Origin = Origin()
    subscribe: bool = False


# Events hold whole values, so that what is delivered later is what was true at commit (R11). Those of a personal
# conversation are numbered in its user's sequence (`user_id`), those of a group in the conversation's own.


class ConversationCreated(Struct, frozen=True, tag_field="event", tag="conversation.created"):
    """There is a new conversation. `user` is the participant of a personal one."""

    user_id: str | None
    conversation_id: str
    conversation: Conversation
    reason: CreationReason
    origin: Origin
    user: User | None = None
    device: Device | None = None


class ConversationUpdated(Struct, frozen=True, tag_field="event", tag="conversation.updated"):
    """Details of the conversation changed; `conversation` is as it is now."""

    user_id: str | None
    conversation_id: str
    conversation: Conversation
    fields: tuple[str, ...]


class ConversationRemoved(Struct, frozen=True, tag_field="event", tag="conversation.removed"):
    """The conversation is gone with its messages. A group's is numbered in the app's sequence: its own is gone too."""

    user_id: str | None
    conversation: Conversation


class ParticipantJoined(Struct, frozen=True, tag_field="event", tag="conversation.joined"):
    """A user joined a group."""

    conversation_id: str
    conversation: Conversation
    user: User


class ParticipantLeft(Struct, frozen=True, tag_field="event", tag="conversation.left"):
    """A user left a group."""

    conversation_id: str
    conversation: Conversation
    user: User


class ActivityHappened(Struct, frozen=True, tag_field="event", tag="conversation.activity"):
    """Somebody read or types. `author` is None for the business; `type` is the vendor's `activityTypes`."""

    user_id: str | None
    conversation_id: str
    conversation: Conversation
    type: ActivityType
    origin: Origin
    author: User | None = None
    device: Device | None = None


class ConversationNotFound(DomainError):
    """No such conversation in this app."""

    kind = "not_found"
    code = "conversation_not_found"

    def __init__(self) -> None:
        super().__init__("Conversation not found")


class NotAMember(DomainError):
    """The user takes no part in the conversation."""

    kind = "not_found"
    code = "not_found"

    def __init__(self) -> None:
        super().__init__("User is not a member of the conversation")


class InvalidConversation(DomainError):
    """The conversation cannot be made or changed like this; the text says why."""

    kind = "invalid"
    code = "bad_request"


class TooManyParticipants(InvalidConversation):
    """A group has as many participants as one may."""

    def __init__(self) -> None:
        super().__init__("Too many participants")


class DefaultConversationStays(InvalidConversation):
    """A user's default conversation is there as long as she is."""

    def __init__(self, conversation_id: str) -> None:
        super().__init__(f"Conversation {conversation_id} cannot be deleted because it is the default.")


class Conversations(Protocol):
    """What verbs ask of the app's stored conversations. An id that was merged away answers with the survivor."""

    async def by_id(self, conversation_id: str) -> Conversation | None:
        """The conversation, or None."""
        ...

    async def with_participants(self, conversation_id: str) -> tuple[Conversation, list[Participant]] | None:
        """The conversation and all who take part (a group may have had hundreds join: at most 1000), or None."""
        ...

    async def participants(
        self, conversation_id: str, *, after: str | None, before: str | None, limit: int
    ) -> list[Participant]:
        """At most `limit` participants in the order in which they joined, after or before an id, exclusive."""
        ...

    async def of_user(
        self, members: list[str], *, after: str | None, before: str | None, limit: int
    ) -> list[Conversation]:
        """At most `limit` conversations of this user (all ids that stand for her), oldest first."""
        ...

    async def default_of(self, members: list[str]) -> Conversation | None:
        """The default conversation among those of this user, or None."""
        ...

    async def default_holder(self, conversation_id: str) -> str | None:
        """The user for whom this is the default conversation, by the id that she had when it was made; or None."""
        ...

    async def stored(self, conversation_id: str) -> Conversation | None:
        """The conversation itself, although it may have been merged into another; or None."""
        ...

    async def of_them(self, members: list[str], among: list[str]) -> list[str]:
        """Those of `among` that are personal conversations of one of these users."""
        ...

    def separate(self, conversation: Conversation) -> None:
        """Hold that this merged conversation is one of its own again; loses its race when it is not merged any more."""
        ...

    def uncount(self, merged: list[str], conversation_id: str | None = None) -> None:
        """Hold that those merged into another have one message fewer where it was deleted, or none any more.

        What each one holds has to be known when the merge is undone.
        """
        ...

    def less_unread(self, participant: Participant, discarded: Conversation, united_at: int) -> None:
        """Hold that what still waits in `discarded` waits for the participant no more, unless she has read it since."""
        ...

    async def family(self, conversation_id: str) -> list[str]:
        """The ids that stand for this conversation: its own first, then those merged into it."""
        ...

    async def united_with_others(self, members: list[str]) -> list[str]:
        """The merged conversations of which these users have one side, and somebody else has the other."""
        ...

    async def some(self, after: str, limit: int) -> list[Conversation]:
        """The app's next `limit` conversations, whose ids are greater than `after`."""
        ...

    def add(self, conversation: Conversation, default_of: str | None = None) -> None:
        """Hold the new conversation for writing; a default one names its user, who must not have one meanwhile."""
        ...

    def add_participant(self, participant: Participant) -> None:
        """Hold the new participant; loses its race when the user takes part already."""
        ...

    def associate(self, participant: Participant) -> None:
        """Hold the participant's client associations as they are now."""
        ...

    def remove_participant(self, participant: Participant) -> None:
        """Hold the participant's removal."""
        ...

    def rely_on(self, conversation: Conversation) -> None:
        """Have what is held lose its race when the conversation has been written since it was read."""
        ...

    def change(self, conversation: Conversation, **columns: object) -> None:
        """Hold new values for some fields, relying on how it was read. Columns are the table's."""
        ...

    def count_message(
        self, conversation: Conversation, received: int, author_id: str | None, *, apart: bool = False
    ) -> None:
        """Hold one message more: the count, the time, everybody else's unread count. Concurrent posts do not race.

        What is kept `apart` in a branch waits there.

        Loses its race when the conversation is gone or holds MESSAGES_AT_MOST by now.
        """
        ...

    def add_unread(self, participant: Participant, count: int) -> None:
        """Hold that `count` messages more wait for this participant."""
        ...

    def read_by(self, participant: Participant, now: int) -> None:
        """Hold that this participant has read everything."""
        ...

    def remove(self, conversation: Conversation, family: list[str]) -> None:
        """Hold the removal of the conversation, its participants and messages, relying on it."""
        ...

    def remove_of_users(self, members: list[str]) -> None:
        """Hold the removal of these users' personal conversations with their messages, and of their part in groups.

        Comes before the users themselves are removed: it finds what names them by their rows.
        """
        ...

    def forget_names(self, members: list[str]) -> None:
        """Hold the removal of the names and pictures that messages give these users, who wrote them."""
        ...
