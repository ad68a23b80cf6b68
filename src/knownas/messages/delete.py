"""Delete what was said: one message, or all of a conversation's."""

from knownas.conversations.find import get_with_participants, stream_of
from knownas.ids import is_id
from knownas.messages import MessageDeleted, MessageNotFound, MessagesDeleted
from knownas.transaction import Transaction


async def delete_message(tx: Transaction, conversation_id: str, message_id: str) -> None:
    """Delete one message; the conversation has room for one more then.

    Raises ConversationNotFound, MessageNotFound. Emits message.deleted.
    """
    conversation, participants = await get_with_participants(tx, conversation_id)
    family = await tx.conversations.family(conversation.id)
    message = await tx.messages.by_id(family, message_id) if is_id(message_id) else None
    if message is None:
        raise MessageNotFound
    tx.messages.remove(message)
    tx.attachments.remove_of_message(message.id)
    tx.conversations.change(conversation, message_count=max(0, conversation.message_count - 1))
    if message.conversation_id != conversation.id:
        tx.conversations.uncount(family[1:], message.conversation_id)
    tx.emit(MessageDeleted(stream_of(conversation, participants), conversation.id, message.id))


async def delete_all_messages(tx: Transaction, conversation_id: str) -> None:
    """Delete all messages of a conversation, which stays with its participants; nothing is unread then.

    Raises ConversationNotFound. Emits message.all_deleted, also where there was nothing to delete.
    """
    conversation, participants = await get_with_participants(tx, conversation_id)
    family = await tx.conversations.family(conversation.id)
    tx.messages.remove_all(family)
    tx.attachments.remove_of_messages(family)
    tx.conversations.change(conversation, message_count=0)
    tx.conversations.uncount(family[1:])
    tx.emit(MessagesDeleted(stream_of(conversation, participants), conversation.id))
