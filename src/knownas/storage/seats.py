"""Who takes part in a conversation, read off its rows: under whichever ids of merged users the seats are."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from knownas.conversations import Branch, ClientAssociation, Participant, Trunk
from knownas.storage.unit import Row, Unit
from knownas.storage.users import UserRows

PARTICIPANT: Final = """p.id, p.conversation_id, p.user_id, p.unread_count, p.last_read, p.associations, p.joined_at,
    u.external_id, u.client_id, u.merged_into"""
LATEST_BRANCH: Final = """(
        SELECT l.id FROM conversations l
        WHERE l.app_id = $1 AND l.merged_into = {trunk} AND l.led_to IS NOT NULL AND NOT EXISTS (
            SELECT 1 FROM conversations n WHERE n.app_id = $1 AND n.merged_into = {trunk} AND n.grew_from = l.id))"""
# One question behind the one for the pointers: whoever wrote in it before they led here has committed by then.
BRANCH: Final = f"""
    SELECT b.id, v.unread_count, v.last_read, v.conversation_id, v.id, c.display_name, c.description, c.icon_url,
        c.metadata, c.business_last_read, c.last_message_at, c.active_holder, c.pending_holder
    FROM conversations c
    JOIN participants v ON v.app_id = c.app_id
        AND v.conversation_id = COALESCE({LATEST_BRANCH.format(trunk="c.id")}, c.id)
    LEFT JOIN conversations b ON b.app_id = c.app_id AND b.merged_into = c.id AND b.led_to = $3
    WHERE c.app_id = $1 AND c.id = $2"""  # noqa: S608


async def seated(unit: Unit, rows: Sequence[Row], *, branching: bool) -> list[Participant]:
    """One participant for each user; where two ids stand for her, her own place counts, else the first."""
    seats: dict[str, tuple[bool, Participant]] = {}
    for row in rows:
        user_id, external_id, client_id, former = row[2], row[7], row[8], row[9] is not None
        branch, last_read = None, None
        if former:
            survivor = await UserRows(unit).led_to(user_id)
            if survivor is not None:
                user_id, external_id, client_id = survivor.id, survivor.external_id, survivor.client_id
                if branching and user_id != row[2]:  # or they were parted between the two questions
                    branch, last_read = await _branch(unit, row[1], user_id)
        known = seats.get(user_id)
        if known is None or (known[0] and not former):
            seats[user_id] = (former, _participant_of(row, user_id, external_id, client_id, branch, last_read))
    return sorted((seat for _, seat in seats.values()), key=lambda seat: seat.id)


async def _branch(unit: Unit, conversation_id: str, survivor: str) -> tuple[Branch | None, int | None]:
    """The survivor's branch, and when she read what is in it."""
    row = await unit.row(BRANCH, conversation_id, survivor)
    if row is None:
        return None, None
    trunk = Trunk(row[5], row[6], row[7], _decode_metadata(row[8]), *row[9:])
    return Branch(row[0], survivor, row[1], (row[3], row[4]), trunk), row[2]


_decode_metadata: Final = msgspec.json.Decoder(dict[str, Any]).decode
_decode_associations: Final = msgspec.json.Decoder(tuple[ClientAssociation, ...]).decode


def associations_json(participant: Participant) -> str:
    """Through which clients she takes part, as it is stored."""
    return msgspec.json.encode(participant.associations).decode()


def _participant_of(
    row: Row,
    user_id: str,
    external_id: str | None,
    client_id: str | None,
    branch: Branch | None,
    last_read: int | None,
) -> Participant:
    """The participant in PARTICIPANT as the survivor's; her SDK client is the one that all her devices form now."""
    stored = () if row[5] == "[]" else _decode_associations(row[5])
    associations = tuple(
        ClientAssociation("sdk", client_id) if one.type == "sdk" and client_id else one for one in stored
    )
    unread = row[3] if branch is None else branch.unread_count
    return Participant(row[0], row[1], user_id, external_id, unread, last_read or row[4], associations, row[6], branch)
