"""Take a user out of a group."""

from knownas.conversations import InvalidConversation, NotAMember, Participant, ParticipantLeft, Reference
from knownas.conversations.find import get_referred_user, get_with_participants, seat_of
from knownas.transaction import Transaction
from knownas.users import User


async def leave_conversation(
    tx: Transaction, conversation_id: str, reference: Reference, participant_id: str | None = None
) -> None:
    """The user, named by one of her ids or by her participant's, takes no part in the group any more.

    What she said in it stays. Loses its race when she has left meanwhile, and then she is not a member.
    Raises ConversationNotFound, InvalidConversation, UserNotFound, NotAMember. Emits conversation.left.
    """
    names = [name for name in (reference.user_id, reference.external_id, participant_id) if name is not None]
    if len(names) != 1:
        raise InvalidConversation("The body should have exactly one of userId, userExternalId and participantId")
    conversation, participants = await get_with_participants(tx, conversation_id)
    if conversation.type != "sdkGroup":
        raise InvalidConversation("Only a conversation of type sdkGroup can be left")
    user, seat = await _who_leaves(tx, conversation_id, participants, reference, participant_id)
    tx.users.rely_on(user)
    tx.conversations.remove_participant(seat)
    tx.emit(ParticipantLeft(conversation.id, conversation, user))


async def _who_leaves(
    tx: Transaction,
    conversation_id: str,
    participants: list[Participant],
    reference: Reference,
    participant_id: str | None,
) -> tuple[User, Participant]:
    """The user and her place. Raises UserNotFound, NotAMember."""
    if participant_id is None:
        user = await get_referred_user(tx, reference, "The body")
        return user, await seat_of(tx, conversation_id, participants, user)
    for participant in participants:
        found = await tx.users.by_id(participant.user_id) if participant.id == participant_id else None
        if found is not None:
            return found, participant
    raise NotAMember
