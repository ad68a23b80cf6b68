"""A message: what one author says in a conversation."""

from typing import Any, Final, Literal, Protocol

from msgspec import Struct

from knownas.conversations import MESSAGES_AT_MOST, Conversation, Origin
from knownas.devices import Device
from knownas.errors import DomainError
from knownas.users import User

LISTED_AT_ONCE = 100


class Author(Struct, frozen=True, rename="camel", omit_defaults=True):
    """Who says it. A business author has no `user_id`."""

    type: Literal["user", "business"]
    user_id: str | None = None
    display_name: str | None = None
    avatar_url: str | None = None
    subtypes: tuple[str, ...] = ()


class Message(Struct, frozen=True):
    """One message as stored. `received` is in milliseconds; ids of one conversation grow in the order of arrival.

    `content` is the vendor's `content` object, checked and complete (messages/content.py). `extras` holds what was
    sent beside it and is kept as it came: `destination`, `override`, `schema`, `references`, `externalMessageId`.
    `quoted` is the id of the message that it answers. A user's `display_name` and `avatar_url` are stored only where
    they were given; otherwise they are hers at the time of reading (messages/authors.py).
    """

    id: str
    conversation_id: str
    received: int
    author: Author
    content: dict[str, Any]
    origin: Origin
    quoted: str | None = None
    metadata: dict[str, Any] | None = None
    extras: dict[str, Any] = {}
    deleted: bool = False


class MessagePosted(Struct, frozen=True, tag_field="event", tag="message.posted"):
    """A message was said. `user_id` is the participant's in a personal conversation, else None."""

    user_id: str | None
    conversation_id: str
    conversation: Conversation
    message: Message
    user: User | None = None
    """The author, when a user wrote it."""
    device: Device | None = None
    """Where she wrote it, when it was on a device."""
    quoted: Message | None = None
    """The message that it answers, where it is still there."""


class MessageDeleted(Struct, frozen=True, tag_field="event", tag="message.deleted"):
    """One message is gone. `user_id` is the participant's in a personal conversation, else None."""

    user_id: str | None
    conversation_id: str
    message_id: str


class MessagesDeleted(Struct, frozen=True, tag_field="event", tag="message.all_deleted"):
    """All messages of the conversation are gone; the conversation stays."""

    user_id: str | None
    conversation_id: str


class PostbackReceived(Struct, frozen=True, tag_field="event", tag="message.postback"):
    """A user pressed a postback button; `payload` and `metadata` are the button's."""

    user_id: str
    conversation_id: str
    conversation: Conversation
    user: User
    payload: str
    metadata: dict[str, Any] | None
    origin: Origin
    device: Device | None = None


class InvalidMessage(DomainError):
    """The message cannot be taken like this; the text says why."""

    kind = "invalid"
    code = "bad_request"


class ConversationFull(DomainError):
    """The conversation holds as many messages as one may."""

    kind = "locked"
    code = "locked"

    def __init__(self) -> None:
        super().__init__(f"Message limit of {MESSAGES_AT_MOST} per conversation reached.")


class MessageNotFound(DomainError):
    """No such message in this conversation."""

    kind = "not_found"
    code = "not_found"

    def __init__(self) -> None:
        super().__init__("Resource not found")


class ActionNotFound(DomainError):
    """No such postback button in this conversation."""

    kind = "not_found"
    code = "not_found"

    def __init__(self) -> None:
        super().__init__("Action not found")


class IdempotencyKeyReused(DomainError):
    """The key stands for another message already (decision 7)."""

    kind = "conflict"
    code = "conflict"

    def __init__(self) -> None:
        super().__init__("This Idempotency-Key was used in this conversation for a different message")


class Request(Struct, frozen=True):
    """What a repeated request is known by: its Idempotency-Key, and the conversation that it names.

    That is the id as it was asked, so a merge or its undoing between the two tells no request from its repetition.
    """

    asked_of: str
    key: str


class StoredMessage(Struct, frozen=True):
    """A message as it lies in its row; `body` is JSON (messages/stored.py)."""

    id: str
    conversation_id: str
    received: int
    author_id: str | None
    body: str


class Reading(Struct, frozen=True):
    """A page of a conversation, with what else it takes to show it.

    `family` are all ids that stand for the conversation. `users` are those who take part in a personal one, by id and
    without their identities; others are looked up when they have said something.
    """

    family: list[str]
    users: dict[str, User]
    rows: list[StoredMessage]


class Shown(Struct, frozen=True):
    """A page as JSON texts of messages, in order of arrival; `ids` are those of the first and the last.

    Where the author is the one user of the conversation, HER stands for her. `more` is whether others follow in the
    direction of reading.
    """

    texts: list[str]
    ids: tuple[str, str] | None
    her: User | None
    more: bool


HER: Final = "\x1d"
"""What no JSON holds, because JSON escapes it."""


class Messages(Protocol):
    """What verbs ask of the app's stored messages."""

    async def shown(self, conversation_id: str, *, after: str | None, before: str | None, limit: int) -> Shown | None:
        """The page as texts, by one question; None where there is more to it: another author, a merge, a quotation."""
        ...

    async def reading(
        self, conversation_id: str, *, after: str | None, before: str | None, limit: int
    ) -> Reading | None:
        """The page that `stored_page` gives, by one question where nothing was merged; None without a conversation."""
        ...

    async def stored_page(
        self, family: list[str], *, after: str | None, before: str | None, limit: int
    ) -> list[StoredMessage]:
        """The same as `page`, as it lies there: nothing is decoded."""
        ...

    async def by_id(self, family: list[str], message_id: str) -> Message | None:
        """The message, when one of these conversations has it."""
        ...

    async def by_ids(self, family: list[str], message_ids: list[str]) -> list[Message]:
        """Those of these messages that are still there."""
        ...

    async def by_request(self, request: Request) -> Message | None:
        """What this request has posted already, wherever it is by now; or None."""
        ...

    async def page(self, family: list[str], *, after: str | None, before: str | None, limit: int) -> list[Message]:
        """At most `limit` messages in order of arrival: the last ones, or next to an id, exclusive."""
        ...

    def add(self, message: Message, request: Request | None = None) -> None:
        """Hold the new message; loses its race when the request was answered meanwhile."""
        ...

    def remove(self, message: Message) -> None:
        """Hold its removal; loses its race when it is gone already."""
        ...

    def remove_all(self, family: list[str]) -> None:
        """Hold the removal of all messages of these conversations."""
        ...
