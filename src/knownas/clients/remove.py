"""Take a client from its user."""

from typing import Literal

from knownas.clients import ClientRemoved, LinkedClient, LinkError, WrongState
from knownas.clients.find import get_client
from knownas.conversations import Origin
from knownas.devices import ClientNotFound, SdkClientStays
from knownas.devices.clients import list_devices
from knownas.transaction import Transaction
from knownas.users import User


async def remove_client(tx: Transaction, user: User, client_id: str, origin: Origin | None = None) -> None:
    """Remove a linked client of this user, pending or not; it takes part in none of her conversations any more.

    Raises SdkClientStays for her client of type `sdk`, ClientNotFound for any other id. Emits client.removed (api).
    """
    members = await tx.users.members(user)
    client = await tx.clients.by_id(client_id)
    if client is None or client.user_id not in members:
        if client_id == user.client_id and await list_devices(tx, user):
            raise SdkClientStays
        raise ClientNotFound
    tx.users.rely_on(user)
    tx.clients.remove(client, members)
    tx.emit(ClientRemoved(user.id, user, client, "api", origin or Origin()))


async def end_link(
    tx: Transaction, client_id: str, reason: Literal["linkFailed", "linkCancelled"], error: LinkError
) -> LinkedClient:
    """Remove a link that came to nothing: its channel could not reach her, or she said no.

    Raises ClientNotFound, and WrongState when the client is not pending. Emits client.removed.
    """
    client, user, members = await get_client(tx, client_id)
    if client.status != "pending":
        raise WrongState(f"The client is {client.status}; only a pending link can end like this")
    conversation = await tx.conversations.by_id(client.link.conversation_id)
    tx.users.rely_on(user)
    tx.clients.remove(client, members)
    origin = Origin(client.link.type, client.link.integration_id)
    tx.emit(ClientRemoved(user.id, user, client, reason, origin, conversation, error))
    return client
