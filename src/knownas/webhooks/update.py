"""Change a webhook, or take it away."""

from collections.abc import Sequence

from msgspec import UNSET, Struct, UnsetType, structs

from knownas.transaction import Transaction
from knownas.webhooks import Webhook, WebhookDeleted, WebhookUpdated
from knownas.webhooks.find import get_webhook
from knownas.webhooks.triggers import check_target, check_triggers


class WebhookChanges(Struct, frozen=True):
    """What to change; `UNSET` leaves it."""

    target: str | UnsetType = UNSET
    triggers: Sequence[str] | UnsetType = UNSET
    include_full_user: bool | UnsetType = UNSET
    include_full_source: bool | UnsetType = UNSET


async def update_webhook(tx: Transaction, integration_id: str, webhook_id: str, changes: WebhookChanges) -> Webhook:
    """Change the webhook, and switch it on again when failures had switched it off, whatever is changed.

    What was not delivered while it was off is not sent later by this. The same update twice changes once.
    Raises WebhookNotFound, InvalidWebhook. Emits webhook.updated when something changed.
    """
    webhook = await get_webhook(tx, integration_id, webhook_id)
    given = {name: value for name, value in structs.asdict(changes).items() if value is not UNSET}
    if "target" in given:
        given["target"] = check_target(given["target"])
    if "triggers" in given:
        given["triggers"] = check_triggers(given["triggers"])
    changed = structs.replace(webhook, **given, failing_since=None, disabled_at=None)
    if changed != webhook:
        tx.webhooks.update(changed)
        tx.emit(WebhookUpdated(webhook.id, integration_id))
    return changed


async def delete_webhook(tx: Transaction, integration_id: str, webhook_id: str) -> None:
    """Remove the webhook; what still waits to be delivered to it is dropped.

    Raises WebhookNotFound. Emits webhook.deleted.
    """
    webhook = await get_webhook(tx, integration_id, webhook_id)
    tx.webhooks.remove(webhook)
    tx.emit(WebhookDeleted(webhook.id, integration_id))
