"""Change a conversation's name, description, icon and properties."""

from typing import Any

from msgspec import UNSET, structs

from knownas.conversations import Conversation, ConversationChanges, ConversationUpdated
from knownas.conversations.branch_off import keep_apart
from knownas.conversations.find import get_with_participants, stream_of
from knownas.transaction import Transaction
from knownas.users.metadata import merge_metadata
from knownas.users.update import same


def differences(conversation: Conversation, changes: ConversationChanges) -> dict[str, Any]:
    """The fields that `changes` would really alter, with their new values. Pure. Raises InvalidMetadata."""
    altered: dict[str, Any] = {}
    for name in ConversationChanges.__struct_fields__:
        value = getattr(changes, name)
        if value is UNSET:
            continue
        if name == "metadata":
            value = merge_metadata(conversation.metadata, value, subject="Conversation")
        if not same(value, getattr(conversation, name)):
            altered[name] = value
    return altered


async def update_conversation(tx: Transaction, conversation_id: str, changes: ConversationChanges) -> Conversation:
    """Change what is given and keep the rest; the same update twice changes once.

    Raises ConversationNotFound, InvalidMetadata. Emits conversation.updated when anything changed.
    """
    conversation, participants = await get_with_participants(tx, conversation_id)
    altered = differences(conversation, changes)
    if not altered:
        return conversation
    keep_apart(tx, conversation, participants)
    tx.conversations.change(conversation, **altered)
    updated = structs.replace(conversation, **altered)
    user_id = stream_of(conversation, participants)
    tx.emit(ConversationUpdated(user_id, conversation.id, updated, tuple(altered)))
    return updated
