"""Stored conversations and who takes part in them."""

from typing import Any, Final

import msgspec

from knownas.conversations import MESSAGES_AT_MOST, Conversation, Holder, Participant
from knownas.storage.parameters import chunks, id_list
from knownas.storage.pointers import END, members, up
from knownas.storage.seats import LATEST_BRANCH, PARTICIPANT, associations_json, seated
from knownas.storage.unit import Row, Unit
from knownas.storage.users import to_json

CONVERSATION_COLUMNS: Final = """c.id, c.type, c.display_name, c.description, c.icon_url, c.metadata, c.default_of,
    c.business_last_read, c.last_message_at, c.message_count, c.created_at, c.revision, c.merged_into,
    a.id, a.name, a.integration_id, a.integration_type, w.id, w.name, w.integration_id, w.integration_type"""
CONVERSATION_WIDTH: Final = 21
HOLDERS: Final = """
    LEFT JOIN switchboard_integrations a ON a.app_id = c.app_id AND a.id = c.active_holder
    LEFT JOIN switchboard_integrations w ON w.app_id = c.app_id AND w.id = c.pending_holder"""
_FROM: Final = f"SELECT {CONVERSATION_COLUMNS} FROM conversations c {HOLDERS} WHERE c.app_id = $1"  # noqa: S608
PARTICIPANTS_READ: Final = 1000

BY_ID: Final = f"{_FROM} AND c.id = $2"
WITH_PARTICIPANTS: Final = f"""
    SELECT {CONVERSATION_COLUMNS}, {PARTICIPANT} FROM conversations c {HOLDERS}
    LEFT JOIN participants p ON p.app_id = c.app_id AND p.conversation_id = c.id
    LEFT JOIN users u ON u.app_id = p.app_id AND u.id = p.user_id
    WHERE c.app_id = $1 AND c.id = $2 ORDER BY p.id LIMIT {PARTICIPANTS_READ}"""  # noqa: S608
SURVIVOR: Final = f"{up('conversations')} {BY_ID.replace('c.id = $2', f'c.id = {END}')}"
SURVIVOR_WITH_PARTICIPANTS: Final = f"{up('conversations')} {WITH_PARTICIPANTS.replace('c.id = $2', f'c.id = {END}')}"
OF_USER: Final = f"""{_FROM} AND c.merged_into IS NULL AND c.id IN (
        SELECT m.conversation_id FROM participants m WHERE m.app_id = $1 AND m.user_id IN {{ids}}
    )"""  # noqa: S608
DEFAULT_OF: Final = f"{_FROM} AND c.merged_into IS NULL AND c.default_of IN "
# The whole family of one conversation, found along the pointers from the survivor down.
FAMILY: Final = """
    WITH RECURSIVE family(id) AS (
        SELECT CAST($2 AS TEXT)
        UNION
        SELECT c.id FROM conversations c JOIN family f ON c.app_id = $1 AND c.merged_into = f.id
    )
    SELECT id FROM family"""
# Each pointer that unites two conversations, of which one is theirs: the one that points, and whose the other is.
UNIONS: Final = """
    SELECT c.id, o.user_id FROM participants p
    JOIN conversations c ON c.app_id = p.app_id AND c.id = p.conversation_id
    JOIN participants o ON o.app_id = c.app_id AND o.conversation_id = c.merged_into
    WHERE p.app_id = $1 AND p.user_id IN {ids}
    UNION ALL
    SELECT c.id, o.user_id FROM participants p
    JOIN conversations c ON c.app_id = p.app_id AND c.merged_into = p.conversation_id AND c.led_to IS NULL
    JOIN participants o ON o.app_id = c.app_id AND o.conversation_id = c.id
    WHERE p.app_id = $1 AND p.user_id IN {ids}"""
WITH_SEAT: Final = """
    SELECT 1 FROM participants p
    JOIN conversations c ON c.app_id = p.app_id AND c.id = p.conversation_id AND c.type = 'personal'
    WHERE p.app_id = $1 AND p.conversation_id = $2 AND p.user_id IN """
SOME: Final = f"{_FROM} AND c.merged_into IS NULL AND c.id > $2 ORDER BY c.id LIMIT $3"

