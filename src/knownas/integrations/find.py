"""Find an app's integrations, with what is shown beside them."""

from collections.abc import Sequence

from msgspec import Struct

from knownas.integrations import Integration, IntegrationNotFound
from knownas.integrations.kinds import KINDS, OTHER
from knownas.switchboards import SwitchboardIntegration, Wiring
from knownas.switchboards.start import first_responder
from knownas.transaction import Transaction
from knownas.webhooks import Webhook


class Described(Struct, frozen=True):
    """An integration with its webhooks and with who answers those who come through it.

    The responder may be the integration's own or be `inherited` from the switchboard.
    """

    integration: Integration
    webhooks: tuple[Webhook, ...] = ()
    responder: SwitchboardIntegration | None = None
    inherited: bool = True

    @property
    def id(self) -> str:
        """The integration's id, by which it is paged."""
        return self.integration.id


async def find_integration(tx: Transaction, integration_id: str) -> Integration:
    """The app's integration. Raises IntegrationNotFound."""
    integration = await tx.integrations.by_id(integration_id)
    if integration is None:
        raise IntegrationNotFound
    return integration


async def get_integration(tx: Transaction, integration_id: str) -> Described:
    """The app's integration with what is shown beside it. Raises IntegrationNotFound."""
    integration = await find_integration(tx, integration_id)
    webhooks = await tx.webhooks.of_integration(integration.id)
    return describe(integration, webhooks, await tx.switchboards.wiring())


async def list_integrations(
    tx: Transaction, types: list[str], *, after: str | None, before: str | None, limit: int
) -> list[Described]:
    """At most `limit` integrations of these types (all, when none is named) in creation order, next to an id."""
    found = await tx.integrations.page(types, after=after, before=before, limit=limit)
    webhooks, wiring = await tx.webhooks.of_app(), await tx.switchboards.wiring()
    return [describe(one, [hook for hook in webhooks if hook.integration_id == one.id], wiring) for one in found]


def describe(integration: Integration, webhooks: Sequence[Webhook], wiring: Wiring) -> Described:
    """The integration with what is shown beside it. Pure."""
    if not KINDS.get(integration.type, OTHER).routed:
        return Described(integration, tuple(webhooks))
    return Described(integration, tuple(webhooks), *first_responder(wiring, integration))
