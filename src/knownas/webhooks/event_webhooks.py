"""An app's webhooks of FusionAuth's format: find, change and remove them, and give them other secrets."""

from typing import Final

from msgspec import UNSET, structs

from knownas.transaction import Transaction
from knownas.webhooks import NoSuchWebhook, Webhook, WebhookDeleted, WebhookUpdated
from knownas.webhooks.check_options import check_options
from knownas.webhooks.create_event_webhook import call_options, published
from knownas.webhooks.event_options import (
    EventWebhookChanges,
    EventWebhookOptions,
    PublicKey,
    SigningKey,
)
from knownas.webhooks.rotate import OVERLAP_S, rotated

PUBLIC_KEYS_AT_MOST: Final = 1000
FORMER_KEYS_KEPT: Final = 4


async def list_event_webhooks(tx: Transaction) -> list[Webhook]:
    """The app's, oldest first. Whoever shows them leaves `secret`, the password and the signing key out."""
    return await tx.webhooks.event_webhooks()


async def get_event_webhook(tx: Transaction, webhook_id: str) -> Webhook:
    """One of the app's. Raises NoSuchWebhook, also for one of another format."""
    webhook = await tx.webhooks.by_id(webhook_id)
    if webhook is None or webhook.format != "fusionauth":
        raise NoSuchWebhook
    return webhook


async def update_event_webhook(tx: Transaction, webhook_id: str, changes: EventWebhookChanges) -> Webhook:
    """Change what is given, and switch the webhook on again when failures had switched it off.

    Raises NoSuchWebhook, InvalidEventWebhook. Emits webhook.updated when something changed.
    """
    webhook = await get_event_webhook(tx, webhook_id)
    given = {name: value for name, value in structs.asdict(changes).items() if value is not UNSET}
    if "http_username" in given and not given["http_username"]:
        given.setdefault("http_password", None)
    options = check_options(structs.replace(options_of(webhook), **given))
    call = webhook.call
    changed = structs.replace(
        webhook,
        target=options.url,
        triggers=options.events_enabled,
        call=call_options(options, call.signing_key if call else None),
        failing_since=None,
        disabled_at=None,
    )
    if changed != webhook:
        _hold(tx, changed)
    return changed


async def delete_event_webhook(tx: Transaction, webhook_id: str) -> None:
    """Remove the webhook; what still waits to be delivered to it is dropped.

    Raises NoSuchWebhook. Emits webhook.deleted.
    """
    webhook = await get_event_webhook(tx, webhook_id)
    tx.webhooks.remove(webhook)
    tx.emit(WebhookDeleted(webhook.id, ""))


async def rotate_event_secret(tx: Transaction, webhook_id: str, overlap_s: int = OVERLAP_S) -> Webhook:
    """A new secret for the Standard Webhooks signature; the one before counts beside it for `overlap_s` seconds.

    As for other webhooks (rotate.py), it is shown this once. Raises NoSuchWebhook. Emits webhook.updated.
    """
    webhook = rotated(await get_event_webhook(tx, webhook_id), tx.new_secret(), tx.now, overlap_s)
    _hold(tx, webhook)
    return webhook


async def replace_signing_key(
    tx: Transaction, webhook_id: str, key: SigningKey | None, overlap_s: int = OVERLAP_S
) -> Webhook:
    """Sign with this key from now on, or, with None, make no JWT any more.

    A public key that was used until now stays published for `overlap_s` seconds, for what is on its way.
    Raises NoSuchWebhook. Emits webhook.updated.
    """
    webhook = await get_event_webhook(tx, webhook_id)
    until = tx.now + overlap_s * 1000
    former = [
        PublicKey(one.jwk, until if one.until is None else min(one.until, until))
        for one in webhook.public_keys
        if one.until is None or one.until > tx.now
    ]
    kept = former[:FORMER_KEYS_KEPT] if overlap_s else []
    webhook = structs.replace(
        webhook,
        call=call_options(options_of(webhook), key),
        public_keys=(*published(key), *kept),
    )
    _hold(tx, webhook)
    return webhook


async def list_public_keys(tx: Transaction, app_id: str | None) -> list[PublicKey]:
    """What receivers verify JWTs with: one app's keys or, with None, everybody's, at most PUBLIC_KEYS_AT_MOST."""
    found = await tx.webhooks.public_keys(app_id, PUBLIC_KEYS_AT_MOST)
    return [key for key in found if key.until is None or key.until > tx.now][:PUBLIC_KEYS_AT_MOST]


def options_of(webhook: Webhook) -> EventWebhookOptions:
    """What was chosen for the webhook, its signing key aside. Pure."""
    call = webhook.call
    if call is None:
        raise NoSuchWebhook
    return EventWebhookOptions(
        webhook.target,
        webhook.triggers,
        call.connect_timeout_ms,
        call.read_timeout_ms,
        call.headers,
        call.http_username,
        call.http_password,
        call.description,
    )


def _hold(tx: Transaction, webhook: Webhook) -> None:
    tx.webhooks.update(webhook)
    tx.emit(WebhookUpdated(webhook.id, ""))
