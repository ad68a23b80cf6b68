"""Give an app one more place where it meets its users."""

from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from knownas.integrations import Integration, IntegrationCreated, InvalidIntegration
from knownas.integrations.find import Described, describe
from knownas.integrations.kinds import KINDS, OTHER, missing, without_nulls
from knownas.switchboards import Wiring
from knownas.transaction import Transaction
from knownas.webhooks import Webhook
from knownas.webhooks.create import create_webhook, room_for_webhook


class NewWebhook(Struct, frozen=True):
    """A webhook that is made together with its custom integration."""

    target: str
    triggers: tuple[str, ...]
    include_full_user: bool = False
    include_full_source: bool = False


async def create_integration(
    tx: Transaction, type: str, display_name: str | None = None, settings: dict[str, Any] | None = None
) -> Integration:
    """Add an integration of `type` to the app, its settings by their wire names. Emits integration.created."""
    return _add(tx, type, display_name, settings or {})


async def add_integration(
    tx: Transaction,
    type: str,
    display_name: str | None,
    given: dict[str, Any],
    webhooks: Sequence[NewWebhook] = (),
) -> Described:
    """Add an integration of a known type, with its webhooks, as a business asks for it.

    Raises InvalidIntegration, TooManyWebhooks, InvalidWebhook. Emits integration.created, webhook.created.
    """
    if type not in KINDS:
        raise InvalidIntegration("Invalid integration type")
    lacking = missing(type, given)
    if lacking is not None:
        raise InvalidIntegration(lacking)
    wiring = await tx.switchboards.wiring()
    check_responder(wiring, given.get("defaultResponderId"))
    if webhooks:
        await room_for_webhook(tx)
    integration = _add(tx, type, display_name, without_nulls(given))
    made: list[Webhook] = [
        create_webhook(tx, integration, one.target, one.triggers, one.include_full_user, one.include_full_source)
        for one in webhooks
    ]
    return describe(integration, made, wiring)


def check_responder(wiring: Wiring, responder_id: object) -> None:
    """Refuse a first responder that the switchboard does not have."""
    if responder_id is not None and wiring.by_id(str(responder_id)) is None:
        raise InvalidIntegration("defaultResponderId should be the id of a switchboard integration of this app")


def _add(tx: Transaction, type: str, display_name: str | None, given: dict[str, Any]) -> Integration:
    sealed = KINDS.get(type, OTHER).sealed
    integration = Integration(
        app_id=tx.app_id,
        id=tx.new_id(),
        type=type,
        display_name=display_name,
        settings={name: value for name, value in given.items() if name not in sealed},
        created_at=tx.now,
        credentials={name: value for name, value in given.items() if name in sealed},
    )
    tx.integrations.add(integration)
    tx.emit(IntegrationCreated(integration.id, type))
    return integration
