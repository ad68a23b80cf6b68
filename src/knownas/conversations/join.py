"""Add a user to a group."""

from msgspec import structs

from knownas.conversations import (
    PARTICIPANTS_AT_MOST,
    ClientAssociation,
    InvalidConversation,
    Invitation,
    Participant,
    ParticipantJoined,
    TooManyParticipants,
)
from knownas.conversations.create import new_participant
from knownas.conversations.find import get_referred_user, get_with_participants
from knownas.transaction import Transaction
from knownas.users import User


async def join_conversation(tx: Transaction, conversation_id: str, invitation: Invitation) -> Participant:
    """The user's place in the group, new or the one she has already: joining twice has the effect of once.

    It relies on the conversation, so that of two who join at once one sees the other and the limit holds; and on the
    user, so that nobody joins who is being removed.
    Raises ConversationNotFound, InvalidConversation, TooManyParticipants, UserNotFound. Emits conversation.joined.
    """
    conversation, participants = await get_with_participants(tx, conversation_id)
    if conversation.type != "sdkGroup":
        raise InvalidConversation("Only a conversation of type sdkGroup can be joined")
    if invitation.subscribe is None:
        raise InvalidConversation("The body should have required property 'subscribeSDKClient'")
    user = await get_referred_user(tx, invitation.user, "The body")
    for participant in participants:
        if participant.user_id == user.id:
            return _subscribed(tx, participant, user) if invitation.subscribe else participant
    if len(participants) >= PARTICIPANTS_AT_MOST:
        raise TooManyParticipants
    participant = new_participant(tx, conversation, user, subscribe=invitation.subscribe)
    tx.conversations.rely_on(conversation)
    tx.users.rely_on(user)
    tx.conversations.add_participant(participant)
    tx.emit(ParticipantJoined(conversation.id, conversation, user))
    return participant


def _subscribed(tx: Transaction, participant: Participant, user: User) -> Participant:
    """Her place with her SDK client among its clients."""
    if any(association.type == "sdk" for association in participant.associations):
        return participant
    associations = (*participant.associations, ClientAssociation("sdk", user.client_id))
    participant = structs.replace(participant, associations=associations)
    tx.conversations.associate(participant)
    return participant
