"""Ask a channel to find a user, and to let her go on there."""

from msgspec import structs

from knownas.clients import PENDING_AT_MOST, ClientAdded, InvalidLink, Link, LinkedClient, Profile
from knownas.clients.rules import check_link
from knownas.conversations import ConversationNotFound, NotAMember, Origin
from knownas.conversations.branch_off import keep_apart
from knownas.integrations import IntegrationNotFound
from knownas.transaction import Transaction
from knownas.users import User


async def link_client(tx: Transaction, user: User, link: Link, origin: Origin | None = None) -> LinkedClient:
    """A client that waits as `pending` until its channel's connector says that it found her, and that she agrees.

    Raises InvalidLink, IntegrationNotFound, ConversationNotFound, and NotAMember for a conversation that is not hers.
    Emits client.added.
    """
    link = structs.replace(link, address=check_link(link))
    integration = await tx.integrations.by_id(link.integration_id)
    if integration is None:
        raise IntegrationNotFound
    if integration.type != link.type:
        raise InvalidLink(f"matchCriteria.type is {link.type}, but the integration is of type {integration.type}")
    members = await tx.users.members(user)
    found = await tx.conversations.with_participants(link.conversation_id)
    if found is None:
        raise ConversationNotFound
    conversation, participants = found
    if not any(participant.user_id in members for participant in participants):
        raise NotAMember
    if await tx.clients.waiting(members) >= PENDING_AT_MOST:
        raise InvalidLink(f"There are {PENDING_AT_MOST} pending clients of this user already; remove one first")
    tx.users.rely_on(user)
    keep_apart(tx, conversation, participants)
    link = structs.replace(link, conversation_id=conversation.id)
    client = LinkedClient(tx.new_id(), user.id, "pending", link, Profile(), tx.now)
    tx.clients.add(client)
    tx.emit(ClientAdded(user.id, user, client, "channelLinking", origin or Origin(), conversation))
    return client