INSERT_CONVERSATION: Final = """
    INSERT INTO conversations (app_id, id, type, display_name, description, icon_url, metadata, default_of,
        business_last_read, last_message_at, message_count, active_holder, pending_holder, created_at, revision,
        merged_into, seq)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, 1, NULL, $15)"""
_LAST_MESSAGE_AT: Final = 9  # where these two stand among the parameters
_MESSAGE_COUNT: Final = 10
INSERT_PARTICIPANT: Final = """
    INSERT INTO participants (app_id, conversation_id, id, user_id, unread_count, last_read, associations, joined_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"""
# A user's place, under whichever of the ids that stand for her.
_HERS: Final = f"app_id = $1 AND conversation_id = $2 AND user_id {{operator}} {members(3)}"
UNREAD: Final = "UPDATE participants SET unread_count = unread_count + 1 WHERE app_id = $1 AND conversation_id = $2"
UNREAD_BY_OTHERS: Final = (
    f"UPDATE participants SET unread_count = unread_count + 1 WHERE {_HERS.format(operator='NOT IN')}"  # noqa: S608
)
READ: Final = f"UPDATE participants SET unread_count = 0, last_read = $4 WHERE {_HERS.format(operator='IN')}"  # noqa: S608
SET_ASSOCIATIONS: Final = (
    "UPDATE participants SET associations = $4 WHERE app_id = $1 AND conversation_id = $2 AND id = $3"
)
ADD_UNREAD: Final = """
    UPDATE participants SET unread_count = unread_count + CAST($4 AS BIGINT)
    WHERE app_id = $1 AND conversation_id = $2 AND id = $3"""
DEFAULT_HOLDER: Final = "SELECT default_of FROM conversations WHERE app_id = $1 AND id = $2"
UNPOINT: Final = """
    UPDATE conversations SET merged_into = NULL, revision = revision + 1
    WHERE app_id = $1 AND id = $2 AND merged_into = $3"""
# The one where the message was, and those on the way up to the survivor, who has been counted already.
UNCOUNT: Final = """
    UPDATE conversations SET message_count = message_count - 1
    WHERE app_id = $1 AND merged_into IS NOT NULL AND message_count > 0 AND id IN (
        WITH RECURSIVE member(id) AS (
            SELECT CAST($2 AS TEXT)
            UNION
            SELECT c.merged_into FROM conversations c JOIN member m ON c.app_id = $1 AND c.id = m.id
            WHERE c.merged_into IS NOT NULL
        )
        SELECT id FROM member
    )"""
UNCOUNT_ALL: Final = """
    UPDATE conversations SET message_count = 0 WHERE app_id = $1 AND merged_into IS NOT NULL AND id IN {ids}"""
LESS_UNREAD: Final = f"""
    UPDATE participants
    SET unread_count = (
        SELECT CASE WHEN participants.unread_count > gone.count THEN participants.unread_count - gone.count ELSE 0 END
        FROM (
            SELECT CAST(coalesce(sum(m.unread_count), 0) AS BIGINT) AS count FROM participants m
            WHERE m.app_id = $1 AND m.conversation_id = COALESCE({LATEST_BRANCH.format(trunk="$4")}, $4)
        ) gone
    )
    WHERE app_id = $1 AND conversation_id = $2 AND id = $3 AND (last_read IS NULL OR last_read < $5)"""  # noqa: S608
REMOVE_PARTICIPANT: Final = f"DELETE FROM participants WHERE {_HERS.format(operator='IN')}"  # noqa: S608
REMEMBER: Final = """
    INSERT INTO former_participants (app_id, user_id, conversation_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING"""
REMOVE_CONVERSATION: Final = """
    DELETE FROM conversations WHERE app_id = $1 AND id = $2 AND revision = $3 AND merged_into IS NULL"""
# Events stay until they are pruned: some may still have to be told. Who is named in them is remembered for R10.
REMOVE_ROWS: Final = (
    """INSERT INTO former_participants (app_id, user_id, conversation_id)
        SELECT app_id, user_id, conversation_id FROM participants WHERE app_id = $1 AND conversation_id IN {ids}
        ON CONFLICT DO NOTHING""",
    "DELETE FROM participants WHERE app_id = $1 AND conversation_id IN {ids}",
    "DELETE FROM messages WHERE app_id = $1 AND conversation_id IN {ids}",
)

