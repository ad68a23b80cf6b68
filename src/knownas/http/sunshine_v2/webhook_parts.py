"""The pieces that webhook payloads are made of: who, where, from what (components.schemas of spec/sunshine-v2.yaml)."""

from typing import Any

from knownas.conversations import Origin
from knownas.devices import Device
from knownas.http.sunshine_v2 import wire, wire_conversations, wire_messages
from knownas.http.wire import iso
from knownas.messages import MessagePosted
from knownas.users import User
from knownas.webhooks import Webhook

Payload = dict[str, Any]
BY_API = Origin("api")

conversation = wire_conversations.truncated


def user(user: User, webhook: Webhook) -> Payload:
    """`user` for a webhook with includeFullUser, else `userTruncated`."""
    return wire.user(user) if webhook.include_full_user else truncated(user)


def truncated(user: User) -> Payload:
    """`userTruncated`: what is not there is left out."""
    return identified(user.id, user.external_id, authenticated=user.authenticated) | {
        name: value for name, value in (("zendeskId", user.zendesk_id), ("brandId", user.brand_id)) if value is not None
    }


def identified(user_id: str, external_id: str | None, *, authenticated: bool) -> Payload:
    """`userTruncated` of whoever is no more than this."""
    named = {} if external_id is None else {"externalId": external_id}
    return {"id": user_id, **named, "authenticated": authenticated}


def source(origin: Origin, webhook: Webhook, user: User | None = None, device: Device | None = None) -> Payload:
    """`sourceWebhook`; client and device of the user who did it only for a webhook with includeFullSource."""
    shown: Payload = {"type": origin.type}
    if origin.integration_id is not None:
        shown["integrationId"] = origin.integration_id
    if webhook.include_full_source and user is not None and device is not None:
        # When her first device came is known of the user, not of this one, so `linkedAt` is not said.
        shown["client"] = {
            "id": user.client_id, "type": "sdk", "status": device.status, "lastSeen": iso(device.last_seen),
        }  # fmt: skip
        shown["device"] = wire.device(device, user.client_id)
    return shown


def from_device(device: Device | None) -> Origin:
    """Where something came from that a user did on this device, or that a server did."""
    return BY_API if device is None else Origin(device.platform, device.integration_id)


def author(author: User | None, webhook: Webhook) -> Payload:
    """`authorWebhook`."""
    if author is None:
        return {"type": "business"}
    return {"type": "user", "userId": author.id, "user": user(author, webhook)}


def message(event: MessagePosted, webhook: Webhook) -> Payload:
    """`messageWebhook`: the message with its author and source as the webhook wants them."""
    shown = wire_messages.message(event.message, event.quoted)
    shown.pop("references", None)  # this schema has none
    wrote = event.message.author
    named = {
        "userId": wrote.user_id,
        "displayName": wrote.display_name,
        "avatarUrl": wrote.avatar_url,
        "subtypes": wrote.subtypes or None,
    }
    shown["author"] = {
        **author(event.user, webhook),
        "type": wrote.type,
        **{name: value for name, value in named.items() if value is not None},
    }
    shown["source"] = source(event.message.origin, webhook, event.user, event.device)
    if event.message.deleted:
        shown["deleted"] = True
    return shown
