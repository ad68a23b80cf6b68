"""Find and remove keys."""

from knownas.keys import Key, KeyDeleted, KeyNotFound
from knownas.transaction import Transaction


async def get_key(tx: Transaction, key_id: str, integration_id: str | None = None) -> Key:
    """The app's key, or the integration's. Raises KeyNotFound, for another app's key as well."""
    key = await tx.keys.by_id(key_id)
    if key is None or key.app_id != tx.app_id or key.integration_id != integration_id:
        raise KeyNotFound
    return key


async def delete_key(tx: Transaction, key_id: str, integration_id: str | None = None) -> None:
    """Remove the key; every token it signed is refused within a second, on every node. Emits key.deleted."""
    key = await get_key(tx, key_id, integration_id)
    tx.keys.remove(key.id)
    tx.emit(KeyDeleted(key.id))


async def delete_account_key(tx: Transaction, key_id: str) -> None:
    """Remove an account's own key. It belongs to no app, so no app's event tells of it. Raises KeyNotFound."""
    key = await tx.keys.by_id(key_id)
    if key is None or key.app_id is not None:
        raise KeyNotFound
    tx.keys.remove(key.id)
