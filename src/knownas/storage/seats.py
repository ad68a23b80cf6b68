"""Who takes part in a conversation, read off its rows: under whichever ids of merged users the seats are."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from knownas.conversations import Branch, ClientAssociation, Participant, Trunk
from knownas.storage.unit import Row, Unit
from knownas.storage.users import UserRows

PARTICIPANT: Final = """p.id, p.conversation_id, p.user_id, p.unread_count, p.last_read, p.associations, p.joined_at,
    u.external_id, u.client_id, u.merged_into"""
# One question behind the one for the pointers: whoever wrote in it before they led here has committed by then.
BRANCH: Final = """
    SELECT b.id, c.display_name, c.description, c.icon_url, c.metadata, c.business_last_read, c.last_message_at,
        c.message_count, p.unread_count, p.last_read
    FROM participants p
    JOIN conversations c ON c.app_id = p.app_id AND c.id = p.conversation_id
    LEFT JOIN conversations b ON b.app_id = c.app_id AND b.merged_into = c.id AND b.led_to = $4
    WHERE p.app_id = $1 AND p.conversation_id = $2 AND p.id = $3"""


async def seated(unit: Unit, rows: Sequence[Row], *, branching: bool) -> list[Participant]:
    """One participant for each user; where two ids stand for her, her own place counts, else the first."""
    seats: dict[str, tuple[bool, Participant]] = {}
    for row in rows:
        user_id, external_id, client_id, former = row[2], row[7], row[8], row[9] is not None
        branch = None
        if former:
            survivor = await UserRows(unit).led_to(user_id)
            if survivor is not None:
                user_id, external_id, client_id = survivor.id, survivor.external_id, survivor.client_id
                if branching and user_id != row[2]:  # or they were parted between the two questions
                    branch = await _branch(unit, row[1], row[0], user_id)
        known = seats.get(user_id)
        if known is None or (known[0] and not former):
            seats[user_id] = (former, _participant_of(row, user_id, external_id, client_id, branch))
    return sorted((seat for _, seat in seats.values()), key=lambda seat: seat.id)


async def _branch(unit: Unit, conversation_id: str, seat_id: str, survivor: str) -> Branch | None:
    row = await unit.row(BRANCH, conversation_id, seat_id, survivor)
    if row is None:
        return None
    return Branch(row[0], survivor, Trunk(row[1], row[2], row[3], _decode_metadata(row[4]), *row[5:]))


_decode_metadata: Final = msgspec.json.Decoder(dict[str, Any]).decode
_decode_associations: Final = msgspec.json.Decoder(tuple[ClientAssociation, ...]).decode


def associations_json(participant: Participant) -> str:
    """Through which clients she takes part, as it is stored."""
    return msgspec.json.encode(participant.associations).decode()


def _participant_of(
    row: Row, user_id: str, external_id: str | None, client_id: str | None, branch: Branch | None
) -> Participant:
    """The participant in PARTICIPANT as the survivor's; her SDK client is the one that all her devices form now."""
    stored = () if row[5] == "[]" else _decode_associations(row[5])
    associations = tuple(
        ClientAssociation("sdk", client_id) if one.type == "sdk" and client_id else one for one in stored
    )
    return Participant(row[0], row[1], user_id, external_id, row[3], row[4], associations, row[6], branch)
