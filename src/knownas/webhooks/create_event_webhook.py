"""Give an app one more webhook of FusionAuth's format."""

from knownas.apps.update import get_app
from knownas.transaction import Transaction
from knownas.webhooks import EVENT_WEBHOOKS_AT_MOST, TooManyEventWebhooks, Webhook, WebhookCreated
from knownas.webhooks.check_options import check_options
from knownas.webhooks.event_options import CallOptions, EventWebhookOptions, PublicKey, SigningKey


async def create_event_webhook(
    tx: Transaction, options: EventWebhookOptions, signing_key: SigningKey | None = None
) -> Webhook:
    """A new webhook with a fresh secret for the Standard Webhooks signature, which is shown this once.

    With `signing_key` (delivery/signing.py makes one) its calls also carry `X-FusionAuth-Signature-JWT`.
    Raises AppNotFound, InvalidEventWebhook, and TooManyEventWebhooks beyond ten of an app. Emits webhook.created.
    """
    options = check_options(options)
    app = await get_app(tx)
    if len(await tx.webhooks.event_webhooks()) >= EVENT_WEBHOOKS_AT_MOST:
        raise TooManyEventWebhooks
    webhook = Webhook(
        id=tx.new_id(),
        app_id=tx.app_id,
        integration_id="",
        target=options.url,
        triggers=options.events_enabled,
        include_full_user=True,
        include_full_source=True,
        secret=tx.new_secret(),
        created_at=tx.now,
        format="fusionauth",
        call=call_options(options, signing_key),
        public_keys=published(signing_key),
    )
    tx.apps.rely_on(app)
    tx.webhooks.add(webhook)
    tx.emit(WebhookCreated(webhook.id, ""))
    return webhook


def call_options(options: EventWebhookOptions, signing_key: SigningKey | None) -> CallOptions:
    """What of the options is kept sealed. Pure."""
    return CallOptions(
        options.connect_timeout_ms,
        options.read_timeout_ms,
        options.headers,
        options.http_username,
        options.http_password,
        options.description,
        signing_key,
    )


def published(key: SigningKey | None) -> tuple[PublicKey, ...]:
    """What of the key everybody may see. Pure."""
    return () if key is None or key.public is None else (PublicKey(key.public),)
