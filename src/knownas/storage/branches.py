"""Stored branches: conversations that are merged into the one that they left."""

from typing import Final

import msgspec

from knownas.conversations import Branch, Conversation, Participant, Trunk
from knownas.conversations.branches import Grown
from knownas.storage.conversations import (
    CONVERSATION_COLUMNS,
    CONVERSATION_WIDTH,
    HOLDERS,
    INSERT_PARTICIPANT,
    conversation_of,
)
from knownas.storage.pointers import members
from knownas.storage.seats import associations_json
from knownas.storage.unit import Row, Unit
from knownas.storage.users import to_json

_SEAT: Final = "p.id, p.user_id, p.unread_count, p.last_read, p.joined_at"
OF_USER: Final = f"""
    SELECT {CONVERSATION_COLUMNS}, c.trunk, {_SEAT}, v.unread_count
    FROM conversations c {HOLDERS}
    JOIN participants p ON p.app_id = c.app_id AND p.conversation_id = c.id
    JOIN participants v ON v.app_id = c.app_id AND v.conversation_id = c.grew_from
    WHERE c.app_id = $1 AND c.led_to IS NOT NULL AND c.led_to NOT IN {members(2)} AND c.merged_into IN (
        SELECT t.conversation_id FROM participants t WHERE t.app_id = $1 AND t.user_id IN {members(2)}
    )
    ORDER BY c.id LIMIT $3"""  # noqa: S608  the texts are ours
INSERT: Final = """
    INSERT INTO conversations (app_id, id, type, metadata, message_count, created_at, revision, merged_into, led_to,
        trunk, grew_from, last_message_at, seq)
    VALUES ($1, $2, 'personal', '{}', $3, $4, 1, $5, $6, $7, $8, $9, $10)"""
COUNT: Final = """
    UPDATE conversations SET message_count = message_count + 1, last_message_at = $4
    WHERE app_id = $1 AND id = $2 AND merged_into = $3"""
ADD_UNREAD: Final = """
    UPDATE participants SET unread_count = unread_count + CAST($3 AS BIGINT)
    WHERE app_id = $1 AND conversation_id = $2"""
READ: Final = "UPDATE participants SET unread_count = 0, last_read = $3 WHERE app_id = $1 AND conversation_id = $2"
CUT: Final = """
    UPDATE conversations SET merged_into = NULL, led_to = NULL, trunk = NULL, grew_from = NULL,
        default_of = $4, display_name = $5, description = $6, icon_url = $7, metadata = $8, business_last_read = $9,
        active_holder = $10, revision = revision + 1
    WHERE app_id = $1 AND id = $2 AND merged_into = $3"""
DROP: Final = "DELETE FROM conversations WHERE app_id = $1 AND id = $2 AND merged_into = $3"
DROP_SEAT: Final = "DELETE FROM participants WHERE app_id = $1 AND conversation_id = $2"
CUT_SEAT: Final = """
    UPDATE participants SET associations = $4,
        unread_count = CASE WHEN last_read IS NULL THEN unread_count - CAST($3 AS BIGINT) ELSE unread_count END
    WHERE app_id = $1 AND conversation_id = $2"""


class BranchRows:
    """Branches (knownas.conversations.branches.Branches) as rows."""

    __slots__ = ("_unit",)

    def __init__(self, unit: Unit) -> None:
        self._unit = unit

    async def of(self, discarded: str, limit: int) -> list[Grown]:
        """By the seats in their trunks."""
        return [_grown_of(row) for row in await self._unit.rows(OF_USER, discarded, limit)]

    def add(self, branch: Conversation, seat: Participant, left: Branch) -> None:
        """Hold both rows; the unique index lets a trunk have one for each survivor."""
        self._unit.hold_fresh(
            branch.id, INSERT, self._unit.app_id, branch.id, branch.message_count, branch.created_at,
            branch.merged_into, left.user_id, msgspec.json.encode(left.trunk).decode(), left.counted_in[0],
            branch.last_message_at,
        )  # fmt: skip
        self._unit.hold(
            INSERT_PARTICIPANT,
            branch.id,
            seat.id,
            left.user_id,
            seat.unread_count,
            seat.last_read,
            "[]",
            seat.joined_at,
        )

    def count_message(self, branch_id: str, trunk_id: str, received: int) -> None:
        """Hold one more, while it is a branch."""
        self._unit.hold(COUNT, branch_id, trunk_id, received, must=True)

    def add_unread(self, branch_id: str, count: int) -> None:
        """Hold so many more."""
        self._unit.hold(ADD_UNREAD, branch_id, count)

    def read(self, branch_id: str, now: int) -> None:
        """Hold that nothing waits."""
        self._unit.hold(READ, branch_id, now)

    def cut(self, grown: Grown, now_is: Conversation, default_of: str | None) -> None:
        """Hold the end of the pointer, guarded by where it points."""
        self._unit.hold(
            CUT, now_is.id, grown.conversation.merged_into, default_of, now_is.display_name, now_is.description,
            now_is.icon_url, to_json(now_is.metadata), now_is.business_last_read,
            now_is.active.id if now_is.active else None, must=True,
        )  # fmt: skip
        # Once she has read, nothing waits any more of what waited before.
        before = min(grown.waited, grown.seat.unread_count)
        self._unit.hold(CUT_SEAT, now_is.id, before, associations_json(grown.seat))

    def drop(self, grown: Grown) -> None:
        """Hold the removal of both rows."""
        self._unit.hold(DROP, grown.conversation.id, grown.conversation.merged_into, must=True)
        self._unit.hold(DROP_SEAT, grown.conversation.id)


_decode_trunk: Final = msgspec.json.Decoder(Trunk).decode


def _grown_of(row: Row) -> Grown:
    branch = conversation_of(row)
    trunk, seat_id, user_id, unread, last_read, joined_at, waited = row[CONVERSATION_WIDTH:]
    seat = Participant(seat_id, branch.id, user_id, None, unread, last_read, (), joined_at)
    return Grown(branch, seat, _decode_trunk(trunk), waited)
