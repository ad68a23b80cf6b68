"""An attachment: a file that was uploaded so that messages can show it, and the address under which it is served."""

import re
from collections.abc import AsyncGenerator
from typing import Any, Final, Protocol

from msgspec import Struct

from knownas.errors import DomainError

FILE_BYTES_AT_MOST: Final = 50 * 1024 * 1024
"""The vendor's limit on uploads: 50 MB (spec/sunshine-v2.yaml, Request Size Limits)."""
NAME_CHARACTERS: Final = 64
"""256 random bits in hex: whoever knows the address may read the file, so nobody may guess it."""
is_name = re.compile(rf"[0-9a-f]{{{NAME_CHARACTERS}}}").fullmatch


class Attachment(Struct, frozen=True):
    """One attachment as stored. `created_at` is in milliseconds, `size` in bytes.

    `name` is what the file store calls the file, `filename` what the uploader did. With `for_message` it goes with the
    first message that shows it, whose id and author it then carries; with `conversation_id` it goes with that
    conversation.
    """

    name: str
    filename: str
    media_type: str
    size: int
    created_at: int
    for_message: bool = False
    conversation_id: str | None = None
    message_id: str | None = None
    author_id: str | None = None


class Gone(Struct, frozen=True):
    """A file whose attachment was removed, of whichever app: it still has to be removed from the file store."""

    app_id: str
    name: str


class StoredFile(Struct, frozen=True):
    """A file as the store lists it. `modified_at` is in milliseconds."""

    name: str
    modified_at: int


class AttachmentNotFound(DomainError):
    """No such attachment in this app."""

    kind = "not_found"
    code = "not_found"

    def __init__(self) -> None:
        super().__init__("Attachment not found")


class InvalidAttachment(DomainError):
    """The attachment cannot be taken, or meant, like this; the text says why."""

    kind = "invalid"
    code = "bad_request"


class FileTooLarge(DomainError):
    """The file is larger than the limit."""

    kind = "too_large"
    code = "payload_too_large"

    def __init__(self) -> None:
        super().__init__(f"The file is larger than {FILE_BYTES_AT_MOST // 1024 // 1024} MB")


class Attachments(Protocol):
    """What verbs ask of the app's stored attachments. What was removed is not found."""

    async def by_name(self, name: str) -> Attachment | None:
        """The attachment, or None."""
        ...

    async def known(self, names: list[str]) -> set[str]:
        """Those of these names that have a row, also when the attachment was removed and its file not yet."""
        ...

    async def page(self, after: str, limit: int) -> list[Attachment]:
        """At most `limit` attachments in the order of their names, after this one."""
        ...

    async def gone(self, limit: int) -> list[Gone]:
        """At most `limit` removed attachments of all apps whose files are still to be removed."""
        ...

    async def next_app(self, after: str) -> str | None:
        """The id of the app after this one, or None."""
        ...

    def add(self, attachment: Attachment) -> None:
        """Hold the new attachment for writing."""
        ...

    def show(self, name: str, message_id: str, conversation_id: str, author_id: str | None) -> None:
        """Hold that this message shows the attachment, if it is one `for_message` that no message has shown yet."""
        ...

    async def any_of(self, conversation_id: str) -> bool:
        """Whether any goes with this very conversation."""
        ...

    def remove(self, attachment: Attachment) -> None:
        """Hold its removal; loses its race when it is gone already."""
        ...

    def remove_of_message(self, message_id: str) -> None:
        """Hold the removal of what goes with this message."""
        ...

    def remove_of_messages(self, family: list[str]) -> None:
        """Hold the removal of what goes with any message of these conversations."""
        ...

    def remove_of_conversation(self, family: list[str]) -> None:
        """Hold the removal of what goes with these conversations, shown or not."""
        ...

    def remove_of_users(self, members: list[str]) -> None:
        """Hold the removal of what these users showed and of what goes with their personal conversations.

        It looks at who takes part, so it is held before the participants' removal.
        """
        ...

    def forget(self, names: list[str]) -> None:
        """Hold the removal of the last trace of removed attachments, whose files are gone."""
        ...

    def forget_lost(self, names: list[str]) -> None:
        """Hold the removal of attachments whose files were lost."""
        ...


class Incoming(Protocol):
    """A file while it arrives, on disk and not in memory."""

    @property
    def size(self) -> int:
        """Bytes so far."""
        ...

    async def write(self, data: bytes) -> None:
        """Take some more bytes."""
        ...

    async def discard(self) -> None:
        """Let go of it; nothing of it is left unless it was kept. Twice is once."""
        ...


class Files(Protocol):
    """Where the files are. Every method raises Unavailable when the store cannot be used now.

    A name is given by `keep` alone. What is neither an app's id nor such a name is refused with ValueError, so that
    nothing a stranger writes can name another file.
    """

    async def begin(self) -> Incoming:
        """A place for a file that begins to arrive."""
        ...

    async def keep(self, app_id: str, incoming: Incoming) -> str:
        """Store what arrived, durably, under a fresh random name, which is returned."""
        ...

    async def exists(self, app_id: str, name: str) -> bool:
        """Whether the file is there."""
        ...

    def read(self, app_id: str, name: str, start: int, end: int) -> AsyncGenerator[bytes]:
        """The bytes from `start` to before `end`, in pieces. Raises AttachmentNotFound when there is no such file."""
        ...

    async def remove(self, app_id: str, name: str) -> None:
        """Remove the file, if it is there."""
        ...

    async def page(self, app_id: str, after: str, limit: int) -> list[StoredFile]:
        """At most `limit` of the app's files in the order of their names, after this one."""
        ...

    async def tidy(self, before: int) -> int:
        """Remove what began to arrive before this time (ms) and never ended, as after a crash; how many there were."""
        ...


def names_in(content: dict[str, Any], app_id: str) -> list[str]:
    """The names of the app's attachments that a message's content shows. Pure."""
    items = content.get("items")
    shown = [content, *(items if isinstance(items, list) else [])]
    urls = [part.get("mediaUrl") for part in shown if isinstance(part, dict)]
    found = (named_by(url) for url in urls if isinstance(url, str))
    return list(dict.fromkeys(media[1] for media in found if media is not None and media[0] == app_id))


def named_by(url: str) -> tuple[str, str] | None:
    """The app's id and the name in an attachment's address, whatever host is before it, or None. Pure."""
    match = _MEDIA_URL.search(url)
    return (match[1], match[2]) if match else None


_MEDIA_URL: Final = re.compile(rf"/attachments/([0-9a-f]{{24}})/([0-9a-f]{{{NAME_CHARACTERS}}})/[^/?#\s]+\Z")
