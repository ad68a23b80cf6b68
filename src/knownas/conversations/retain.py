"""Let go of what was said in conversations that have been idle for longer than the app keeps them."""

from typing import Final

from knownas.conversations.find import stream_of
from knownas.messages import MessagesDeleted
from knownas.transaction import Transaction

LOOKED_AT: Final = 500
CLEARED: Final = 10


async def retain(tx: Transaction, after: str = "") -> str | None:
    """Delete the messages of idle conversations among the app's next ones; the id to go on after, or None at the end.

    A conversation is idle when its last message is older than `conversationRetentionSeconds`; unset or 0 keeps all.
    The conversation itself stays (spec/sunshine-v2.yaml, appSettings). One bite looks at LOOKED_AT conversations and
    clears CLEARED, so that no other write waits for long. Loses its race when somebody speaks up meanwhile.
    Emits message.all_deleted for each conversation cleared.
    """
    seconds = tx.settings.conversation_retention_seconds
    if not seconds:
        return None
    idle_since = tx.now - seconds * 1000
    looked_at = await tx.conversations.some(after, LOOKED_AT)
    idle = [one for one in looked_at if one.message_count and (one.last_message_at or one.created_at) < idle_since]
    found = [
        (await tx.conversations.with_participants(one.id), await tx.conversations.family(one.id))
        for one in idle[:CLEARED]
    ]
    for known, family in found:
        if known is not None:
            conversation, participants = known
            tx.messages.remove_all(family)
            tx.attachments.remove_of_messages(family)
            tx.conversations.change(conversation, message_count=0)
            tx.conversations.uncount(family[1:])
            tx.emit(MessagesDeleted(stream_of(conversation, participants), conversation.id))
    if len(idle) > CLEARED:
        return idle[CLEARED - 1].id
    return looked_at[-1].id if len(looked_at) == LOOKED_AT else None
