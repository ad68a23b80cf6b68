"""Find linked clients, and a user's clients of all kinds."""

from knownas.clients import Client, LinkedClient
from knownas.devices import ClientNotFound
from knownas.devices.clients import list_devices, sdk_client
from knownas.transaction import Transaction
from knownas.users import User


async def list_clients(
    tx: Transaction, user: User, *, after: str | None = None, before: str | None = None, limit: int = 100
) -> list[Client]:
    """The user's clients in the order of their ids: the one of type `sdk` if she has a device, and the linked ones."""
    members = await tx.users.members(user)
    found: list[Client] = list(await tx.clients.of_users(members, after=after, before=before, limit=limit))
    sdk = sdk_client(user, await list_devices(tx, user))
    if sdk and (after is None or sdk.id > after) and (before is None or sdk.id < before):
        found = sorted([*found, sdk], key=lambda client: client.id)
        found = found[-limit:] if before is not None else found[:limit]
    return found


async def get_client(tx: Transaction, client_id: str) -> tuple[LinkedClient, User, list[str]]:
    """A linked client, the user whom it belongs to now, and all ids that stand for her. Raises ClientNotFound."""
    client = await tx.clients.by_id(client_id)
    if client is None:
        raise ClientNotFound
    user = await tx.users.by_id(client.user_id)
    if user is None:  # deleted since, and the client with her
        raise ClientNotFound
    return client, user, await tx.users.members(user)
