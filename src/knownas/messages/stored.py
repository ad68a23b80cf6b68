"""How a message lies in its row: as JSON that is, for most messages, what the v2 API shows, so that a page of them
need not be decoded (decision 7).

The row's columns hold id, time and author's id; the body holds the rest, and the time once more, as it is shown. What
follows the time tells what else it takes to show the message: after `author`, which the business is, only the id; after
`content`, the author from the row as well. Anything rarer comes before the time, and is decoded.
"""

from typing import Any, Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from knownas.conversations import Origin
from knownas.messages import Author, Message, StoredMessage
from knownas.times import iso


class _Source(Struct, rename="camel", omit_defaults=True):
    type: str
    integration_id: str | None = None


class _Body(Struct, rename="camel", omit_defaults=True, kw_only=True):
    """In the order in which it is encoded. `speaker` is a user whom the message gave a name of its own."""

    quoted: str | None = None
    hidden: dict[str, Any] | None = None
    speaker: Author | None = None
    received: str = ""
    author: Author | None = None
    content: dict[str, Any]
    source: _Source
    metadata: dict[str, Any] | None = None
    references: list[Any] | None = None


FIRST_FIELD_AT: Final = 2
"""Where in a body the first letter of its first field stands."""
KIND_AT: Final = 40
"""Where the first letter of the field after the time stands, when the time comes first."""
TIMED: Final = "r"
BY_BUSINESS: Final = "a"
BY_USER: Final = "c"
WITH_QUOTED: Final = "q"
_USER: Final = Author("user")


def body_of(message: Message) -> str:
    """The message's body as it is stored."""
    author = replace(message.author, user_id=None)
    extras = dict(message.extras)
    references = extras.pop("references", None)
    body = _Body(
        quoted=message.quoted,
        hidden=extras or None,
        received=iso(message.received),
        speaker=author if author.type == "user" and author != _USER else None,
        author=author if author.type == "business" else None,
        content=message.content,
        source=_Source(message.origin.type, message.origin.integration_id),
        metadata=message.metadata or None,
        references=references,
    )
    return _encode(body).decode()


def message_of(stored: StoredMessage) -> Message:
    """The message that was stored."""
    body = _decode(stored.body)
    author = body.author or body.speaker or _USER
    return Message(
        stored.id,
        stored.conversation_id,
        stored.received,
        replace(author, user_id=stored.author_id) if stored.author_id else author,
        body.content,
        Origin(body.source.type, body.source.integration_id),
        body.quoted,
        body.metadata,
        (body.hidden or {}) | ({"references": body.references} if body.references else {}),
    )


_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(_Body).decode
