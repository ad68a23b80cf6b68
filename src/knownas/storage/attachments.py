"""Stored attachments. What is removed keeps its name and nothing else until its file is removed too."""

from typing import Final

from knownas.attachments import Attachment, Gone
from knownas.storage.parameters import chunks, id_list
from knownas.storage.unit import Row, Unit

_COLUMNS: Final = "name, filename, media_type, size, created_at, for_message, conversation_id, message_id, author_id"
BY_NAME: Final = f"SELECT {_COLUMNS} FROM attachments WHERE app_id = $1 AND name = $2 AND removed = 0"  # noqa: S608
PAGE: Final = f"""
    SELECT {_COLUMNS} FROM attachments WHERE app_id = $1 AND name > $2 AND removed = 0
    ORDER BY name LIMIT $3"""  # noqa: S608
KNOWN: Final = "SELECT name FROM attachments WHERE app_id = $1 AND name IN "
GONE: Final = "SELECT app_id, name FROM attachments WHERE removed = 1 ORDER BY app_id, name LIMIT $1"
NEXT_APP: Final = "SELECT id FROM apps WHERE id > $1 ORDER BY id LIMIT 1"
INSERT: Final = """
    INSERT INTO attachments (app_id, name, filename, media_type, size, created_at, for_message, conversation_id,
        message_id, author_id, removed)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 0)"""
SHOW: Final = """
    UPDATE attachments SET message_id = $3, conversation_id = $4, author_id = $5
    WHERE app_id = $1 AND name = $2 AND for_message = 1 AND message_id IS NULL AND removed = 0"""
WITH_FILES: Final = "SELECT 1 FROM attachments WHERE app_id = $1 AND conversation_id = $2 AND removed = 0 LIMIT 1"
FORGET: Final = "DELETE FROM attachments WHERE app_id = $1 AND removed = 1 AND name IN {ids}"
FORGET_LOST: Final = "DELETE FROM attachments WHERE app_id = $1 AND removed = 0 AND name IN {ids}"

# The file's own name is taken away at once: it may say whose file it was.
_REMOVE: Final = """
    UPDATE attachments SET removed = 1, filename = '', media_type = '', conversation_id = NULL, message_id = NULL,
        author_id = NULL
    WHERE app_id = $1 AND removed = 0"""
REMOVE: Final = f"{_REMOVE} AND name = $2"
REMOVE_OF_MESSAGE: Final = f"{_REMOVE} AND message_id = $2"
REMOVE_OF_MESSAGES: Final = f"{_REMOVE} AND conversation_id IN {{ids}} AND message_id IS NOT NULL"
REMOVE_OF_CONVERSATIONS: Final = f"{_REMOVE} AND conversation_id IN {{ids}}"
# Both may mean the same row, and do the same to it. As one statement it would find no index on PostgreSQL.
REMOVE_OF_USERS: Final = (
    f"{_REMOVE} AND author_id IN {{ids}}",
    f"""{_REMOVE} AND conversation_id IN (
        SELECT p.conversation_id FROM participants p
        JOIN conversations c ON c.app_id = p.app_id AND c.id = p.conversation_id
        WHERE p.app_id = $1 AND p.user_id IN {{ids}} AND c.type = 'personal')""",  # noqa: S608
)
REMOVE_OF_APP: Final = _REMOVE


class AttachmentRows:
    """Attachments (knownas.attachments.Attachments) as rows."""

    __slots__ = ("_unit",)

    def __init__(self, unit: Unit) -> None:
        self._unit = unit

    async def by_name(self, name: str) -> Attachment | None:
        """The attachment, or None."""
        row = await self._unit.row(BY_NAME, name)
        return attachment_of(row) if row else None

    async def known(self, names: list[str]) -> set[str]:
        """Those that have a row, removed or not."""
        found: set[str] = set()
        for some in chunks(names):
            found.update(row[0] for row in await self._unit.rows(KNOWN + id_list(some), *some))
        return found

    async def page(self, after: str, limit: int) -> list[Attachment]:
        """By name."""
        return [attachment_of(row) for row in await self._unit.rows(PAGE, after, limit)]

    async def gone(self, limit: int) -> list[Gone]:
        """Of all apps."""
        return [Gone(row[0], row[1]) for row in await self._unit.directory_rows(GONE, limit)]

    async def next_app(self, after: str) -> str | None:
        """The id of the app after this one."""
        row = await self._unit.directory_row(NEXT_APP, after)
        return row[0] if row else None

    def add(self, attachment: Attachment) -> None:
        """Hold the new row."""
        self._unit.hold(
            INSERT, attachment.name, attachment.filename, attachment.media_type, attachment.size,
            attachment.created_at, int(attachment.for_message), attachment.conversation_id, attachment.message_id,
            attachment.author_id,
        )  # fmt: skip

    def show(self, name: str, message_id: str, conversation_id: str, author_id: str | None) -> None:
        """Hold the tie, where there is none yet."""
        self._unit.hold(SHOW, name, message_id, conversation_id, author_id, slight=True)

    async def any_of(self, conversation_id: str) -> bool:
        """Whether there is a row."""
        return await self._unit.row(WITH_FILES, conversation_id) is not None

    def remove(self, attachment: Attachment) -> None:
        """Hold its removal."""
        self._unit.hold(REMOVE, attachment.name, must=True)

    def remove_of_message(self, message_id: str) -> None:
        """Hold the removal of what goes with it."""
        self._unit.hold(REMOVE_OF_MESSAGE, message_id)

    def remove_of_messages(self, family: list[str]) -> None:
        """Hold the removal of what their messages show."""
        self._unit.hold_for_all(REMOVE_OF_MESSAGES, family)

    def remove_of_conversation(self, family: list[str]) -> None:
        """Hold the removal of what goes with them."""
        self._unit.hold_for_all(REMOVE_OF_CONVERSATIONS, family)

    def remove_of_users(self, members: list[str]) -> None:
        """Hold the removal of what they showed and of what goes with their personal conversations."""
        for statement in REMOVE_OF_USERS:
            self._unit.hold_for_all(statement, members)

    def forget(self, names: list[str]) -> None:
        """Hold the removal of the rows."""
        self._unit.hold_for_all(FORGET, names)

    def forget_lost(self, names: list[str]) -> None:
        """Hold the removal of the rows."""
        self._unit.hold_for_all(FORGET_LOST, names)


def attachment_of(row: Row) -> Attachment:
    """The attachment in _COLUMNS."""
    return Attachment(row[0], row[1], row[2], row[3], row[4], row[5] == 1, row[6], row[7], row[8])
