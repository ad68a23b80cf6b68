"""What a receiver of FusionAuth's format gets: that product's envelope, and the headers that its webhooks carry."""

import base64
from typing import Any, Final

import msgspec

from knownas import __version__
from knownas.deliveries import Recorded
from knownas.delivery.signing import sign, signature_jwt
from knownas.ids import uuid_of
from knownas.webhooks import Told, Webhook
from knownas.webhooks.event_options import CallOptions

_encode: Final = msgspec.json.Encoder().encode


def event_envelope(event: Recorded, webhook: Webhook, told: Told) -> bytes:
    """`{"event": {...}}`. The id is the event's own at each attempt, so that receivers can tell repetitions."""
    shown: dict[str, Any] = {
        "id": uuid_of(event.id),
        "type": told.trigger,
        "createInstant": event.created_at,
        "tenantId": uuid_of(webhook.app_id),
        **told.payload,
    }
    return _encode({"event": shown})


def event_headers(webhook: Webhook, call: CallOptions, event_id: str, body: bytes, now: int) -> dict[str, str]:
    """The webhook's own headers and credentials, then ours: both signatures, made for these very bytes at `now` (ms).

    `webhook-id` is the event's id as the body spells it.
    """
    named, timestamp = uuid_of(event_id), str(now // 1000)
    made = {name.lower(): value for name, value in call.headers.items()}
    if call.http_username is not None:
        pair = f"{call.http_username}:{call.http_password or ''}".encode()
        made["authorization"] = f"Basic {base64.b64encode(pair).decode()}"
    made |= {
        "content-type": "application/json",
        "user-agent": f"Knownas/{__version__}",
        "webhook-id": named,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(sign(secret, named, timestamp, body) for secret in webhook.live_secrets(now)),
    }
    if call.signing_key is not None:
        made["x-fusionauth-signature-jwt"] = signature_jwt(call.signing_key, body)
    return made