# What a user leaves behind when she goes, or is erased. The statements run in this order, before her own row goes.
_HER_PERSONAL: Final = """
        SELECT p.conversation_id FROM participants p
        JOIN conversations c ON c.app_id = p.app_id AND c.id = p.conversation_id
        WHERE p.app_id = $1 AND p.user_id IN {ids} AND c.type = 'personal'"""
REMOVE_WITH_USERS: Final = (
    """UPDATE conversations SET revision = revision + 1, message_count = message_count - (
            SELECT count(*) FROM messages m
            WHERE m.app_id = $1 AND m.conversation_id = conversations.id AND m.author_id IN {ids}
        )
        WHERE app_id = $1 AND id IN (
            SELECT conversation_id FROM messages WHERE app_id = $1 AND author_id IN {ids}
        )""",
    f"DELETE FROM messages WHERE app_id = $1 AND conversation_id IN ({_HER_PERSONAL})",  # noqa: S608
    "DELETE FROM messages WHERE app_id = $1 AND author_id IN {ids}",
    f"DELETE FROM events WHERE app_id = $1 AND stream IN ({_HER_PERSONAL})",  # noqa: S608
    f"DELETE FROM conversations WHERE app_id = $1 AND id IN ({_HER_PERSONAL})",  # noqa: S608
    "DELETE FROM participants WHERE app_id = $1 AND user_id IN {ids}",
    "DELETE FROM former_participants WHERE app_id = $1 AND user_id IN {ids}",
)

# What a message says of the user who wrote it, in its body (messages/stored.py), whose members keep their order.
_OF_SPEAKERS: Final = """WHERE app_id = $1 AND author_id IN {ids} AND body LIKE '%"speaker":%'"""
FORGET_SPEAKERS: Final = {
    "sqlite": f"UPDATE messages SET body = json_remove(body, '$.speaker') {_OF_SPEAKERS}",  # noqa: S608
    "postgresql": f"""
        UPDATE messages SET body = (
            SELECT '{{' || string_agg(to_json(m.key)::text || ':' || m.value::text, ',' ORDER BY m.ordinality) || '}}'
            FROM json_each(body::json) WITH ORDINALITY m WHERE m.key <> 'speaker')
        {_OF_SPEAKERS}""",  # noqa: S608
}


