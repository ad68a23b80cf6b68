"""Stored messages."""

from functools import lru_cache
from typing import Final

from knownas.messages import HER, Message, Reading, Request, Shown, StoredMessage
from knownas.messages.stored import BY_BUSINESS, BY_USER, FIRST_FIELD_AT, KIND_AT, TIMED, body_of, message_of
from knownas.storage.conversations import ConversationRows
from knownas.storage.parameters import chunks, id_list
from knownas.storage.pointers import members
from knownas.storage.unit import Row, Unit
from knownas.storage.users import USER_COLUMNS, user_of

_COLUMNS: Final = "m.id, m.conversation_id, m.received, m.author_id, m.body"
# The one user of a personal conversation comes along; nobody is joined to a group. The page is one text among the
# columns, so that PostgreSQL is asked once. No body holds a control character, because JSON escapes them.
READING: Final = f"""
    SELECT c.merged_into, EXISTS (SELECT 1 FROM conversations d WHERE d.app_id = $1 AND d.merged_into = c.id),
        (SELECT string_agg(l.line, CAST($3 AS TEXT)) FROM (
            SELECT m.id || ' ' || m.received || ' ' || COALESCE(m.author_id, '') || ' ' || m.body AS line
            FROM messages m WHERE m.app_id = $1 AND m.conversation_id = $2 {{page}}
        ) l),
        {USER_COLUMNS}
    FROM conversations c
    LEFT JOIN participants p ON p.app_id = c.app_id AND p.conversation_id = c.id AND c.type = 'personal'
    LEFT JOIN users u ON u.app_id = p.app_id AND u.id = p.user_id
    WHERE c.app_id = $1 AND c.id = $2 LIMIT 1"""  # noqa: S608
# The same page as the texts to show, put together by the database: the loop that this saves cost half of the request.
SHOWN: Final = f"""
    SELECT c.merged_into, EXISTS (SELECT 1 FROM conversations d WHERE d.app_id = $1 AND d.merged_into = c.id),
        (SELECT string_agg(CASE substr(l.body, {FIRST_FIELD_AT + 1}, 1) || substr(l.body, {KIND_AT + 1}, 1)
                    || CASE WHEN l.author_id = u.id AND u.merged_into IS NULL THEN 'u' ELSE '' END
                WHEN '{TIMED}{BY_BUSINESS}' THEN '{{{{"id":"' || l.id || '",' || {{rest}}
                WHEN '{TIMED}{BY_USER}u' THEN
                    '{{{{"id":"' || l.id || '","author":' || CAST($4 AS TEXT) || ',' || {{rest}}
                ELSE CAST($5 AS TEXT)
            END, CAST($3 AS TEXT)) FROM (
            SELECT m.id, m.author_id, m.body FROM messages m
            WHERE m.app_id = $1 AND m.conversation_id = $2 {{page}}
        ) l),
        {USER_COLUMNS}
    FROM conversations c
    LEFT JOIN participants p ON p.app_id = c.app_id AND p.conversation_id = c.id AND c.type = 'personal'
    LEFT JOIN users u ON u.app_id = p.app_id AND u.id = p.user_id
    WHERE c.app_id = $1 AND c.id = $2 LIMIT 1"""  # noqa: S608
# All but the first character: PostgreSQL's substr would count those of the whole text first, its right does not.
_REST: Final = {"sqlite": "substr(l.body, 2)", "postgresql": "right(l.body, -1)"}
_RARE: Final = "\x1c"
_ID_IN_TEXT: Final = slice(7, 31)
_LINES_AT: Final = 2
_USER_AT: Final = 3
_END_OF_LINE: Final = "\x1e"
BY_IDS: Final = f"SELECT {_COLUMNS} FROM messages m WHERE m.app_id = $1 AND m.conversation_id = $2 AND m.id IN "  # noqa: S608
BY_REQUEST: Final = f"""
    SELECT {_COLUMNS} FROM messages m
    WHERE m.app_id = $1 AND m.asked_of = $2 AND m.idempotency_key = $3"""  # noqa: S608
INSERT_MESSAGE: Final = """
    INSERT INTO messages (app_id, conversation_id, id, received, author_id, body, asked_of, idempotency_key)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"""
REMOVE: Final = "DELETE FROM messages WHERE app_id = $1 AND conversation_id = $2 AND id = $3"
LESS_UNREAD: Final = f"""
    UPDATE participants SET unread_count = unread_count - 1
    WHERE app_id = $1 AND conversation_id = $2 AND unread_count > 0 AND user_id NOT IN {members(4)}
        AND (last_read IS NULL OR last_read < $3)"""  # noqa: S608
