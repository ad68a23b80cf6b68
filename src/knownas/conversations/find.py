"""Find conversations, who takes part in them, and the user whom somebody names by one of two ids."""

from contextlib import suppress

from knownas.conversations import (
    Conversation,
    ConversationNotFound,
    InvalidConversation,
    NotAMember,
    Participant,
    Reference,
)
from knownas.errors import LostRace
from knownas.identities import InvalidIdentity
from knownas.ids import is_id
from knownas.transaction import Transaction
from knownas.users import User, UserNotFound


async def get_conversation(tx: Transaction, conversation_id: str) -> Conversation:
    """The conversation with this id, or the one it was merged into. Raises ConversationNotFound."""
    conversation = await tx.conversations.by_id(conversation_id) if is_id(conversation_id) else None
    if conversation is None:
        raise ConversationNotFound
    return conversation


async def get_with_participants(tx: Transaction, conversation_id: str) -> tuple[Conversation, list[Participant]]:
    """The conversation with this id, or its survivor, and who takes part in it. Raises ConversationNotFound."""
    found = await tx.conversations.with_participants(conversation_id) if is_id(conversation_id) else None
    if found is None:
        raise ConversationNotFound
    return found


async def get_referred_user(tx: Transaction, reference: Reference, where: str) -> User:
    """The user whom `reference` names by exactly one of her two ids; `where` is the caller's word for it.

    Raises InvalidConversation for none or both, UserNotFound.
    """
    if (reference.user_id is None) == (reference.external_id is None):
        raise InvalidConversation(f"{where} should have either userId or userExternalId, and exactly one of them")
    user = None
    if reference.user_id is not None:
        user = await tx.users.by_id(reference.user_id) if is_id(reference.user_id) else None
    elif reference.external_id is not None:
        with suppress(InvalidIdentity):
            user = await tx.users.by_external_id(reference.external_id, reference.brand_id)
    if user is None:
        raise UserNotFound
    return user


async def seat_of(tx: Transaction, conversation_id: str, participants: list[Participant], user: User) -> Participant:
    """The user's place among them, who were read by this id. Raises NotAMember.

    Nobody is refused because two users became one, or parted, after one of the two was read: that is a race lost.
    """
    seat = _seat(participants, user.id)
    if seat is not None:
        return seat
    found, now = await tx.conversations.with_participants(conversation_id), await tx.users.by_id(user.id)
    if found is not None and now is not None and _seat(found[1], now.id) is not None:
        raise LostRace
    raise NotAMember


def _seat(participants: list[Participant], user_id: str) -> Participant | None:
    return next((one for one in participants if one.user_id == user_id), None)


def stream_of(conversation: Conversation, participants: list[Participant]) -> str | None:
    """The `user_id` of this conversation's events: the one user of a personal conversation, None for a group."""
    return participants[0].user_id if conversation.type == "personal" and participants else None


async def list_conversations(
    tx: Transaction, reference: Reference, *, after: str | None, before: str | None, limit: int
) -> list[Conversation]:
    """At most `limit` conversations that the user takes part in, oldest first, on one side of an id.

    Raises InvalidConversation, UserNotFound.
    """
    user = await get_referred_user(tx, reference, "filter")
    members = await tx.users.members(user)
    return await tx.conversations.of_user(members, after=after, before=before, limit=limit)


async def list_participants(
    tx: Transaction, conversation_id: str, *, after: str | None, before: str | None, limit: int
) -> list[Participant]:
    """At most `limit` participants in the order in which they joined. Raises ConversationNotFound."""
    conversation = await get_conversation(tx, conversation_id)
    return await tx.conversations.participants(conversation.id, after=after, before=before, limit=limit)
