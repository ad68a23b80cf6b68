"""Have what is written in a merged user's conversation kept apart for her survivor (branches.py)."""

from knownas.conversations import Conversation, Participant
from knownas.transaction import Transaction


def place_for(tx: Transaction, conversation: Conversation, participants: list[Participant]) -> str:
    """The id under which what is written in the conversation now is kept; a verb asks once, after its last read.

    It is the conversation's own, unless the pointers of a merge led to its participant: then it is that of her branch,
    which the first such write makes.
    """
    left = participants[0].branch if participants and conversation.type == "personal" else None
    if left is None:
        return conversation.id
    if left.id is not None:
        return left.id
    branch = Conversation(
        id=tx.new_id(),
        type="personal",
        display_name=None,
        description=None,
        icon_url=None,
        metadata={},
        is_default=False,
        business_last_read=None,
        last_message_at=None,
        message_count=0,
        created_at=tx.now,
        merged_into=conversation.id,
    )
    tx.branches.add(branch, Participant(tx.new_id(), branch.id, left.user_id, None, 0, None, (), tx.now), left)
    return branch.id