# What waits in a conversation waits too where it was united with another, and in its branches, for whomever the
# pointers lead to from its own user, as far as the first who has read it there.
LESS_UNREAD_BEYOND: Final = """
    WITH RECURSIVE above(id) AS (
        SELECT CAST($2 AS TEXT)
        UNION
        SELECT c.merged_into FROM conversations c JOIN above ON c.app_id = $1 AND c.id = above.id
        WHERE c.merged_into IS NOT NULL
    ), place(id) AS (
        SELECT id FROM above
        UNION
        SELECT b.id FROM conversations b
        WHERE b.app_id = $1 AND b.led_to IS NOT NULL AND b.merged_into IN (SELECT id FROM above)
    ), reader(id) AS (
        SELECT p.user_id FROM participants p
        WHERE p.app_id = $1 AND p.conversation_id = $2 AND p.unread_count > 0
            AND (p.last_read IS NULL OR p.last_read < $3)
        UNION
        SELECT u.merged_into FROM users u JOIN reader ON u.app_id = $1 AND u.id = reader.id
        WHERE u.merged_into IS NOT NULL AND NOT EXISTS (
            SELECT 1 FROM participants s
            WHERE s.app_id = $1 AND s.user_id = u.merged_into AND s.conversation_id IN (SELECT id FROM place)
                AND s.last_read >= (
                    SELECT max(m.created_at) FROM merges m
                    WHERE m.app_id = $1 AND m.surviving = u.merged_into AND m.discarded = u.id AND m.undone_at IS NULL))
    )
    UPDATE participants SET unread_count = unread_count - 1
    WHERE app_id = $1 AND unread_count > 0 AND conversation_id <> $2
        AND conversation_id IN (SELECT id FROM place) AND user_id IN (SELECT id FROM reader)"""
REMOVE_ALL: Final = "DELETE FROM messages WHERE app_id = $1 AND conversation_id IN {ids}"
NOTHING_UNREAD: Final = "UPDATE participants SET unread_count = 0 WHERE app_id = $1 AND conversation_id IN {ids}"
CONVERSATIONS_AT_ONCE: Final = 50
"""How many conversations of a family are paged through by one statement."""


