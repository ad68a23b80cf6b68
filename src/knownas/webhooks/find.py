"""Find an integration's webhooks."""

from knownas.integrations import Integration, IntegrationNotFound
from knownas.transaction import Transaction
from knownas.webhooks import NoWebhooksHere, Webhook, WebhookNotFound


async def carrier(tx: Transaction, integration_id: str) -> Integration:
    """The app's integration, when it is of a type that has webhooks. Raises IntegrationNotFound, NoWebhooksHere."""
    integration = await tx.integrations.by_id(integration_id)
    if integration is None:
        raise IntegrationNotFound
    if integration.type != "custom" and not integration.of_oauth_client:
        raise NoWebhooksHere
    return integration


async def list_webhooks(tx: Transaction, integration_id: str) -> list[Webhook]:
    """The integration's webhooks, oldest first. Raises IntegrationNotFound, NoWebhooksHere."""
    integration = await carrier(tx, integration_id)
    return await tx.webhooks.of_integration(integration.id)


async def get_webhook(tx: Transaction, integration_id: str, webhook_id: str) -> Webhook:
    """The integration's webhook. Raises WebhookNotFound, also for one of another integration (R13)."""
    webhook = await tx.webhooks.by_id(webhook_id)
    if webhook is None or webhook.integration_id != integration_id:
        raise WebhookNotFound
    return webhook
