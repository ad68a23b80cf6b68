"""A user presses a postback button."""

from typing import Any

from msgspec import Struct

from knownas.conversations import MESSAGES_AT_MOST, Origin
from knownas.conversations.find import get_with_participants, seat_of
from knownas.devices import Device
from knownas.ids import ID_LENGTH, is_id
from knownas.messages import ActionNotFound, Author, PostbackReceived
from knownas.messages.actions import numbered_actions
from knownas.messages.draft import Draft
from knownas.messages.post import Posted, say
from knownas.transaction import Transaction
from knownas.users import User


class Pressed(Struct, frozen=True):
    """What the button carries, and the message that echoes it, where the app has that."""

    payload: str
    metadata: dict[str, Any] | None
    echo: Posted | None


async def press_postback(
    tx: Transaction, user: User, conversation_id: str, action_id: str, origin: Origin, device: Device | None = None
) -> Pressed:
    """Tell the business that the user pressed the button with this id (messages/actions.py), of a stored message.

    With the app's setting `echoPostback` the button's text is also said in her name, while there is room for it.
    Raises ConversationNotFound, NotAMember, ActionNotFound. Emits message.postback, and message.posted for the echo.
    """
    conversation, participants = await get_with_participants(tx, conversation_id)
    await seat_of(tx, conversation_id, participants, user)
    action = await _postback(tx, conversation.id, action_id)
    payload, metadata = action["payload"], action.get("metadata")
    tx.users.rely_on(user)
    tx.emit(PostbackReceived(user.id, conversation.id, conversation, user, payload, metadata, origin, device))
    echo = None
    if tx.settings.echo_postback and conversation.message_count < MESSAGES_AT_MOST:
        content = {"type": "text", "text": action["text"], "payload": payload}
        draft = Draft(Author("user"), content, origin, metadata=metadata)
        echo = say(tx, conversation, participants, draft, user, device=device)
    return Pressed(payload, metadata, echo)


async def _postback(tx: Transaction, conversation_id: str, action_id: str) -> dict[str, Any]:
    message_id, number = action_id[:ID_LENGTH], action_id[ID_LENGTH:]
    if not is_id(message_id) or not number.isascii() or not number.isalnum() or len(number) > 4:
        raise ActionNotFound
    message = await tx.messages.by_id(await tx.conversations.family(conversation_id), message_id)
    for at, action in enumerate(numbered_actions(message.content) if message else ()):
        if f"{at:02x}" == number and action["type"] == "postback":
            return action
    raise ActionNotFound
