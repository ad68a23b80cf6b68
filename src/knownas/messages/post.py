"""Say something in a conversation."""

from msgspec import Struct, structs

from knownas.attachments.show import show
from knownas.conversations import MESSAGES_AT_MOST, Conversation, Participant
from knownas.conversations.branch_off import keep_apart
from knownas.conversations.find import get_with_participants, stream_of
from knownas.devices import Device
from knownas.messages import (
    ConversationFull,
    IdempotencyKeyReused,
    InvalidMessage,
    Message,
    MessagePosted,
    Request,
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
    if draft.author.type == "user" and tx.settings.mask_credit_card_numbers:
        draft = structs.replace(draft, content=mask_content(draft.content))
    draft = structs.replace(draft, content=await with_media(tx, draft.content))
    request = None if idempotency_key is None else Request(conversation_id, idempotency_key)
    if request is not None:
        earlier = await tx.messages.by_request(request)
        if earlier is not None:
            return await _repeated(tx, earlier, draft)
    user = None
    if draft.author.type == "user":
        user = await speaking_user(tx, draft.author, draft.external_id, draft.brand_id, conversation_id, participants)
    if draft.destination is not None:
        await _check_reachable(tx, conversation, participants, draft.destination)
    quoted = None
    if draft.quoted:
        quoted = await _quoted(tx, conversation.id, draft.quoted)
        if quoted is None:
            raise InvalidMessage("quotedMessage.message.id should be the id of a message in this conversation")
    return say(tx, conversation, participants, draft, user, quoted, request)


def say(
    tx: Transaction,
    conversation: Conversation,
    participants: list[Participant],
    draft: Draft,
    user: User | None,
    quoted: Message | None = None,
    request: Request | None = None,
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
    place = keep_apart(tx, conversation, participants, message=True, waiting=int(user is None))
    kept = message if place == conversation.id else structs.replace(message, conversation_id=place)
    tx.messages.add(kept, request)
    show(tx, kept)
    tx.conversations.count_message(conversation, tx.now, user.id if user else None, apart=kept is not message)
    if user is not None:
        tx.users.rely_on(user)  # what the event says of her has to be true when it is written
    shown = _shown(tx, message, user)
    now = structs.replace(conversation, last_message_at=tx.now, message_count=conversation.message_count + 1)
    tx.emit(MessagePosted(stream_of(conversation, participants), conversation.id, now, shown, user, device, quoted))
    return Posted(shown, quoted)


def _shown(tx: Transaction, message: Message, user: User | None) -> Message:
    author = named(message.author, user, animal_names=tx.settings.use_animal_names)
    return message if author is message.author else structs.replace(message, author=author)


async def _repeated(tx: Transaction, earlier: Message, draft: Draft) -> Posted:
    """What the same request has posted, when the draft says the same. Raises IdempotencyKeyReused.

    It is asked first, since she who spoke may take no part any more, and what was quoted may be gone.
    """
    wrote = earlier.author.user_id
    again = structs.replace(
        earlier,
        author=structs.replace(draft.author, user_id=wrote if draft.author.type == "user" else None),
        content=draft.content,
        origin=draft.origin,
        quoted=draft.quoted,
        metadata=draft.metadata,
        extras=draft.extras,
    )
    if again != earlier:
        raise IdempotencyKeyReused
    found = await tx.conversations.by_id(earlier.conversation_id) if earlier.quoted else None
    quoted = await _quoted(tx, found.id, earlier.quoted) if found and earlier.quoted else None
    return Posted(_shown(tx, earlier, await tx.users.by_id(wrote) if wrote else None), quoted)


async def _quoted(tx: Transaction, conversation_id: str, message_id: str) -> Message | None:
    quoted = await tx.messages.by_id(await tx.conversations.family(conversation_id), message_id)
    if quoted is None:
        return None
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