class MessageRows:
    """Messages (knownas.messages.Messages) as rows."""

    __slots__ = ("_unit",)

    def __init__(self, unit: Unit) -> None:
        self._unit = unit

    async def shown(self, conversation_id: str, *, after: str | None, before: str | None, limit: int) -> Shown | None:
        """One question, whatever comes of it."""
        cursor = after or before
        sql = _shown(self._unit.engine, limit + 1, cursor is not None, after is None)
        given = (_END_OF_LINE, HER, _RARE, *([cursor] if cursor else []))
        row = await self._unit.row(sql, conversation_id, *given)
        if row is None or row[0] is not None or row[1]:
            return None
        page = row[_LINES_AT] or ""
        if _RARE in page:
            return None
        texts = sorted(page.split(_END_OF_LINE)) if page else []
        more = len(texts) > limit
        if more:
            texts = texts[:-1] if after else texts[1:]
        ids = (texts[0][_ID_IN_TEXT], texts[-1][_ID_IN_TEXT]) if texts else None
        her = user_of(row[_USER_AT:]) if row[_USER_AT] is not None else None
        return Shown(texts, ids, her, more)

    async def reading(
        self, conversation_id: str, *, after: str | None, before: str | None, limit: int
    ) -> Reading | None:
        """One question, and more where conversations were merged."""
        cursor = after or before
        sql = _reading(limit, cursor is not None, after is None)
        row = await self._unit.row(sql, conversation_id, _END_OF_LINE, *([cursor] if cursor else []))
        if row is None:
            return None
        if row[0] is not None or row[1]:
            conversations = ConversationRows(self._unit)
            survivor = await conversations.by_id(conversation_id)
            family = await conversations.family(survivor.id) if survivor else []
            return Reading(family, {}, await self.stored_page(family, after=after, before=before, limit=limit))
        lines = sorted(row[_LINES_AT].split(_END_OF_LINE)) if row[_LINES_AT] else []
        rows = [
            StoredMessage(id, conversation_id, int(at), author or None, body)
            for id, at, author, body in (line.split(" ", 3) for line in lines)
        ]
        user = user_of(row[_USER_AT:]) if row[_USER_AT] is not None else None
        return Reading([conversation_id], {user.id: user} if user and user.merged_into is None else {}, rows)

    async def by_id(self, family: list[str], message_id: str) -> Message | None:
        """The message, whichever of the conversations it is in."""
        found = await self.by_ids(family, [message_id])
        return found[0] if found else None

    async def by_ids(self, family: list[str], message_ids: list[str]) -> list[Message]:
        """Those that are there."""
        found: list[Message] = []
        for conversation_id in family:
            for some in chunks(message_ids):
                sql = BY_IDS + id_list(some, behind=1)
                found += [message_of(_stored(row)) for row in await self._unit.rows(sql, conversation_id, *some)]
        return found

    async def by_request(self, request: Request) -> Message | None:
        """By the key's own index."""
        row = await self._unit.row(BY_REQUEST, request.asked_of, request.key)
        return message_of(_stored(row)) if row else None

    async def page(self, family: list[str], *, after: str | None, before: str | None, limit: int) -> list[Message]:
        """In order of arrival, on one side of an id."""
        return [message_of(row) for row in await self.stored_page(family, after=after, before=before, limit=limit)]

    async def stored_page(
        self, family: list[str], *, after: str | None, before: str | None, limit: int
    ) -> list[StoredMessage]:
        """In order of arrival, on one side of an id; each conversation of the family is read up to the limit only."""
        backwards = after is None
        cursor = after or before
        found: list[Row] = []
        for start in range(0, len(family), CONVERSATIONS_AT_ONCE):
            some = family[start : start + CONVERSATIONS_AT_ONCE]
            sql = _page(len(some), limit, cursor is not None, backwards)
            found += await self._unit.rows(sql, *some, *([cursor] if cursor else []))
        if len(family) > 1:
            found = sorted(found, key=_id_of, reverse=backwards)[:limit]
        return [_stored(row) for row in (reversed(found) if backwards else found)]

    def add(self, message: Message, request: Request | None = None) -> None:
        """Hold the new row; the unique index refuses a key that was used."""
        self._unit.hold(
            INSERT_MESSAGE, message.conversation_id, message.id, message.received, message.author.user_id,
            body_of(message), request.asked_of if request else None, request.key if request else None,
        )  # fmt: skip

    def remove(self, message: Message) -> None:
        """Hold its removal; it no longer counts as unread."""
        self._unit.hold(REMOVE, message.conversation_id, message.id, must=True)
        if message.author.user_id is None:
            self._unit.hold(LESS_UNREAD_BEYOND, message.conversation_id, message.received)
        self._unit.hold(LESS_UNREAD, message.conversation_id, message.received, message.author.user_id or "")

    def remove_all(self, family: list[str]) -> None:
        """Hold the removal of all; nothing is unread then."""
        self._unit.hold_for_all(REMOVE_ALL, family)
        self._unit.hold_for_all(NOTHING_UNREAD, family)


@lru_cache(maxsize=64)
def _shown(engine: str, limit: int, has_cursor: bool, backwards: bool) -> str:
    return SHOWN.format(rest=_REST[engine], page=_side(limit, 6 if has_cursor else None, backwards))


@lru_cache(maxsize=64)
def _reading(limit: int, has_cursor: bool, backwards: bool) -> str:
    return READING.format(page=_side(limit, 4 if has_cursor else None, backwards))


@lru_cache(maxsize=512)
def _page(conversations: int, limit: int, has_cursor: bool, backwards: bool) -> str:
    """A page of each of so many conversations: their ids are `$2` and on, and the cursor follows them."""
    side = _side(limit, conversations + 2 if has_cursor else None, backwards)
    pages = [
        f"SELECT {_COLUMNS} FROM messages m WHERE m.app_id = $1 AND m.conversation_id = ${number} {side}"  # noqa: S608
        for number in range(2, conversations + 2)
    ]
    if conversations == 1:
        return pages[0]
    return " UNION ALL ".join(f"SELECT * FROM ({page}) p{number}" for number, page in enumerate(pages))  # noqa: S608


def _side(limit: int, cursor: int | None, backwards: bool) -> str:
    """The end of a statement that reads up to a limit, from the cursor (the number of its parameter) or from an end."""
    beyond = f"AND m.id {'<' if backwards else '>'} ${cursor} " if cursor else ""
    return f"{beyond}ORDER BY m.id {'DESC' if backwards else 'ASC'} LIMIT {limit}"


def _id_of(row: Row) -> str:
    return str(row[0])


def _stored(row: Row) -> StoredMessage:
    return StoredMessage(row[0], row[1], row[2], row[3], row[4])
