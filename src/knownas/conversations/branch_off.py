"""Have what is written in a merged user's conversation kept apart for her survivor (branches.py)."""

from knownas.conversations import Branch, Conversation, Participant
from knownas.transaction import Transaction


def keep_apart(
    tx: Transaction,
    conversation: Conversation,
    participants: list[Participant],
    *,
    message: bool = False,
    waiting: int = 0,
    read: bool = False,
) -> str:
    """The id under which what is written in the conversation now is kept; a verb asks once, after its last read.

    It is the conversation's own, unless the pointers of a merge led to its participant: then it is that of her branch,
    which the first such write makes, and which counts a `message`, what is `waiting` for her, or that she has `read`.
    """
    left = participants[0].branch if participants and conversation.type == "personal" else None
    if left is None:
        return conversation.id
    if left.id is None:
        return _branch_off(tx, conversation, left, message=message, waiting=waiting, read=read)
    if message:
        tx.branches.count_message(left.id, conversation.id, tx.now)
    if waiting:
        tx.branches.add_unread(left.id, waiting)
    if read:
        tx.branches.read(left.id, tx.now)
    return left.id


def _branch_off(tx: Transaction, trunk: Conversation, left: Branch, *, message: bool, waiting: int, read: bool) -> str:
    branch = Conversation(
        id=tx.new_id(),
        type="personal",
        display_name=None,
        description=None,
        icon_url=None,
        metadata={},
        is_default=False,
        business_last_read=None,
        last_message_at=tx.now if message else None,
        message_count=int(message),
        created_at=tx.now,
        merged_into=trunk.id,
    )
    unread = 0 if read else left.unread_count + waiting
    seat = Participant(tx.new_id(), branch.id, left.user_id, None, unread, tx.now if read else None, (), tx.now)
    tx.conversations.rely_on(trunk)  # whoever takes a message back meanwhile changes what waits
    tx.branches.add(branch, seat, left)
    return branch.id