class ConversationRows:
    """Conversations and participants (knownas.conversations.Conversations) as rows."""

    __slots__ = ("_unit",)

    def __init__(self, unit: Unit) -> None:
        self._unit = unit

    async def by_id(self, conversation_id: str) -> Conversation | None:
        """The conversation or the survivor; pointers never form a circle."""
        row = await self._unit.row(BY_ID, conversation_id)
        if row is not None and row[12] is not None:
            row = await self._unit.row(SURVIVOR, conversation_id)
        return conversation_of(row) if row else None

    async def with_participants(self, conversation_id: str) -> tuple[Conversation, list[Participant]] | None:
        """The conversation or the survivor, with those who take part in it, in one question in the common case."""
        rows = await self._unit.rows(WITH_PARTICIPANTS, conversation_id)
        if rows and rows[0][12] is not None:
            rows = await self._unit.rows(SURVIVOR_WITH_PARTICIPANTS, conversation_id)
        if not rows:
            return None
        seats = [row[CONVERSATION_WIDTH:] for row in rows if row[CONVERSATION_WIDTH] is not None]
        conversation = conversation_of(rows[0])
        return conversation, await seated(self._unit, seats, branching=conversation.type == "personal")

    async def participants(
        self, conversation_id: str, *, after: str | None, before: str | None, limit: int
    ) -> list[Participant]:
        """A page out of all of them, who are few: two that stand for one user would else be told on two pages."""
        found = await self.with_participants(conversation_id)
        seats = found[1] if found else []
        if before is not None:
            return [seat for seat in seats if seat.id < before][-limit:]
        return [seat for seat in seats if after is None or seat.id > after][:limit]

    async def of_user(
        self, members: list[str], *, after: str | None, before: str | None, limit: int
    ) -> list[Conversation]:
        """In creation order, on one side of an id."""
        side, order = ("<", "DESC") if before is not None else (">", "ASC")
        found: dict[str, Conversation] = {}
        for some in chunks(members):
            at = len(some) + 2
            sql = (
                f"{OF_USER.replace('{ids}', id_list(some))} AND c.id {side} ${at} ORDER BY c.id {order} LIMIT ${at + 1}"
            )
            for row in await self._unit.rows(sql, *some, before or after or "", limit):
                found[row[0]] = conversation_of(row)
        ordered = sorted(found.values(), key=lambda conversation: conversation.id)
        return ordered[-limit:] if before is not None else ordered[:limit]

    async def default_of(self, members: list[str]) -> Conversation | None:
        """The default one, whichever of the ids it was made for."""
        for some in chunks(members):
            row = await self._unit.row(f"{DEFAULT_OF}{id_list(some)} ORDER BY c.id LIMIT 1", *some)
            if row is not None:
                return conversation_of(row)
        return None

    async def default_holder(self, conversation_id: str) -> str | None:
        """Read off the row itself."""
        row = await self._unit.row(DEFAULT_HOLDER, conversation_id)
        return row[0] if row else None

    async def stored(self, conversation_id: str) -> Conversation | None:
        """As the row is, pointer or not."""
        row = await self._unit.row(BY_ID, conversation_id)
        return conversation_of(row) if row else None

    async def of_them(self, members: list[str], among: list[str]) -> list[str]:
        """Asked for each, some users at a time: they are few."""
        found = []
        for conversation_id in among:
            for some in chunks(members):
                if await self._unit.row(WITH_SEAT + id_list(some, behind=1), conversation_id, *some) is not None:
                    found.append(conversation_id)
                    break
        return found

    def separate(self, conversation: Conversation) -> None:
        """Hold the end of the pointer, guarded by where it points."""
        self._unit.hold(UNPOINT, conversation.id, conversation.merged_into, must=True)

    def uncount(self, merged: list[str], conversation_id: str | None = None) -> None:
        """Hold the new count of one of the merged rows, or of all of them."""
        if conversation_id is not None:
            self._unit.hold(UNCOUNT, conversation_id)
        else:
            self._unit.hold_for_all(UNCOUNT_ALL, merged)

    def less_unread(self, participant: Participant, discarded: Conversation, united_at: int) -> None:
        """Hold that so many messages fewer wait for the participant, none at the least."""
        branch = participant.branch
        seat = branch.counted_in if branch else (participant.conversation_id, participant.id)
        self._unit.hold(LESS_UNREAD, *seat, discarded.id, united_at)

    async def family(self, conversation_id: str) -> list[str]:
        """Its own id and those merged into it."""
        return [row[0] for row in await self._unit.rows(FAMILY, conversation_id)]

    async def united_with_others(self, members: list[str]) -> list[str]:
        """Asked for some members at a time; who is another is told apart here."""
        found: set[str] = set()
        for some in chunks(members):
            rows = await self._unit.rows(UNIONS.replace("{ids}", id_list(some)), *some)
            found.update(conversation_id for conversation_id, user_id in rows if user_id not in members)
        return sorted(found)

    async def some(self, after: str, limit: int) -> list[Conversation]:
        """The app's next conversations by id."""
        return [conversation_of(row) for row in await self._unit.rows(SOME, after, limit)]

    def add(self, conversation: Conversation, default_of: str | None = None) -> None:
        """Hold the new row; loses its race when the user has a default conversation by now."""
        self._unit.hold_fresh(
            conversation.id, INSERT_CONVERSATION, self._unit.app_id, conversation.id, conversation.type,
            conversation.display_name, conversation.description, conversation.icon_url,
            to_json(conversation.metadata), default_of, conversation.business_last_read, conversation.last_message_at,
            conversation.message_count, conversation.active.id if conversation.active else None,
            conversation.pending.id if conversation.pending else None, conversation.created_at,
        )  # fmt: skip

    def add_participant(self, participant: Participant) -> None:
        """Hold the new row."""
        self._unit.hold(
            INSERT_PARTICIPANT, participant.conversation_id, participant.id, participant.user_id,
            participant.unread_count, participant.last_read, associations_json(participant), participant.joined_at,
        )  # fmt: skip

    def associate(self, participant: Participant) -> None:
        """Hold the clients through which the participant takes part."""
        self._unit.hold(
            SET_ASSOCIATIONS, participant.conversation_id, participant.id, associations_json(participant), must=True
        )

    def remove_participant(self, participant: Participant) -> None:
        """Hold the removal of her place, guarded by its being there; where she was is remembered for R10."""
        self._unit.hold(REMOVE_PARTICIPANT, participant.conversation_id, participant.user_id, must=True)
        self._unit.hold(REMEMBER, participant.user_id, participant.conversation_id)

    def rely_on(self, conversation: Conversation) -> None:
        """Guard the row by the revision that was read."""
        self._unit.patch(conversation.id, "conversations").revision = conversation.revision

    def change(self, conversation: Conversation, **columns: object) -> None:
        """Hold new values for the row, guarded."""
        self.rely_on(conversation)
        patch = self._unit.patch(conversation.id, "conversations")
        for name, value in columns.items():
            patch.columns[name] = to_json(value) if isinstance(value, dict) else value

    def count_message(
        self, conversation: Conversation, received: int, author_id: str | None, *, apart: bool = False
    ) -> None:
        """Hold one message more, also of a conversation that this unit makes."""
        fresh = self._unit.fresh.get(conversation.id)
        if fresh is None:
            patch = self._unit.patch(conversation.id, "conversations")
            patch.one_more["message_count"] = MESSAGES_AT_MOST
            patch.columns["last_message_at"] = received
        else:
            params = list(fresh[1])
            params[_LAST_MESSAGE_AT], params[_MESSAGE_COUNT] = received, params[_MESSAGE_COUNT] + 1
            self._unit.fresh[conversation.id] = (fresh[0], tuple(params))
        if apart:
            return
        if author_id is None:
            self._unit.hold(UNREAD, conversation.id, ordered=fresh is not None)
        elif conversation.type != "personal":
            self._unit.hold(UNREAD_BY_OTHERS, conversation.id, author_id, ordered=fresh is not None)

    def add_unread(self, participant: Participant, count: int) -> None:
        """Hold that so many messages more wait for the participant."""
        self._unit.hold(ADD_UNREAD, participant.conversation_id, participant.id, count)

    def read_by(self, participant: Participant, now: int) -> None:
        """Hold that nothing waits for her any more."""
        self._unit.hold(READ, participant.conversation_id, participant.user_id, now)

    def remove(self, conversation: Conversation, family: list[str]) -> None:
        """Hold the removal of all rows that carry these ids; what was told of them stays in the outbox."""
        self._unit.hold(REMOVE_CONVERSATION, conversation.id, conversation.revision, must=True)
        self._unit.hold_for_all("DELETE FROM conversations WHERE app_id = $1 AND id IN {ids}", family[1:])
        for statement in REMOVE_ROWS:
            self._unit.hold_for_all(statement, family)

    def remove_of_users(self, members: list[str]) -> None:
        """Hold the removal of personal conversations, and of whatever a group still has of these users."""
        for statement in REMOVE_WITH_USERS:
            self._unit.hold_for_all(statement, members)

    def forget_names(self, members: list[str]) -> None:
        """Hold the removal of what their messages say of them besides their content."""
        self._unit.hold_for_all(FORGET_SPEAKERS[self._unit.engine], members)


_decode_metadata: Final = msgspec.json.Decoder(dict[str, Any]).decode


def conversation_of(row: Row) -> Conversation:
    """The conversation in CONVERSATION_COLUMNS, whatever follows them."""
    return Conversation(
        row[0], row[1], row[2], row[3], row[4], {} if row[5] == "{}" else _decode_metadata(row[5]),
        row[6] is not None, row[7], row[8], row[9], row[10], row[11], row[12], _holder_of(row, 13), _holder_of(row, 17),
    )  # fmt: skip


def _holder_of(row: Row, at: int) -> Holder | None:
    return None if row[at] is None else Holder(row[at], row[at + 1], row[at + 2], row[at + 3])
