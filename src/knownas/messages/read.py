"""Read what was said."""

from msgspec import Struct, structs

from knownas.conversations import ConversationNotFound
from knownas.ids import is_id
from knownas.messages import LISTED_AT_ONCE, Message, Reading, Shown, StoredMessage
from knownas.messages.authors import named
from knownas.messages.stored import FIRST_FIELD_AT, WITH_QUOTED, message_of
from knownas.transaction import Transaction
from knownas.users import User


class Listed(Struct, frozen=True):
    """A page of messages in order of arrival.

    `authors` are the users who speak on it, by the ids in the rows: a merged user's leads to the survivor, one who is
    gone is missing. `quoted` are the messages that are answered on it and are still there. `more` says whether others
    follow in the direction of reading.
    """

    rows: list[StoredMessage]
    authors: dict[str, User]
    quoted: dict[str, Message]
    more: bool

    @property
    def ids(self) -> tuple[str, str] | None:
        """Those of the first and the last message, where there are any."""
        return (self.rows[0].id, self.rows[-1].id) if self.rows else None


async def show_messages(
    tx: Transaction, conversation_id: str, *, after: str | None = None, before: str | None = None
) -> Shown | Listed:
    """The page of `list_messages`: as texts where all of it can be shown as it lies there, else as that gives it."""
    if is_id(conversation_id):
        shown = await tx.messages.shown(conversation_id, after=after, before=before, limit=LISTED_AT_ONCE)
        if shown is not None:
            return shown
    return await list_messages(tx, conversation_id, after=after, before=before)


async def list_messages(
    tx: Transaction, conversation_id: str, *, after: str | None = None, before: str | None = None
) -> Listed:
    """The last messages of a conversation, or those next to an id: LISTED_AT_ONCE at most.

    A merged conversation reads as one with what was merged into it. Raises ConversationNotFound.
    """
    reading = None
    if is_id(conversation_id):
        reading = await tx.messages.reading(conversation_id, after=after, before=before, limit=LISTED_AT_ONCE + 1)
    if reading is None:
        raise ConversationNotFound
    rows = reading.rows
    more = len(rows) > LISTED_AT_ONCE
    if more:
        rows = rows[:-1] if after else rows[1:]
    quoted = await _quoted(tx, reading, rows)
    return Listed(rows, await _authors(tx, reading, rows, quoted), quoted, more)


async def _authors(
    tx: Transaction, reading: Reading, rows: list[StoredMessage], quoted: dict[str, Message]
) -> dict[str, User]:
    ids = {row.author_id for row in rows} | {message.author.user_id for message in quoted.values()}
    found = {}
    for author_id in ids - {None}:
        assert author_id is not None  # noqa: S101
        user = reading.users.get(author_id) or await tx.users.by_id(author_id)
        if user is not None:
            found[author_id] = user
    return found


async def _quoted(tx: Transaction, reading: Reading, rows: list[StoredMessage]) -> dict[str, Message]:
    """The messages that those of this page answer; rare, and told by the first field."""
    ids = {message_of(row).quoted for row in rows if row.body[FIRST_FIELD_AT] == WITH_QUOTED} - {None}
    if not ids:
        return {}
    return {message.id: message for message in await tx.messages.by_ids(reading.family, [id for id in ids if id])}


def messages_of(listed: Listed, *, animal_names: bool) -> list[Message]:
    """The page's messages, decoded and with their authors' names."""
    found = []
    for row in listed.rows:
        message = message_of(row)
        user = listed.authors.get(row.author_id) if row.author_id else None
        found.append(with_name(message, user, animal_names=animal_names))
    return found


def with_name(message: Message, user: User | None, *, animal_names: bool) -> Message:
    """The message with its author as others see her."""
    if user is None:
        return message
    return structs.replace(message, author=named(message.author, user, animal_names=animal_names))
