"""Attach a file that is in the file store to the app."""

from msgspec import structs

from knownas.attachments import Attachment
from knownas.conversations.branch_off import keep_apart
from knownas.conversations.find import get_with_participants, stream_of
from knownas.transaction import Transaction


async def create_attachment(tx: Transaction, attachment: Attachment) -> Attachment:
    """The attachment, from now on served and, where it names a conversation, removed with it.

    Its file is in the store already, so that no row ever promises what is not there. Raises ConversationNotFound.
    """
    if attachment.conversation_id is not None:
        conversation, participants = await get_with_participants(tx, attachment.conversation_id)
        user_id = stream_of(conversation, participants)
        user = await tx.users.by_id(user_id) if user_id else None
        # Whoever removes either meanwhile has to see the attachment, or it would be served for ever.
        tx.conversations.rely_on(conversation)
        if user is not None:
            tx.users.rely_on(user)
        attachment = structs.replace(attachment, conversation_id=keep_apart(tx, conversation, participants))
    tx.attachments.add(attachment)
    return attachment
