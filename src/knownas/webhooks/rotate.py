"""Give a webhook a new secret without losing a call (docs/decisions/0011-webhooks.md)."""

from typing import Final

from msgspec import structs

from knownas.transaction import Transaction
from knownas.webhooks import Webhook, WebhookUpdated
from knownas.webhooks.find import get_webhook

OVERLAP_S: Final = 24 * 3600
"""How long the secret before still counts: time to deploy a receiver within a working day."""
OVERLAP_S_AT_MOST: Final = 7 * OVERLAP_S


async def rotate_secret(tx: Transaction, integration_id: str, webhook_id: str, overlap_s: int = OVERLAP_S) -> Webhook:
    """A new secret; the one before counts beside it for `overlap_s` seconds, and not at all with 0.

    While a rotation is under way, another one replaces its new secret and keeps the one from before both, so that a
    repeated request never leaves a receiver without a secret that it knows.
    Raises WebhookNotFound. Emits webhook.updated.
    """
    webhook = rotated(await get_webhook(tx, integration_id, webhook_id), tx.new_secret(), tx.now, overlap_s)
    tx.webhooks.update(webhook)
    tx.emit(WebhookUpdated(webhook.id, integration_id))
    return webhook


def rotated(webhook: Webhook, secret: str, now: int, overlap_s: int) -> Webhook:
    """The webhook with this secret, and until the overlap is over the one that receivers know. Pure."""
    return structs.replace(
        webhook,
        secret=secret,
        former_secret=webhook.live_secrets(now)[0] if overlap_s else None,
        former_until=now + overlap_s * 1000 if overlap_s else None,
    )
