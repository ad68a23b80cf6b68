"""Tell a conversation that somebody has read it, or types."""

from msgspec import structs

from knownas.conversations import ActivityHappened, ActivityType, InvalidConversation, Origin, Reference
from knownas.conversations.branch_off import keep_apart
from knownas.conversations.find import get_referred_user, get_with_participants, seat_of, stream_of
from knownas.transaction import Transaction
from knownas.users import User

FROM_API = Origin()


async def post_activity(
    tx: Transaction,
    conversation_id: str,
    type: ActivityType,
    author: Reference | User | None,
    origin: Origin = FROM_API,
) -> None:
    """Note what the business (`author` None) or a participant does.

    Reading is kept: as the business's time, or as the participant's time with nothing unread. Typing is only told;
    a user's comes from where she types, so a server cannot tell it for her (spec/sunshine-v2.yaml, activityTypes).
    It relies on its author, whom the event shows, so that nothing of her is told once she is erased.
    Raises ConversationNotFound, InvalidConversation, UserNotFound, NotAMember. Emits conversation.activity.
    """
    conversation, participants = await get_with_participants(tx, conversation_id)
    if isinstance(author, Reference):
        if type != "conversation:read":
            raise InvalidConversation("type should be conversation:read when the author's type is user")
        author = await get_referred_user(tx, author, "author")
    user_id = stream_of(conversation, participants)
    if author is not None:
        seat = await seat_of(tx, conversation_id, participants, author)
        tx.users.rely_on(author)
        if type == "conversation:read":
            place = keep_apart(tx, conversation, participants, read=True)
            if place == conversation.id:
                tx.conversations.read_by(seat, tx.now)
    elif type == "conversation:read":
        keep_apart(tx, conversation, participants)
        tx.conversations.change(conversation, business_last_read=tx.now)
        conversation = structs.replace(conversation, business_last_read=tx.now)
    tx.emit(ActivityHappened(user_id, conversation.id, conversation, type, origin, author))
