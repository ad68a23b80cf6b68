"""Write down what came of attempts, many at a time."""

from typing import Final

from msgspec import structs

from knownas.deliveries import Health, Settled
from knownas.deliveries.schedule import is_to_be_switched_off
from knownas.transaction import Transaction
from knownas.webhooks import WebhookSwitchedOff

_EVER: Final = 2**62


async def settle(tx: Transaction, settled: list[Settled], health: list[Health]) -> None:
    """Hold the outcomes, the log and what became of the webhooks' health."""
    tx.deliveries.settle(settled, tx.now)
    if health:
        tx.deliveries.set_health(health)


async def switch_off(tx: Transaction, webhook_id: str) -> bool:
    """Switch the app's webhook off if it has done nothing but fail for days; whether it did.

    Emits webhook.switched_off.
    """
    webhook = await tx.webhooks.by_id(webhook_id)
    if webhook is None or webhook.disabled_at is not None or webhook.failing_since is None:
        return False
    if not is_to_be_switched_off(webhook.failing_since, tx.now):
        return False
    tx.webhooks.update(structs.replace(webhook, disabled_at=tx.now))
    tx.emit(WebhookSwitchedOff(webhook.id, webhook.integration_id, webhook.failing_since))
    return True


async def clear_queue(tx: Transaction, app_id: str, webhook_id: str, limit: int) -> bool:
    """Take away some of what waits for a webhook that is gone, or give it up where it is switched off.

    Whether there was anything, so that it is called until there is not. What was given up can be delivered again when
    somebody asks for it, for as long as its event is kept.
    """
    webhook = await tx.deliveries.webhook(app_id, webhook_id)
    if webhook is not None and webhook.disabled_at is None:
        return False
    if not await tx.deliveries.due(app_id, webhook_id, _EVER, 1):
        return False
    if webhook is None:
        tx.deliveries.drop(app_id, webhook_id, limit)
    else:
        tx.deliveries.give_up(app_id, webhook_id, limit)
    return True
