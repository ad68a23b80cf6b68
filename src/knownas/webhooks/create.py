"""Give an integration one more webhook."""

from collections.abc import Sequence

from knownas.apps.update import get_app
from knownas.integrations import Integration
from knownas.transaction import Transaction
from knownas.webhooks import WEBHOOKS_AT_MOST, TooManyWebhooks, Webhook, WebhookCreated
from knownas.webhooks.find import carrier
from knownas.webhooks.triggers import check_target, check_triggers


def create_webhook(
    tx: Transaction,
    integration: Integration,
    target: str,
    triggers: Sequence[str],
    include_full_user: bool = False,
    include_full_source: bool = False,
) -> Webhook:
    """Hold a new webhook of `integration`, with a fresh secret, for writing; at most one in a unit of work.

    It reads nothing, so that an integration can be made together with its webhook: see `room_for_webhook` for the
    limit. Raises InvalidWebhook. Emits webhook.created.
    """
    webhook = Webhook(
        id=tx.new_id(),
        app_id=tx.app_id,
        integration_id=integration.id,
        target=check_target(target),
        triggers=check_triggers(triggers),
        include_full_user=include_full_user,
        include_full_source=include_full_source,
        secret=tx.new_secret(),
        created_at=tx.now,
    )
    tx.webhooks.add(webhook)
    tx.emit(WebhookCreated(webhook.id, integration.id))
    return webhook


async def room_for_webhook(tx: Transaction) -> None:
    """Refuse with TooManyWebhooks when the app has as many as one may; ask before the first write.

    It is for the words only: that ten stay ten when two ask at once is the database's job (WebhookRows.add).
    """
    if len(await tx.webhooks.of_app()) >= WEBHOOKS_AT_MOST:
        raise TooManyWebhooks


async def add_webhook(
    tx: Transaction,
    integration_id: str,
    target: str,
    triggers: Sequence[str],
    include_full_user: bool = False,
    include_full_source: bool = False,
) -> Webhook:
    """A new webhook of the app's custom integration.

    Raises IntegrationNotFound, NoWebhooksHere, TooManyWebhooks, InvalidWebhook. Emits webhook.created.
    """
    app = await get_app(tx)  # first of all: whoever deletes the integration after this changes the app's row too
    integration = await carrier(tx, integration_id)
    await room_for_webhook(tx)
    tx.apps.rely_on(app)
    return create_webhook(tx, integration, target, triggers, include_full_user, include_full_source)
