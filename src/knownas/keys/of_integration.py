"""Keys of a custom integration: what a program signs with that acts for this integration alone."""

from knownas.errors import DomainError
from knownas.integrations.find import find_integration
from knownas.keys import Key
from knownas.keys.create import create_key
from knownas.keys.delete import delete_key, get_key
from knownas.transaction import Transaction


class NoKeysHere(DomainError):
    """An integration of a type that nothing signs for."""

    kind = "invalid"
    code = "bad_request"

    def __init__(self) -> None:
        super().__init__("API keys are available only for custom integrations")


async def create_integration_key(
    tx: Transaction, integration_id: str, account_id: str, display_name: str, public_key: str | None = None
) -> Key:
    """A new key of the custom integration, as `create_key` makes it.

    Raises IntegrationNotFound, NoKeysHere, TooManyKeys, WeakKey. Emits key.created.
    """
    await _signing(tx, integration_id)
    return await create_key(tx, account_id, display_name, "integration", integration_id, public_key)


async def list_integration_keys(tx: Transaction, integration_id: str) -> list[Key]:
    """The integration's keys, oldest first. Raises IntegrationNotFound, NoKeysHere."""
    await _signing(tx, integration_id)
    return await tx.keys.all(integration_id)


async def get_integration_key(tx: Transaction, integration_id: str, key_id: str) -> Key:
    """The integration's key. Raises IntegrationNotFound, NoKeysHere, KeyNotFound."""
    await _signing(tx, integration_id)
    return await get_key(tx, key_id, integration_id)


async def delete_integration_key(tx: Transaction, integration_id: str, key_id: str) -> None:
    """Remove the integration's key, with every token it signed. Raises as `get_integration_key`. Emits key.deleted."""
    await _signing(tx, integration_id)
    await delete_key(tx, key_id, integration_id)


async def _signing(tx: Transaction, integration_id: str) -> None:
    if (await find_integration(tx, integration_id)).type != "custom":
        raise NoKeysHere
