"""Remove a conversation with all that was said in it."""

from knownas.conversations import ConversationRemoved, DefaultConversationStays
from knownas.conversations.find import get_with_participants, stream_of
from knownas.transaction import Transaction


async def delete_conversation(tx: Transaction, conversation_id: str) -> None:
    """Remove the conversation, who takes part in it, and its messages; a user's default one stays.

    Raises ConversationNotFound, DefaultConversationStays. Emits conversation.removed.
    """
    conversation, participants = await get_with_participants(tx, conversation_id)
    if conversation.is_default:
        raise DefaultConversationStays(conversation.id)
    family = await tx.conversations.family(conversation.id)
    tx.attachments.remove_of_conversation(family)
    tx.conversations.remove(conversation, family)
    tx.emit(ConversationRemoved(stream_of(conversation, participants), conversation))
