"""Open a conversation: with one user, or among a group of users."""

from msgspec import UNSET

from knownas.conversations import (
    PARTICIPANTS_AT_MOST,
    ClientAssociation,
    Conversation,
    ConversationChanges,
    ConversationCreated,
    ConversationType,
    CreationReason,
    Holder,
    InvalidConversation,
    Invitation,
    Origin,
    Participant,
    Start,
    TooManyParticipants,
)
from knownas.conversations.find import get_referred_user
from knownas.switchboards.start import initial_holder
from knownas.transaction import Transaction
from knownas.users import User
from knownas.users.metadata import merge_metadata

FROM_API = Origin()


async def create_conversation(
    tx: Transaction,
    type: ConversationType,
    invitations: list[Invitation],
    details: ConversationChanges,
    origin: Origin = FROM_API,
) -> Conversation:
    """A new conversation of this type with the users invited, as a business's server opens it.

    Raises InvalidConversation, TooManyParticipants, UserNotFound, InvalidMetadata. Emits conversation.created.
    """
    check_invitations(type, invitations)
    users = [
        await get_referred_user(tx, invitation.user, f"participants[{number}]")
        for number, invitation in enumerate(invitations)
    ]
    if type == "personal":
        subscribe = bool(invitations[0].subscribe)
        conversation, _ = await create_personal(tx, users[0], details, subscribe=subscribe, origin=origin)
        return conversation
    if len({user.id for user in users}) < len(users):
        raise InvalidConversation("participants should NOT name the same user twice")
    return await create_group(tx, list(zip(users, invitations, strict=True)), details, origin)


def check_invitations(type: ConversationType, invitations: list[Invitation]) -> None:
    """Refuse what the vendor refuses of `participants` (spec/sunshine-v2.yaml, conversationCreateBody). Pure."""
    if type == "personal":
        if len(invitations) != 1:
            raise InvalidConversation("participants should have exactly 1 item for a personal conversation")
        return
    if len(invitations) > PARTICIPANTS_AT_MOST:
        raise TooManyParticipants
    for number, invitation in enumerate(invitations):
        if invitation.subscribe is None:
            raise InvalidConversation(f"participants[{number}] should have required property 'subscribeSDKClient'")


async def create_personal(
    tx: Transaction,
    user: User,
    details: ConversationChanges,
    *,
    subscribe: bool = False,
    reason: CreationReason = "none",
    origin: Origin = FROM_API,
) -> tuple[Conversation, Participant]:
    """A new conversation of this user; her first is her default one, and more need the app's `multiConvoEnabled`.

    Reads, and then holds writes: the caller reads nothing more. Of two that are her first at once, one is made.
    Raises InvalidConversation, InvalidMetadata. Emits conversation.created.
    """
    default = await tx.conversations.default_of(await tx.users.members(user))
    if default is not None and not tx.settings.multi_convo_enabled:
        raise InvalidConversation(
            f"The user has conversation {default.id} already, and more than one needs the app setting multiConvoEnabled"
        )
    holder = await initial_holder(tx, origin.integration_id)
    return hold_personal(tx, user, details, Start(reason, origin, subscribe), holder, first=default is None)


async def open_default(
    tx: Transaction, user: User, *, subscribe: bool, reason: CreationReason, origin: Origin
) -> tuple[Conversation, Participant]:
    """The user's default conversation and her place in it; it is made when there is none yet.

    Reads, and may then hold writes: the caller reads nothing more. Emits conversation.created for a new one.
    """
    default = await tx.conversations.default_of(await tx.users.members(user))
    found = await tx.conversations.with_participants(default.id) if default else None
    if found is not None and found[1]:
        return found[0], found[1][0]
    holder = await initial_holder(tx, origin.integration_id)
    return hold_personal(tx, user, ConversationChanges(), Start(reason, origin, subscribe), holder, first=True)


def hold_personal(
    tx: Transaction, user: User, details: ConversationChanges, start: Start, holder: Holder | None, *, first: bool
) -> tuple[Conversation, Participant]:
    """Hold a conversation of this user, also of one whom the same transaction makes; `holder` answers in it.

    It relies on its user: a merge that comes between could bring her another one. A message may be counted in it at
    once. Raises InvalidMetadata. Emits conversation.created.
    """
    conversation = _new(tx, "personal", details, holder, is_default=first)
    participant = new_participant(tx, conversation, user, subscribe=start.subscribe)
    tx.users.rely_on(user)
    tx.conversations.add(conversation, user.id if first else None)
    tx.conversations.add_participant(participant)
    tx.emit(ConversationCreated(user.id, conversation.id, conversation, start.reason, start.origin, user))
    return conversation, participant


async def create_group(
    tx: Transaction, seats: list[tuple[User, Invitation]], details: ConversationChanges, origin: Origin
) -> Conversation:
    """A new group with these users in it. Raises InvalidMetadata. Emits conversation.created."""
    holder = await initial_holder(tx, origin.integration_id)
    conversation = _new(tx, "sdkGroup", details, holder, is_default=False)
    tx.conversations.add(conversation)
    for user, invitation in seats:
        tx.users.rely_on(user)
        tx.conversations.add_participant(new_participant(tx, conversation, user, subscribe=bool(invitation.subscribe)))
    tx.emit(ConversationCreated(None, conversation.id, conversation, "none", origin))
    return conversation


def new_participant(tx: Transaction, conversation: Conversation, user: User, *, subscribe: bool) -> Participant:
    """The user's place in a conversation, which has nothing unread for her yet.

    `subscribe` associates her SDK client: it is the sum of her devices, also before there is one (decision 4).
    """
    associations = (ClientAssociation("sdk", user.client_id),) if subscribe else ()
    return Participant(tx.new_id(), conversation.id, user.id, user.external_id, 0, None, associations, tx.now)


def _new(
    tx: Transaction, type: ConversationType, details: ConversationChanges, holder: Holder | None, *, is_default: bool
) -> Conversation:
    return Conversation(
        id=tx.new_id(),
        type=type,
        display_name=details.display_name or None,
        description=details.description or None,
        icon_url=details.icon_url or None,
        metadata={} if details.metadata is UNSET else merge_metadata({}, details.metadata, subject="Conversation"),
        is_default=is_default,
        business_last_read=None,
        last_message_at=None,
        message_count=0,
        created_at=tx.now,
        active=holder,
    )
