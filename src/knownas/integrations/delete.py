"""Take an integration away from an app."""

from knownas.apps.update import get_app
from knownas.integrations import IntegrationRemoved
from knownas.integrations.find import find_integration
from knownas.switchboards.integrate import unlink
from knownas.transaction import Transaction


async def delete_integration(tx: Transaction, integration_id: str) -> None:
    """Remove the integration with its keys, its webhooks and its places in the switchboard.

    Tokens that its keys signed are refused within a second. Devices that came through it stay with their users.
    Raises IntegrationNotFound. Emits integration.removed, and switchboard.updated where it was linked.
    """
    app = await get_app(tx)
    integration = await find_integration(tx, integration_id)
    wiring = await tx.switchboards.wiring()
    tx.apps.rely_on(app)  # whoever makes a key or a webhook for it meanwhile relies on the app, too
    tx.integrations.remove(integration)
    tx.webhooks.remove_of_integration(integration.id)
    tx.oauth.remove_of_integration(integration.id)
    tx.clients.deactivate(integration.id)
    unlink(tx, wiring, integration)
    tx.emit(IntegrationRemoved(integration.id, integration.type))
