"""Note that a user left on a channel, or came back there."""

from msgspec import structs

from knownas.clients import ClientStatus, ClientUpdated, LinkedClient, UpdatedReason, WrongState
from knownas.clients.find import get_client
from knownas.transaction import Transaction


async def block_client(tx: Transaction, client_id: str) -> LinkedClient:
    """The client, over which its user does not want to be reached. Twice is as once.

    Raises ClientNotFound and WrongState. Emits client.updated (blocked).
    """
    return await _turn(tx, client_id, "active", "blocked", "blocked")


async def unblock_client(tx: Transaction, client_id: str) -> LinkedClient:
    """The client, over which its user can be reached again. Twice is as once.

    Raises ClientNotFound and WrongState. Emits client.updated (unblocked).
    """
    return await _turn(tx, client_id, "blocked", "active", "unblocked")


async def _turn(
    tx: Transaction, client_id: str, before: ClientStatus, after: ClientStatus, reason: UpdatedReason
) -> LinkedClient:
    client, user, _ = await get_client(tx, client_id)
    if client.status == after:
        return client
    if client.status != before:
        raise WrongState(f"The client is {client.status}; only {before} clients can be {reason}")
    conversation = await tx.conversations.by_id(client.link.conversation_id)
    turned = structs.replace(client, status=after, last_seen=tx.now)
    tx.users.rely_on(user)
    tx.clients.update(client, turned)
    tx.emit(ClientUpdated(user.id, user, turned, reason, conversation))
    return turned
