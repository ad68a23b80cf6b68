"""Make a link that was agreed to the way to reach its user."""

from msgspec import Struct, structs

from knownas.clients import ClientRemoved, ClientUpdated, LinkedClient, LinkError, WrongState
from knownas.clients.find import get_client
from knownas.clients.rules import decide_owner
from knownas.conversations import Conversation, Origin
from knownas.errors import LostRace
from knownas.merges import Meeting
from knownas.merges.absorb import absorb, meet
from knownas.transaction import Transaction
from knownas.users import User


class Holder(Struct, frozen=True):
    """The client that owns what the channel calls somebody, and its user: what was read before anything is held."""

    client: LinkedClient
    user: User
    members: list[str]
    meeting: Meeting | None


async def confirm_client(tx: Transaction, client_id: str) -> LinkedClient:
    """The client, active from now on and part of its conversation. Confirmed twice is as once.

    What the channel calls her belongs to one client in the app. Was it another user's, that client is removed as
    stolen; were both users anonymous, they are one person and merged. Was it hers already, that client stays, and is
    what this returns. Raises ClientNotFound and WrongState. Emits client.updated (confirmed), client.removed,
    users.merged.
    """
    client, user, members = await get_client(tx, client_id)
    if client.status == "active":
        return client
    if client.status != "pending" or client.matched_at is None:
        state = "pending, and its channel has not matched anybody yet" if client.status == "pending" else client.status
        raise WrongState(f"The client is {state}; only a matched one can be confirmed")
    holder = await holder_of(tx, client, user)
    conversation = await tx.conversations.by_id(client.link.conversation_id)
    tx.users.rely_on(user)
    return confirmed(tx, client, client, user, members, holder, conversation)


async def holder_of(tx: Transaction, client: LinkedClient, user: User) -> Holder | None:
    """The holder of what the channel calls the user of `client`, or None."""
    former = await tx.clients.by_channel_id(client.link.integration_id, client.profile.external_id or "")
    if former is None:
        return None
    other = await tx.users.by_id(former.user_id)
    if other is None:  # deleted since, and the client with her
        raise LostRace
    merging = decide_owner(user, other) == "merge"
    members = await tx.users.members(other)
    return Holder(former, other, members, await meet(tx, user, other) if merging else None)


def confirmed(
    tx: Transaction,
    stored: LinkedClient,
    client: LinkedClient,
    user: User,
    members: list[str],
    holder: Holder | None,
    conversation: Conversation | None,
) -> LinkedClient:
    """Hold the confirmation of `client`, which is `stored` until now; all that has to be read was read."""
    outcome = decide_owner(user, holder.user if holder else None)
    if conversation is not None:  # which may have become one with another since
        client = structs.replace(client, link=structs.replace(client.link, conversation_id=conversation.id))
    active = structs.replace(client, status="active", linked_at=tx.now, last_seen=tx.now)
    if holder is None or outcome == "activate":
        return _activate(tx, stored, active, user, members, conversation)
    former = holder.client
    origin = Origin(former.link.type, former.link.integration_id)
    if outcome == "steal":
        tx.users.rely_on(holder.user)
        tx.clients.remove(former, holder.members)
        tx.emit(ClientRemoved(holder.user.id, holder.user, former, "theft", origin))
        return _activate(tx, stored, active, user, members, conversation)
    if outcome == "merge":
        user = absorb(tx, user, holder.user, "channel", holder.meeting)
    kept = structs.replace(
        former,
        status="active",
        profile=client.profile,
        link=structs.replace(client.link, message=None, subject=None),
        last_seen=tx.now,
    )
    tx.clients.remove(stored, members)
    tx.clients.update(former, kept)
    tx.clients.subscribe(kept, [*members, *(id for id in holder.members if id not in members)])
    error = LinkError("already_linked", f"The user has this channel already, as client {former.id}")
    tx.emit(ClientUpdated(user.id, user, kept, "confirmed", conversation))
    tx.emit(ClientRemoved(user.id, user, client, "linkFailed", origin, conversation, error))
    return kept


def _activate(
    tx: Transaction,
    stored: LinkedClient,
    active: LinkedClient,
    user: User,
    members: list[str],
    conversation: Conversation | None,
) -> LinkedClient:
    tx.clients.update(stored, active)
    tx.clients.subscribe(active, members)
    tx.emit(ClientUpdated(user.id, user, active, "confirmed", conversation))
    return active
