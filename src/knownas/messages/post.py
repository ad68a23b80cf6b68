"""Say something in a conversation."""

from msgspec import Struct, structs

from knownas.attachments.show import show
from knownas.conversations import MESSAGES_AT_MOST, Conversation, Participant
from knownas.conversations.find import get_with_participants, stream_of
from knownas.devices import Device
from knownas.messages import (
    ConversationFull,
    IdempotencyKeyReused,
    InvalidMessage,
    Message,
    MessagePosted,
)
from knownas.messages.authors import named, speaking_user
from knownas.messages.draft import Destination, Draft
from knownas.messages.masking import mask_content
from knownas.messages.media import with_media
from knownas.transaction import Transaction
from knownas.users import User

SDK_TYPES = frozenset({"sdk", "web", "ios", "android", "unity"})


class Posted(Struct, frozen=True):
    """The message with its author's name, and the message that it answers, where it is still there."""

    message: Message
    quoted: Message | None = None


async def post_message(
    tx: Transaction, conversation_id: str, draft: Draft, idempotency_key: str | None = None
) -> Posted:
    """Post the draft. A key makes repeating it safe: the message that was posted first is the answer (decision 7).

    A user who speaks has to take part; card numbers in what users say are masked where the app asks for it.
    Raises ConversationNotFound, UserNotFound, NotAMember, InvalidMessage, ConversationFull, IdempotencyKeyReused.
    Emits message.posted.
    """
    conversation, participants = await get_with_participants(tx, conversation_id)
    user = None
    if draft.author.type == "user":
        user = await speaking_user(tx, draft.author, draft.external_id, draft.brand_id, conversation_id, participants)
        if tx.settings.mask_credit_card_numbers:
            draft = structs.replace(draft, content=mask_content(draft.content))
    draft = structs.replace(draft, content=await with_media(tx, draft.content))
    if draft.destination is not None:
        await _check_reachable(tx, conversation, participants, draft.destination)
    quoted = await _quoted(tx, conversation, draft.quoted) if draft.quoted else None
    if idempotency_key is not None:
        earlier = await tx.messages.by_idempotency_key(conversation.id, idempotency_key)
        if earlier is not None:
            return _repeated(tx, earlier, draft, user, quoted)
    return say(tx, conversation, participants, draft, user, quoted, idempotency_key)


def say(
    tx: Transaction,
    conversation: Conversation,
    participants: list[Participant],
    draft: Draft,
    user: User | None,
    quoted: Message | None = None,
    idempotency_key: str | None = None,
    device: Device | None = None,
) -> Posted:
    """Hold the message for writing, and all that follows from it; `user` is the author, unless the business is.

    `device` is where she wrote it, if it was on one.

    Raises ConversationFull. Emits message.posted.
    """
    if conversation.message_count >= MESSAGES_AT_MOST:
        raise ConversationFull
    message = Message(
        tx.new_id(),
        conversation.id,
        tx.now,
        structs.replace(draft.author, user_id=user.id if user else None),
        draft.content,
        draft.origin,
        quoted.id if quoted else None,
        draft.metadata,
        draft.extras,
    )
    tx.messages.add(message, idempotency_key)
    show(tx, message)
    tx.conversations.count_message(conversation, tx.now, user.id if user else None)
    if user is not None:
        tx.users.rely_on(user)  # what the event says of her has to be true when it is written
    shown = _shown(tx, message, user)
    now = structs.replace(conversation, last_message_at=tx.now, message_count=conversation.message_count + 1)
    tx.emit(MessagePosted(stream_of(conversation, participants), conversation.id, now, shown, user, device, quoted))
    return Posted(shown, quoted)


def _shown(tx: Transaction, message: Message, user: User | None) -> Message:
    author = named(message.author, user, animal_names=tx.settings.use_animal_names)
    return message if author is message.author else structs.replace(message, author=author)


def _repeated(tx: Transaction, earlier: Message, draft: Draft, user: User | None, quoted: Message | None) -> Posted:
    """The message that was posted under this key, when the draft says the same. Raises IdempotencyKeyReused."""
    again = structs.replace(
        earlier,
        author=structs.replace(draft.author, user_id=earlier.author.user_id if user else None),
        content=draft.content,
        origin=draft.origin,
        quoted=draft.quoted,
        metadata=draft.metadata,
        extras=draft.extras,
    )
    if again != earlier:
        raise IdempotencyKeyReused
    return Posted(_shown(tx, earlier, user), quoted)


async def _quoted(tx: Transaction, conversation: Conversation, message_id: str) -> Message:
    quoted = await tx.messages.by_id(await tx.conversations.family(conversation.id), message_id)
    if quoted is None:
        raise InvalidMessage("quotedMessage.message.id should be the id of a message in this conversation")
    wrote = quoted.author.user_id
    return _shown(tx, quoted, await tx.users.by_id(wrote) if wrote else None)


async def _check_reachable(
    tx: Transaction, conversation: Conversation, participants: list[Participant], destination: Destination
) -> None:
    """Raise InvalidMessage when the user of the conversation has no client there (`destination`)."""
    if conversation.type != "personal":
        raise InvalidMessage("destination is only for conversations of type personal")
    wanted = destination.integration_type
    if wanted is None:
        integration = await tx.integrations.by_id(destination.integration_id or "")
        if integration is None:
            raise InvalidMessage("destination.integrationId: there is no such integration")
        wanted = integration.type
    types = {association.type for participant in participants for association in participant.associations}
    if wanted != "none" and not (types & SDK_TYPES if wanted in SDK_TYPES else wanted in types):
        raise InvalidMessage("destination: the user has no client there that takes part in this conversation")
