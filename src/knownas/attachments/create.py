"""Attach a file that is in the file store to the app."""

from msgspec import structs

from knownas.attachments import Attachment
from knownas.conversations import Conversation, ConversationNotFound
from knownas.ids import is_id
from knownas.transaction import Transaction
from knownas.users import User


async def conversation_for(tx: Transaction, conversation_id: str) -> Conversation:
    """The conversation that an upload is for. Raises ConversationNotFound."""
    conversation = await tx.conversations.by_id(conversation_id) if is_id(conversation_id) else None
    if conversation is None:
        raise ConversationNotFound
    return conversation


async def create_attachment(tx: Transaction, attachment: Attachment) -> Attachment:
    """The attachment, from now on served and, where it names a conversation, removed with it.

    Its file is in the store already, so that no row ever promises what is not there. Raises ConversationNotFound.
    """
    if attachment.conversation_id is not None:
        conversation = await conversation_for(tx, attachment.conversation_id)
        user = await _user_of(tx, conversation)
        # Whoever removes either meanwhile has to see the attachment, or it would be served for ever.
        tx.conversations.rely_on(conversation)
        if user is not None:
            tx.users.rely_on(user)
        attachment = structs.replace(attachment, conversation_id=conversation.id)
    tx.attachments.add(attachment)
    return attachment


async def _user_of(tx: Transaction, conversation: Conversation) -> User | None:
    """The user of a personal conversation."""
    found = await tx.conversations.with_participants(conversation.id) if conversation.type == "personal" else None
    return await tx.users.by_id(found[1][0].user_id) if found and found[1] else None
