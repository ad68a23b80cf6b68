"""Who answers first in a new conversation."""

from knownas.conversations import Holder
from knownas.integrations import Integration
from knownas.switchboards import SwitchboardIntegration, Wiring
from knownas.transaction import Transaction


async def initial_holder(tx: Transaction, integration_id: str | None = None) -> Holder | None:
    """Who has control of a conversation that begins now, or None while no switchboard directs conversations.

    It is the switchboard's default, unless the integration through which the user comes names another one.
    """
    wiring = await tx.switchboards.wiring()
    if not wiring.live:
        return None
    integration = None if integration_id is None else await tx.integrations.by_id(integration_id)
    first, _ = first_responder(wiring, integration)
    return None if first is None else first.holder


def first_responder(wiring: Wiring, integration: Integration | None) -> tuple[SwitchboardIntegration | None, bool]:
    """Who answers those who come through `integration`, and whether that is inherited from the switchboard."""
    own = None if integration is None else wiring.by_id(integration.settings.get("defaultResponderId"))
    return (own, False) if own is not None else (wiring.default, True)


def hears(wiring: Wiring, integration_id: str, active: Holder | None, pending: Holder | None) -> bool:
    """Whether an integration is told what happens in a conversation that these have control of, or are offered.

    Whoever is not linked to an enabled switchboard hears everything; whoever is hears while in control or offered it,
    and else where it asked for events on standby.
    """
    linked = [one for one in wiring.integrations if one.integration_id == integration_id]
    if not wiring.live or not linked:
        return True
    holders = {holder.id for holder in (active, pending) if holder is not None}
    return any(one.id in holders or one.deliver_standby_events for one in linked)
